"""Columns: named arrays that a frame holds beside statistics, such as a score of each image.

Owns which columns this dtui records, and what stands in a column where there is no value.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from dtui.dataclass_on_use import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One array that a frame holds beside statistics, such as the label of each image in a validation.

    Attributes:
        name: 1 to 64 lower-case letters, digits and underscores, a letter first.
        dtype: Of an element, little-endian: |u1 <u2 <u4 <f2 <f4 <f8.
        stream: The stream whose frames hold it.
        rows: Elements per frame; None for one per image.
    """

    name: str
    dtype: str
    stream: str = "validations"
    rows: int | None = None

    @property
    def missing(self) -> float | int:
        """What a frame holds where there is no value: NaN, or the largest number of an unsigned type."""
        kind = np.dtype(self.dtype)
        return float("nan") if kind.kind == "f" else int(np.iinfo(kind).max)


KNOWN_COLUMNS = MappingProxyType(
    {
        "label": ("validations", "<u2"),
        "confidence": ("validations", "|u1"),
        "score": ("validations", "<f4"),
        "rank": ("validations", "|u1"),
        "second_label": ("validations", "<u2"),
        "second_confidence": ("validations", "|u1"),
        "activation_zeros": ("validations", "<f4"),
        "activation_mean": ("validations", "<f4"),
        "most_exciting": ("validations", "<u4"),
        "samples": ("watches", "<f8"),
        "sample_count": ("watches", "<u4"),
        "record_samples": ("records", "<f8"),
        "record_sample_count": ("records", "<u4"),
    }
)
"""The columns that this dtui records, name to stream and type: a run that holds others is not gone on with."""


def is_known(column: Column) -> bool:
    """Whether this dtui records a column."""
    return KNOWN_COLUMNS.get(column.name) == (column.stream, column.dtype)
