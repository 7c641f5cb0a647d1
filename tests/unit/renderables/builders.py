"""Small invented answers of a RunQuery, so that a test can say what it draws in one line."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

import numpy as np

from dtui.analysis.layers.graph_lanes import lay_out
from dtui.model import (
    Anomaly,
    ClassErrors,
    Curves,
    Heatmap,
    HeatmapRequest,
    ImageRows,
    ImagesRequest,
    ImageVerdict,
    NodeSeries,
    RunInfo,
    RunStatus,
    Stage,
    TimeAxis,
    TreeNode,
)
from dtui.model.layers import INSPECTED, FilterCourse, FilterHistory, NodeBoxes, NodeHistograms
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame, gutter_for
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.theme import DARK, Theme
from dtui.tui.renderables.canvas.writing import row_to_sgr
from dtui.tui.renderables.panes.classes import ClassRow
from dtui.tui.renderables.panes.layers.filters import FiltersLook, filter_pixels
from dtui.tui.renderables.panes.layers.structure import StructurePicture, StructureRow
from dtui.tui.renderables.panes.layers.tree_charts import Charted, ChartKind
from dtui.tui.renderables.panes.layers.tree_gutter import TreeRow
from tests.anomalies import class_anomaly
from tests.unit.renderables.terminal_grid import Cell, Pen

STAGES = (Stage(0, 0.1), Stage(300, 0.01), Stage(600, 0.001))
HOSTILE = (
    "\x1b]0;pwned\x07\x1b[2J",
    "漢字カタカナ",
    "‮txet LTR‬",
    "אבגד",
    "tab\there\nnewline",
    "e\u0301\u0302 zero\u200bwidth",
    "[@click=app.quit]x[/]",
    "\ud800 lone",
    "x" * 500,
    "字" * 300,
    "",
)
LOOK = FiltersLook("layer1.conv", "cosine distance", 1000)


def frame(
    width: int,
    height: int,
    mode: ColorMode = ColorMode.TRUECOLOR,
    ascii_only: bool = False,
    theme: Theme = DARK,
    gutter: int | None = None,
    first: float = 0,
    stop: float = 1000,
    focused: bool = False,
) -> Frame:
    """Return a frame of that size over iterations first..stop."""
    left = gutter_for(width) if gutter is None else gutter
    axis = TimeAxis(first, stop, max(1, width - left))
    return Frame(width, height, left, axis, theme, Output(mode, ascii_only), focused)


def to_ansi(cells: Cells, output: Output) -> str:
    """Return a whole frame as a terminal gets it, rows joined by newlines."""
    return "\n".join(row_to_sgr(cells.row(y), output) for y in range(cells.height))


def axis_of(where: Frame) -> TimeAxis:
    """Return the frame's axis, or for a frame that has none yet the one that its data might have."""
    return TimeAxis(0, 1000, 50) if where.axis is None else where.axis


def make_curves(axis: TimeAxis, fill: float | None = None, names: tuple[str, ...] = ()) -> Curves:
    """Return falling errors, or constant ones."""
    falling = np.linspace(1, 0.2, axis.columns) if fill is None else np.full(axis.columns, fill)
    given = names or ("validation_error", "train_error", "loss", "learning_rate")
    series = {name: falling * (0.9**index) for index, name in enumerate(given)}
    return Curves(axis, series, {name: np.stack([values, values]) for name, values in series.items()})


def node(index: int, name: str, depth: int = 0, is_layer: bool = True, parent: int = -1) -> TreeNode:
    label = name.rsplit(".", 1)[-1]
    layer, module = (index, None) if is_layer else (None, index)
    return TreeNode(index, name, label, depth, parent, layer, module, (index,), "Conv2d", "3×3", 64, 64 * index)


def make_rows(names: tuple[str, ...] = ("conv1", "conv2")) -> list[TreeRow]:
    """Return an open module with these layers, and a closed module."""
    rows = [TreeRow(node(0, "stem", is_layer=False), True, True, "stem", about="stem")]
    rows += [
        TreeRow(node(1 + index, name, 1, parent=0), False, False, name, "3×3", 1, about=safe(name))
        for index, name in enumerate(names)
    ]
    return [*rows, TreeRow(node(1 + len(names), "layer1", is_layer=False), False, True, "layer1", "BasicBlock")]


def make_series(rows: list[TreeRow], axis: TimeAxis, fill: float | None = None) -> NodeSeries:
    nodes = tuple(row.node.index for row in rows)
    ramp = np.linspace(-1, 1, axis.columns) if fill is None else np.full(axis.columns, fill)
    return NodeSeries(axis, "mean", "weights", nodes, np.tile(ramp, (len(nodes), 1)), 1.0)


def make_chart(rows: list[TreeRow], axis: TimeAxis, kind: ChartKind, fill: float | None = None) -> Charted:
    """Return the numbers of a kind of chart: rising series, spreading boxes, or histograms that move up."""
    series = make_series(rows, axis, fill)
    if kind is ChartKind.BOX:
        spread = np.array([-0.6, -0.2, 0.0, 0.2, 0.6])[:, None, None]
        return NodeBoxes(axis, "weights", series.nodes, series.values[None] + spread, -1.6, 1.6)
    if kind is ChartKind.HISTOGRAM:
        shares = np.abs(np.sin(np.arange(8)[:, None] + np.arange(axis.columns)))
        shares = (
            np.tile(shares / shares.sum(0), (len(rows), 1, 1))
            if fill is None
            else np.full((len(rows), 8, axis.columns), fill)
        )
        return NodeHistograms(axis, "weights", series.nodes, shares, np.tile(np.linspace(-1, 1, 9), (len(rows), 1)))
    return series


