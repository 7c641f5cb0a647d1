"""The section on the classes: the error of every class, in clusters."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from dtui.model import Anomaly
from dtui.number_text import counted
from dtui.reports.charts import theme
from dtui.reports.charts.heatmap import STRIPS, Group, Strip, class_heatmap, class_heatmap_pieces
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.charts.ribbon import RibbonMark, ribbon_marks
from dtui.reports.document import Chart, Row, Section, Spec, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe


@section("classes", order=50, screen="validation")
def classes_section(view: View) -> Section | None:
    """Return the classes as error strips in clusters, with their anomaly iterations."""
    if view.info.validations == 0 or not view.classes:
        return None
    clusters = view.query.clusters()
    ordered = [label for cluster in clusters for label in cluster.classes]
    axis = view.full_axis  # the curve's: a column a validation would begin before its validation
    means = view.query.class_errors([cluster.classes for cluster in clusters], axis).values
    single = view.query.class_errors([(label,) for label in ordered], axis).values
    values = dict(zip(ordered, single, strict=True))
    found: dict[int, list[Anomaly]] = defaultdict(list)
    for anomaly in view.anomalies:
        if anomaly.class_index is not None:
            found[anomaly.class_index].append(anomaly)

    def marks(labels: tuple[int, ...]) -> tuple[RibbonMark, ...]:
        chosen = [anomaly for label in labels for anomaly in found[label]]
        return ribbon_marks(chosen, axis, theme.PLOT_WIDTH)

    groups = [
        Group(
            name=safe(cluster.label, 40) if len(ordered) > 1 else view.classes[ordered[0]],
            values=mean,
            strips=tuple(Strip(view.classes[label], values[label], marks((label,))) for label in cluster.classes)
            if len(ordered) > 1
            else (),
            marks=marks(cluster.classes),
        )
        for cluster, mean in zip(clusters, means, strict=True)
    ]

    def specify() -> Spec:
        spec = class_heatmap(groups, axis, stages=view.stage_changes, one=view.group)
        for row in next(data["values"] for data in spec["data"] if data["name"] == "marks"):
            row["target"] = view.anchors[row["target"]]
        return spec

    of_what = view.of_groups("classes")
    many = counted(len(ordered), view.group, of_what)
    clustered = "clustered by the course of their error; a cluster's first strip is its mean, × how many it holds"
    if len(clusters) == 1:
        clustered = "the easiest first; the strip above them is their mean"
    caption = (
        f"{many}{f', {clustered}' if len(ordered) > 1 else ''}. A column shows the largest error of its iterations. "
        "Triangles mark anomaly iterations, ▲ gained and ▼ lost."
    )
    if len(ordered) > STRIPS:
        caption += f" Where {of_what} share a pixel row, it shows the largest error among them."
    if view.info.judging is not None:
        said = safe(view.info.judging.sentence, 300)
        caption += f" The error is the share of a group's items that are not right: {said}."
    description = f"Error of {many} over the iterations as a heatmap in {counted(len(groups), 'cluster')}."
    paper = partial(class_heatmap_pieces, groups, axis, stages=view.stage_changes, one=view.group)
    chart = Chart(f"{view.prefix}-class-error", "", "vega", specify, description, paper)
    hint = "Click a triangle to find it in the table."
    lists = _LISTS if len(ordered) > LISTED else _LISTS[:1] if len(ordered) > 1 else _ALONE
    tables = tuple(_listed(view, by, title) for by, title in lists)
    return Section(f"{view.prefix}-classes", of_what.capitalize(), caption, (*tables, chart), hint)


LISTED = 10
SINCE = "Lowest and highest once the first fifth of the validations has passed."
_LISTS = (("error", "The worst at the end"), ("change", "Those that moved most after the first fifth"))
_ALONE = (("error", "At the end"),)
_COLUMNS = ("class", "images", "error at the end", "lowest", "at", "highest", "at")


def _listed(view: View, by: str, title: str) -> Table:
    rows = tuple(
        Row(
            (
                view.classes[one.label],
                f"{one.images:,}",
                percent(one.last),
                percent(one.lowest),
                f"{one.lowest_at:,}",
                percent(one.highest),
                f"{one.highest_at:,}",
            ),
            iteration=one.highest_at,
        )
        for one in view.query.class_courses(by, LISTED)
    )
    columns = _COLUMNS if view.info.judging is None else ("group", "items", *_COLUMNS[2:])
    return Table(columns, (False, *(True,) * 6), rows, SINCE, title)
