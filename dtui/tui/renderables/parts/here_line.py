"""Draws in one line what the images of a class were taken for at the crosshair."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model.judging import Judging, as_groups
from dtui.model.learning import TakenFor
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.words.class_names import bare_name
from dtui.tui.renderables.parts.words.judged_words import wrong_colour

LONGEST_BAR = 16
LONGEST_NAME = 18
EIGHTHS = " ▏▎▍▌▋▊▉"


def draw_here_line(
    cells: Cells,
    frame: Frame,
    y: int,
    taken: TakenFor | None,
    classes: Sequence[str],
    judging: Judging | None = None,
) -> None:
    """Write "here: 9 ▇▇▇▇▇ 98 · 6 ▏1 · right 1" into a row of its own; what has no room is counted at the end.

    Args:
        cells: To draw into.
        frame: Its width, colours and output.
        y: Row.
        taken: What to tell; None while it loads. Of several classes it tells "4→9".
        classes: Names by label; data from outside.
    """
    theme = frame.theme
    if not 0 <= y < cells.height:
        return
    cells.clear(0, y, cells.width)
    cells.bg[y], cells.mark[y] = theme.panel, 0
    x = cells.text(1, y, "here: ", theme.muted)
    if taken is None:
        return
    if taken.iteration is None:
        cells.text(x, y, "not validated yet", theme.muted)
        return
    right = f"right {taken.right:,}"
    if not len(taken.counts):
        words = f"all {taken.right:,} right" if taken.right else as_groups("no image was judged", judging)
        cells.text(x, y, words, theme.gained if taken.right else theme.muted, limit=max(0, frame.width - x))
        return
    stop = frame.width - text_width(right) - 4
    total = max(1, taken.right + int(taken.counts.sum()))
    told, count_of_pairs = 0, len(taken.counts)
    first = (array[: max(1, frame.width)].tolist() for array in (taken.targets, taken.labels, taken.counts))
    longest = min(LONGEST_BAR, max(4, (stop - x) // 4))
    for target, label, count in zip(*first, strict=True):  # more have no room
        name = _name(classes, label) if len(taken.classes) == 1 else f"{_name(classes, target)}→{_name(classes, label)}"
        bar, number = share_bar(count / total, longest), f"{count:,}"
        is_last = told == count_of_pairs - 1
        room = stop - x - text_width(bar + number) - 2 - (0 if is_last else 12)
        if told and text_width(name) > room:
            break
        colour = wrong_colour(theme, label, taken.judging)
        x = cells.text(x, y, shorten(name, max(1, room)), colour, bold=True)
        x = cells.text(x + 1, y, bar, colour)
        x = cells.text(x + (0 if bar in EIGHTHS else 1), y, number, theme.text)
        x = cells.text(x, y, " · ", theme.faint)
        told += 1
    if told < count_of_pairs:
        more = f"{int(taken.counts[told:].sum()):,} in {count_of_pairs - told:,} more"
        if x + text_width(more) < stop:
            x = cells.text(x, y, more, theme.muted)
            x = cells.text(x, y, " · ", theme.faint)
    cells.text(x, y, right, theme.gained if taken.right else theme.muted, limit=max(0, frame.width - x))


def _name(classes: Sequence[str], label: int) -> str:
    return shorten(bare_name(classes, label), LONGEST_NAME)


def share_bar(share: float, longest: int) -> str:
    """Return a bar of at least one eighth of a cell."""
    eighths = max(1, round(8 * longest * share))
    return "▇" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths < 8 else "")
