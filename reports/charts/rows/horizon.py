"""Turns series into horizon graphs: bands of step paths, one step per column.

Owns the colours and outlines of the bands, the scales, and which rows of a hierarchy are open at first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import BoolArray, FloatArray
from dtui.reports.charts import theme
from dtui.reports.rows import TreeRow

BANDS = 3
UNFOLDED_ROWS = 44
"""The levels of the hierarchy that stand open at first: as many as fit into this many rows."""
FULL_SHARE = 0.99
"""Share of a row's values that its bands hold on its own scale."""
DWARFED = 6
"""One scale for all rows starts switched off where the median row would stay under 1/DWARFED of the first band."""
BAR_HEIGHT = 5
"""Pixels of the bar that marks NaN and Inf; half-way up a row, where no band ends."""
QUANTUM = 2
"""Steps of a path are rounded to 1/QUANTUM pixel."""


def band_paths(values: FloatArray, scale: float, height: float, bands: int = BANDS) -> list[tuple[int, int, str]]:
    """Return the outline of each band of one series.

    Args:
        values: Shape (columns,); NaN leaves a hole.
        scale: The absolute value that fills all bands; larger values are cut off.
        height: Pixels.
        bands: How many, >= 1.

    Returns:
        (sign, band, SVG path) for each band that is not empty; one unit of x is a column, y grows downwards from
        the top of the row; sign is 1 or -1, band counts from 0.

    Source: Heer, Kong, Agrawala: Sizing the Horizon (CHI 2009); paths ours.
    """
    paths = []
    sides = {1: np.clip(np.nan_to_num(values), 0, None), -1: np.clip(-np.nan_to_num(values), 0, None)}
    for sign, side in sides.items():
        for band in range(bands):
            filled = np.clip(side * bands / scale - band, 0, 1) * height
            steps = np.rint(filled * QUANTUM) / QUANTUM
            if steps.any():
                paths.append((sign, band, _step_path(steps, height)))
    return paths


def horizon_paths(values: FloatArray, scale: float, height: float) -> list[tuple[str, str]]:
    """Return colour and outline of each band of one series, as `band_paths`."""
    palettes = {1: theme.HORIZON_POSITIVE, -1: theme.HORIZON_NEGATIVE}
    return [(palettes[sign][band], path) for sign, band, path in band_paths(values, scale, height)]


def bar_path(row: BoolArray, height: float) -> str:
    """Return the outline of a bar of BAR_HEIGHT pixels over the columns that are true."""
    top = (height - BAR_HEIGHT) / 2
    return "".join(f"M{begin},{top:g}h{stop - begin}v{BAR_HEIGHT}h{begin - stop}Z" for begin, stop in stretches(row))


def stretches(row: BoolArray) -> list[tuple[int, int]]:
    """Return begin and stop of each stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
    return [(begin, stop) for begin, stop in edges.reshape(-1, 2).tolist()]


def full_scales(values: FloatArray) -> FloatArray:
    """Return the absolute value that fills all bands of each row on its own scale: its 99th percentile, or the largest.

    A row whose percentile is zero is filled by its largest value, one without any but zeros by 1.

    Args:
        values: Shape (rows, columns); NaN where there is no value.
    """
    sizes = np.abs(np.asarray(values, dtype=np.float64))
    known = np.isfinite(sizes)
    sizes[~known] = np.inf
    sizes.sort(axis=1)
    count = known.sum(axis=1)
    rows, last = np.arange(len(sizes)), np.maximum(count - 1, 0)
    percentile, most = sizes[rows, np.rint(FULL_SHARE * last).astype(np.int64)], sizes[rows, last]
    full: FloatArray = np.where(percentile > 0, percentile, np.where(most > 0, most, 1.0))
    full[count == 0] = 1.0
    return full


def dwarfs(full: FloatArray, scale: float) -> bool:
    """Return whether on one scale for all rows a few would dwarf the others; each row has its own scale then."""
    return bool(np.median(full) * BANDS * DWARFED < scale)


def initially_open(rows: Sequence[TreeRow], limit: int = UNFOLDED_ROWS) -> list[int]:
    """Return the rows that are open at first: whole levels, up to `limit` rows."""
    unfolded: list[int] = []
    visible = sum(row.depth == 0 for row in rows)
    for depth in range(max((row.depth for row in rows), default=0)):
        visible += sum(row.depth == depth + 1 for row in rows)
        if visible > limit:
            break
        unfolded += [k for k, row in enumerate(rows) if row.depth == depth and row.is_module]
    return unfolded


def visible_rows(rows: Sequence[TreeRow], unfolded: Sequence[int]) -> list[int]:
    """Return the rows whose ancestors are all open."""
    seen: dict[int, None] = {}
    shown = set(unfolded)
    for k, row in enumerate(rows):
        if row.parent < 0 or (row.parent in shown and row.parent in seen):
            seen[k] = None
    return list(seen)


def _step_path(steps: FloatArray, height: float) -> str:
    """Return the closed outline of columns of the given heights that stand on the row's lower edge."""
    padded = np.concatenate(([0.0], steps, [0.0]))
    parts = [f"M0,{height:g}"]
    at = 0
    for change in np.flatnonzero(np.diff(padded)).tolist():
        if change != at:
            parts.append(f"h{change - at}")
            at = change
        parts.append(f"v{padded[change] - padded[change + 1]:g}")
    return "".join(parts) + "Z"
