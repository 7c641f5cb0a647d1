"""The one time axis that every pane and every chart shares.

Owns the mapping between iterations and columns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import IntArray

SHORTEST_SPAN = 8.0


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A window [first, stop) of iterations drawn over `columns` columns of equal width.

    Attributes:
        first: Iteration at the left edge of column 0.
        stop: Iteration at the right edge of the last column, exclusive, > first.
        columns: Number of columns, >= 1.
    """

    first: float
    stop: float
    columns: int

    def __post_init__(self) -> None:
        """Refuse an empty window or an axis without columns."""
        if not self.first < self.stop:
            raise ValueError(f"time axis: first {self.first} must be before stop {self.stop}")
        if self.columns < 1:
            raise ValueError(f"time axis: {self.columns} columns, need at least 1")

    @property
    def span(self) -> float:
        """Number of iterations in the window."""
        return self.stop - self.first

    @property
    def column_span(self) -> float:
        """Number of iterations in one column."""
        return self.span / self.columns

    def column_of(self, iteration: float) -> int:
        """Return the column that shows an iteration; outside 0..columns-1 when it is outside the window."""
        return int(np.floor((iteration + 0.5 - self.first) / self.span * self.columns))

    def columns_of(self, iterations: IntArray) -> IntArray:
        """Return the column of each iteration, shape (n,), as `column_of` does."""
        columns = np.floor((np.asarray(iterations) + 0.5 - self.first) / self.span * self.columns)
        result: IntArray = columns.astype(np.int64)
        return result

    def iteration_of(self, column: int) -> int:
        """Return the iteration in the middle of a column."""
        return int(np.floor(self.first + (column + 0.5) * self.column_span))

    def contains(self, iteration: float) -> bool:
        """Whether the window shows an iteration."""
        return 0 <= self.column_of(iteration) < self.columns

    def with_columns(self, columns: int) -> TimeAxis:
        """Return the same window over another number of columns."""
        return self if columns == self.columns else replace(self, columns=max(1, columns))

    def zoomed(self, factor: float, around: float, limits: tuple[float, float]) -> TimeAxis:
        """Return the window narrowed by `factor` (> 1 zooms in), keeping `around` where it is on screen.

        Args:
            factor: Ratio of the old span to the new one, > 0.
            around: Iteration that keeps its column.
            limits: First and stop of the whole run; the window never leaves them.
        """
        low, high = limits
        span = min(high - low, max(min(SHORTEST_SPAN, high - low), self.span / factor))
        share = (around - self.first) / self.span
        first = min(max(low, around - share * span), high - span)
        return replace(self, first=first, stop=first + span)

    def showing(self, iteration: float, limits: tuple[float, float]) -> TimeAxis:
        """Return the window moved, if it must be, so that it shows `iteration`."""
        if self.contains(iteration):
            return self
        low, high = limits
        first = min(max(low, iteration - self.span / 2), max(low, high - self.span))
        return replace(self, first=first, stop=first + self.span)
