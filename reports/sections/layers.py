"""The sections on the layers: the network hierarchy as horizon graphs, and how weights are distributed over time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from dtui.errors import NotRecordedError
from dtui.model import Structure, TreeNode
from dtui.model.findings.adapters import adapter_sentences, share_text
from dtui.model.statistics import LAYERS, SOURCES, title_of
from dtui.number_text import counted, number_text
from dtui.reports.charts.pictures.boxes import BoxPanel, box_picture
from dtui.reports.charts.pictures.scale import number
from dtui.reports.document import Item, Paragraph, Row, Section, Table
from dtui.reports.rows import LayerTree, Plane, TreeRow
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_ROWS = 12
MOST_CHANNELS_A_VALUE = 3
FIRST = (("mean", "weights"), ("norm2", "updates"))
"""What stands first in the switch, and is printed."""
MOST_STARTS = 10
MOST_BOXES, BOX_COLUMNS = 6, 24
MOST_MARKS = 12
_WORDS = {
    "norm1": "L1 norm",
    "norm2": "norm",
    "nonfinite": "NaN and Inf",
    "q1": "first quartile",
    "q3": "third quartile",
}


@section("layers", order=80, screen="layers")
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
    if view.frozen:
        many = counted(len(view.frozen), "layer")
        items.append(Paragraph(f"{many} of {view.info.layers:,} frozen from the start: not set to be trained."))
    items += [*_start_table(view, tree, planes), *_heads(view), *_adapters(view), *_channels(view)]
    anchor = f"{view.prefix}-layers"
    if not planes:
        return Section(anchor, "Layers", "", tuple(items))
    printed = tuple(k for k, plane in enumerate(planes) if (plane.name, plane.source) in FIRST) or (0,)
    name = f"{view.prefix}-layer-tree"
    rows = tuple(row_of(node, _starts(view, node)) for node in tree)
    shown = LayerTree(
        *(name, _words(planes, len(tree)), rows, tuple(planes), view.record_axis, view.stage_changes, printed),
        named=named_rows(view, tree),
    )
    caption = (
        "One horizon graph a row: a value fills a faint band first, then a stronger one over it; "
        "blue is positive, brown negative. A column shows the value farthest from zero of its iterations."
    )
    if any(plane.nonfinite is not None for plane in planes):
        caption += " A red bar through a row is where NaN or Inf was counted among its elements."
    hint = f"Choose one of {len(planes)} statistics above the rows. Click a module to fold or unfold it."
    return Section(anchor, "Layers", caption, (shown, *items), hint)


def named_rows(view: View, tree: Sequence[TreeNode]) -> tuple[int, ...]:
    """Return the rows of the layers that incidents name, the worst incident's first."""
    places = {node.layer: place for place, node in enumerate(tree) if node.layer is not None}
    layers = {layer.name: layer.index for layer in view.query.structure().layers}
    named = (layers[name] for one in view.verdict.worst for name in one.layers if name in layers)
    return tuple(dict.fromkeys(places[layer] for layer in named if layer in places))


def _plane(view: View, rows: int, statistic: str, source: str) -> Plane:
    series = view.query.node_series(range(rows), statistic, source, view.record_axis)
    quantity = _quantity(statistic, source)
    view.query.free()  # the next plane asks for other numbers
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


def _start_table(view: View, tree: Sequence[TreeNode], planes: Sequence[Plane]) -> list[Item]:
    """Return where weights began beside where He and Xavier would begin.

    All layers from the input on, or of too many those in incidents, then the farthest off. Not those that are frozen,
    which were trained before, and not those of adapters, of which one begins at zero.
    """
    plane = next((one for one in planes if (one.name, one.source) == ("std", "weights")), None)
    if plane is None:
        return []
    named, structure = named_rows(view, tree), view.query.structure()
    left_out = view.frozen | {layer.index for layer in structure.layers if layer.name in _of_adapters(structure)}
    found: list[tuple[int, float, Row]] = []
    for place, node in enumerate(tree):
        starts = None if node.layer is None or node.layer in left_out else view.query.initial_std(node.layer)
        known = plane.values[place][np.isfinite(plane.values[place])]
        if starts is None or not len(known) or known[0] <= 0:
            continue
        every = [starts.he, starts.xavier, starts.default]
        off = min(abs(float(np.log(known[0] / value))) for value in every if value > 0)
        cells = tuple("" if np.isnan(value) else number_text(value) for value in (*every, known[0], known[-1]))
        found.append((named.index(place) if place in named else len(named), -off, Row((safe(node.name, 120), *cells))))
    if not found:
        return []
    left = max(0, len(found) - MOST_STARTS)
    chosen = sorted(found, key=lambda one: one[:2])[:MOST_STARTS] if left else found
    rows = tuple(row for *_, row in chosen)
    note = "Standard deviations of weights: where an initialisation would begin, and where they were recorded first."
    if left:
        note += f" Of {len(found):,} layers those that incidents name, then those that began farthest off."
    if left_out:
        note += " Frozen layers and adapters are left out: they do not begin there."
    columns = ("layer", "He", "Xavier", "torch's default", "at first", "at the end")
    return [Table(columns, (False, *(True,) * 5), rows, note, "Where the weights began")]


def _of_adapters(structure: Structure) -> frozenset[str]:
    return frozenset(name for adapter in structure.adapters for name in adapter.layers)