def make_history(axis: TimeAxis, fill: float | None = None, of: int = 16) -> FilterHistory:
    """Return a filter that rises through the band of its layer, or lies at a constant."""
    median = np.linspace(0.5, 0.4, axis.columns) if fill is None else np.full(axis.columns, fill)
    values = np.linspace(0.1, 90.0, axis.columns) if fill is None else median
    ranks = np.where(values > median, 1, of)
    courses = tuple(FilterCourse(name, values, median, median / 2, median * 2, ranks) for name in INSPECTED)
    return FilterHistory(axis, 0, 3, of, courses)


def make_structure(name: str = "conv1") -> StructurePicture:
    """Return the graph of a residual block whose first layer has a name."""
    graph = lay_out([("input", name), (name, "conv2"), ("conv2", "block/add"), (name, "block/add")])
    rows = [
        StructureRow(row, "layer" if row.name in (name, "conv2") else "operation", "Conv2d", "3×3", 64, 2, 1, "it died")
        for row in graph.rows
    ]
    return StructurePicture(tuple(rows), 1, graph.lanes, ("2 layers, 1 branch", "2 layers"))


def make_heatmap(axis: TimeAxis, height: int, filters: int = 256, fill: float | None = None) -> Heatmap:
    """Return shades that rise with the filter and fall with time, or constant ones."""
    pixels = filter_pixels(height)
    made = min(filters, pixels)
    shades = np.linspace(0, 1, made)[:, None] * np.linspace(1, 0, axis.columns)[None]
    if fill is not None:
        shades = np.full_like(shades, fill)
    dead, late = np.zeros(filters, bool), np.zeros(filters, bool)
    dead[filters // 2], late[0] = True, True
    request = HeatmapRequest(1, "cosine_distance", axis, 0, filters, pixels)
    return Heatmap(
        request,
        shades * 0.02,
        shades,
        0.02,
        np.arange(filters),
        filters,
        dead,
        late,
        np.zeros(filters, int),
        decades=6.0,
    )


def make_class_rows(names: tuple[str, ...] = ("cat", "dog")) -> list[ClassRow]:
    labels = tuple(range(len(names)))
    rows = [ClassRow("early", labels, True, True)]
    return [*rows, *(ClassRow(name, (label,), False, False) for label, name in enumerate(names))]


def make_errors(rows: list[ClassRow], axis: TimeAxis, fill: float | None = None) -> ClassErrors:
    falling = np.linspace(1, 0, axis.columns) if fill is None else np.full(axis.columns, fill)
    return ClassErrors(axis, tuple(row.labels for row in rows), np.tile(falling, (len(rows), 1)))


def anomaly(
    iteration: int, direction: str = "lost", share: float = 0.4, label: int = 0, status: str = "new", note: str = ""
) -> Anomaly:
    return class_anomaly(iteration, direction, share, label, status, note)


def make_images(axis: TimeAxis, height: int, images: int = 50, colour_by: str = "correctness") -> ImageRows:
    """Return images that become right from the top down."""
    pixels = 2 * (height - 1)
    made = min(images, pixels)
    right = np.linspace(0, 1, axis.columns)[None] >= np.linspace(0, 1, made)[:, None]
    wrong = np.where(right, -1, np.arange(made)[:, None] % 3)
    always = np.zeros(images, bool)
    always[-1] = True
    request = ImagesRequest((0,), axis, 0, images, pixels, colour_by=colour_by)
    return ImageRows(request, right.astype(float), wrong.astype(np.int32), np.arange(images), images, always)


def make_verdict(label: int | None = 1, ident: str = "val_17") -> ImageVerdict:
    pixels = np.zeros((28, 28, 3), np.uint8)
    pixels[4:24, 4:24] = (200, 60, 40)
    return ImageVerdict(17, ident, 0, label, 0.87, None if label is None else 500, 12, 40, pixels)


def make_info(run: str = "resnet50", status: RunStatus = RunStatus.DONE, invented: bool = False) -> RunInfo:
    return RunInfo(run, status, "", 1, invented, 1000, 1000, 0, 999, 54, 27_560, 1000, 50_000, (), ())


def seen(ansi: str) -> list[list[Cell]]:
    """Read escape sequences back, cell by cell: glyph, foreground, background, bold, reversed.

    An independent reader: it knows SGR and nothing of how dtui writes it. Colours are as written: an (r, g, b),
    a palette index, or None for the terminal's own.
    """
    rows = []
    for line in ansi.split("\n"):
        cells: list[Cell] = []
        pen = Pen()
        for match in re.finditer(r"\x1b\[([0-9;]*)m|(.)", line):
            if match.group(2):
                cells.append(pen.cell(match.group(2)))
                if east_asian_width(match.group(2)) in "WF":
                    cells.append(pen.cell(""))
            else:
                pen.take(match.group(1))
        rows.append(cells)
    return rows
