"""A whole frame of the TUI at 200×50, from arrays to what the terminal receives."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from dtui.model import ClassErrors, Curves, Heatmap, HeatmapRequest, NodeSeries, Stage, TimeAxis, TreeNode
from dtui.tui.renderables.canvas.cells import CellRow, Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.classes import ClassesPicture, ClassRow
from dtui.tui.renderables.panes.curves import CurvesPicture
from dtui.tui.renderables.panes.layers.filters import FiltersLook, FiltersPicture, filter_pixels
from dtui.tui.renderables.panes.layers.tree import TreeLook, TreePicture
from dtui.tui.renderables.panes.layers.tree_gutter import TreeRow
from dtui.tui.renderables.parts.crosshair import put_ticks, ticks_of
from dtui.tui.widgets.cell_strip import CellStrip
from tests.bench.registry import Measurement, benchmark

WIDTH, GUTTER, CURVES, TREE, FILTERS = 200, 34, 9, 16, 25
AXIS = TimeAxis(0, 1000, WIDTH - GUTTER)
STAGES = (Stage(0, 0.1), Stage(300, 0.01), Stage(600, 0.001))
CONSOLE = Console(force_terminal=True, color_system="truecolor", width=WIDTH)
REPEATS = 15


def where(height: int) -> Frame:
    return Frame(WIDTH, height, GUTTER, AXIS, DARK, Output())


class Screen:
    """The numbers of a Layers screen, noisy, so that hardly two neighbours have the same colour."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        falling = np.exp(-np.arange(AXIS.columns) / 60)
        error = falling + random.normal(0, 0.01, AXIS.columns)
        self.curves = CurvesPicture(Curves(AXIS, {"validation_error": error, "train_error": error * 0.9}, {}), STAGES)
        nodes = [TreeNode(i, f"layer{i}", f"layer{i}", 0, -1, i, None, (i,), "Conv2d", "3×3", 64, 0) for i in range(54)]
        rows = tuple(TreeRow(node, False, False) for node in nodes)
        values = random.normal(0, 0.5, (len(nodes), AXIS.columns)).cumsum(1) / 8
        series = NodeSeries(AXIS, "mean", "weights", tuple(range(len(nodes))), values, 1.0)
        pixels = filter_pixels(FILTERS)
        shades = random.gamma(2, 0.2, (pixels, 1)) * falling * random.lognormal(0, 0.3, (pixels, AXIS.columns))
        request = HeatmapRequest(0, "update_ratio", AXIS, 0, 2048, pixels)
        none = np.zeros(2048, bool)
        heatmap = Heatmap(
            request, shades, np.clip(shades, 0, 1), 1.0, np.arange(2048), 2048, none, none, np.zeros(2048, int)
        )
        self.tree = TreePicture(rows, 0, 3, series, TreeLook("mean of weights"), None, STAGES)
        self.filters = FiltersPicture(heatmap, 7, FiltersLook("layer1", "update ratio", 1000))

    def draw_panes(self, iteration: int) -> list[Cells]:
        """Draw the tree and the filters: what a change of selection or window draws anew."""
        return [self.tree.draw(where(TREE), iteration), self.filters.draw(where(FILTERS), iteration)]

    def draw_curves(self) -> Cells:
        return self.curves.draw(where(CURVES), 300)


def milliseconds(work: Callable[[], object]) -> float:
    """Return the fastest of several runs."""
    best = float("inf")
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best * 1000


def style(fg: int, bg: int, bold: int) -> Style:
    colours = [Color.from_rgb(value >> 16, value >> 8 & 255, value & 255) for value in (fg, bg)]
    return Style(color=colours[0], bgcolor=colours[1], bold=bool(bold))


kept_style = lru_cache(maxsize=65_536)(style)


