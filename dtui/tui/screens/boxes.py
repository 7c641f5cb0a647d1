"""What lies over the panes: help from the table of screens, and the list that a pane offers."""

from __future__ import annotations

from dtui.model.judging import Judging, as_groups
from dtui.tui.renderables.canvas.marks import LEGEND, Mark
from dtui.tui.renderables.panes.over.choosing import ChoosingBox
from dtui.tui.renderables.panes.over.help import Explained, Group, HelpBox
from dtui.tui.state.actions import BAR, BAR_AFTER, GROUPS, Action, main_keys
from dtui.tui.state.choice import KEYS, Choice
from dtui.tui.state.pane import Scene

MOUSE: Group = (
    "Mouse",
    (
        ("click, drag", "accent", "Crosshair, row; a second click opens or closes it."),
        ("wheel", "accent", "Scroll the pane; with Ctrl, zoom time."),
    ),
)


_MEANT_HERE = {("fold_toggle",), *(ids for ids, _ in (*BAR, *BAR_AFTER))}
"""Keys that every screen has, which a pane may use for something of its own: its words say what."""


def help_box(scene: Scene) -> HelpBox:
    """Return the keys of the pane that has the keyboard, the legend of the marks, every other key, and the mouse."""
    pane, by_id, actions = scene.pane, scene.table.by_id, scene.table.actions
    keys = dict(pane.keys(scene))
    own = dict.fromkeys([*(id_ for ids in keys for id_ in ids), *(action.id for action in pane.actions)])
    meant = {ids: words for ids, words in keys.items() if ids in _MEANT_HERE}
    here = tuple((main_keys(by_id, ids), "accent", f"{words[:1].upper()}{words[1:]}.") for ids, words in meant.items())
    here += tuple(_line(by_id[id_]) for id_ in own if not any(id_ in ids for ids in meant))
    groups: list[Group] = [(f"{pane.title}: the pane with the keyboard", here)]
    groups += LEGEND
    groups += [(group, tuple(_line(one) for one in actions if one.group == group)) for group in GROUPS]
    judging = scene.view.info.judging
    groups = [
        (as_groups(heading, judging), tuple(_said(one, judging) for one in lines))
        for heading, lines in [*groups, MOUSE]
        if lines
    ]
    heights = [2 + len(lines) for _, lines in groups]
    split = min(range(len(groups)), key=lambda place: max(sum(heights[:place]), sum(heights[place:])))
    return HelpBox(tuple(groups[:split]), tuple(groups[split:]))


def _line(action: Action) -> Explained:
    """Return keys and help of an action."""
    return action.shown_keys, "accent", action.help


def _said(one: Explained, judging: Judging | None) -> Explained:
    """Return a line in the words for what a run judges."""
    if isinstance(one, Mark):
        return one._replace(meaning=as_groups(one.meaning, judging))
    sign, colour, words = one
    return sign, colour, as_groups(words, judging)


def choosing_box(choice: Choice) -> ChoosingBox:
    """Return a list to choose from; the option that is shown now is selected."""
    options = tuple((option.words, option.help, option.group) for option in choice.options)
    return ChoosingBox(choice.title, options, KEYS, choice.chosen, max(0, choice.chosen))
