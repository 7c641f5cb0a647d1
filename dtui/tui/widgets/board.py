"""The widget of all panes of a screen: one grid of cells, of which only those that have changed are painted.

As one widget it spares Textual a layout and a repaint of everything wherever panes come and go: going to another screen
paints what differs between the two.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping

from textual import events

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import not_drawn
from dtui.tui.renderables.parts.crosshair import put_ticks, ticks_of
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.widgets.drawn import Drawn, Paint

LOG = logging.getLogger(__name__)
MOST_DRAWINGS = 40
"""Drawings that are kept, with the numbers that they show: those of all six screens."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press or a drag in a pane, in the pane's cells."""

    x: int
    y: int
    is_drag: bool


@dataclass(frozen=True, slots=True)
class Used:
    """The mouse was pressed or dragged in a pane, or its wheel turned.

    Attributes:
        pane: Its name.
        frame: Its size and surroundings.
        pressed: Where; None for the wheel.
        wheel: Steps down; negative: up.
        with_control: Whether Ctrl was held.
    """

    pane: str
    frame: Frame
    pressed: Pressed | None
    wheel: int
    with_control: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pane stands on the board: its first row, and its frame."""

    y: int
    frame: Frame


@dataclass(slots=True)
class _Drawing:
    """What was drawn of a pane last; its cells are written over when only the readout changes."""

    picture: Picture
    frame: Frame
    iteration: int | None
    cells: Cells


class Board(Drawn, can_focus=False):
    """Shows pictures, one under the other."""

    DEFAULT_CSS = """
    Board { width: 100%; height: 100%; }
    """

    def __init__(self, told: Callable[[Used], None]) -> None:
        """Begin empty; `told` is called when the mouse is used, at once: a message would come after the keys behind."""
        super().__init__()
        self._told = told
        self._drawings: OrderedDict[tuple[str, int, int], _Drawing] = OrderedDict()
        self.places: dict[str, Place] = {}
        """Where each pane that is shown stands, by its name."""
        self._held: str | None = None

    def show(
        self,
        shown: Mapping[str, tuple[Picture, Frame]],
        size: tuple[int, int],
        iteration: int | None,
        at_once: Paint | None = None,
    ) -> None:
        """Show panes by name, from the top.

        Args:
            shown: What to draw of each, with its size and surroundings; one without rows is hidden.
            size: Columns and rows of the screen.
            iteration: The cursor.
            at_once: Paints all of it without Textual, if it can.
        """
        if self.cells is not None and (self.cells.width, self.cells.height) != size:
            self._drawings.clear()  # none fits any more
        frames = [frame for _, frame in shown.values()]
        if not frames:
            return
        theme = frames[0].theme
        grid, self.places, y = Cells(*size, theme, theme.background), {}, 0
        for name, (picture, frame) in shown.items():
            if frame.height < 1 or frame.width < 1:
                continue
            self.places[name] = Place(y, frame)
            cells = self._draw(name, picture, frame, iteration)
            _put_over(grid, y, cells)
            if picture.crosshair:
                x = frame.column_of(iteration)
                put_ticks(grid, x, y, ticks_of(cells, frame, x))
            y += frame.height
        self.put(grid, frames[0].output, at_once)

    def _draw(self, name: str, picture: Picture, frame: Frame, iteration: int | None) -> Cells:
        """Return the cells of a pane. What was drawn last is kept for each width that a pane has on any screen."""
        key = (name, frame.gutter, frame.right)
        old = self._drawings.get(key)
        if old is not None:
            self._drawings.move_to_end(key)
        elif len(self._drawings) >= MOST_DRAWINGS:
            self._drawings.popitem(last=False)
        if old is not None and picture == old.picture and frame == old.frame:
            same = iteration == old.iteration and picture.readout_of == old.picture.readout_of
            if same:
                return old.cells
            if not picture.is_all_readout:
                cells = old.cells

                def rewrite() -> Cells:
                    picture.write_readout(cells, frame, iteration)
                    return cells

                drawn = self._guard(rewrite, picture, frame)
                self._drawings[key] = _Drawing(picture, frame, iteration, drawn)
                return drawn
        drawn = self._guard(lambda: picture.draw(frame, iteration), picture, frame)
        self._drawings[key] = _Drawing(picture, frame, iteration, drawn)
        return drawn

    def _guard(self, draw: Callable[[], Cells], picture: Picture, frame: Frame) -> Cells:
        """Draw; an error affects only this pane, not the program."""
        try:
            return draw()
        except Exception as error:
            LOG.exception("%s cannot be drawn", type(picture).__name__)
            return not_drawn(error).draw(frame)

    def _at(self, y: int) -> str | None:
        """Return the name of the pane in a row; None where there is none."""
        return next((name for name, at in self.places.items() if at.y <= y < at.y + at.frame.height), None)

    def _tell(self, name: str | None, pressed: Pressed | None, wheel: int, with_control: bool) -> None:
        if name in self.places:
            self._told(Used(name, self.places[name].frame, pressed, wheel, with_control))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin a press; the pane keeps the mouse while it is dragged."""
        if event.button == 1:
            self.capture_mouse()
            self._held = self._at(event.y)
            self._press(event, False)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag."""
        if event.button == 1:
            self._held = self._held or self._at(event.y)
            self._press(event, True)

    def on_mouse_up(self, _: events.MouseUp) -> None:
        """End the press."""
        self._held = None
        self.release_mouse()

    def _press(self, event: events.MouseEvent, is_drag: bool) -> None:
        if self._held in self.places:
            y = event.y - self.places[self._held].y
            self._tell(self._held, Pressed(event.x, y, is_drag), 0, event.ctrl)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Turn the wheel down."""
        self._tell(self._at(event.y), None, 1, event.ctrl)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Turn the wheel up."""
        self._tell(self._at(event.y), None, -1, event.ctrl)


def _put_over(grid: Cells, y: int, cells: Cells) -> None:
    """Copy a pane's cells into the rows of the screen from `y` on, cut to the screen."""
    rows, columns = min(cells.height, grid.height - y), min(cells.width, grid.width)
    if rows < 1:
        return
    for name in ("ch", "fg", "bg", "bold", "mark"):
        getattr(grid, name)[y : y + rows, :columns] = getattr(cells, name)[:rows, :columns]
