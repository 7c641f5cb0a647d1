"""From what is selected, known and answered to what each pane shows.

Owns the words of the screen that are no keys: titles, what is missing and what to do about it. A second copy
would head a picture with the name of another.
"""

from __future__ import annotations

from collections.abc import Mapping

from dtui.model import FILTER_STATISTICS
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import Theme
from dtui.tui.renderables.panes.axis import AxisPicture
from dtui.tui.renderables.panes.classes import ClassesPicture
from dtui.tui.renderables.panes.classes import ClassRow as DrawnClass
from dtui.tui.renderables.panes.curves import CurvesPicture
from dtui.tui.renderables.panes.filters import FiltersLook, FiltersPicture
from dtui.tui.renderables.panes.images import ImagesPicture
from dtui.tui.renderables.panes.key_bar import KeyBarPicture
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.panes.ribbon import RibbonPicture
from dtui.tui.renderables.panes.top_bar import TopBarPicture
from dtui.tui.renderables.panes.tree import ChartKind, TreeLook, TreePicture, TreeRow
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state import actions
from dtui.tui.state.anomaly_steps import without_anomalies
from dtui.tui.state.navigate import Scene
from dtui.tui.state.requests import Answers
from dtui.tui.state.selection import SCREENS, ClassRow, RunView, Selection, class_rows, time_axis, visible_nodes

TABS = (("1", "Layers", "Lay"), ("2", "Validation", "Val"))
TITLES = {"tree": "Layers", "filters": "Filters", "classes": "Classes", "images": "Images", "curves": "Error"}
STATISTIC_TITLES = {
    "cosine_distance": "cosine similarity",
    "share_negative": "share of negative weights",
    "sum_positive": "sum of positive weights",
    "sum_negative": "sum of negative weights",
    "nonfinite": "NaN and Inf",
}
NO_VALIDATION = (
    "No validations in this run",
    "Wrap your validation in the training loop:  with recorder.validation(loader): validate(model)",
)


def statistic_title(statistic: str) -> str:
    """Return a statistic of FILTER_STATISTICS or LAYER_STATISTICS as people read it."""
    default = statistic.replace("_", " ")
    return STATISTIC_TITLES.get(statistic, default) if statistic in FILTER_STATISTICS else default


def frame_of(pane: str, scene: Scene, theme: Theme, output: Output) -> Frame:
    """Return the frame of a pane: its rows on the screen and the one time axis."""
    layout, selection = scene.layout, scene.selection
    rows = {
        "top": 1,
        "curves": layout.curves,
        "ribbon": layout.ribbon,
        "axis": 1,
        "tree": layout.upper,
        "classes": layout.upper,
        "filters": layout.lower,
        "images": layout.lower,
        "bar": 1,
        "notice": layout.height,
    }
    axis = None if scene.view.is_empty else time_axis(selection, scene.view, layout.columns)
    return Frame(layout.width, rows[pane], layout.gutter, axis, theme, output, pane == selection.pane)


def pictures(scene: Scene, answers: Answers, message: str) -> Mapping[str, Picture]:
    """Return what each pane of the current screen shows, by pane."""
    selection, view, layout = scene.selection, scene.view, scene.layout
    if layout.is_too_small:
        return {"notice": too_small(layout.width, layout.height)}
    shown: dict[str, Picture] = {
        "top": TopBarPicture(view.info, TABS, SCREENS.index(selection.screen), view.is_damaged),
        "bar": KeyBarPicture(actions.key_bar(selection.pane), message),
    }
    if view.is_empty:
        shown["notice"] = empty_run(view)
        return shown
    curves = answers.curves
    shown |= {
        "curves": CurvesPicture(curves, view.stages, selection.log_scale, answers.values, view.info.joins)
        if curves
        else _waiting("curves"),
        "ribbon": RibbonPicture(
            view.anomalies,
            selection.anomaly,
            view.classes,
            view.stages,
            without_anomalies(view, selection.anomaly_settings),
        ),
        "axis": AxisPicture(view.info.joins),
    }
    if selection.screen == "layers":
        shown |= {"tree": _tree(scene, answers), "filters": _filters(scene, answers)}
    elif len(view.classes) and view.info.validations:
        shown |= {"classes": _classes(scene, answers), "images": _images(scene, answers)}
    else:
        shown |= {"classes": MessagePicture(*NO_VALIDATION, "Classes"), "images": MessagePicture("", "", "Images")}
    return shown


def too_small(width: int, height: int) -> MessagePicture:
    """Return what a screen says that is smaller than what can be used."""
    from dtui.tui.state.layout import SMALLEST

    return MessagePicture(f"{width}×{height} is too small", f"at least {SMALLEST[0]}×{SMALLEST[1]}; q quits")


