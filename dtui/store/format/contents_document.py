"""Converts the list of what a run holds to JSON for structure.h5, and back.

Well-formed entries that only a later dtui knows are kept and ignored. Malformed entries are refused. Names become array
paths and appear on screens, so only a few characters are allowed in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dtui.model.columns import Column
from dtui.model.statistics import WHOLE, Rows
from dtui.store.format.contents import (
    CONFIDENCE,
    FORMAT_1,
    LABEL,
    Contents,
    Stored,
    Track,
    contents,
    require_format,
)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DTYPES = ("|u1", "<u2", "<u4", "<f2", "<f4", "<f8")
_MOST_LISTED = 1_024
"""Entries of all lists together."""
_MOST_ROWS = 20_000_000
_NO_SOURCES = ("histogram", "change_ratio")
"""What a source cannot be called: other arrays of layers have these names."""


def encode_contents(held: Contents) -> dict[str, object]:
    """Return the keys of structure.h5's document that list what a run holds; none for format 1."""
    if held.format == FORMAT_1.format:
        return {}
    filters = {"kind": str(Rows.FILTERS), "statistics": [_encode(one) for one in held.filters.values()]}
    layers = {"kind": str(Rows.LAYERS), "statistics": [_encode(one) for one in held.layers.values()]}
    others = [
        {"kind": track.kind, "rows": track.rows, "statistics": [_encode(one) for one in track.statistics]}
        for track in held.tracks
    ]
    holds = {
        "sources": list(held.sources),
        "tracks": [filters, layers, *others],
        "judgements": encode_columns(held.columns),
    }
    return {"format": held.format, "holds": holds}


def _encode(one: Stored) -> dict[str, object]:
    values: dict[str, object] = {"name": one.name, "of": list(one.sources), "bits": one.bits, "watched": one.is_watched}
    return {**values, "norm_of": list(one.norm_of)} if one.norm_of else values


def encode_columns(columns: Iterable[Column]) -> list[dict[str, object]]:
    """Return a list of columns as a document holds it."""
    return [
        {"name": one.name, "dtype": one.dtype, "stream": one.stream, **({} if one.rows is None else {"rows": one.rows})}
        for one in columns
    ]


def parse_image_columns(items: Any) -> tuple[Column, ...]:
    """Return the columns that images.h5 lists, of frames of validations.

    Raises:
        ValueError: The list is not valid.
    """
    if not isinstance(items, list) or len(items) > _MOST_LISTED:
        raise ValueError(f"its columns are no list of at most {_MOST_LISTED:,}")
    columns = tuple(map(_column, items))
    _unique("column", (column.name for column in (LABEL, CONFIDENCE, *columns)))
    if others := [column for column in columns if column.stream != LABEL.stream]:
        raise ValueError(f"column {others[0].name} is of {others[0].stream}, not of {LABEL.stream}")
    return columns


def parse_contents(values: Mapping[str, Any], path: Path) -> Contents:
    """Return the contents that the document of a structure.h5 lists.

    Raises:
        RunFormatError: A newer dtui wrote it.
        ValueError: The list is not valid in format 2.
    """
    version = values.get("format", FORMAT_1.format)
    if type(version) is not int:
        raise ValueError(f"format {str(version)[:20]!r} is no number")
    require_format(path, version)
    if version == FORMAT_1.format:
        return FORMAT_1
    try:
        return _parse(version, values["holds"])
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"what it holds is not listed as it should be, {error!r}") from error


