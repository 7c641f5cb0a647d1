"""Several runs: what differs in their settings, two beside each other, and rows of a list."""

from dtui.model.compare.differences import Difference
from dtui.model.compare.pairs import (
    FEWEST_MOMENTS,
    NOT_FINITE,
    Alignment,
    Comparison,
    Divergence,
    Measure,
    PairedColumns,
    PairedRows,
    Parting,
    value_in_words,
)
from dtui.model.compare.run_list import RunList, RunRow, RunTold

__all__ = [
    "FEWEST_MOMENTS",
    "NOT_FINITE",
    "Alignment",
    "Comparison",
    "Difference",
    "Divergence",
    "Measure",
    "PairedColumns",
    "PairedRows",
    "Parting",
    "RunList",
    "RunRow",
    "RunTold",
    "value_in_words",
]
