"""What lies over the panes: help from the table of screens, and the list that a pane offers."""

from __future__ import annotations

from dtui.tui.renderables.panes.over.choosing import ChoosingBox
from dtui.tui.renderables.panes.over.help import Group, HelpBox
from dtui.tui.state.actions import GROUPS
from dtui.tui.state.choice import KEYS, Choice
from dtui.tui.state.pane import Table

LEFT_GROUPS = 3
MOUSE: Group = (
    "Mouse",
    (
        ("click, drag", "Crosshair, row; a second click opens or closes it."),
        ("wheel", "Scroll the pane; with Ctrl, zoom time."),
    ),
)


def help_box(table: Table) -> HelpBox:
    """Return every action of a table with its keys, and the mouse."""
    groups: list[Group] = [
        (group, tuple((action.shown_keys, action.help) for action in table.actions if action.group == group))
        for group in GROUPS
    ]
    return HelpBox(tuple(groups[:LEFT_GROUPS]), (*groups[LEFT_GROUPS:], MOUSE))


def choosing_box(choice: Choice) -> ChoosingBox:
    """Return a list to choose from; the option that is shown now is selected."""
    options = tuple((option.words, option.help, option.group) for option in choice.options)
    return ChoosingBox(choice.title, options, KEYS, choice.chosen, max(0, choice.chosen))
