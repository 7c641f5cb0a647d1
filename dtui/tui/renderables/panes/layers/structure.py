"""Draws the network as a graph: one row a node, its tensors as lanes beside it, as `git log --graph` draws commits."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.dataclass_on_use import dataclass
from dtui.model.layers import DOWN, LEFT, RIGHT, UP, GraphRow
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, shorten_left, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.layers.filters import TITLE as FILTERS
from dtui.tui.renderables.panes.layers.tree_words import fitting
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Structure"
MARKS = {
    "layer": marks.CONV,
    "linear": marks.LINEAR,
    "norm": marks.NORM,
    "operation": marks.OPERATION,
    "end": marks.END,
}
"""By the sort of a node."""
LANES = {
    0: " ",
    UP: "│",
    DOWN: "│",
    UP | DOWN: "│",
    LEFT: "─",
    RIGHT: "─",
    LEFT | RIGHT: "─",
    UP | LEFT: "╯",
    UP | RIGHT: "╰",
    DOWN | LEFT: "╮",
    DOWN | RIGHT: "╭",
    UP | DOWN | LEFT: "┤",
    UP | DOWN | RIGHT: "├",
    UP | LEFT | RIGHT: "┴",
    DOWN | LEFT | RIGHT: "┬",
    UP | DOWN | LEFT | RIGHT: "┼",
}
COLUMNS = (("kind", 16), ("kernels", 16), (FILTERS.lower(), 8), ("dead", 6), ("moving", 7))
"""Behind the names, with their widths; what does not fit is left out from the right."""
NARROW = {"kind": 12, "kernels": 10}
"""Widths of columns of words where not all columns have room otherwise."""


@dataclass(frozen=True, slots=True)
class StructureRow:
    """A node of the graph and what is known about it.

    Attributes:
        row: Its lanes and name; data from outside.
        sort: "layer", "linear", "norm", "operation", "module" or "end".
        kind: Class of the module; data from outside.
        kernels: Shape of its kernels.
        filters: Number of filters, 0 for none.
        dead: Dead filters at the end.
        moving: Filters that are still moving.
        incident: What the strongest incident that names it says; "" for none, data from outside.
    """

    row: GraphRow
    sort: str
    kind: str = ""
    kernels: str = ""
    filters: int = 0
    dead: int = 0
    moving: int = 0
    incident: str = ""


@dataclass(frozen=True, slots=True)
class StructurePicture(Picture):
    """Rows of the graph.

    Attributes:
        rows: Those on the screen.
        selected: Place of the selected one among them; -1 for none.
        lanes: Most lanes beside each other in the whole graph.
        title: What it shows: "22 layers, 8 branches"; ever shorter.
    """

    rows: Sequence[StructureRow]
    selected: int
    lanes: int
    title: tuple[str, ...] = ()

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header and rows."""
        cells, theme = Cells(frame.width, frame.height, frame.theme), frame.theme
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        widest = max((text_width(safe(one.row.name)) for one in self.rows), default=0)
        lanes = min(2 * self.lanes, max(2, frame.width // 3))
        name = min(widest + 1, max(12, frame.width - lanes - 6))
        places = self._columns(3 + lanes + 2 + name, frame.width)
        end = max((begin + width for begin, width in places.values()), default=x)
        room = max(0, frame.width - end - 4)
        line = fitting(self.title, room)
        if text_width(line) <= room:
            cells.text(frame.width - 1 - text_width(line), 0, line, theme.muted)
        for title, (begin, width) in places.items():
            cells.text(begin if title in ("kind", "kernels") else begin + width - len(title), 0, title, theme.muted)
        for index, one in enumerate(self.rows[: max(0, frame.height - 1)]):
            self._draw_row(cells, frame, 1 + index, one, lanes, name, places)
        return cells

    def _columns(self, left: int, width: int) -> dict[str, tuple[int, int]]:
        """Return where each column begins, and its width."""
        places: dict[str, tuple[int, int]] = {}
        is_narrow = left + sum(wide for _, wide in COLUMNS) > width
        for title, wide in COLUMNS:
            wide = NARROW.get(title, wide) if is_narrow else wide
            if left + wide > width:
                break
            places[title] = (left, wide - 1)
            left += wide
        return places

    def _draw_row(
        self,
        cells: Cells,
        frame: Frame,
        y: int,
        one: StructureRow,
        lanes: int,
        name: int,
        places: dict[str, tuple[int, int]],
    ) -> None:
        theme, is_selected = frame.theme, y - 1 == self.selected
        if is_selected:
            cells.bg[y, :] = theme.selection
            cells.mark[y, :] = 1
            cells.text(0, y, "▌", theme.accent)
        for lane, arms in enumerate(one.row.links):
            x = 3 + 2 * lane
            if x >= 3 + lanes:
                cells.text(2 + lanes, y, "…", theme.faint)
                break
            if lane != one.row.lane:
                cells.text(x, y, LANES[arms], theme.muted)
            if arms & RIGHT and x + 1 < 3 + lanes:
                cells.text(x + 1, y, "─", theme.muted)
        mark, colour = _mark(one, frame)
        if 2 * one.row.lane < lanes:
            cells.text(3 + 2 * one.row.lane, y, mark, colour, bold=True)
        if one.incident:
            cells.text(1, y, marks.CHANGED.glyph, theme.flag, bold=True)
            left = 2 + max((begin + width for begin, width in places.values()), default=frame.width)
            if frame.width - left > 20:
                cells.text(left, y, safe(one.incident), theme.flag, limit=frame.width - left - 1)
        text = theme.bright if is_selected else theme.text if one.sort in ("layer", "linear") else theme.muted
        cells.text(3 + lanes + 2, y, shorten_left(safe(one.row.name), name - 1), text, bold=is_selected)
        for title, (begin, width) in places.items():
            shown = {
                "kind": safe(one.kind),
                "kernels": one.kernels,
                FILTERS.lower(): f"{one.filters:,}" if one.filters else "",
                "dead": f"{marks.DEAD}{one.dead:,}" if one.dead else "",
                "moving": f"{marks.MOVING}{one.moving:,}" if one.moving else "",
            }[title]
            shown = shorten(shown, width)
            at = begin if title in ("kind", "kernels") else begin + width - text_width(shown)
            colours = {"dead": marks.DEAD.of(theme), "moving": marks.MOVING.of(theme)}
            cells.text(at, y, shown, colours.get(title, theme.muted))


def _mark(one: StructureRow, frame: Frame) -> tuple[str, int]:
    mark = MARKS.get(one.sort, marks.OTHER)
    return mark.glyph, mark.of(frame.theme)
