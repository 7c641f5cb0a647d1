"""A box over the panes that has the keyboard: help, or a list to choose from.

It is a widget of the data screen and no screen of its own, so that it paints its own cells and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region

from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.over.box import Box
from dtui.tui.widgets.drawn import Drawn
from dtui.tui.widgets.takes_keys import TakesKeys

PAGE = 10
ALL = 1_000_000


class Overlay(Drawn, TakesKeys, can_focus=True):
    """Hidden until it is opened; Esc closes it."""

    DEFAULT_CSS = """
    Overlay { layer: over; display: none; width: 1; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "close", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("J,pagedown,space", f"move({PAGE})", show=False),
        Binding("K,pageup", f"move(-{PAGE})", show=False),
        Binding("g,home", f"move(-{ALL})", show=False),
        Binding("G,end", f"move({ALL})", show=False),
        Binding("enter", "take", show=False),
    ]

    def __init__(self) -> None:
        """Begin hidden."""
        super().__init__()
        self._box: Box | None = None
        self._frame: Frame | None = None
        self._done: Callable[[int | None], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it lies over the panes."""
        return self._box is not None

    def open(self, box: Box, frame: Frame, done: Callable[[int | None], None] | None = None) -> None:
        """Show a box.

        Args:
            box: What to show.
            frame: Its size is the screen's.
            done: Called once with the place of what was chosen, or with None.
        """
        self._frame, self._done = frame, done
        self._show(box.moved(0, frame))
        self.screen.set_focus(self)  # at once: `focus` would let keys that wait pass it by

    def fit(self, frame: Frame) -> None:
        """Show the box on a screen of another size."""
        self._frame = frame
        if self._box is not None:
            self._show(self._box.moved(0, frame))

    def close(self, place: int | None = None) -> None:
        """Hide it, if it is open, and hand on what was chosen."""
        if self._box is None:
            return
        done, self._box, self._done = self._done, None, None
        self.display = False
        self.screen.set_focus(None)
        if done is not None:
            done(place)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Repaint regions that have changed. That it is opened, gets the keyboard or a size changes no cell: Textual
        would write all of it once more."""
        return super().refresh(*regions, repaint=repaint and bool(regions), layout=layout, recompose=recompose)

    def _show(self, box: Box) -> None:
        frame = self._frame
        if frame is None:
            return
        self._box, cells = box, box.draw(frame)
        styles, rows = self.styles, cells.height
        styles.width, styles.height = cells.width, rows
        styles.offset = ((frame.width - cells.width) // 2, (frame.height - rows) // 2)
        self.put(cells, frame.output)
        self.display = True

    def action_close(self) -> None:
        """Choose nothing."""
        self.close()

    def action_move(self, by: int) -> None:
        """Go to another line."""
        if self._box is not None and self._frame is not None:
            self._show(self._box.moved(by, self._frame))

    def action_take(self) -> None:
        """Choose the selected line."""
        if self._box is not None:
            self.close(self._box.taken)

    async def take_text(self, event: events.Key | events.Paste) -> None:
        """Choose what a key stands for."""
        place = self._box.place_of(event.character or "") if self._box and isinstance(event, events.Key) else None
        if place is not None:
            self.close(place)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Choose the line under the mouse."""
        event.stop()
        if self._box is not None and self._frame is not None and event.button == 1:
            place = self._box.place_at(event.y - 1, self._frame)
            if place is not None:
                self.close(place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go down."""
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go up."""
        event.stop()
        self.action_move(-1)
