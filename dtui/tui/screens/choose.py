"""A small list to choose from, over the data: one key chooses a line, or the arrows and Enter."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from dtui.tui.state.choice import KEYS, Choice


class ChooseScreen(ModalScreen[int | None]):
    """Returns the place of the chosen option; Esc returns None."""

    DEFAULT_CSS = """
    ChooseScreen { align: center middle; background: transparent; }
    ChooseScreen VerticalScroll {
        width: auto; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; border: round $accent; padding: 0 1; scrollbar-size-vertical: 1;
    }
    ChooseScreen Static { width: auto; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("g,home", "move(-1000)", show=False),
        Binding("G,end", "move(1000)", show=False),
        Binding("enter", "take", show=False),
    ]

    def __init__(self, choice: Choice) -> None:
        """Show a list; the option that is shown now is selected."""
        super().__init__()
        self._choice = choice
        self._row = max(0, choice.chosen)

    def compose(self) -> ComposeResult:
        """Make the list."""
        with VerticalScroll(can_focus=False):
            yield Static(self._content(), id="options")

    def on_mount(self) -> None:
        """Show the selected line."""
        self.call_after_refresh(self._show_row)

    def action_move(self, by: int) -> None:
        """Select another line."""
        self._row = max(0, min(len(self._choice.options) - 1, self._row + by))
        self.query_one("#options", Static).update(self._content())
        self._show_row()

    def action_take(self) -> None:
        """Choose the selected line."""
        self.dismiss(self._row)

    def on_key(self, event: events.Key) -> None:
        """Choose the line of a key."""
        place = KEYS.find(event.character) if event.character else -1
        if 0 <= place < len(self._choice.options):
            event.stop()
            self.dismiss(place)

    def _show_row(self) -> None:
        lines = list(self._lines())
        y = next(index for index, (_, place) in enumerate(lines) if place == self._row)
        scroll = self.query_one(VerticalScroll)
        room = scroll.content_size.height
        first = max(0, min(y - room // 2, len(lines) - room))
        scroll.scroll_to(y=first, animate=False)

    def _lines(self) -> list[tuple[Content, int | None]]:
        """Return every line with the place of its option; None for a heading."""
        options, group = self._choice.options, ""
        lines: list[tuple[Content, int | None]] = [(Content.styled(self._choice.title, "bold $accent"), None)]
        wide = max((len(option.words) for option in options), default=0)
        for place, option in enumerate(options):
            if option.group != group:
                group = option.group
                lines.append((Content.styled(group, "$text-muted"), None))
            key = KEYS[place] if place < len(KEYS) else " "
            mark = "▸" if place == self._row else "•" if place == self._choice.chosen else " "
            style = "bold $text" if place == self._row else "$text"
            words = option.words.ljust(wide) if option.help else option.words
            parts = [
                (f"{mark} ", "$accent"),
                (f"{key}  ", "$accent"),
                (words, style),
                (f"  {option.help}", "$text-muted"),
            ]
            lines.append((Content.assemble(*parts), place))
        lines.append((Content.styled("a key or Enter chooses, Esc closes", "$text-muted"), None))
        return lines

    def _content(self) -> Content:
        return Content("\n").join([line for line, _ in self._lines()])
