"""Each picture made and drawn in one call, so that a test says in one line what it draws."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import (
    Anomaly,
    ClassErrors,
    Curves,
    Heatmap,
    ImageRows,
    ImageVerdict,
    NodeSeries,
    RunInfo,
    RunState,
    Stage,
)
from dtui.model.findings.review import of_anomalies
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.axis import AxisPicture
from dtui.tui.renderables.panes.classes import ClassesPicture, ClassRow
from dtui.tui.renderables.panes.curves import CurvesPicture
from dtui.tui.renderables.panes.images import ImagesPicture
from dtui.tui.renderables.panes.key_bar import KeyBarPicture
from dtui.tui.renderables.panes.layers.filters import FiltersLook, FiltersPicture
from dtui.tui.renderables.panes.layers.tree import TreeLook, TreePicture
from dtui.tui.renderables.panes.layers.tree_charts import Charted
from dtui.tui.renderables.panes.layers.tree_gutter import TreeRow
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.panes.ribbon import RibbonPicture
from dtui.tui.renderables.panes.top_bar import Tab, TopBarPicture


def draw_axis(where: Frame, iteration: int | None, joins: tuple[int, ...] = ()) -> Cells:
    return AxisPicture(joins).draw(where, iteration)


def draw_classes(
    where: Frame,
    rows: Sequence[ClassRow],
    top: int,
    selected: int,
    errors: ClassErrors | None,
    anomalies: tuple[Anomaly, ...] = (),
    anomaly: str | None = None,
    stages: tuple[Stage, ...] = (),
    iteration: int | None = None,
    title: str = "clusters by error",
    now: ClassErrors | None = None,
) -> Cells:
    return ClassesPicture(rows, top, selected, errors, anomalies, anomaly, stages, title, now).draw(where, iteration)


def draw_curves(
    where: Frame,
    curves: Curves,
    stages: tuple[Stage, ...] = (),
    log_scale: bool = False,
    iteration: int | None = None,
    joins: tuple[int, ...] = (),
) -> Cells:
    return CurvesPicture(curves, stages, log_scale, joins=joins).draw(where, iteration)


def draw_filters(
    where: Frame, heatmap: Heatmap, selected: int, look: FiltersLook, iteration: int | None = None
) -> Cells:
    return FiltersPicture(heatmap, selected, look).draw(where, iteration)


def draw_images(
    where: Frame,
    rows: ImageRows,
    title: str,
    selected: int,
    classes: tuple[str, ...],
    verdict: ImageVerdict | None = None,
    validations: int = 0,
    iteration: int | None = None,
) -> Cells:
    return ImagesPicture(rows, title, selected, classes, validations, verdict).draw(where, iteration)


def draw_key_bar(where: Frame, keys: tuple[tuple[str, str], ...]) -> Cells:
    return KeyBarPicture(keys).draw(where)


def draw_message(where: Frame, text: str, detail: str = "", title: str = "") -> Cells:
    return MessagePicture(text, detail, title).draw(where)


def draw_ribbon(
    where: Frame,
    anomalies: tuple[Anomaly, ...],
    selected: str | None,
    classes: tuple[str, ...],
    stages: tuple[Stage, ...] = (),
    nothing: tuple[str, ...] = ("none found",),
) -> Cells:
    return RibbonPicture(anomalies, of_anomalies(anomalies), selected, classes, stages, nothing).draw(where)


def draw_top_bar(
    where: Frame, info: RunInfo | None, tabs: tuple[Tab, ...], active: int, is_damaged: bool = False
) -> Cells:
    return TopBarPicture(info, tabs, active, is_damaged).draw(where)


def draw_tree(
    where: Frame,
    rows: Sequence[TreeRow],
    top: int,
    selected: int,
    chart: Charted | None,
    look: TreeLook,
    ratios: NodeSeries | None = None,
    stages: tuple[Stage, ...] = (),
    iteration: int | None = None,
    state: RunState | None = None,
) -> Cells:
    picture = TreePicture(rows[top:], top, selected, chart, look, ratios, None, state, stages, len(rows))
    return picture.draw(where, iteration)
