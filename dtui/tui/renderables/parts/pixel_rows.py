"""Maps the rows of a heatmap to the screen and back.

Owns the mapping between sorted rows, pixel rows and terminal rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PixelRows:
    """Sorted rows first .. first + count - 1, averaged into `made` pixel rows, over all pixels under a header.

    Attributes:
        first: First sorted row shown.
        count: Sorted rows shown, >= 0.
        made: Pixel rows at hand, >= 0; they are stretched to the pane, two pixels a terminal row.
        height: Terminal rows of the pane, header included.
    """

    first: int
    count: int
    made: int
    height: int

    @property
    def pixels(self) -> int:
        """Screen pixels under the header, two a terminal row."""
        return max(0, 2 * (self.height - 1))

    @property
    def per_pixel(self) -> float:
        """Sorted rows in one pixel row."""
        return self.count / max(1, self.made)

    def made_of(self, row: int) -> int:
        """Return the pixel row that a sorted row is averaged into: as `dtui.analysis.downsample.mean_rows` does it."""
        return ((row - self.first + 1) * self.made - 1) // self.count

    def y_of(self, row: int) -> int | None:
        """Return the terminal row where a sorted row begins; None where it is not shown."""
        ys, place = self.ys(), row - self.first
        return int(ys[place]) if 0 <= place < len(ys) else None

    def ys(self) -> IntArray:
        """Return the terminal row where each row that is shown begins, ascending, shape (count,); none without room.

        The array is kept, and not to be written to.
        """
        return _ys(self.pixels, self.made, self.count)

    def row_at(self, y: int) -> int | None:
        """Return a sorted row that terminal row `y` shows, one that begins there if any does; None for the header."""
        rows = self.rows_in(y)
        return next((row for row in rows if self.y_of(row) == y), rows.start) if rows else None

    def rows_in(self, y: int) -> range:
        """Return the sorted rows that terminal row `y` shows, none for the header."""
        if not 1 <= y < self.height or not self.made or not self.count:
            return range(0)
        low = 2 * (y - 1) * self.made // self.pixels
        high = min(self.made, -(-2 * y * self.made // self.pixels))
        begin, end = low * self.count // self.made, high * self.count // self.made
        return range(self.first + begin, self.first + max(end, begin + 1))

    def expand(self, steps: IntArray) -> IntArray:
        """Return pixel rows of shape (made, columns) as screen pixels, shape (pixels, columns); -1 where none are."""
        if not len(steps):
            return np.full((self.pixels, steps.shape[1]), -1, np.int64)
        return steps[np.arange(self.pixels) * len(steps) // max(1, self.pixels)]

    def profile(self, column: FloatArray) -> FloatArray:
        """Return the mean of one column, shape (made,), in each terminal row; NaN where there is no value."""
        if not len(column):
            return np.full(self.pixels // 2, np.nan)
        pairs = column[np.arange(self.pixels) * len(column) // max(1, self.pixels)].reshape(-1, 2)
        known = np.isfinite(pairs)
        count = known.sum(1)
        result: FloatArray = np.where(count > 0, np.where(known, pairs, 0).sum(1) / np.maximum(count, 1), np.nan)
        return result


@lru_cache(maxsize=16)
def _ys(pixels: int, made: int, count: int) -> IntArray:
    if not pixels or not made:
        return np.zeros(0, np.int64)
    own = (np.arange(1, count + 1) * made - 1) // max(1, count)
    pixel = -(-own * pixels // made) if made <= pixels else own * pixels // made
    ys: IntArray = 1 + np.minimum(pixel, pixels - 1) // 2
    ys.flags.writeable = False
    return ys
