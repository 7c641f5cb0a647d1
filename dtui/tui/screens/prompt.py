"""A one-line question at the bottom of the screen: a search, a note."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class Prompt(ModalScreen[str | None]):
    """Asks for one line of text; Enter returns it, Esc returns None."""

    DEFAULT_CSS = """
    Prompt { background: transparent; align: left bottom; }
    Prompt Horizontal { height: 1; dock: bottom; background: $surface; }
    Prompt #label { width: auto; padding: 0 1; color: $accent; text-style: bold; }
    Prompt #wrong { width: auto; padding: 0 1; color: $warning; }
    Prompt Input, Prompt Input:focus { border: none; padding: 0; height: 1; width: 1fr; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(self, label: str, value: str = "", changed: Callable[[str], str] | None = None) -> None:
        """Ask.

        Args:
            label: Our words before the line.
            value: What the line holds at first.
            changed: Called with the line whenever it changes; returns what is wrong with it, or "".
        """
        super().__init__()
        self._label, self._value, self._changed = label, value, changed

    def compose(self) -> ComposeResult:
        """Make the row."""
        with Horizontal():
            yield Static(Content(self._label), id="label")
            yield Input(self._value, select_on_focus=False)
            yield Static(id="wrong")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what is wrong with the line while the user types."""
        if self._changed is not None:
            self.query_one("#wrong", Static).update(Content(self._changed(event.value)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the line, unless it is wrong."""
        if self._changed is None or not self._changed(event.value):
            self.dismiss(event.value)
