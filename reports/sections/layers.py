"""The section on the layers: the network hierarchy as horizon graphs."""

from __future__ import annotations

from functools import partial
from typing import Any

from dtui.errors import NotRecordedError
from dtui.model import TreeNode
from dtui.reports.charts.horizon import HorizonRow, horizon_tree
from dtui.reports.charts.horizon_paper import horizon_pages
from dtui.reports.document import Chart, Item, Paragraph, Section
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

SHOWN = (("mean", "weights"), ("norm2", "updates"))
"""The statistics that a report shows, each of a source."""
_WORDS = {"norm2": "norm"}


@section("layers", order=20)
def layers_section(view: View) -> Section | None:
    """Return one horizon graph a module and layer, unfolding by click."""
    tree = view.query.tree()
    if not tree or view.info.records == 0:
        return None
    rows = [_row(node) for node in tree]
    items: list[Item] = []
    has_bars = False
    for statistic, source in SHOWN:
        quantity = f"{_WORDS.get(statistic, statistic)} of {source}"
        try:
            series = view.query.node_series(range(len(tree)), statistic, source, view.record_axis)
        except NotRecordedError:
            items.append(Paragraph(f"{quantity.capitalize()}: not recorded in this run."))
            continue
        shown = (rows, series.values, series.scale, series.axis)
        options: dict[str, Any] = {"quantity": quantity, "stages": view.stage_changes, "nonfinite": series.nonfinite}
        nodes = "1 layer" if len(rows) == 1 else f"{len(rows)} modules and layers"
        description = f"{quantity} of {nodes} over the iterations, as horizon graphs."
        if series.nonfinite is not None:
            has_bars = True
            description += f" NaN or Inf was counted in {int(series.nonfinite.any(axis=1).sum())} of them."
        name, title = f"{view.prefix}-{source}-{statistic}", quantity.capitalize()
        specify, paper = partial(horizon_tree, *shown, **options), partial(horizon_pages, *shown, **options)
        items.append(Chart(name, title, "vega", specify, description, paper))
    if not any(isinstance(item, Chart) for item in items):
        return Section(f"{view.prefix}-layers", "Layers", "", tuple(items))
    caption = (
        "One horizon graph a row: a value fills a pale band first, then a darker one over it; blue is positive, brown "
        "negative. A column shows the value farthest from zero of its iterations."
    )
    hint = "Click a module to fold or unfold it; “scale by row” shows small rows beside large ones."
    if has_bars:
        caption += " A red bar through a row is where NaN or Inf was counted among its elements."
    return Section(f"{view.prefix}-layers", "Layers", caption, tuple(items), hint)


def _row(node: TreeNode) -> HorizonRow:
    return HorizonRow(
        label=safe(node.label, 60),
        detail=safe(node.detail, 20),
        kind=safe(node.kind, 40),
        filters=node.filters,
        parent=node.parent,
        depth=node.depth,
        is_module=node.layer is None,
    )
