"""The data screen: a board with the panes, what may lie over it, and all keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import Reactive
from textual.screen import Screen as TextualScreen
from textual.timer import Timer
from textual.widget import Widget

from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import ReadingPicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Table
from dtui.tui.terminal.textual_patch import paint_at_once
from dtui.tui.widgets.board import Board, Used
from dtui.tui.widgets.command_line import CommandLine
from dtui.tui.widgets.overlay import Overlay

READING_SECONDS = 0.5
"""How long a pane waits for its first answer before it says so."""


class DataScreen(TextualScreen[None]):
    """The panes of one line of the table after the other, on one time axis.

    One Textual screen for all of them: another line is another picture on the board, of which what differs is painted.
    """

    DEFAULT_CSS = """
    DataScreen { layout: vertical; overflow: hidden; layers: default over; }
    """
    AUTO_FOCUS = ""
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual repaints a whole screen when the focus moves: 84 kB when the command line opens, 10 kB without that."""
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(",".join(action.keys), f"do('{action.id}')", action.words, show=False, priority=True)
            for action in TABLE.actions
        )
    ]
    """With priority: Textual takes these keys before it looks where the next ones go. Otherwise what is typed at once
    behind `:` would be taken for keys of the panes, and `:fix` flag and dismiss an incident."""

    def __init__(self, table: Table, perform: Callable[[str], None], used: Callable[[Used], None]) -> None:
        """Show the screens of a table; `perform` is called with the action of a key, `used` when the mouse is."""
        super().__init__()
        self._perform = perform
        self._panes = {pane.name: pane for pane in table.panes}
        self.board, self.overlay, self.command_line = Board(used), Overlay(), CommandLine()
        self._shown: tuple[Mapping[Pane, tuple[Picture, Frame]], tuple[int, int], int | None] = ({}, (0, 0), None)
        self._timer: Timer | None = None
        self._timed: set[str] = set()
        self._late: set[str] = set()
        """Names of the panes that the timer is for, and of those that say that they are still reading."""

    def compose(self) -> ComposeResult:
        """Make the widgets; they get their pictures later.

        The board comes last: Textual repaints a widget when one behind it in this order comes or goes.
        """
        yield from (self.overlay, self.command_line, self.board)

    @property
    def is_covered(self) -> bool:
        """Whether something that has the keyboard lies over the panes."""
        return self.command_line.is_asking or self.overlay.is_open

    def uncover(self) -> None:
        """Close what lies over the panes."""
        self.command_line.give_up()
        self.overlay.close()

    def pane_called(self, name: str) -> Pane:
        """Return the pane of a name."""
        return self._panes[name]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action may be done: none of ours while something lies over the panes."""
        return not self.is_covered if action == "do" else super().check_action(action, parameters)

    def action_do(self, action: str) -> None:
        """Have the app perform an action."""
        self._perform(action)

    def show(self, shown: Mapping[Pane, tuple[Picture, Frame]], size: tuple[int, int], iteration: int | None) -> None:
        """Show panes, from the top; the others are hidden. Before the screen is on the terminal they are drawn, too.

        Args:
            shown: The picture of each, with its size and surroundings.
            size: Columns and rows of the screen.
            iteration: The cursor.
        """
        self._shown, pictures = (
            (shown, size, iteration),
            self._with_late({pane.name: one for pane, one in shown.items()}),
        )
        is_free = self.is_mounted and not self.is_covered
        self.board.show(pictures, size, iteration, paint_at_once if is_free else None)

    def _with_late(self, shown: Mapping[str, tuple[Picture, Frame]]) -> dict[str, tuple[Picture, Frame]]:
        """Return what is shown, where panes that have been reading for a while say so."""
        reading = {name for name, (picture, _) in shown.items() if isinstance(picture, ReadingPicture)}
        self._late &= reading
        self._timed &= reading
        if self._timer is None and reading - self._late:
            self._timed = reading - self._late
            self._timer = self.set_timer(READING_SECONDS, self._say_late)
        late = {
            name: (replace(picture, is_late=True), frame)
            for name, (picture, frame) in shown.items()
            if isinstance(picture, ReadingPicture) and name in self._late
        }
        return {**shown, **late}

    def _say_late(self) -> None:
        self._timer = None
        if self._timed:  # else all have been answered meanwhile
            self._late |= self._timed
            self.show(*self._shown)
