"""Draws the crosshair: a tick at the edges of a pane, and a thin rule between panes. What is read stays as it is."""

from __future__ import annotations

from collections.abc import Mapping

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.primitives import UPPER_HALF

BLANK = 32
RULE, CROSSING, EDGE = ord("│"), ord("┼"), ord("╷")
QUIET = (ord("─"), ord("┊"), ord("┼"), EDGE, ord("╵"))
"""Rules and ticks of a pane itself, which stand for no value: the crosshair crosses them."""

DRAWN = range(0x2500, 0x2900)
"""Lines, blocks, shapes and braille: values, not words."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What the crosshair shows in one cell; None keeps what is there."""

    ch: int | None = None
    fg: int | None = None
    bg: int | None = None


def ticks_of(cells: Cells, frame: Frame, x: int | None) -> Mapping[int, Tick]:
    """Return what the crosshair at column `x` shows, by row of a pane; empty if it is not on it.

    The first row is the header, which separates panes: it gets the rule, unless words or a legend stand there. The
    last row gets a tick at its lower edge, but not between two words. Other rows hold values and get nothing, unless
    they are a rule themselves.

    Args:
        cells: What the pane shows; they never hold the crosshair.
        frame: Theme and output of the pane.
        x: Column, as `Frame.column_of` gives it; None for none.
    """
    if x is None or not 0 <= x < cells.width:
        return {}
    theme, found = frame.theme, {}
    for y, ch in enumerate(cells.ch[:, x].tolist()):
        if ch in QUIET:
            found[y] = Tick(CROSSING if ch == ord("─") else RULE, theme.muted)
    if cells.height > 0:
        found.pop(0, None)
        if (first := _in_header(cells, frame, x)) is not None:
            found[0] = first
    if cells.height > 1 and (last := _at_lower_edge(cells, frame, x)) is not None:
        found[cells.height - 1] = last
    return found


def put_ticks(cells: Cells, x: int | None, top: int, ticks: Mapping[int, Tick]) -> None:
    """Draw the ticks of a pane whose first row is row `top` of `cells`, at column `x`; what is outside is left out."""
    if x is None or x >= cells.width:
        return
    for y, tick in ((top + y, tick) for y, tick in ticks.items() if top + y < cells.height):
        for array, value in ((cells.ch, tick.ch), (cells.fg, tick.fg), (cells.bg, tick.bg)):
            if value is not None:
                array[y, x] = value


def _in_header(cells: Cells, frame: Frame, x: int) -> Tick | None:
    """Return the rule, where it separates no word from the next and stands in no legend; else None."""
    near = slice(max(0, x - 1), x + 2)
    is_free = bool((cells.ch[0, near] == BLANK).all()) and bool((cells.bg[0, near] == cells.bg[0, x]).all())
    return Tick(RULE, frame.theme.crosshair) if is_free or int(cells.ch[0, x]) in QUIET else None


def _at_lower_edge(cells: Cells, frame: Frame, x: int) -> Tick | None:
    """Return a tick in the last row: the lower half of a pixel's cell, or a blank, not between words; else None."""
    y = cells.height - 1
    ch = int(cells.ch[y, x])
    if ch == UPPER_HALF:
        return Tick(bg=frame.theme.crosshair)
    beside = cells.ch[y, [max(0, x - 1), min(x + 1, cells.width - 1)]].tolist()
    is_free = ch == BLANK and not all(map(_is_of_word, beside))
    return Tick(EDGE, frame.theme.crosshair) if is_free else None


def _is_of_word(ch: int) -> bool:
    return ch != BLANK and ch not in DRAWN
