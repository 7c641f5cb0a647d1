"""The help screen: every action of the registry with its keys."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from dtui.tui.actions import ACTIONS, GROUPS

KEYS_WIDTH = 18
MOUSE = (
    ("click, drag", "Move the crosshair; select a row; a second click opens or closes it."),
    ("wheel", "Scroll the pane; with Ctrl, zoom time."),
)


class HelpScreen(ModalScreen[None]):
    """A scrolling list over the data."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen VerticalScroll {
        width: 100; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; padding: 1 2; scrollbar-size-vertical: 1;
    }
    HelpScreen Static { width: 100%; height: auto; }
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

    def compose(self) -> ComposeResult:
        """Make the list."""
        with VerticalScroll(can_focus=False):
            yield Static(help_content())

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def help_content() -> Content:
    """Return all actions by group, a line each, and what the mouse does."""
    lines = [Content.assemble(("dtui", "bold $accent"), ("  every key; Esc closes", "$text-muted")), Content("")]
    for group in GROUPS:
        lines.append(Content.styled(group, "bold"))
        lines += [_line(action.shown_keys, action.help) for action in ACTIONS if action.group == group]
        lines.append(Content(""))
    lines.append(Content.styled("Mouse", "bold"))
    lines += [_line(keys, words) for keys, words in MOUSE]
    return Content("\n").join(lines)


def _line(keys: str, words: str) -> Content:
    return Content.assemble((f"  {keys:<{KEYS_WIDTH}}", "$accent"), (words, "$text"))
