"""Draws the chart in each row of the tree: horizon graphs, lines, box plots, histograms, update ratios.

Owns how many rows of the terminal a chart takes, and its legend.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from dtui.model import FloatArray, IntArray, NodeSeries, TimeAxis
from dtui.model.layers import HEALTHY_RATIOS, UPDATE_RATIO, NodeBoxes, NodeHistograms
from dtui.model.statistics import LAYERS, Drawn
from dtui.tui.renderables.canvas.cells import Cells, UintArray
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import band_colours, value_colours
from dtui.tui.renderables.canvas.primitives import (
    EIGHTHS,
    blend_one,
    braille_spans,
    fold_bands,
    paint_pixels,
    quantise,
    resample,
)
from dtui.tui.renderables.parts.row_dots import line_spans

BANDS = 3
"""Of a horizon graph, on either side of zero."""
RATIO_DECADES = (-7.0, 0.0)
"""Bottom and top of a row of update ratios, as powers of ten."""
ZONE_COSTS = np.array([[0, 10, 20], [10, 0, 13], [40, 40, 0]], np.int16)
"""What an eighth of a row costs that lies in one zone of a box plot (outside, min to max, q1 to q3) and is drawn as
another: q1 to q3 is seen even where it is thin, and not drawn wider than it is."""
NEVER_NEGATIVE = (*(name for name, one in LAYERS.items() if one.drawn is not Drawn.SIGNED), UPDATE_RATIO)
"""Statistics whose charts need no bands below zero and whose values no sign."""


class ChartKind(Enum):
    """How a tree row shows its numbers."""

    HORIZON = "horizon"
    LINE = "line"
    BOX = "box plot"
    HISTOGRAM = "histogram"

    @property
    def tall(self) -> int:
        """Rows of the terminal that a row of the tree takes at least, so that it can be read."""
        return {ChartKind.BOX: 2, ChartKind.HISTOGRAM: 4}.get(self, 1)


Charted = NodeSeries | NodeBoxes | NodeHistograms
"""The numbers of a chart."""


def draw_series(cells: Cells, frame: Frame, y: int, values: FloatArray, tall: int, kind: ChartKind) -> None:
    """Draw series of shape (rows, columns) from row `y` on; 1 is the full height of a horizon graph."""
    if kind is ChartKind.LINE:
        low, high = line_spans(values, tall)
        for index in range(len(values)):
            ch = braille_spans(low[index], high[index], tall)
            cells.paste(frame.gutter, y + index * tall, ch, np.full_like(ch, frame.theme.positive[1]))
        return
    theme, output = frame.theme, frame.output
    if output.has_pixels:
        cells.paste(frame.gutter, y, *fold_bands(values, tall, BANDS, theme.panel, *band_colours(theme, output)))
        return
    up, down = (theme.gained,), (theme.lost,)
    ch, fg, bg = fold_bands(values, tall, 1, theme.panel, up, down)
    if output.mode is ColorMode.NONE:
        negative = np.repeat(values < 0, tall, 0)
        if output.ascii:
            negative &= ch != ord(" ")  # next to nothing is drawn as nothing, on either side of zero
        else:
            hanging, _, _ = fold_bands(1 - np.minimum(np.abs(values), 1), tall, 1, theme.panel, up, up)
            ch = np.where(negative, hanging, ch)
        area = cells.mark[y : y + len(negative), frame.gutter :]
        area[:] = negative[: area.shape[0], : area.shape[1]]
    cells.paste(frame.gutter, y, ch, fg, bg)


def draw_ratios(cells: Cells, frame: Frame, y: int, values: FloatArray, tall: int) -> None:
    """Draw update ratios, shape (rows, columns), as bars on a logarithmic scale; their colour says if it is healthy."""
    low, high = RATIO_DECADES
    known = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((np.log10(np.where(known, values, 1)) - low) / (high - low), 0, 1)
    eighths = np.where(known, np.maximum(1, np.rint(share * 8 * tall)), 0).astype(np.int64)
    fg = ratio_colours(frame, values, 0.35)
    for row in range(tall):
        ch: UintArray = EIGHTHS[np.clip(eighths - 8 * (tall - 1 - row), 0, 8)]
        for index in range(len(values)):
            cells.paste(frame.gutter, y + index * tall + row, ch[index : index + 1], fg[index : index + 1])
    if frame.output.mode is ColorMode.NONE:
        too_high = np.repeat(values > HEALTHY_RATIOS[1], tall, 0)
        area = cells.mark[y : y + len(too_high), frame.gutter :]
        area[:] = too_high[: area.shape[0], : area.shape[1]]


def ratio_colours(frame: Frame, values: FloatArray, dimmed: float = 0.0) -> UintArray:
    """Return the colour of each update ratio: below, within or above what is healthy."""
    low, high = HEALTHY_RATIOS
    theme = frame.theme
    below, within, above = (
        blend_one(colour, theme.panel, dimmed) for colour in (theme.positive[1], theme.live, theme.lost)
    )
    with np.errstate(invalid="ignore"):
        colours = np.where(values < low, below, np.where(values > high, above, within))
    return colours.astype(np.uint32)


def box_heights(values: FloatArray, boxes: NodeBoxes) -> FloatArray:
    """Return values on the scale of the box plots, in [0, 1] from the bottom; NaN stays."""
    low, high = (_stretched(np.array(end), boxes.linear) for end in (boxes.low, boxes.high))
    heights: FloatArray = np.clip((_stretched(values, boxes.linear) - low) / (high - low), 0, 1)
    return heights


def _stretched(values: FloatArray, linear: float) -> FloatArray:
    """Return values as they are, or on both sides of zero as logarithms beyond `linear`."""
    if not linear:
        return values
    stretched: FloatArray = np.sign(values) * np.log10(1 + np.abs(values) / linear)
    return stretched


def draw_boxes(cells: Cells, frame: Frame, y: int, values: FloatArray, boxes: NodeBoxes, tall: int) -> None:
    """Draw box plots, values of shape (5, rows, columns): q1 to q3 bright, min to max dim, in each column.

    Where two colours a cell cannot be shown, q1 to q3 is two dots wide and the rest one.
    """
    least, first, _, third, most = (box_heights(part, boxes) for part in values)
    if frame.output.has_pixels:
        colours = (frame.theme.panel, frame.theme.positive[0], frame.theme.positive[2])
        cells.paste(frame.gutter, y, *zones(least, first, third, most, tall, colours))
        return
    for index in range(values.shape[1]):
        low = np.stack([least[index], first[index]], -1).ravel()
        high = np.stack([most[index], third[index]], -1).ravel()
        ch = braille_spans(low, high, tall)
        inner = braille_spans(np.repeat(first[index], 2), np.repeat(third[index], 2), tall)
        fg = np.where(inner != 32, np.uint32(frame.theme.positive[2]), np.uint32(frame.theme.positive[1]))
        cells.paste(frame.gutter, y + index * tall, ch, fg)


def zones(
    least: FloatArray, first: FloatArray, third: FloatArray, most: FloatArray, tall: int, colours: tuple[int, int, int]
) -> tuple[UintArray, UintArray, UintArray]:
    """Draw in each column what lies between two outer and two inner heights, in eighths of a row of the terminal.

    A cell shows two colours: of the glyphs that fill it from below, and of a line through its middle, it gets the one
    that is wrong in the fewest eighths.

    Args:
        least: Lower outer heights, in [0, 1], shape (rows, columns); NaN for nothing.
        first: Lower inner heights.
        third: Upper inner heights.
        most: Upper outer heights.
        tall: Rows of the terminal a row, >= 1.
        colours: Outside, between the outer, and between the inner heights.

    Returns:
        Characters, foregrounds and backgrounds, each of shape (rows * tall, columns).
    """
    levels = 8 * tall
    middle = (np.arange(levels) + 0.5)[:, None, None] / levels
    half = 0.5 / levels
    kind = ((middle > least - half) & (middle < most + half)).astype(np.int64)
    inner = (middle >= first - half) & (middle <= third + half)
    kind = np.where(inner & np.isfinite(first) & np.isfinite(third), 2, kind)  # (levels, rows, columns)
    cut = kind.reshape(tall, 8, *kind.shape[1:])
    # What each colour costs up to each eighth, (zone, tall, 8, rows, columns); then for each glyph what it costs where
    # that is drawn in its colour, and where it is not, (zone, glyph, tall, rows, columns).
    costs = np.stack([costs_of[cut] for costs_of in ZONE_COSTS.T]).cumsum(2, np.int16)
    whole, filled = costs[:, :, -1], (7, 1, 6, 2, 5, 3, 4)
    glyphs = np.array([32, *(EIGHTHS[eighths] for eighths in filled), ord("━")], np.uint32)
    line = costs[:, :, 4] - costs[:, :, 2]
    parts = np.stack([np.zeros_like(whole), *(costs[:, :, eighths - 1] for eighths in filled), line], 1)
    rests = whole[:, None] - parts
    best = (parts.min(0) + rests.min(0)).argmin(0)
    fg, bg = (np.take_along_axis(one, best[None, None], 1)[:, 0].argmin(0) for one in (parts, rests))
    palette = np.array(colours, np.uint32)

    def arranged(cells: UintArray | IntArray) -> UintArray:
        rows = np.moveaxis(cells[::-1], 0, 1)  # the top row of each comes first
        return rows.reshape(-1, cells.shape[-1]).astype(np.uint32)

    return arranged(glyphs[best]), palette[arranged(fg)], palette[arranged(bg)]


def draw_histograms(cells: Cells, frame: Frame, y: int, shares: FloatArray, tall: int) -> None:
    """Draw histograms, shape (rows, bins, columns), as heat: bins from the bottom up, the fullest the brightest."""
    colours = value_colours(frame.theme, frame.output)
    for index, row in enumerate(shares):
        most = np.nanmax(row) if np.isfinite(row).any() else 1.0
        shades = np.sqrt(np.where(row > 0, row, np.nan) / most)[::-1]
        pixels = shades[np.arange(2 * tall) * len(shades) // (2 * tall)]
        paint_pixels(cells, frame.gutter, y + index * tall, quantise(pixels, len(colours)), colours, frame.output)


def sparkline(shares: FloatArray) -> str:
    """Return a histogram, shape (bins,), as one row of bars; "" where nothing is known."""
    if not np.isfinite(shares).all() or not shares.max(initial=0.0) > 0:
        return ""
    eighths = np.ceil(shares / shares.max() * 8).astype(int)
    return "".join(chr(int(EIGHTHS[step])) for step in eighths)


def rows_at(values: FloatArray, old: TimeAxis, frame: Frame, places: Sequence[int | None]) -> FloatArray:
    """Return the values of each row over the pane's columns; NaN for a row without a place.

    Args:
        values: Shape (nodes, …, columns) over `old`.
        old: Their axis.
        frame: The pane.
        places: For each row its place in `values`.
    """
    assert frame.axis is not None
    new = resample(values, old, frame.axis.with_columns(frame.plot_width))
    result = np.full((len(places), *new.shape[1:]), np.nan)
    for row, place in enumerate(places):
        if place is not None:
            result[row] = new[place]
    return result
