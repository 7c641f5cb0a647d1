"""The numbers of a pane as a table, for a file: what is on the screen, with the run, the range and the settings."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, TimeAxis

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, eq=False, slots=True)
class Numbers:
    """A table.

    Attributes:
        title: What it holds, with the settings that it depends on.
        columns: Headings; names in them are data from outside.
        rows: One text or number a column; NaN and None are left empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]


def over_time(title: str, axis: TimeAxis, names: Sequence[str], values: Sequence[FloatArray]) -> Numbers:
    """Return series over an axis as a table: a row for each column of the axis that holds any number.

    Args:
        title: What they are.
        axis: Its columns.
        names: One a series.
        values: One array of shape (columns,) a series.
    """
    first = axis.first + np.arange(axis.columns) * axis.column_span
    rows = [
        [int(np.ceil(begin)), *(float(series[column]) for series in values)]
        for column, begin in enumerate(first.tolist())
        if any(np.isfinite(series[column]) for series in values)
    ]
    return Numbers(title, ("iteration from", *names), rows)


def to_csv(numbers: Numbers, heading: str) -> str:
    """Return a table as CSV, with a heading and the table's title as comment lines before it.

    A text that a spreadsheet would take for a formula gets an apostrophe before it: names come from outside.
    """
    import csv

    out = io.StringIO()
    for line in (heading, numbers.title):
        out.write(f"# {' '.join(line.split())}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in numbers.columns])
    writer.writerows([_cell(value) for value in row] for row in numbers.rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) else value
