"""Draws the structure of the network: modules that hold modules, down to the layers, in the order of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from dtui.number_text import counted
from dtui.reports.charts import theme
from dtui.reports.charts.vectors import CHARACTER, Vectors, fitted
from dtui.reports.document import Picture
from dtui.reports.rows import TreeRow

WIDE, NARROW = theme.PAGE_WIDTH, 360
DEEP = 30.0
"""Pixels of one depth of modules, on a wide page from top to bottom."""
LAYER = 13.0
"""Pixels of a layer on a narrow page, from top to bottom."""
NAME = 40.0
"""Pixels of a layer in which its name can be read."""
BOLD = 1.1
"""How much wider bold letters are."""
MODULES = ("#e8eef5", "#d3e0ec", "#bdd1e3")
"""Of modules by depth; deeper ones take the last."""
LEAF = "#ffffff"
MOST = 300
"""Rows of the hierarchy that are drawn; of more the deepest are left out, and their modules drawn as layers are."""


def structure_picture(id: str, rows: Sequence[TreeRow], named: Sequence[int], title: str, description: str) -> Picture:
    """Return the structure; a layer that an incident names has a red frame.

    Args:
        id: Of the picture.
        rows: The hierarchy, depth first; at least one.
        named: Positions of the layers that incidents name.
        title: Of the picture.
        description: What it shows, in words.

    Source: dtui.
    """
    rows, named = _outermost(rows, named)
    wide, paper = (_readable(width, rows, named, description) for width in (WIDE, theme.PAPER_WIDTH))
    return Picture(id, title, description, wide, WIDE, _standing(NARROW, rows, named, description), paper=paper)


def _readable(width: int, rows: Sequence[TreeRow], named: Sequence[int], description: str) -> str:
    """Draw the data from left to right; from top to bottom where names have no room then, and a page is tall enough."""
    layers = max(1, max(stop for _, stop in _spans(rows)))
    if width / layers >= NAME or layers * LAYER > theme.PAPER_HEIGHT - 60:
        return _lying(width, rows, named, description)
    return _standing(theme.PAPER_WIDTH, rows, named, description)


def _outermost(rows: Sequence[TreeRow], named: Sequence[int]) -> tuple[Sequence[TreeRow], Sequence[int]]:
    """Return the rows down to a depth at which they are few enough, and where the named ones lie."""
    deepest = max(row.depth for row in rows)
    while deepest > 0 and sum(row.depth <= deepest for row in rows) > MOST:
        deepest -= 1
    kept = [place for place, row in enumerate(rows) if row.depth <= deepest]
    now = {place: new for new, place in enumerate(kept)}

    def above(place: int) -> int:
        while place not in now:
            place = rows[place].parent
        return now[place]

    shown = [
        replace(rows[k], parent=now.get(rows[k].parent, -1), is_module=rows[k].is_module and rows[k].depth < deepest)
        for k in kept
    ]
    return shown, sorted({above(place) for place in named})


def _spans(rows: Sequence[TreeRow]) -> list[tuple[int, int]]:
    """Return which layers each row holds, as first and stop, counting layers in the order of the data."""
    firsts, layers = [], 0
    for row in rows:
        firsts.append(layers)
        layers += not row.is_module
    stops = [first + (not row.is_module) for first, row in zip(firsts, rows, strict=True)]
    for place in reversed(range(len(rows))):
        if (parent := rows[place].parent) >= 0:
            stops[parent] = max(stops[parent], stops[place])
    return list(zip(firsts, stops, strict=True))


def _lying(width: int, rows: Sequence[TreeRow], named: Sequence[int], description: str) -> str:
    """Draw the data from left to right, modules above what they hold."""
    spans, depth = _spans(rows), 1 + max(row.depth for row in rows)
    edges = _edges(width - 2, rows, spans)
    drawing = Vectors.picture(width, depth * DEEP + 2, description)
    for place, (row, (first, stop)) in enumerate(zip(rows, spans, strict=True)):
        tall = DEEP if row.is_module else (depth - row.depth) * DEEP
        where = (1 + edges[first], 1 + row.depth * DEEP, edges[stop] - edges[first], tall)
        _box(drawing, row, where, is_named=place in named)
        room = (where[2] - 6) / (BOLD if row.is_module else 1)
        text = fitted(row.label, room)
        if room >= CHARACTER * min(len(row.label), 3) and text.strip("…"):
            weight = "bold" if row.is_module else "normal"
            drawing.words(
                where[0] + where[2] / 2, where[1] + 18, text, theme.INK, "middle", font_weight=weight, font_size="11"
            )
    return drawing.svg()


def _edges(width: float, rows: Sequence[TreeRow], spans: Sequence[tuple[int, int]]) -> list[float]:
    """Return where layers begin and end, shape (layers + 1,): as wide as the names in and above them ask for."""
    layers = max(1, max(stop for _, stop in spans))
    wanted = [0.0] * layers
    for row, (first, stop) in reversed(list(zip(rows, spans, strict=True))):  # what a module holds comes before it
        room = CHARACTER * len(row.label) * (BOLD if row.is_module else 1) + 10
        lacking = (room - sum(wanted[first:stop])) / max(1, stop - first)
        wanted[first:stop] = [own + max(0.0, lacking) for own in wanted[first:stop]]
    spare = width - sum(wanted)
    wide = [own + spare / layers if spare > 0 else own * width / sum(wanted) for own in wanted]
    return [0.0, *accumulate(wide)]


def _standing(width: int, rows: Sequence[TreeRow], named: Sequence[int], description: str) -> str:
    """Draw the data from top to bottom, modules left of what they hold."""
    spans, depth = _spans(rows), 1 + max(row.depth for row in rows)
    layers = max(1, max(stop for _, stop in spans))
    unit = max(LAYER, 60.0 / layers)
    names = max((len(row.label) for row in rows if row.is_module), default=0)
    across = min(max(90.0, CHARACTER * BOLD * names + 8), (width - 96) / max(1, depth - 1))
    drawing = Vectors.picture(width, layers * unit + 2, description)
    for place, (row, (first, stop)) in enumerate(zip(rows, spans, strict=True)):
        left = 1 + row.depth * across
        where = (left, 1 + first * unit, across if row.is_module else width - 2 - left, (stop - first) * unit)
        _box(drawing, row, where, is_named=place in named)
        weight = "bold" if row.is_module else "normal"
        middle = min(where[1] + where[3] / 2 + 4, where[1] + 30)
        label = row.label if row.is_module or not row.detail else f"{row.label}  {row.detail}"
        room = (where[2] - 8) / (BOLD if row.is_module else 1)
        drawing.words(where[0] + 4, middle, label, theme.INK, "start", room, font_weight=weight, font_size="11")
    return drawing.svg()


def _box(drawing: Vectors, row: TreeRow, where: tuple[float, float, float, float], *, is_named: bool) -> None:
    x, y, width, height = where
    fill = MODULES[min(row.depth, len(MODULES) - 1)] if row.is_module else LEAF
    filters = counted(row.filters, "filter")
    said = ", ".join(part for part in (f"{row.name} ({row.kind})", row.detail, filters) if part)
    said += ", in an incident" if is_named else ""
    frame = {"stroke": theme.LOST, "stroke_width": "2"} if is_named else {"stroke": "#9fb0c2", "stroke_width": "0.8"}
    gap = 1.0 if is_named else 0.0
    drawing.box(x + gap, y + gap, width - 2 * gap, height - 2 * gap, fill, said, **frame)