def _parse(version: int, holds: Any) -> Contents:
    _require_few(holds)
    sources = tuple(_unique("source", (_name("source", name) for name in holds["sources"])))
    if clash := sorted(set(sources) & set(_NO_SOURCES)):
        raise ValueError(f"{clash[0]!r} cannot be a source")
    tracks = {str(item["kind"]): item for item in holds["tracks"]}
    _unique("kind of rows", (_name("kind of rows", item["kind"]) for item in holds["tracks"]))
    filters, layers = (_statistics(kind, tracks.pop(kind, None)) for kind in (Rows.FILTERS, Rows.LAYERS))
    _check_filters(filters)
    if any((one.bits, one.norm_of) != (WHOLE, ()) for one in layers):
        raise ValueError(f"statistics of layers keep {WHOLE} bits")
    others = tuple(_track(kind, item) for kind, item in tracks.items())
    columns = tuple(map(_column, holds["judgements"]))
    _unique("column", (column.name for column in columns))
    return contents(version, sources, filters, layers, others, columns)


def _require_few(holds: Any) -> None:
    """Refuse values that are not lists, and lists longer than a recorder writes."""
    for key in ("sources", "tracks", "judgements"):
        if not isinstance(holds[key], list):
            raise ValueError(f"{key} is no list")
    listed = len(holds["sources"]) + len(holds["judgements"]) + len(holds["tracks"])
    listed += sum(len(item["statistics"]) for item in holds["tracks"])
    if listed > _MOST_LISTED:
        raise ValueError(f"it lists {listed:,} things that it holds, more than {_MOST_LISTED:,}")


def _statistics(kind: str, item: Any) -> tuple[Stored, ...]:
    if item is None:
        raise ValueError(f"the statistics of {kind} are not listed")
    if not isinstance(item["statistics"], list):
        raise ValueError(f"the statistics of {kind} are no list")
    found = tuple(_statistic(one) for one in item["statistics"])
    _unique(f"statistic of {kind}", (one.name for one in found))
    return found


def _statistic(item: Mapping[str, Any]) -> Stored:
    name = _name("statistic", item["name"])
    sources, norm_of = (tuple(_name("source", one) for one in item.get(key, ())) for key in ("of", "norm_of"))
    bits, is_watched = item["bits"], item["watched"]
    if type(bits) is not int or not 1 <= bits <= WHOLE:
        raise ValueError(f"{name} keeps {str(bits)[:20]} bits")
    if not isinstance(is_watched, bool):
        raise ValueError(f"{name}: watched is neither true nor false")
    return Stored(name, sources, bits, is_watched, norm_of)


def _check_filters(filters: Iterable[Stored]) -> None:
    """Refuse norms whose mean or standard deviation the run does not hold."""
    measured = {one.name for one in filters if not one.norm_of}
    for one in filters:
        if one.norm_of and (len(one.norm_of) != 2 or not set(one.norm_of) <= measured):
            raise ValueError(f"{one.name} follows from what the run does not hold")


def _track(kind: str, item: Mapping[str, Any]) -> Track:
    statistics = _statistics(kind, item)
    if any(one.norm_of for one in statistics):
        raise ValueError(f"statistics of {kind} follow from others")
    return Track(kind, _rows(kind, item["rows"]), statistics)


def _column(item: Mapping[str, Any]) -> Column:
    name, stream, dtype = _name("column", item["name"]), _name("stream", item["stream"]), item["dtype"]
    rows = _rows(name, item["rows"]) if "rows" in item else None
    column = Column(name, str(dtype), stream, rows)
    if dtype not in _DTYPES:
        raise ValueError(f"column {name} holds {str(dtype)[:20]!r}; there are {', '.join(_DTYPES)}")
    if rows is None and stream != LABEL.stream:
        raise ValueError(f"column {name} of {stream} does not say how many rows it has")
    if any(name == one.name and column != one for one in (LABEL, CONFIDENCE)):
        raise ValueError(f"column {name} is not one of {LABEL.stream} that holds {dtype}")
    return column


def _rows(name: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _MOST_ROWS:
        raise ValueError(f"{name} has {str(value)[:20]} rows")
    return value


def _name(what: str, value: Any) -> str:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise ValueError(f"{str(value)[:20]!r} is no name of a {what}")
    return value


def _unique(what: str, names: Iterable[str]) -> list[str]:
    seen: list[str] = []
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name!r} is listed twice")
        seen.append(name)
    return seen
