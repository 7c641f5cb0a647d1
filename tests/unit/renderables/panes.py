"""Every draw function behind one name each, over the same invented run, for tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dtui.model.findings.batches import BatchAnswer, KeptBatch, StandoutSample
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.batches.batch import BatchPicture
from dtui.tui.renderables.panes.layers.filter_inspector import InspectorPicture
from dtui.tui.renderables.panes.layers.tree import ChartKind, TreeLook
from dtui.tui.renderables.parts.grid.places import Face
from tests.unit.renderables.builders import (
    LOOK,
    STAGES,
    anomaly,
    axis_of,
    make_chart,
    make_class_rows,
    make_curves,
    make_errors,
    make_heatmap,
    make_history,
    make_images,
    make_info,
    make_rows,
    make_series,
    make_structure,
    make_verdict,
)
from tests.unit.renderables.drawing import (
    draw_axis,
    draw_classes,
    draw_curves,
    draw_filters,
    draw_images,
    draw_key_bar,
    draw_message,
    draw_ribbon,
    draw_top_bar,
    draw_tree,
)
from tests.unit.renderables.grid_panes import cell_course, draw_correlation, draw_cube
from tests.unit.renderables.runs_panes import RUNS_PANES
from tests.unit.renderables.validation_builders import (
    draw_gallery,
    draw_here,
    draw_history,
    draw_matrix,
    draw_pairs,
    draw_portrait,
    make_taken,
)

Draw = Callable[[Frame, str, float | None, int | None], Cells]
"""Draws a pane with a name from outside, a constant value (None for varied ones) and the cursor's iteration."""

TABS = (("1", "Layers", "Lay"), ("2", "Validation", "Val"), ("3", "Correlation", "Cor"))
BATCH = BatchAnswer(
    500,
    KeptBatch(490, np.arange(990, 1400), 500),
    tuple(KeptBatch(at, np.arange(at, at + 9), 9) for at in (480, 470)),
    tuple(StandoutSample(480 + 10**place, 9 - place, 9, 9, 0.001) for place in range(10)),
    9,
)
KEYS = (("j/k", "select"), ("←/→", "cursor"), ("n/N", "anomaly"), ("f", "flag"))
ANOMALIES = (anomaly(100), anomaly(500, "gained", 0.9), anomaly(505, "both", 0.5, 1), anomaly(990, "lost", 1.0))


def _tree(where: Frame, name: str, fill: float | None, cursor: int | None, look: TreeLook) -> Cells:
    rows = make_rows((name, "conv2"))
    chart = make_chart(rows, axis_of(where), look.chart, fill)
    ratios = make_series(rows, axis_of(where), fill)
    return draw_tree(where, rows, 0, 1, chart, look, ratios, STAGES, cursor)


def _inspector(where: Frame, name: str, fill: float | None, cursor: int | None) -> Cells:
    history = make_history(axis_of(where), fill)
    return InspectorPicture(name, 3, history, ((f"most changed: class {safe(name)}",), ("dead",))).draw(where, cursor)


def _structure(where: Frame, name: str, fill: float | None, cursor: int | None) -> Cells:
    return make_structure(name).draw(where, cursor)


def _images(where: Frame, name: str, fill: float | None, cursor: int | None, colour_by: str) -> Cells:
    rows = make_images(axis_of(where), where.height, colour_by=colour_by)
    if fill is not None:
        rows = replace(rows, correct=rows.correct * 0 + fill)
    return draw_images(where, rows, name, 3, (name, name, "dog"), make_verdict(1, name), 40, cursor)


def _classes(where: Frame, name: str, fill: float | None, cursor: int | None) -> Cells:
    rows = make_class_rows((name, "dog"))
    errors = make_errors(rows, axis_of(where), fill)
    return draw_classes(where, rows, 0, 1, errors, ANOMALIES, ANOMALIES[1].id, STAGES, cursor)


PANES: dict[str, Draw] = {
    "top bar": lambda where, name, fill, cursor: draw_top_bar(where, make_info(name, invented=True), TABS, 1),
    "curves": lambda where, name, fill, cursor: draw_curves(
        where,
        make_curves(axis_of(where), fill, ("validation_error", "train_error", name)),
        STAGES,
        False,
        cursor,
        (40, 700),
    ),
    "log loss": lambda where, name, fill, cursor: draw_curves(
        where, make_curves(axis_of(where), fill, ("loss", name)), STAGES, True, cursor
    ),
    "ribbon": lambda where, name, fill, cursor: draw_ribbon(where, ANOMALIES, ANOMALIES[1].id, (name,), STAGES),
    "axis": lambda where, name, fill, cursor: draw_axis(where, cursor, (40, 700)),
    "tree": lambda where, name, fill, cursor: _tree(where, name, fill, cursor, TreeLook("mean of weights")),
    "tall lines": lambda where, name, fill, cursor: _tree(
        where, name, fill, cursor, TreeLook("mean of weights", ChartKind.LINE, 2)
    ),
    "boxes": lambda where, name, fill, cursor: _tree(where, name, fill, cursor, TreeLook("boxes", ChartKind.BOX, 2)),
    "histograms": lambda where, name, fill, cursor: _tree(
        where, name, fill, cursor, TreeLook("histograms", ChartKind.HISTOGRAM, 4)
    ),
    "filter inspector": _inspector,
    "structure": _structure,
    "filters": lambda where, name, fill, cursor: draw_filters(
        where,
        make_heatmap(axis_of(where), where.height, fill=fill),
        5,
        replace(LOOK, node=name, layer_names=(name,)),
        cursor,
    ),
    "classes": _classes,
    "images": lambda where, name, fill, cursor: _images(where, name, fill, cursor, "correctness"),
    "wrong classes": lambda where, name, fill, cursor: _images(where, name, fill, cursor, "label"),
    "gallery": lambda where, name, fill, cursor: draw_gallery(where, name),
    "history": lambda where, name, fill, cursor: draw_history(where, name, fill),
    "portrait": lambda where, name, fill, cursor: draw_portrait(where, name, cursor),
    "pairs": lambda where, name, fill, cursor: draw_pairs(where, name, fill),
    "matrix": lambda where, name, fill, cursor: draw_matrix(where, name, 3),
    "batch": lambda where, name, fill, cursor: BatchPicture(BATCH).draw(where, cursor),
    "here line": lambda where, name, fill, cursor: draw_here(where, make_taken({(4, 1): 98, (4, 0): 1}), (name, name)),
    "cell over time": lambda where, name, fill, cursor: cell_course(name, fill, (make_verdict(),)).draw(where, cursor),
    "correlation": lambda where, name, fill, cursor: draw_correlation(where, name, cursor, is_detailed=False),
    "mini-sets": lambda where, name, fill, cursor: draw_correlation(where, name, cursor, is_detailed=True),
    "cube": lambda where, name, fill, cursor: draw_cube(where, name, fill, cursor, None),
    "classes × time": lambda where, name, fill, cursor: draw_cube(where, name, fill, cursor, Face.CLASSES),
    "layers × time": lambda where, name, fill, cursor: draw_cube(where, name, fill, cursor, Face.LAYERS),
    "classes × layers": lambda where, name, fill, cursor: draw_cube(where, name, fill, cursor, Face.GRID),
    "key bar": lambda where, name, fill, cursor: draw_key_bar(where, KEYS),
    "message": lambda where, name, fill, cursor: draw_message(where, name, "press q to leave", "Layers"),
    **RUNS_PANES,
}
