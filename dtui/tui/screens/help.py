"""The help screen: every action of the registry with its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from dtui.tui.panes.table import TABLE
from dtui.tui.state.actions import GROUPS

KEYS_WIDTH = 14
MOUSE = (
    ("click, drag", "Crosshair, row; a second click opens or closes it."),
    ("wheel", "Scroll the pane; with Ctrl, zoom time."),
)


class HelpScreen(ModalScreen[None]):
    """A scrolling list over the data."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen VerticalScroll {
        width: 84; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 1 2; scrollbar-size-vertical: 1;
    }
    HelpScreen.-wide VerticalScroll { width: 146; }
    HelpScreen Horizontal { height: auto; layout: vertical; }
    HelpScreen.-wide Horizontal { layout: horizontal; }
    HelpScreen Static { width: 100%; height: auto; }
    HelpScreen.-wide Static { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss(None)", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("J,pagedown,space", "scroll(10)", show=False),
        Binding("K,pageup", "scroll(-10)", show=False),
        Binding("g,home", "scroll(-1000)", show=False),
        Binding("G,end", "scroll(1000)", show=False),
    ]

    def __init__(self) -> None:
        """Use two columns if they fit."""
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (146, "-wide")]

    def compose(self) -> ComposeResult:
        """Make the list."""
        with VerticalScroll(can_focus=False):
            yield Static(Content.assemble(("dtui", "bold $accent"), ("  every key; Esc closes", "$text-muted")))
            with Horizontal():
                yield Static(group_content(GROUPS[:3]))
                yield Static(Content("\n").join([group_content(GROUPS[3:]), mouse_content()]))

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def group_content(groups: Sequence[str]) -> Content:
    """Return the actions of some groups, a line each."""
    lines = []
    for group in groups:
        lines += [Content(""), Content.styled(group, "bold $text")]
        lines += [_line(action.shown_keys, action.help) for action in TABLE.actions if action.group == group]
    return Content("\n").join(lines)


def mouse_content() -> Content:
    """Return lines on the mouse."""
    return Content("\n").join([Content(""), Content.styled("Mouse", "bold $text"), *(_line(*line) for line in MOUSE)])


def _line(keys: str, words: str) -> Content:
    return Content.assemble((f"  {keys:<{KEYS_WIDTH}}", "$accent"), (words, "$text"))
