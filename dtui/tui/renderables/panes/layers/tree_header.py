"""Draws the header of the tree: its name, what the rows show, and a legend with the scale."""

from __future__ import annotations

from dtui.model import NodeSeries
from dtui.model.layers import UPDATE_RATIO, NodeBoxes, NodeHistograms
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.palettes import band_colours, value_colours
from dtui.tui.renderables.panes.layers.tree_charts import BANDS, NEVER_NEGATIVE, Charted, ChartKind
from dtui.tui.renderables.parts.chrome import NONFINITE_WORDS, draw_header, draw_legend, number

TITLE = "Layers"


def draw_tree_header(cells: Cells, frame: Frame, chart: Charted | None, title: str, kind: ChartKind) -> None:
    """Write name, title and legend as far as they fit."""
    theme = frame.theme
    x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
    left = x + 2 if frame.gutter < 26 else frame.gutter
    begin = frame.width
    if isinstance(chart, NodeSeries) and chart.statistic == UPDATE_RATIO:
        begin = _draw_ratio_legend(cells, frame, left + 12)
    elif isinstance(chart, NodeSeries) and kind is ChartKind.HORIZON:
        begin = _draw_band_legend(cells, frame, chart, left)
    elif isinstance(chart, NodeHistograms):
        colours = value_colours(theme, frame.output)
        begin = draw_legend(cells, frame, colours, "none", "fullest bin", left=left + text_width(title) + 2)
    else:
        for words in _words_of(chart, kind, frame.output.has_pixels):
            if left + text_width(title) + 3 + text_width(words) < frame.width:
                begin = frame.width - text_width(words) - 1
                cells.text(begin, 0, words, theme.muted)
                break
    end = cells.text(left, 0, title, theme.text, limit=max(0, begin - left - 1))
    nonfinite = isinstance(chart, NodeSeries) and chart.nonfinite is not None
    if nonfinite and end + text_width(NONFINITE_WORDS) + 3 < begin:
        cells.text(end + 2, 0, NONFINITE_WORDS, theme.warning)


def _words_of(chart: Charted | None, kind: ChartKind, has_pixels: bool) -> tuple[str, ...]:
    """Return words on the scale, the longest first."""
    if isinstance(chart, NodeBoxes):
        scale = f"{number(chart.low)} to {number(chart.high)} and beyond{', log' if chart.linear else ''}"
        parts = "q1–q3 bright, min–max dim" if has_pixels else "q1–q3 thick, min–max thin"
        return (f"{parts}, one scale: {scale}", f"one scale: {scale}", scale)
    if kind is ChartKind.LINE:
        return ("each row on its own scale", "own scales")
    return ("",)


def _draw_ratio_legend(cells: Cells, frame: Frame, left: int) -> int:
    """Draw what the colours of update ratios mean; return the column where it begins."""
    theme = frame.theme
    parts = (("below ", theme.positive[1]), ("1e-4 healthy 1e-2", theme.live), (" above", theme.lost))
    width = sum(text_width(words) for words, _ in parts) + 6
    begin = frame.width - width - 1
    if begin <= left:
        return frame.width
    x = begin
    for words, colour in parts:
        x = cells.text(x, 0, "▆ ", colour)
        x = cells.text(x, 0, words.strip(), theme.muted) + (words != parts[-1][0])
    return begin


def _draw_band_legend(cells: Cells, frame: Frame, series: NodeSeries, left: int) -> int:
    """Draw negative and positive bands between the values at which they end; return the column where it begins."""
    theme = frame.theme
    bands = BANDS if frame.output.has_pixels else 1
    low, high = number(-series.scale), number(series.scale, signed=True)
    if frame.output.has_pixels:
        positive, negative = band_colours(theme, frame.output)
        colours = [*negative[::-1], theme.panel, *positive]
        patches = ["██"] * len(colours)
    else:
        colours, patches = [theme.lost, theme.panel, theme.gained], ["▀▀", "  ", "▄▄"]
    if series.statistic in NEVER_NEGATIVE:
        low, high, colours, patches = "0", number(series.scale), colours[-bands:], patches[-bands:]
    width = text_width(low) + 2 * len(colours) + text_width(high) + 3
    begin = frame.width - width
    if begin <= left + 2 or cells.height < 1:
        return frame.width
    x = cells.text(begin, 0, low, theme.muted) + 1
    for colour, patch in zip(colours, patches, strict=True):
        cells.text(x, 0, patch if colour != theme.panel else "  ", colour)
        cells.mark[0, x : x + 2] = frame.output.ascii and colour == theme.lost
        x += 2
    cells.text(x + 1, 0, high, theme.muted)
    return begin
