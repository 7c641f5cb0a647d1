"""Lists everything that is measured on weights, gradients and updates: one `Statistic` each, in storage order.

To add a statistic, add it here and its formula in `dtui.record.measure.statistics`. Each run lists the statistics that
it holds (`dtui.store.format.contents`), so a new one, at any place in the list, does not affect existing runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from dtui.dataclass_on_use import dataclass

SOURCES = ("weights", "gradients", "updates")
"""What a layer statistic is taken of, in storage order."""

WHOLE = 23
"""Bits of a float32's mantissa: not rounded."""


class Rows(StrEnum):
    """Meaning of one row of a statistic."""

    FILTERS = "filters"
    LAYERS = "layers"
    NORMS = "norms"
    """Normalisation layers."""
    PARAMETERS = "parameters"
    """Parameters outside the recorded layers."""
    ADAPTERS = "adapters"
    """Adapters beside weights, such as LoRA."""
    CHANNELS = "channels"
    """Channels of normalisation layers, where a recorder was asked for them."""


class Drawn(StrEnum):
    """How values are drawn."""

    SIZE = "size"
    """Never below zero: the more, the stronger."""
    SIGNED = "signed"
    """From zero both ways; of several records the one farthest from zero is drawn."""
    LOG = "log"
    """Never below zero, on a logarithmic scale: small values differ by decades."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number that is measured of every filter, of every layer and module, of every normalisation layer, or of
    every parameter outside the layers, of every adapter, or of every channel of a normalisation layer.

    Attributes:
        name: Name in records, files, selections and arguments.
        rows: Whether it is a statistic of filters, of layers and modules, of normalisation layers, of parameters
            outside the layers, of adapters, or of channels.
        sources: Its input: one of SOURCES, or several together. A layer statistic is measured on each of them
            separately.
        bits: Number of mantissa bits that are kept, in [1, 23]; layer statistics keep all.
        is_watched: Whether a watch of the flight recorder measures it; if not, it is NaN there.
        norm_of: For a norm: the mean and the standard deviation that it can be computed from. Parts of records then do
            not store it.
        words: Name for people, if it differs from `name`.
        unit: Of the values, "" where they have none.
        drawn: How values are drawn.
    """

    name: str
    rows: Rows
    sources: tuple[str, ...] = SOURCES
    bits: int = WHOLE
    is_watched: bool = False
    norm_of: tuple[str, ...] = ()
    words: str = ""
    unit: str = ""
    drawn: Drawn = Drawn.SIZE

    @property
    def title(self) -> str:
        """As people read it."""
        return self.words or self.name.replace("_", " ")


_WEIGHTS, _GRADIENTS, _UPDATES = ((source,) for source in SOURCES)
_FILTERS, _LAYERS, _NORMS, _PARAMETERS, _ADAPTERS, _CHANNELS = Rows
_PRECISE, _ROUGH = 10, 7
"""Bits that are kept of filter statistics. The relative error is at most 2^-11 (0.05 %) of what is measured on weights,
and 2^-8 (0.4 %) of gradients and updates, which differ by 20 to 80 % from one record to the next. Counts are whole."""
_FINE = 14
"""Bits that are kept of a channel's values, for a scale near 1 moves by thousandths: an error of 2^-15 at most."""