def naive(row: CellRow, style_of: Callable[[int, int, int], Style]) -> str:
    """Render a row as a segment a cell through Textual's own strip."""
    cells = zip(*(array.tolist() for array in row), strict=True)
    segments = [Segment(chr(ch), style_of(fg, bg, bold)) for ch, fg, bg, bold, _ in cells]
    return Strip(segments, len(row.ch)).render(CONSOLE)


@benchmark
def canvas_frame() -> list[Measurement]:
    """Cells of a 200×50 frame to escape sequences: time and bytes beside a style a cell."""
    screen = Screen()
    cells = [screen.draw_curves(), *screen.draw_panes(300)]
    rows = [each.row(y) for each in cells for y in range(each.height)]

    def ours() -> list[str]:
        return [CellStrip(row, Output()).render(CONSOLE) for row in rows]

    def theirs(style_of: Callable[[int, int, int], Style]) -> list[str]:
        return [naive(row, style_of) for row in rows]

    fast, kept, new = (milliseconds(work) for work in (ours, lambda: theirs(kept_style), lambda: theirs(style)))
    small, large = (sum(len(line.encode()) for line in lines) for lines in (ours(), theirs(style)))
    return [
        Measurement("canvas_frame", fast, "a new style a cell", new, "ms", fast / new),
        Measurement("canvas_frame_kept_styles", fast, "a kept style a cell", kept, "ms", fast / kept),
        Measurement("canvas_frame_bytes", small, "a style a cell", large, "B", small / large),
    ]


@benchmark
def canvas_draw() -> list[Measurement]:
    """Numbers to cells: tree and heatmap of a 200×50 frame beside writing the frame; curves are plotext's time."""
    screen = Screen()
    panes = milliseconds(lambda: screen.draw_panes(300))
    curves = milliseconds(screen.draw_curves)
    cells = screen.draw_panes(300)
    written = milliseconds(
        lambda: [CellStrip(each.row(y), Output()).render(CONSOLE) for each in cells for y in range(each.height)]
    )
    return [
        Measurement("canvas_draw_panes", panes, "writing them", written, "ms", panes / written),
        Measurement("canvas_draw_curves", curves, "writing the panes", written, "ms", curves / written),
    ]


@benchmark
def canvas_step() -> list[Measurement]:
    """A step of the crosshair: readouts rewritten and its ticks, beside drawing both panes anew."""
    screen = Screen()
    tree, filters = screen.draw_panes(300)

    def step() -> None:
        screen.tree.write_readout(tree, where(TREE), 306)
        screen.filters.write_readout(filters, where(FILTERS), 306)
        for cells in (tree, filters):
            frame = where(cells.height)
            x = frame.column_of(306) or 0
            ticks = ticks_of(cells, frame, x)
            put_ticks(cells, x, 0, ticks)
            for y in ticks:
                CellStrip(cells.row(y), Output()).crop(x, x + 1).render(CONSOLE)

    moved, anew = milliseconds(step), milliseconds(lambda: screen.draw_panes(306))
    return [Measurement("canvas_step", moved, "drawing anew", anew, "ms", moved / anew)]


@benchmark
def canvas_classes() -> list[Measurement]:
    """Forty error strips with 2,000 anomalies, beside writing them."""
    from tests.unit.renderables.builders import anomaly

    rows = tuple(ClassRow(f"class {label}", (label,), False, False) for label in range(1000))
    errors = ClassErrors(AXIS, tuple(row.labels for row in rows), np.random.default_rng(1).random((1000, AXIS.columns)))
    anomalies = tuple(anomaly(index % 1000, "lost", 0.3 + index % 7 / 10, index % 50) for index in range(2000))
    picture = ClassesPicture(rows, 0, 3, errors, anomalies, None, STAGES)
    drawn = milliseconds(lambda: picture.draw(where(41), 300))
    cells = picture.draw(where(41), 300)
    written = milliseconds(lambda: [CellStrip(cells.row(y), Output()).render(CONSOLE) for y in range(41)])
    return [Measurement("canvas_classes", drawn, "writing them", written, "ms", drawn / written)]
