"""The table of screens, each with a key, a name and panes. To add a screen, add a line here, and its panes."""

from __future__ import annotations

from dtui.tui.panes.bars import Axis, KeyBar, Notice, Ribbon, TopBar
from dtui.tui.panes.classes import Classes
from dtui.tui.panes.curves import Curves
from dtui.tui.panes.entry_detail import EntryDetail
from dtui.tui.panes.filters import Filters
from dtui.tui.panes.images import Images
from dtui.tui.panes.tree import Tree
from dtui.tui.panes.triage import Triage
from dtui.tui.state.pane import Screen, Table

SCREENS = (
    Screen("1", "Triage", (Triage(), EntryDetail())),
    Screen("2", "Layers", (Tree(), Filters())),
    Screen("3", "Validation", (Classes(), Images())),
)

INNER: tuple[Screen, ...] = ()
"""Screens without a tab: a pane opens them with `Scene.opened`, and Esc goes back."""

TABLE = Table(SCREENS, inner=INNER, above=(TopBar(), Curves(), Ribbon(), Axis()), below=(Notice(), KeyBar()))
"""All that the screen may show. Above and below is the same on every screen."""