def _starts(view: View, node: TreeNode) -> str:
    """Return where the standard deviation of a layer's weights would start; "" where its shape does not tell."""
    starts = None if node.layer is None else view.query.initial_std(node.layer)
    if starts is None:
        return ""
    return f"std would start at {', '.join(f'{number_text(value, 2)} ({who})' for who, value in starts.told())}"


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
                f"×{number_text(one.times)}",
                number_text(one.ratio),
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
        Row(
            (
                safe(one.name, 120),
                safe(one.adapter, 60),
                f"{one.rank}",
                "" if one.size is None else number_text(one.size),
                share_text(one.share),
            )
        )
        for one in known
    )
    if not rows:
        return lines
    note = f"At the last record; {len(rows)} of {len(adapters)} adapters." if len(rows) < len(adapters) else ""
    columns, numeric = ("weight", "adapter", "rank", "‖BA‖·scale", "share"), (False, False, True, True, True)
    return [*lines, Table(columns, numeric, rows, note, "What adapters change")]


def _channels(view: View) -> list[Item]:
    """Return the channels of normalisation layers that moved farthest; nothing in a run without channels."""
    four = partial(number_text, digits=4)
    rows = tuple(
        Row((safe(one.norm, 120), f"{one.channel:,}", title_of(one.statistic), *map(four, (one.first, one.last))))
        for one in view.query.moved_channels(MOST_CHANNELS_A_VALUE)
    )
    if not rows:
        return []
    note = (
        f"From the first record to the last, of {view.info.channels:,} channels: at most {MOST_CHANNELS_A_VALUE} of "
        "each value, the farthest first. Running means are compared in standard deviations, running variances by ratio."
    )
    columns, numeric = ("layer", "channel", "value", "at first", "at last"), (False, True, False, True, True)
    return [Table(columns, numeric, rows, note, "Channels of normalisation layers that moved most")]


def row_of(node: TreeNode, starts: str = "") -> TreeRow:
    """Return a module or layer as the pictures show it."""
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


@section("boxes", order=90, screen="layers")
def boxes_section(view: View) -> Section | None:
    """Return the weights of the layers that matter as box plots over time."""
    tree = view.query.tree()
    if not tree or view.info.records == 0:
        return None
    anchor, title = f"{view.prefix}-boxes", "Distributions"
    nodes = _layers_that_matter(view, tree)
    axis = view.record_axis.with_columns(min(BOX_COLUMNS, view.record_axis.columns))
    try:
        boxes = view.query.node_boxes(nodes, "weights", axis)
    except NotRecordedError as error:
        return Section(anchor, title, "", (Paragraph(f"{view.lacking(error)}."),))
    named = {name for one in view.verdict.worst for name in one.layers}
    panels = [
        BoxPanel(
            safe(tree[node].name, 120),
            boxes.values[:, place],
            tuple(one.first for one in view.verdict.worst if tree[node].name in one.layers)[:MOST_MARKS],
        )
        for place, node in enumerate(nodes)
    ]
    incidents = sum(tree[node].name in named for node in nodes)
    order = "from the first to the last of those that train" if view.frozen else "from the first to the last"
    which = "those of incidents first" if incidents else f"{order}, for no incident names one"
    caption = (
        f"The weights of {counted(len(nodes), 'layer')}, {which}. Each box is a stretch of iterations "
        "and holds the middle half of the weights, the line in it is the median, "
        "and the thin line reaches from the smallest to the largest."
    )
    if any(panel.incidents for panel in panels):
        caption += " A dashed red line is where an incident that names the layer begins."
    picture = box_picture(f"{anchor}-picture", panels, axis, _box_words(panels))
    return Section(anchor, title, caption, (picture,))


def _layers_that_matter(view: View, tree: Sequence[TreeNode]) -> list[int]:
    """Return nodes of layers: those that incidents name, the worst first, then others at equal distances.

    What is frozen is among these only where nothing trains: its weights stay as they are.
    """
    chosen, frozen = list(named_rows(view, tree))[:MOST_BOXES], view.frozen
    others = [place for place, node in enumerate(tree) if node.layer is not None and place not in chosen]
    others = [place for place in others if tree[place].layer not in frozen] or others
    missing = min(MOST_BOXES - len(chosen), len(others))
    places = (round(k * (len(others) - 1) / max(1, missing - 1)) for k in range(missing))
    return [*chosen, *dict.fromkeys(others[place] for place in places)]


def _box_words(panels: Sequence[BoxPanel]) -> str:
    """Say how wide the middle half is at first and at the end where it changed most, and how far a weight went."""
    said = [f"Box plots of the weights of {counted(len(panels), 'layer')} over time."]
    grown: list[tuple[float, str, float, float]] = []
    for panel in panels:
        width = panel.values[3] - panel.values[1]
        known = width[np.isfinite(width) & (width > 0)]
        if len(known) > 1:
            first, last = float(known[0]), float(known[-1])
            grown.append((abs(np.log(last / first)), panel.name, first, last))
    if grown:
        _, name, first, last = max(grown)
        said.append(
            f"The middle half of {name} was {number(first, '')} wide at first and is {number(last, '')} at last."
        )
    sizes = [np.nan_to_num(np.abs(panel.values[[0, 4]]).max(axis=0), nan=0.0, posinf=0.0) for panel in panels]
    farthest = max(range(len(panels)), key=lambda place: float(sizes[place].max(initial=0.0)))
    most = float(sizes[farthest].max(initial=0.0))
    return " ".join([*said, f"The weight farthest from zero, {number(most, '')}, is in {panels[farthest].name}."])
