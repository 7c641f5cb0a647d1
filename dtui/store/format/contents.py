"""What a run holds: its statistics, sources, other kinds of rows, and what is kept of judgements.

A run of format 2 lists that in structure.h5 (`dtui.store.format.contents_document`); what one of format 1 holds is
FORMAT_1. Frames and parts are laid out by this list alone, never by what the dtui that reads them knows.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from dtui.errors import NotRecordedError, RunFormatError, UsageError
from dtui.model import SOURCES
from dtui.model import statistics as known

FORMAT_VERSION = 2
"""Of the runs that are begun."""
OLDEST_FORMAT = 1

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stored:
    """A statistic as a run holds it; see `dtui.model.statistics.Statistic`.

    Attributes:
        name: Of lower-case letters, digits and underscores.
        sources: What it is taken of.
        bits: Of mantissa that are kept.
        is_watched: Whether watches have a value.
        norm_of: Mean and standard deviation that it follows from in records: √elements · √(mean² + std²). Parts of
            records do not hold it. Watches, which have no mean and std, hold it.
    """

    name: str
    sources: tuple[str, ...] = SOURCES
    bits: int = known.WHOLE
    is_watched: bool = False
    norm_of: tuple[str, ...] = ()

    @classmethod
    def of(cls, one: known.Statistic) -> Stored:
        """Return what a run keeps of a statistic."""
        return cls(one.name, one.sources, one.bits, one.is_watched, one.norm_of)


@dataclass(frozen=True, slots=True)
class Track:
    """Statistics of a kind of rows that are neither filters nor layers: of records and watches, float32.

    This dtui writes and reads those of normalisation layers; it keeps any others that it finds.

    Attributes:
        kind: Of the rows, such as "norms".
        rows: How many there are.
        statistics: In storage order.
    """

    kind: str
    rows: int
    statistics: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One array that a frame holds beside statistics: of a validation a value an image, as labels are.

    Attributes:
        name: "label" and "confidence" are read; others are kept and passed over.
        dtype: Of an element, little-endian.
        stream: Whose frames hold it.
        rows: Elements in a frame; None for one an image.
    """

    name: str
    dtype: str
    stream: str = "validations"
    rows: int | None = None


LABEL = Column("label", "<u2")
CONFIDENCE = Column("confidence", "|u1")


@dataclass(frozen=True, eq=False, slots=True)
class Contents:
    """What a run holds. Made by `contents`: equal lists are one object.

    Attributes:
        format: Format version of the run.
        sources: Of layer statistics, in storage order.
        filters: The statistics of filters by name, in storage order.
        layers: Those of layers and modules.
        tracks: Those of other kinds of rows.
        columns: What is kept of judgements, in storage order.
    """

    format: int
    sources: tuple[str, ...]
    filters: Mapping[str, Stored]
    layers: Mapping[str, Stored]
    tracks: tuple[Track, ...] = ()
    columns: tuple[Column, ...] = (LABEL, CONFIDENCE)

    @property
    def norms(self) -> Mapping[str, tuple[str, ...]]:
        """The filter statistics that parts of records do not hold, and what they follow from."""
        return {name: one.norm_of for name, one in self.filters.items() if one.norm_of}

    @property
    def has_labels(self) -> bool:
        """Whether validations tell how every image was judged."""
        return LABEL in self.columns and CONFIDENCE in self.columns

    def of(self, rows: known.Rows) -> Mapping[str, Stored]:
        """Return the statistics of a kind of rows by name, in storage order; none of a kind that the run lacks."""
        if rows in (known.Rows.FILTERS, known.Rows.LAYERS):
            return self.filters if rows is known.Rows.FILTERS else self.layers
        return {one.name: one for track in self.tracks if track.kind == rows for one in track.statistics}

    def rows_of(self, kind: str) -> int:
        """Return how many rows of another kind than filters and layers there are, 0 of one that the run lacks."""
        return next((track.rows for track in self.tracks if track.kind == kind), 0)

    @property
    def unwritten(self) -> tuple[str, ...]:
        """What this dtui cannot go on with: kinds of rows and columns that it does not know."""
        others = (column.name for column in self.columns if column not in (LABEL, CONFIDENCE))
        return (*(track.kind for track in self.tracks if track.kind != known.Rows.NORMS), *others)

    def filter_statistic(self, name: str, run: Path) -> Stored:
        """Return a statistic of filters.

        Raises:
            NotRecordedError: The run does not hold it.
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

    def norm_statistic(self, name: str, run: Path) -> Stored:
        """Return a statistic of normalisation layers.

        Raises:
            NotRecordedError: The run does not hold it, or no normalisation layers.
            UsageError: There is no such statistic.
        """
        every = known.by_name(known.Rows.NORMS, known.STATISTICS)
        return _find(self.of(known.Rows.NORMS), name, "norm statistic", run, every)


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
    """Return what a run holds; the same object for the same lists, so that it is compared and hashed at no cost."""
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


def contents_of_today(norms: int = 0) -> Contents:
    """Return what a run holds that this dtui begins; `norms` is the number of its normalisation layers."""
    filters, layers, of_norms = (
        tuple(map(Stored.of, known.by_name(rows, known.STATISTICS).values())) for rows in known.Rows
    )
    tracks = (Track(known.Rows.NORMS.value, norms, of_norms),) if norms else ()
    return contents(FORMAT_VERSION, SOURCES, filters, layers, tracks)


def require_format(run: Path, found: int) -> None:
    """Refuse a run of another format than those that this dtui reads.

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
