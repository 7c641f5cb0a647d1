"""The layout of a frame: its header, and the fixed fields of its payload."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import CHANGE_RATIO_EDGES, HISTOGRAM_BINS
from dtui.model.statistics import Rows
from dtui.store.format.contents import CONFIDENCE, LABEL
from dtui.store.format.schema import Sizes, Stream

FRAME_MAGIC = b"dtJ1"
FRAME_HEADER = struct.Struct("<4sBBHIIQqII")
"""magic, format version of the run, stream (0 records, 1 validations, 2 watches), 0, token of the run (CRC-32 of its
id), payload bytes, ordinal, iteration, CRC-32 of the payload, CRC-32 of the header before this field."""
STREAM_CODES = {Stream.RECORDS: 0, Stream.VALIDATIONS: 1, Stream.WATCHES: 2}
PAYLOAD_ALIGNMENT = 8
"""A payload is its fixed fields, then a JSON object of scalars padded with spaces to this many bytes."""


@dataclass(frozen=True, slots=True)
class Field:
    """One array at a fixed place in a frame's payload.

    Attributes:
        name: Name of the attribute in Record or Validation.
        dtype: Element type, little-endian.
        shape: Shape in one frame.
        offset: Bytes from the start of the payload.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes in the payload."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


TRACK_FIELDS = {kind.value: kind.value for kind in (Rows.NORMS, Rows.PARAMETERS, Rows.ADAPTERS, Rows.CHANNELS)}
"""Kind of rows to the attribute of a Record that holds its statistics."""
OTHER_COLUMN = "column "
COLUMN_FIELDS = {LABEL.name: "labels", CONFIDENCE.name: "confidences"}
"""Column to the attribute of a Validation that holds it."""


def track_field(kind: str) -> str:
    """Return the name of the field that holds the statistics of another kind of rows."""
    return TRACK_FIELDS.get(kind, f"track {kind}")


def column_field(name: str) -> str:
    """Return the name of the field that holds a column."""
    return COLUMN_FIELDS.get(name, f"{OTHER_COLUMN}{name}")


def field_values(source: Any, field: str) -> Any:
    """Return the values of a field from a Record or a Validation; None for a column that it does not have."""
    name = field.removeprefix(OTHER_COLUMN)
    return getattr(source, field) if name == field else source.columns.get(name)


def frame_fields(stream: Stream, sizes: Sizes) -> dict[str, Field]:
    """Return the fixed fields of a frame's payload by name, in storage order."""
    plan: list[tuple[str, str, tuple[int, ...]]] = []
    if stream is not Stream.VALIDATIONS:
        held = sizes.contents
        statistics = (len(held.sources), len(held.layers))
        plan = [
            ("filters", "<f4", (len(held.filters), sizes.filters)),
            ("layers", "<f4", (*statistics, sizes.layers)),
            ("modules", "<f4", (*statistics, sizes.modules)),
            ("histograms", "<u4", (sizes.layers, HISTOGRAM_BINS)),
            ("change_ratios", "<f4", (sizes.layers, len(CHANGE_RATIO_EDGES))),
        ]
        plan += [(track_field(track.kind), "<f4", (len(track.statistics), track.rows)) for track in held.tracks]
    plan += [(column_field(column.name), column.dtype, (rows,)) for column, rows in sizes.columns(stream)]
    fields: dict[str, Field] = {}
    offset = 0
    for name, dtype, shape in plan:
        fields[name] = Field(name, np.dtype(dtype), shape, offset)
        offset += fields[name].size
    return fields
