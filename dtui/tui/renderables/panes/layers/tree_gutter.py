"""Draws the columns at the left of the tree: names, dead and moving filters, update ratio and value.

Owns their places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, TreeNode
from dtui.model.layers import HEALTHY_RATIOS, NormSeries
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, shorten_left, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import Mark
from dtui.tui.renderables.panes.layers.tree_charts import NEVER_NEGATIVE, sparkline
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.parts.chrome import number, write_value

VALUE, RATIO, COUNTS = 26, 34, 44
"""From these gutters on there is room for values, for update ratios, and for the counts of dead and moving filters."""
NUMBER, COUNT = 7, 5
"""Columns of a value or ratio, and of a count."""


@dataclass(frozen=True, slots=True)
class BesideSeries:
    """The numbers of what has rows behind layers, each by place among all of these; None while they load.

    Attributes:
        series: Of each kind of them.
        ratios: The update ratios of the parameters outside the layers.
    """

    series: tuple[NormSeries, ...] = ()
    ratios: NormSeries | None = None

    def of(self, place: int) -> NormSeries | None:
        """Return the series that has the row of a place."""
        return next((one for one in self.series if place in one.norms), None)


COARSE = "one far weight: bins too coarse"
NOTHING_BESIDE = BesideSeries()
"""Where nothing is shown behind layers."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A visible row of the tree.

    Attributes:
        node: The tree node in the row; of what stands behind a layer that layer.
        is_open: Whether its children are visible; False for a layer.
        is_module: Whether it can be opened.
        name: What the row is called, so that it can be told apart; data from outside.
        detail: Behind the name, muted: kernel size, class of the module; data from outside.
        indent: Columns before its mark.
        norm: Place among what stands behind layers; None for a module or layer.
        dead: Dead filters at or below it at the end.
        moving: Filters at or below it that are still moving.
        silent: Filters at or below it that let nothing through at the last validation.
        incidents: Iterations of the incidents that name a layer at or below it.
        about: Its first words in the line at the foot; data from outside.
        mark: Before the name of what stands behind a layer.
        unfolds: Whether it is a layer that unfolds to attention heads.
        shows_heads: Whether these have rows.
        is_frozen: Whether no layer at or below it was set to be trained.
    """

    node: TreeNode
    is_open: bool
    is_module: bool
    name: str = ""
    detail: str = ""
    indent: int = 0
    norm: int | None = None
    dead: int = 0
    moving: int = 0
    silent: int = 0
    incidents: tuple[int, ...] = ()
    about: str = ""
    mark: Mark = marks.NORM
    unfolds: bool = False
    shows_heads: bool = False
    is_frozen: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Readout:
    """The numbers of a row at the cursor; NaN for none.

    Attributes:
        value: Of the statistic that the chart shows.
        ratio: The update ratio.
        statistic: Name of the statistic, which says whether values have a sign.
        shares: Of a histogram, shape (bins,).
        edges: Ends of these bins, shape (bins + 1,).
        source: What the histogram is of.
    """

    value: float = float("nan")
    ratio: float = float("nan")
    statistic: str = ""
    shares: FloatArray | None = None
    edges: FloatArray | None = None
    source: str = ""


def columns(frame: Frame, is_ratio: bool) -> dict[str, int]:
    """Return the columns that there is room for: their names, and where each ends (exclusive)."""
    gutter, ends = frame.gutter, {}
    right = gutter - 2
    if gutter >= VALUE:
        ends["ratio" if is_ratio else "value"] = right
        right -= NUMBER + 1
    if gutter >= RATIO and not is_ratio:
        ends["ratio"] = right
        right -= NUMBER + 1
    if gutter >= COUNTS:
        ends["moving"] = right
        ends["dead"] = right - 7
        right = ends["dead"] - COUNT
    ends["name"] = right
    return ends


def draw_titles(cells: Cells, frame: Frame, is_ratio: bool) -> None:
    """Write the titles of the columns into the header."""
    for name, end in columns(frame, is_ratio).items():
        if name != "name" and end - len(name) > 8:
            cells.text(end - len(name), 0, name, frame.theme.muted)


def draw_name(cells: Cells, frame: Frame, row: TreeRow, y: int, is_selected: bool) -> None:
    """Write mark and name of a row, behind it its detail, and marks for dead and moving filters without a column."""
    theme, ends = frame.theme, columns(frame, is_ratio=False)
    end = ends["name"] if frame.gutter >= VALUE else frame.gutter - 2
    counts = [(mark, f"{mark.glyph}{count:,}") for mark, count in _counted(row)] if "dead" not in ends else []
    while counts and 3 + min(row.indent, 4) + text_width(safe(row.name)) > end - _width_of(counts):
        counts.pop(0)  # the name comes first
    for mark, words in counts:
        end -= 1 + len(words)
        cells.text(end + 1, y, words, mark.of(theme))
    x = 1 + min(row.indent, max(0, end - 12))
    glyph, colour = _mark_of(row, frame, is_selected)
    cells.text(x, y, glyph, colour)
    room = max(0, end - x - 2)
    name, detail = safe(row.name), safe(row.detail)
    bold = is_selected or (row.is_module and row.node.depth == 0)
    x = cells.text(x + 2, y, shorten_left(name, room), theme.bright if is_selected else theme.text, bold=bold)
    if row.silent and end - x - 1 >= text_width(words := f"{row.silent:,} silent"):
        x = cells.text(x + 1, y, words, theme.warning)
    if detail and end - x - 1 >= min(4, text_width(detail)):
        cells.text(x + 1, y, shorten(detail, end - x - 1), theme.text if is_selected else theme.muted)


def _counted(row: TreeRow) -> list[tuple[Mark, int]]:
    """Return the counts that have marks, the least important first."""
    return [(mark, count) for mark, count in ((marks.MOVING, row.moving), (marks.DEAD, row.dead)) if count]


def _width_of(counts: Sequence[tuple[Mark, str]]) -> int:
    return sum(1 + len(words) for _, words in counts)


def _mark_of(row: TreeRow, frame: Frame, is_selected: bool) -> tuple[str, int]:
    theme = frame.theme
    if row.norm is not None:
        return row.mark.glyph, row.mark.of(theme)
    if row.is_module:
        return (marks.OPENED if row.is_open else marks.CLOSED).glyph, theme.accent if is_selected else theme.muted
    own = marks.LINEAR if row.node.kind.startswith("Linear") else marks.CONV
    mark = (marks.OPENED if row.shows_heads else marks.CLOSED) if row.unfolds else own
    return mark.glyph, own.of(theme)


def draw_counts(cells: Cells, frame: Frame, row: TreeRow, y: int, is_ratio: bool) -> None:
    """Write the columns of a row that no step of the cursor changes: dead filters, and those that still move."""
    ends = columns(frame, is_ratio)
    if "dead" in ends:
        for name, count, mark in (("dead", row.dead, marks.DEAD), ("moving", row.moving, marks.MOVING)):
            write_value(
                cells, ends[name], y, f"{count:,}" if count else "", mark.of(frame.theme), bold=True, room=COUNT
            )


def write_columns(cells: Cells, frame: Frame, row: TreeRow, y: int, readout: Readout, ends: Mapping[str, int]) -> None:
    """Rewrite the numbers of a row at the cursor. An open module has no value, because the rows below it do.

    Args:
        cells: To write into.
        frame: Theme and output.
        row: The row.
        y: Where it stands.
        readout: Its numbers.
        ends: As `columns` returns them.
    """
    theme = frame.theme
    if "value" in ends:
        signed = readout.statistic not in NEVER_NEGATIVE and bool(readout.statistic)
        value = readout.value
        colour = theme.faint if np.isnan(value) else theme.positive[2] if value >= 0 else theme.negative[2]
        is_blank = row.is_open or (not readout.statistic and row.norm is None)
        write_value(cells, ends["value"], y, "" if is_blank else number(value, signed), colour, room=NUMBER)
    if "ratio" in ends:
        is_frozen = row.is_frozen and not readout.ratio > 0
        text, colour = ("frozen", theme.muted) if is_frozen else ratio_text(frame, readout.ratio)
        write_value(cells, ends["ratio"], y, text, colour, room=NUMBER + 1)


def ratio_text(frame: Frame, ratio: float) -> tuple[str, int]:
    """Return an update ratio with an arrow if it is too small or too large, and its colour."""
    if not np.isfinite(ratio):
        return "", frame.theme.faint
    low, high = HEALTHY_RATIOS
    arrow = marks.TOO_SLOW.glyph if ratio < low else marks.TOO_FAST.glyph if ratio > high else ""
    colour = frame.theme.lost if ratio > high else frame.theme.live
    return f"{arrow}{number(ratio)}", marks.TOO_SLOW.of(frame.theme) if ratio < low else colour


def write_distribution(cells: Cells, frame: Frame, y: int, tall: int, readout: Readout) -> None:
    """Rewrite what stands under a row's name in its other rows: the histogram at the cursor, between its ends."""
    if readout.shares is None or readout.edges is None or tall < 2:
        return
    theme, room = frame.theme, max(0, frame.gutter - 5)
    for offset in range(1, tall):
        cells.clear(2, y + offset, frame.gutter - 3)
    bars = sparkline(readout.shares)
    if not bars:
        for offset, line in enumerate(wrap(COARSE, room)[: tall - 1], 1):
            cells.text(3, y + offset, line, theme.muted)
        return
    wide = max(1, min(room // len(bars), 3))
    cells.text(3, y + 1, shorten("".join(bar * wide for bar in bars), room), theme.accent)
    low, high = number(float(readout.edges[0])), number(float(readout.edges[-1]))
    if tall > 2:
        words = f"{low} … {high}" if readout.source == "weights" else "|grad/weight| 1e-7…10"
        cells.text(3, y + 2, shorten(words, room), theme.muted)
