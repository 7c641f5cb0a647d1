"""Theme and output, from what the person wished for."""

from __future__ import annotations

import os
import sys

from dtui.tui.renderables.output import ColorMode, Output
from dtui.tui.renderables.theme import DARK, LIGHT, Theme
from dtui.tui.terminal import needs_ascii


def look_for(mode: str, ascii_only: bool, theme_name: str, slow_link: bool) -> tuple[Theme, Output]:
    """Return the colours to draw with and what this process' terminal can show of them."""
    encoding = getattr(sys.__stderr__, "encoding", None)
    output = Output(ColorMode(mode), ascii_only or needs_ascii(os.environ, encoding), 16 if slow_link else 32)
    return LIGHT if theme_name == "light" else DARK, output
