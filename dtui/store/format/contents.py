"""Lists what a run holds: statistics, sources, other kinds of rows, and columns for judgements of images.

A run of format 2 has this list in structure.h5 (`dtui.store.format.contents_document`). A run of format 1 holds what
FORMAT_1 lists. The list alone fixes the layout of frames and parts, whatever this version of dtui measures.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.errors import NotRecordedError, RunFormatError, UsageError
from dtui.model import SOURCES
from dtui.model import statistics as known
from dtui.model.columns import Column, is_known

FORMAT_VERSION = 2
"""Of the runs that are begun."""
OLDEST_FORMAT = 1

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stored:
    """One statistic in the list of a run; see `dtui.model.statistics.Statistic`.

    Attributes:
        name: Lower-case letters, digits and underscores.
        sources: The sources that it is computed from: weights, gradients, updates.
        bits: Bits of mantissa that are kept.
        is_watched: Whether watches have a value of it.
        norm_of: Mean and standard deviation from which it is computed in records: √elements · √(mean² + std²). Parts of
            records do not store it. Watches store it, because they have no mean and std.
    """

    name: str
    sources: tuple[str, ...] = SOURCES
    bits: int = known.WHOLE
    is_watched: bool = False
    norm_of: tuple[str, ...] = ()

    @classmethod
    def of(cls, one: known.Statistic) -> Stored:
        """Return the list entry for a statistic."""
        return cls(one.name, one.sources, one.bits, one.is_watched, one.norm_of)


@dataclass(frozen=True, slots=True)
class Track:
    """Statistics of another kind of rows than filters and layers, in records and watches, float32.

    This dtui writes and reads the tracks of normalisation layers, of parameters outside the layers, of adapters, and of
    channels of normalisation layers. It keeps any other track that it finds in a run.

    Attributes:
        kind: Kind of the rows, such as "norms".
        rows: Number of rows.
        statistics: In storage order.
    """

    kind: str
    rows: int
    statistics: tuple[Stored, ...]


_WRITTEN = (known.Rows.NORMS, known.Rows.PARAMETERS, known.Rows.ADAPTERS, known.Rows.CHANNELS)
"""Kinds of rows of the tracks that this dtui writes."""

LABEL = Column("label", "<u2")
CONFIDENCE = Column("confidence", "|u1")


@dataclass(frozen=True, eq=False, slots=True)
class Contents:
    """The list of what a run holds. `contents` makes it: equal lists are the same object.

    Attributes:
        format: Format version of the run.
        sources: The sources of layer statistics, in storage order.
        filters: The statistics of filters by name, in storage order.
        layers: The statistics of layers and modules.
        tracks: The statistics of other kinds of rows.
        columns: The columns of frames, in storage order.
    """

    format: int
    sources: tuple[str, ...]
    filters: Mapping[str, Stored]
    layers: Mapping[str, Stored]
    tracks: tuple[Track, ...] = ()
    columns: tuple[Column, ...] = (LABEL, CONFIDENCE)

    @property
    def norms(self) -> Mapping[str, tuple[str, ...]]:
        """The filter statistics that parts of records do not store, each with the statistics it is computed from."""
        return {name: one.norm_of for name, one in self.filters.items() if one.norm_of}

    @property
    def has_labels(self) -> bool:
        """Whether validations hold labels and confidences."""
        return LABEL in self.columns and CONFIDENCE in self.columns

    def of(self, rows: known.Rows) -> Mapping[str, Stored]:
        """Return the statistics of a kind of rows by name, in storage order; empty if the run lacks the kind."""
        if rows in (known.Rows.FILTERS, known.Rows.LAYERS):
            return self.filters if rows is known.Rows.FILTERS else self.layers
        return {one.name: one for track in self.tracks if track.kind == rows for one in track.statistics}

    def rows_of(self, kind: str) -> int:
        """Return the number of rows of a track, 0 if the run lacks it."""
        return next((track.rows for track in self.tracks if track.kind == kind), 0)

    @property
    def unwritten(self) -> tuple[str, ...]:
        """Kinds of rows and columns that this dtui does not know, so that it cannot go on recording the run."""
        others = (column.name for column in self.columns if not is_known(column))
        return (*(track.kind for track in self.tracks if track.kind not in _WRITTEN), *others)

    def filter_statistic(self, name: str, run: Path) -> Stored:
        """Return a statistic of filters.

        Raises:
            NotRecordedError: The run does not hold this statistic.
            UsageError: There is no such statistic.
        """
        return _find(self.filters, name, "filter statistic", run, known.by_name(known.Rows.FILTERS, known.STATISTICS))

    def layer_statistic(self, name: str, source: str, run: Path) -> tuple[int, Stored]:
        """Return a statistic of layers and modules, and its place on their axis.

        Raises:
            NotRecordedError: The run does not hold it, or not of this source.
            UsageError: There is no such statistic or source.
        """
        _find(dict.fromkeys(self.sources, True), source, "source", run, SOURCES)
        every = known.by_name(known.Rows.LAYERS, known.STATISTICS)
        found = _find(self.layers, name, "layer statistic", run, every)
        return tuple(self.layers).index(name), found

    def row_statistic(self, rows: known.Rows, name: str, run: Path) -> Stored:
        """Return a statistic of a kind of rows that has a track of its own.

        Raises:
            NotRecordedError: The run does not hold it, or no such rows.
            UsageError: There is no such statistic.
        """
        every = known.by_name(rows, known.STATISTICS)
        return _find(self.of(rows), name, f"{rows.value.removesuffix('s')} statistic", run, every)


def _find(there: Mapping[str, _T], name: str, what: str, run: Path, every: Container[str]) -> _T:
    if name in there:
        return there[name]
    held = f"use one of {', '.join(there)}" if there else "it holds nothing of that kind"
    if name in every:
        raise NotRecordedError(f"{run}: {what} {name} was not recorded in this run; {held}")
    raise UsageError(f"{what} {name!r} is unknown; {held}")


def contents(
    version: int,
    sources: tuple[str, ...],
    filters: tuple[Stored, ...],
    layers: tuple[Stored, ...],
    tracks: tuple[Track, ...] = (),
    columns: tuple[Column, ...] = (LABEL, CONFIDENCE),
) -> Contents:
    """Return the contents of a run. Equal lists give the same object, so comparing and hashing are cheap."""
    return _made_once(version, sources, filters, layers, tracks, columns)


@lru_cache(maxsize=64)
def _made_once(
    version: int,
    sources: tuple[str, ...],
    filters: tuple[Stored, ...],
    layers: tuple[Stored, ...],
    tracks: tuple[Track, ...],
    columns: tuple[Column, ...],
) -> Contents:
    of_filters, of_layers = (MappingProxyType({one.name: one for one in some}) for some in (filters, layers))
    return Contents(version, sources, of_filters, of_layers, tracks, columns)


def contents_of_today(
    norms: int = 0, columns: Sequence[Column] = (), parameters: int = 0, adapters: int = 0, channels: int = 0
) -> Contents:
    """Return the contents of a run that this dtui begins.

    Args:
        norms: Number of its normalisation layers.
        columns: Columns of records and watches; those of validations are listed with the images.
        parameters: Number of its parameters outside the layers that have a row.
        adapters: Number of its adapters.
        channels: Number of channels of normalisation layers that have a row.
    """
    filters, layers, *others = (
        tuple(map(Stored.of, known.by_name(rows, known.STATISTICS).values())) for rows in known.Rows
    )
    of_rows = zip(_WRITTEN, (norms, parameters, adapters, channels), others, strict=True)
    tracks = tuple(Track(kind.value, rows, measured) for kind, rows, measured in of_rows if rows)
    return contents(FORMAT_VERSION, SOURCES, filters, layers, tracks, (LABEL, CONFIDENCE, *columns))


def require_format(run: Path, found: int) -> None:
    """Refuse a run in a format that this dtui does not read.

    Raises:
        RunFormatError: A newer dtui wrote it.
    """
    if not is_known_format(found):
        first_and_last = dict.fromkeys((OLDEST_FORMAT, FORMAT_VERSION))
        reads = "\N{EN DASH}".join(map(str, first_and_last))
        raise RunFormatError(f"{run}: format {found}, this dtui reads {reads}; upgrade dtui")


def is_known_format(found: object) -> bool:
    """Whether this dtui reads runs of a format version."""
    return type(found) is int and OLDEST_FORMAT <= found <= FORMAT_VERSION


_WEIGHTS, _GRADIENTS, _UPDATES = ("weights",), ("gradients",), ("updates",)

FORMAT_1 = contents(
    1,
    ("weights", "gradients", "updates"),
    (
        Stored("mean", _WEIGHTS, 10),
        Stored("std", _WEIGHTS, 10),
        Stored("norm", _WEIGHTS, 10, True, ("mean", "std")),
        Stored("share_negative", _WEIGHTS, 10),
        Stored("sum_positive", _WEIGHTS, 10),
        Stored("sum_negative", _WEIGHTS, 10),
        Stored("update_norm", _UPDATES, 7, True),
        Stored("update_ratio", _UPDATES, 7, True),
        Stored("cosine_distance", _UPDATES, 7, True),
        Stored("gradient_mean", _GRADIENTS, 7),
        Stored("gradient_std", _GRADIENTS, 7),
        Stored("gradient_norm", _GRADIENTS, 7, True, ("gradient_mean", "gradient_std")),
        Stored("nonfinite", ("weights", "gradients"), 23, True),
    ),
    (
        *(Stored(name) for name in ("max", "min", "mean", "sum", "var", "std", "norm1")),
        Stored("norm2", is_watched=True),
        *(Stored(name) for name in ("median", "q1", "q3")),
        Stored("nonfinite", is_watched=True),
    ),
)
"""What every run of format 1 holds: frozen, whatever is measured today. Parts may hold more bits, and norms."""