STATISTICS = (
    Statistic("mean", _FILTERS, _WEIGHTS, _PRECISE, drawn=Drawn.SIGNED),
    Statistic("std", _FILTERS, _WEIGHTS, _PRECISE),
    Statistic("norm", _FILTERS, _WEIGHTS, _PRECISE, is_watched=True, norm_of=("mean", "std")),
    Statistic("share_negative", _FILTERS, _WEIGHTS, _PRECISE, words="share of negative weights"),
    Statistic("sum_positive", _FILTERS, _WEIGHTS, _PRECISE, words="sum of positive weights"),
    Statistic("sum_negative", _FILTERS, _WEIGHTS, _PRECISE, words="sum of negative weights", drawn=Drawn.SIGNED),
    Statistic("update_norm", _FILTERS, _UPDATES, _ROUGH, is_watched=True),
    Statistic("update_ratio", _FILTERS, _UPDATES, _ROUGH, is_watched=True),
    # 1 - cosine similarity of the weights at two consecutive records: float32 holds no similarity close to one.
    Statistic("cosine_distance", _FILTERS, _UPDATES, _ROUGH, is_watched=True, drawn=Drawn.LOG),
    Statistic("gradient_mean", _FILTERS, _GRADIENTS, _ROUGH, drawn=Drawn.SIGNED),
    Statistic("gradient_std", _FILTERS, _GRADIENTS, _ROUGH),
    Statistic(
        "gradient_norm", _FILTERS, _GRADIENTS, _ROUGH, is_watched=True, norm_of=("gradient_mean", "gradient_std")
    ),
    # Counts NaN and Inf among weights and gradients; that of layers counts them for each source.
    Statistic(
        *("nonfinite", _FILTERS, ("weights", "gradients")), is_watched=True, words="NaN and Inf", unit="elements"
    ),
    Statistic("max", _LAYERS, drawn=Drawn.SIGNED),
    Statistic("min", _LAYERS, drawn=Drawn.SIGNED),
    Statistic("mean", _LAYERS, drawn=Drawn.SIGNED),
    Statistic("sum", _LAYERS, drawn=Drawn.SIGNED),
    Statistic("var", _LAYERS),
    Statistic("std", _LAYERS),
    Statistic("norm1", _LAYERS),
    Statistic("norm2", _LAYERS, is_watched=True),
    Statistic("median", _LAYERS, drawn=Drawn.SIGNED),
    Statistic("q1", _LAYERS, drawn=Drawn.SIGNED),
    Statistic("q3", _LAYERS, drawn=Drawn.SIGNED),
    Statistic("nonfinite", _LAYERS, is_watched=True, unit="elements"),
    # Of a normalisation layer: its own scale is "weights", and what it keeps of its inputs is no source of layers.
    Statistic("mean_shift", _NORMS, (), _PRECISE, words="shift of the running mean"),
    Statistic("variance_shift", _NORMS, (), _PRECISE, words="shift of the running variance"),
    Statistic("scale_shift", _NORMS, _WEIGHTS, _PRECISE, words="shift of the scale"),
    Statistic("zero_scales", _NORMS, _WEIGHTS, _PRECISE, words="share of scales near zero"),
    Statistic("nonfinite", _NORMS, _WEIGHTS, words="NaN and Inf", unit="elements"),
    # Of a parameter outside the layers. How many of its two tensors, values and gradient, hold a NaN or an Inf.
    Statistic("norm", _PARAMETERS, _WEIGHTS, _PRECISE),
    Statistic("update_norm", _PARAMETERS, _UPDATES, _PRECISE),
    Statistic("gradient_norm", _PARAMETERS, _GRADIENTS, _PRECISE),
    Statistic("nonfinite", _PARAMETERS, ("weights", "gradients"), words="NaN and Inf", unit="tensors"),
    # Of an adapter: how large a change it makes to its weight.
    Statistic("adapter_norm", _ADAPTERS, _WEIGHTS, _PRECISE, words="‖BA‖·scale"),
    # Of a channel of a normalisation layer: what the layer holds, as it is.
    Statistic("scale", _CHANNELS, _WEIGHTS, _FINE, words="scale γ", drawn=Drawn.SIGNED),
    Statistic("shift", _CHANNELS, _WEIGHTS, _FINE, words="shift β", drawn=Drawn.SIGNED),
    Statistic("running_mean", _CHANNELS, (), _FINE, drawn=Drawn.SIGNED),
    Statistic("running_variance", _CHANNELS, (), _FINE),
)
"""All that this dtui measures. The order within a kind of rows is that of new records and runs."""


def by_name(rows: Rows, statistics: tuple[Statistic, ...] = STATISTICS) -> Mapping[str, Statistic]:
    """Return the statistics for one kind of rows, by name, in order."""
    return MappingProxyType({one.name: one for one in statistics if one.rows is rows})


FILTERS = by_name(Rows.FILTERS)
LAYERS = by_name(Rows.LAYERS)
NORMS = by_name(Rows.NORMS)
PARAMETERS = by_name(Rows.PARAMETERS)
ADAPTERS = by_name(Rows.ADAPTERS)
CHANNELS = by_name(Rows.CHANNELS)
FILTER_STATISTICS = tuple(FILTERS)
"""Names of the statistics of one filter, in storage order."""
LAYER_STATISTICS = tuple(LAYERS)
"""Names of the statistics of one layer or module for each source, in storage order."""
NORM_STATISTICS = tuple(NORMS)
"""Names of the statistics of one normalisation layer, in storage order."""
ADAPTER_STATISTICS = tuple(ADAPTERS)
"""Names of the statistics of one adapter, in storage order."""
CHANNEL_STATISTICS = tuple(CHANNELS)
"""Names of the values of one channel of a normalisation layer, in storage order."""
PARAMETER_STATISTICS = tuple(PARAMETERS)
"""Names of the statistics of one parameter outside the layers, in storage order."""

HISTOGRAM_BINS = 64
"""Equal bins from a layer's smallest to its largest finite weight, both of which are layer statistics."""

RECORDS_A_BIN = 8
"""Records that share one value of the coarse level that long runs are drawn from: the one farthest from zero."""

CHANGE_RATIO_EDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Upper edges for the cumulative shares of |gradient / weight|, one share an edge."""


OTHER_TITLES = {
    "activation_zeros": "share of zeros",
    "activation_mean": "mean activation",
    "adapter_ratio": "‖BA‖·scale / ‖W‖",
}
"""What is no statistic and is drawn as one, and its title."""


def title_of(name: str) -> str:
    """Return the title of a statistic. A name that several kinds of rows share has one title."""
    if name in OTHER_TITLES:
        return OTHER_TITLES[name]
    every = (FILTERS, LAYERS, NORMS, PARAMETERS, ADAPTERS, CHANNELS)
    known = next((of[name] for of in every if name in of), None)
    return name.replace("_", " ") if known is None else known.title