def empty_run(view: RunView) -> MessagePicture:
    """Return what a run says that holds no record."""
    name = safe(view.info.run)
    if view.is_live:
        return MessagePicture("Waiting for the first record", f"{name} is being recorded; it shows up here by itself")
    return MessagePicture("Nothing was recorded", f"{name} ended before its first record; q quits")


def _waiting(pane: str) -> MessagePicture:
    return MessagePicture("", "", TITLES[pane])


def _tree(scene: Scene, answers: Answers) -> Picture:
    selection, view = scene.selection, scene.view
    nodes = visible_nodes(view.tree, selection.folded, selection.layer_search)
    searching = bool(selection.layer_search)
    rows = tuple(
        TreeRow(node, node.layer is None and (searching or node.index not in selection.folded), node.layer is None)
        for node in nodes
    )
    series = answers.series[0] if answers.series else None
    quartiles = (answers.series[1], answers.series[2]) if len(answers.series) == 3 else None
    chart = ChartKind.BOX if quartiles else ChartKind(selection.chart if selection.chart != "box" else "horizon")
    title = f"{statistic_title(series.statistic)} of {series.source}" if series else ""
    if quartiles and series:
        title = f"median and quartiles of {series.source}"
    if searching:
        title += f" · /{safe(selection.layer_search, 24)}"
    selected = next((row for row, node in enumerate(nodes) if node.index == selection.node), -1)
    look = TreeLook(title, chart, two_row=selection.two_rows)
    return TreePicture(rows, selection.tree_top, selected, series, look, quartiles, view.stages)


def _filters(scene: Scene, answers: Answers) -> Picture:
    selection, view, heatmap = scene.selection, scene.view, answers.heatmap
    if heatmap is None or heatmap.request.node >= len(view.tree):
        return _waiting("filters")
    node = view.tree[heatmap.request.node]
    layers = sorted((found.layer, found.name) for found in view.tree if found.layer is not None)
    look = FiltersLook(
        node=f"{node.name} {node.detail}".strip(),
        title=statistic_title(heatmap.request.statistic),
        records=view.info.records,
        is_cosine=heatmap.request.statistic == "cosine_distance",
        layer_names=tuple(name for _, name in layers),
    )
    row = min(selection.filter, max(0, heatmap.filters - 1)) if node.index == selection.node else 0
    return FiltersPicture(heatmap, row, look)


def _class_name(view: RunView, selection: Selection, row: ClassRow) -> str:
    if row.class_index is not None:
        return view.classes[row.class_index]
    return next(cluster.label for cluster in view.clusters if cluster.index == row.cluster)


def _classes(scene: Scene, answers: Answers) -> Picture:
    selection, view = scene.selection, scene.view
    if not view.clusters:
        return _waiting("classes")
    members = {cluster.index: cluster.classes for cluster in view.clusters}
    keys = class_rows(view, selection)
    rows = tuple(
        DrawnClass(
            name=_class_name(view, selection, row),
            labels=members[row.cluster] if row.class_index is None else (row.class_index,),
            depth=0 if row.class_index is None else 1,
            is_open=row.class_index is None
            and (bool(selection.class_search) or row.cluster in selection.open_clusters),
            is_cluster=row.class_index is None,
        )
        for row in keys
    )
    here = ClassRow(selection.cluster, selection.class_index)
    title = f"{len(view.clusters)} clusters by error"
    if selection.class_search:
        title = f"/{safe(selection.class_search, 24)}"
    return ClassesPicture(
        rows,
        selection.class_top,
        keys.index(here) if here in keys else -1,
        answers.errors,
        tuple(anomaly for anomaly in view.anomalies if anomaly.kind == "class"),
        selection.anomaly,
        view.stages,
        title,
        answers.errors_now,
    )


def _images(scene: Scene, answers: Answers) -> Picture:
    selection, view, images = scene.selection, scene.view, answers.images
    if images is None:
        return _waiting("images")
    shown = images.request.classes
    title = view.classes[shown[0]] if len(shown) == 1 else f"{len(shown)} classes"
    for cluster in view.clusters:
        if len(shown) > 1 and cluster.classes == shown:
            title = cluster.label
    is_current = shown == view.group_classes(selection)
    row = min(selection.image, max(0, images.images - 1)) if is_current else 0
    verdict = answers.verdict
    if verdict is not None and (not len(images.order) or verdict.image != int(images.order[row])):
        verdict = None
    return ImagesPicture(images, title, row, view.classes, view.info.validations, verdict, answers.errors_now)
