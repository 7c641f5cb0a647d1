"""Puts a picked cell of the grid into words: its filters with their changes, and what happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model.cube import CellEvent, CellFilter, GridCell, IncidentGrid
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten_left, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.chrome import number
from dtui.tui.renderables.parts.grid.cells import NAMED

MOST_FILTERS = 12
MOST_OTHERS = 8
BAR_AT = 44
LEAST_BLOCKS, MOST_BLOCKS = 8, 30
"""Of a bar, one for each σ: with less room there is none."""

TIED = "\u00a0"
"""A blank at which no line is broken."""

Line = tuple[tuple[str, str], ...]
"""Words with the name of their colour in the theme, one after another."""


def cell_lines(
    grid: IncidentGrid,
    names: Sequence[str],
    layers: Sequence[str],
    picked: tuple[int, int],
    cell: GridCell | None,
    sentences: Sequence[str],
    size: tuple[int, int],
) -> tuple[Line, ...]:
    """Return a picked cell in words, the most important first.

    Args:
        grid: The grid.
        names: Of its rows, harmless.
        layers: Names of all layers; data from outside.
        picked: Row and layer.
        cell: The same in detail; None while it loads.
        sentences: What happened at the incidents of the row; data from outside.
        size: Columns and terminal rows at hand: with many rows, each filter gets a line.
    """
    (row, layer), (width, room) = picked, size
    count = int(grid.counts[row, layer])
    place = f"{names[row]} × {shorten_left(safe(layers[layer]), 40)}"
    lines: list[Line] = []
    if not count:
        best = int(grid.counts[row].argmax())
        most = int(grid.counts[row, best])
        where = f"; most in {shorten_left(safe(layers[best]), 40)}: {most}" if most else ""
        lines.append(((place, "bright"), (f"  none of the filters that changed most{where}", "muted")))
    else:
        events = len(grid.events_of(row, layer))
        what = f"{counted(count, 'filter')} at {counted(events, 'incident')}"
        lines.append(((place, "bright"), (f"  {what}", "text")))
    if grid.named[row, layer]:
        lines.append(((f"{NAMED} named by the incident itself", "flag"),))
    if cell is not None and (cell.row, cell.layer) == picked:
        for event in cell.events:
            lines += event_lines(event, width, room - len(lines) - 2 * len(sentences) - len(cell.events))
    lines += [((safe(sentence, 300), "muted"),) for sentence in sentences]
    others = [(int(count), at) for at, count in enumerate(grid.counts[row].tolist()) if count and at != layer]
    if others and room > len(lines):
        first = sorted(others, key=lambda one: (-one[0], one[1]))[:MOST_OTHERS]
        said = " · ".join(f"{shorten_left(safe(layers[at]), 30)}:{TIED}{many}" for many, at in _of_filters(first))
        lines.append((("also in ", "muted"), (said, "text")))
    return tuple(lines)


def event_lines(event: CellEvent, width: int, room: int) -> list[Line]:
    """Return the filters of an incident with their changes against the usual: a line each, or all in one."""
    at = f"{event.iteration:>9,}  "
    shown = event.filters[:MOST_FILTERS]
    more = f"and {len(event.filters) - MOST_FILTERS} more" if len(event.filters) > MOST_FILTERS else ""
    if room >= len(shown):
        lines: list[Line] = []
        for place, one in enumerate(shown):
            longest = min(MOST_BLOCKS, width - BAR_AT)
            has_bar = one.sigma > 0 and longest >= LEAST_BLOCKS
            bar = "▇" * min(longest, max(1, round(one.sigma))) if has_bar else ""
            times, sigma = _change(one)
            words = (f"filter {one.filter:<5}", "bright"), (f"{times:>9} {sigma:>7}  ", "text"), (bar, "positive_bar")
            lines.append(((at if not place else " " * len(at), "accent"), *words))
        return [*lines, ((" " * len(at) + more, "muted"),)] if more else lines
    inline = "   ".join(" ".join(filter(None, (f"f{one.filter}", *_change(one)))).replace(" ", TIED) for one in shown)
    return [((at, "accent"), (inline, "text"), (f"   {more}", "muted"))]


def _change(one: CellFilter) -> tuple[str, str]:
    """Return the change against the usual, and how unusual it is; "" where nothing is usual yet."""
    times = "" if np.isnan(one.times) else f"×{number(one.times)}"
    return times, "" if np.isnan(one.sigma) else f"{one.sigma:.1f}σ".replace("-", "−")


def draw_lines(cells: Cells, frame: Frame, x: int, y: int, width: int, height: int, lines: Sequence[Line]) -> None:
    """Write lines of words into a rectangle, wrapped between words; what does not fit is cut with an ellipsis."""
    bottom, end = min(cells.height, y + height), x
    for line in lines:
        at = x
        for text, colour in line:
            for word in text.split(" "):
                wide = text_width(word)
                if at > x and at + wide > x + width and word:
                    y, at = y + 1, x + (2 if wide + 2 <= width else 0)
                if y >= bottom:
                    cells.text(min(end, x + width - 1), bottom - 1, "…", frame.theme.muted)
                    return
                end = cells.text(at, y, word.replace(TIED, " "), _ink(frame, colour), limit=max(0, x + width - at))
                at = end + 1
            at -= 1
        y += 1
        if y >= bottom:
            return


def _ink(frame: Frame, colour: str) -> int:
    ink: int = frame.theme.positive[1] if colour == "positive_bar" else getattr(frame.theme, colour)
    return ink


def _of_filters(counts: Sequence[tuple[int, int]]) -> list[tuple[str, int]]:
    """Return numbers, the last of which says that they are of filters."""
    *others, (last, at) = counts
    return [*((f"{number:,}", where) for number, where in others), (counted(last, "filter").replace(" ", TIED), at)]
