"""A data screen: the panes of one line of the table, the bars above and below them, and all keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen as TextualScreen
from textual.widget import Widget

from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Screen, Table
from dtui.tui.widgets.command_line import CommandLine
from dtui.tui.widgets.pane_widget import PaneWidget


class DataScreen(TextualScreen[None]):
    """A stack of panes on one time axis."""

    DEFAULT_CSS = """
    DataScreen { layout: vertical; overflow: hidden; layers: default over; }
    """
    AUTO_FOCUS = ""
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual repaints a whole screen when the focus moves: 84 kB when the command line opens, 10 kB without that."""
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(",".join(action.keys), f"do('{action.id}')", action.words, show=False) for action in TABLE.actions)
    ]

    class Keyed(Message):
        """A message: a key was pressed for an action."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, table: Table, screen: Screen) -> None:
        """Show a screen of a table."""
        super().__init__()
        self._panes = {pane.name: pane for pane in (*table.above, *screen.panes, *table.below)}

    @cached_property
    def _widgets(self) -> tuple[PaneWidget, ...]:
        """The widgets of the panes, also before the screen is on the terminal: so they have their pictures at once."""
        return tuple(map(PaneWidget, self._panes))

    def compose(self) -> ComposeResult:
        """Put the widgets on the screen."""
        yield from self._widgets
        yield CommandLine()

    @property
    def command_line(self) -> CommandLine:
        """The line that asks for text."""
        return self.query_one(CommandLine)

    def pane_of(self, widget: PaneWidget) -> Pane:
        """Return the pane that a widget of this screen shows."""
        return self._panes[str(widget.name)]

    def action_do(self, action: str) -> None:
        """Hand an action to the app; while a line is asked for, keys that it leaves alone mean nothing."""
        if not self.command_line.is_asking:
            self.post_message(self.Keyed(action))

    def show(self, pictures: Mapping[Pane, Picture], frames: Mapping[Pane, Frame], iteration: int | None) -> None:
        """Show a picture in each pane that has one, and hide the others."""
        for widget in self._widgets:
            pane = self.pane_of(widget)
            picture, frame = pictures.get(pane), frames.get(pane)
            visible = picture is not None and frame is not None and frame.height > 0
            if widget.display != visible:
                widget.display = visible
            if picture is None or frame is None or not visible:
                continue
            height = widget.styles.height
            if height is None or height.value != frame.height:
                widget.styles.height = frame.height
            widget.show(picture, frame, iteration)
