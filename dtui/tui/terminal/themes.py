"""Chooses theme and output from the user's options, and gives Textual's own widgets the same colours."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from textual.theme import Theme as TextualTheme

from dtui.tui.renderables.canvas.theme import DARK, LIGHT, Theme
from dtui.tui.terminal.background import is_light
from dtui.tui.terminal.capabilities import needs_ascii

if TYPE_CHECKING:
    from dtui.tui.renderables.canvas.output import Output


def theme_for(name: str) -> Theme:
    """Return the theme of a name: "dark", "light", or "auto", which is what the environment says, or else dark."""
    return LIGHT if name == "light" or (name == "auto" and is_light(os.environ)) else DARK


def output_for(mode: str, ascii_only: bool, slow_link: bool) -> Output:
    """Return what this process' terminal can show in a colour mode."""
    from dtui.tui.renderables.canvas.output import ColorMode, Output

    encoding = getattr(sys.__stderr__, "encoding", None)
    return Output(ColorMode(mode), ascii_only or needs_ascii(os.environ, encoding), 16 if slow_link else 32)


def textual_theme(theme: Theme) -> TextualTheme:
    """Return our colours under Textual's names, so that prompt, help and palette look like the panes."""

    def code(colour: int) -> str:
        return f"#{colour:06x}"

    accent = code(theme.accent)
    return TextualTheme(
        name=f"dtui-{theme.name}",
        primary=accent,
        secondary=accent,
        accent=accent,
        foreground=code(theme.text),
        background=code(theme.background),
        surface=code(theme.panel),
        panel=code(theme.selection),
        warning=code(theme.flag),
        error=code(theme.crashed),
        success=code(theme.live),
        dark=theme.name == "dark",
        variables={
            "text-muted": code(theme.muted),
            "block-cursor-background": code(theme.selection),
            "block-cursor-foreground": code(theme.bright),
            "scrollbar": code(theme.faint),
            "scrollbar-background": code(theme.panel),
        },
    )
