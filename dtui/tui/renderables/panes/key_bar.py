"""The key bar: the most useful keys, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame


def draw_key_bar(frame: Frame, keys: Sequence[tuple[str, str]]) -> Cells:
    """Draw one row of keys and what they do, most important first; what does not fit is left out whole.

    Args:
        frame: Its axis is not used.
        keys: A key as it is written on the screen and one or two words.
    """
    theme = frame.theme
    cells = Cells(frame.width, frame.height, theme, theme.background)
    x = 1
    for key, words in keys:
        if x + text_width(key) + 1 + text_width(words) > frame.width - 1:
            break
        x = cells.text(x, 0, key, theme.accent)
        x = cells.text(x + 1, 0, words, theme.muted) + 2
    return cells
