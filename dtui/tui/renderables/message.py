"""A pane that has only something to say: loading, nothing recorded yet, too small."""

from __future__ import annotations

from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame


def draw_message(frame: Frame, text: str, detail: str = "", title: str = "") -> Cells:
    """Draw a centred message, wrapped at words.

    Args:
        frame: Any size.
        text: What is so, in one line.
        detail: What to do about it, quieter, below.
        title: Name of the pane, shown as its header; "" for none.
    """
    raise NotImplementedError
