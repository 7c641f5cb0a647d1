"""The section on the layers: the network hierarchy as horizon graphs, of every statistic that the run holds."""

from __future__ import annotations

from dtui.errors import NotRecordedError
from dtui.model import TreeNode
from dtui.model.findings.adapters import adapter_sentences, share_text
from dtui.model.statistics import LAYERS, SOURCES
from dtui.reports.document import Item, Paragraph, Row, Section, Table
from dtui.reports.rows import LayerTree, Plane, TreeRow
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_ROWS = 12
FIRST = (("mean", "weights"), ("norm2", "updates"))
"""What stands first in the switch, and is printed."""
_WORDS = {
    "norm1": "L1 norm",
    "norm2": "norm",
    "nonfinite": "NaN and Inf",
    "q1": "first quartile",
    "q3": "third quartile",
}


@section("layers", order=80)
def layers_section(view: View) -> Section | None:
    """Return one horizon graph a module and layer, unfolding by click, of each statistic of each source."""
    tree = view.query.tree()
    if not tree or view.info.records == 0:
        return None
    every = ((statistic, source) for source in SOURCES for statistic in LAYERS)
    order = (*FIRST, *(one for one in every if one not in FIRST))
    planes: list[Plane] = []
    items: list[Item] = []
    for statistic, source in order:
        try:
            planes.append(_plane(view, len(tree), statistic, source))
        except NotRecordedError:
            if (statistic, source) in FIRST:
                said = f"{_quantity(statistic, source)}: not recorded in this run."
                items.append(Paragraph(said[0].upper() + said[1:]))
    items += [*_heads(view), *_adapters(view)]
    anchor = f"{view.prefix}-layers"
    if not planes:
        return Section(anchor, "Layers", "", tuple(items))
    printed = tuple(k for k, plane in enumerate(planes) if (plane.name, plane.source) in FIRST) or (0,)
    name = f"{view.prefix}-layer-tree"
    rows = tuple(_row(node, _starts(view, node)) for node in tree)
    shown = LayerTree(
        name, _words(planes, len(tree)), rows, tuple(planes), view.record_axis, view.stage_changes, printed
    )
    caption = (
        "One horizon graph a row: a value fills a pale band first, then a darker one over it; blue is positive, brown "
        "negative. A column shows the value farthest from zero of its iterations."
    )
    if any(plane.nonfinite is not None for plane in planes):
        caption += " A red bar through a row is where NaN or Inf was counted among its elements."
    hint = f"Choose one of {len(planes)} statistics above the rows. Click a module to fold or unfold it."
    return Section(anchor, "Layers", caption, (shown, *items), hint)


def _plane(view: View, rows: int, statistic: str, source: str) -> Plane:
    series = view.query.node_series(range(rows), statistic, source, view.record_axis)
    quantity = _quantity(statistic, source)
    return Plane(statistic, source, quantity, series.values, series.scale, series.nonfinite)


def _quantity(statistic: str, source: str) -> str:
    return f"{_WORDS.get(statistic, statistic)} of {source}"


def _words(planes: list[Plane], rows: int) -> str:
    """Return what the picture shows, for readers who cannot see it."""
    nodes = "1 layer" if rows == 1 else f"{rows} modules and layers"
    said = f"{len(planes)} statistics of {nodes} over the iterations, as horizon graphs; first {planes[0].quantity}."
    counted = [plane.nonfinite for plane in planes if plane.nonfinite is not None]
    if counted:
        said += f" NaN or Inf was counted in {max(int(bad.any(axis=1).sum()) for bad in counted)} of them."
    return said


def _starts(view: View, node: TreeNode) -> str:
    """Return where the standard deviation of a layer's weights would start; "" where its shape does not tell."""
    starts = None if node.layer is None else view.query.initial_std(node.layer)
    if starts is None:
        return ""
    return f"std would start at {', '.join(f'{value:.2g} ({who})' for who, value in starts.told())}"


def _heads(view: View) -> list[Item]:
    """Return the attention heads that moved most; nothing in a run without heads."""
    found = view.query.moved_heads(MOST_ROWS)
    if not found:
        return []
    rows = tuple(
        Row(
            (
                safe(one.head.layer, 120),
                one.head.title,
                f"{one.head.first:,}–{one.head.stop - 1:,}",
                f"×{one.times:.3g}",
                f"{one.ratio:.2e}",
                f"{one.iteration:,}",
            ),
            iteration=one.iteration,
        )
        for one in found
    )
    columns = ("layer", "head", "filters", "beside its layer", "update ratio", "largest at")
    note = (
        "The mean update ratio per update of all weights of a head together, beside the median of its layer's heads of "
        f"the same part; {len(rows)} of {view.info.heads:,} heads."
    )
    return [Table(columns, (False, False, True, True, True, True), rows, note, "Attention heads that moved most")]


def _adapters(view: View) -> list[Item]:
    """Return the adapters with the largest change to their weight, and what is to be said of the others."""
    adapters = view.info.adapters
    lines: list[Item] = [Paragraph(f"Adapters: {safe(line, 600)}.") for line in adapter_sentences(adapters)]
    known = sorted((one for one in adapters if one.size is not None), key=lambda one: -(one.share or 0.0))[:MOST_ROWS]
    rows = tuple(
        Row((safe(one.name, 120), safe(one.adapter, 60), f"{one.rank}", f"{one.size:.3g}", share_text(one.share)))
        for one in known
    )
    if not rows:
        return lines
    note = f"At the last record; {len(rows)} of {len(adapters)} adapters." if len(rows) < len(adapters) else ""
    columns, numeric = ("weight", "adapter", "rank", "‖BA‖·scale", "share"), (False, False, True, True, True)
    return [*lines, Table(columns, numeric, rows, note, "What adapters change")]


def _row(node: TreeNode, starts: str) -> TreeRow:
    return TreeRow(
        label=safe(node.label, 60),
        name=safe(node.name, 120),
        detail=safe(node.detail, 20),
        kind=safe(node.kind, 40),
        filters=node.filters,
        parent=node.parent,
        depth=node.depth,
        is_module=node.layer is None,
        starts=starts,
    )
