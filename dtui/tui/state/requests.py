"""What a screen needs to know, as frozen questions; asked again only when one of them changed.

Owns which questions a Selection raises. A second copy would load what no pane draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dtui.model import (
    AnomalySettings,
    ClassErrors,
    Curves,
    Heatmap,
    HeatmapRequest,
    ImageRows,
    ImagesRequest,
    ImageVerdict,
    NodeSeries,
    TimeAxis,
)
from dtui.tui.renderables.panes.curves import CursorValues
from dtui.tui.state.navigate import Scene, filters_of, images_of
from dtui.tui.state.selection import RunView, Selection, class_rows, time_axis, visible_nodes

MANY_ROWS = 200
"""Up to so many rows are asked for at once, so that scrolling asks nothing."""


@dataclass(frozen=True, slots=True)
class CurvesRequest:
    """Error curves."""

    axis: TimeAxis


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """Series of tree nodes: one statistic, or median, q1 and q3 for box plots."""

    nodes: tuple[int, ...]
    statistics: tuple[str, ...]
    source: str
    axis: TimeAxis


@dataclass(frozen=True, slots=True)
class AnomaliesRequest:
    """The anomalies under some settings."""

    settings: AnomalySettings


@dataclass(frozen=True, slots=True)
class ClustersRequest:
    """The clusters of classes."""

    count: int


@dataclass(frozen=True, slots=True)
class ErrorsRequest:
    """Error strips of groups of classes."""

    groups: tuple[tuple[int, ...], ...]
    axis: TimeAxis


@dataclass(frozen=True, slots=True)
class ValuesRequest:
    """Every curve's exact value at the cursor."""

    iteration: int


@dataclass(frozen=True, slots=True)
class VerdictRequest:
    """One image at the cursor."""

    image: int
    iteration: int


Request = (
    CurvesRequest
    | SeriesRequest
    | AnomaliesRequest
    | ClustersRequest
    | ErrorsRequest
    | HeatmapRequest
    | ImagesRequest
    | VerdictRequest
    | ValuesRequest
)


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What the run has answered so far; None while a question is open for the first time.

    `errors_now` has the exact errors at the cursor: its axis is one column of one iteration. A column of the screen
    may hold many validations, and its strip shows the worst of them.
    """

    curves: Curves | None = None
    values: CursorValues | None = None
    series: tuple[NodeSeries, ...] = ()
    heatmap: Heatmap | None = None
    errors: ClassErrors | None = None
    errors_now: ClassErrors | None = None
    images: ImageRows | None = None
    verdict: ImageVerdict | None = None


def wanted(scene: Scene, answers: Answers) -> Mapping[str, Request]:
    """Return the questions of the screen by the field of Answers (or RunView) that each fills, first things first."""
    selection, view, layout = scene.selection, scene.view, scene.layout
    if layout.is_too_small or view.is_empty:
        return {}
    axis = time_axis(selection, view, layout.columns)
    asked: dict[str, Request] = {}
    if selection.screen == "layers":
        if layout.upper:
            asked["series"] = _series_request(scene, axis)
        if layout.lower and filters_of(scene):
            asked["heatmap"] = _heatmap_request(scene, axis)
    elif len(view.classes):
        asked["clusters"] = ClustersRequest(selection.cluster_count)
        if layout.upper and view.clusters:
            errors = asked["errors"] = _errors_request(view, selection, layout.class_rows, axis)
            asked["errors_now"] = _errors_now_request(view, selection, errors.groups)
        if layout.lower and images_of(scene):
            asked["images"] = _images_request(scene, axis)
            image = image_at_cursor(selection, view, answers.images)
            if image is not None:
                asked["verdict"] = VerdictRequest(image, selection.cursor)
    if layout.curves:
        asked["values"] = ValuesRequest(selection.cursor)
        asked["curves"] = CurvesRequest(axis)
    asked["anomalies"] = AnomaliesRequest(selection.anomaly_settings)
    return asked


def image_at_cursor(selection: Selection, view: RunView, images: ImageRows | None) -> int | None:
    """Return the index of the selected image, None while its class's images are loading."""
    if images is None or images.request.classes != view.group_classes(selection):
        return None
    return int(images.order[selection.image]) if selection.image < len(images.order) else None


def _series_request(scene: Scene, axis: TimeAxis) -> SeriesRequest:
    selection = scene.selection
    nodes = visible_nodes(scene.view.tree, selection.folded, selection.layer_search)
    if len(nodes) > MANY_ROWS:
        nodes = nodes[selection.tree_top : selection.tree_top + scene.layout.tree_rows]
    statistics = ("median", "q1", "q3") if selection.chart == "box" else (selection.statistic,)
    return SeriesRequest(tuple(node.index for node in nodes), statistics, selection.source, axis)


def _heatmap_request(scene: Scene, axis: TimeAxis) -> HeatmapRequest:
    selection = scene.selection
    return HeatmapRequest(
        node=selection.node,
        statistic=selection.filter_statistic,
        axis=axis,
        first=selection.filter_first,
        count=selection.filter_count or filters_of(scene),
        pixels=scene.layout.pixels,
        normalise=selection.filter_normalise,
        sort=selection.filter_sort,
    )


def _errors_request(view: RunView, selection: Selection, shown: int, axis: TimeAxis) -> ErrorsRequest:
    rows = class_rows(view, selection)
    if len(rows) > MANY_ROWS:
        rows = rows[selection.class_top : selection.class_top + shown]
    members = {cluster.index: cluster.classes for cluster in view.clusters}
    groups = tuple(members[row.cluster] if row.class_index is None else (row.class_index,) for row in rows)
    return ErrorsRequest(groups, axis)


def _errors_now_request(view: RunView, selection: Selection, groups: tuple[tuple[int, ...], ...]) -> ErrorsRequest:
    """Ask for the errors at the cursor: of the rows on screen, and of the classes whose images are shown."""
    moment = TimeAxis(selection.cursor, selection.cursor + 1, 1)
    return ErrorsRequest((*groups, view.group_classes(selection)), moment)


def _images_request(scene: Scene, axis: TimeAxis) -> ImagesRequest:
    selection = scene.selection
    return ImagesRequest(
        classes=scene.view.group_classes(selection),
        axis=axis,
        first=selection.image_first,
        count=selection.image_count or images_of(scene),
        pixels=scene.layout.pixels,
        sort=selection.image_sort,
        colour_by=selection.colour_by,
    )
