"""The widget of every pane: it keeps the drawn cells and repaints only those that differ."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from dtui.tui.renderables.canvas.cells import CellRow, Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import not_drawn
from dtui.tui.renderables.parts.crosshair import Tick, ticks_of, with_tick
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.widgets.cell_strip import CellStrip

LOG = logging.getLogger(__name__)
GAP = 6
"""Changed cells nearer than this are repainted as one stretch: a jump costs about as many bytes."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press or a drag in a pane, in the pane's cells."""

    x: int
    y: int
    is_drag: bool


class PaneWidget(Widget, can_focus=False):
    """A widget that shows a Picture."""

    DEFAULT_CSS = """
    PaneWidget { width: 100%; height: 1; }
    """

    class Used(Message):
        """The mouse was pressed or dragged in the pane, or its wheel turned."""

        def __init__(self, widget: PaneWidget, pressed: Pressed | None, wheel: int, with_control: bool) -> None:
            """Store what happened: `pressed`, or `wheel` steps down (negative: up)."""
            super().__init__()
            self.widget, self.pressed, self.wheel, self.with_control = widget, pressed, wheel, with_control

        @property
        def control(self) -> PaneWidget:
            """The pane."""
            return self.widget

    def __init__(self, name: str) -> None:
        """Make the empty widget of the pane of a name."""
        super().__init__(name=name, id=name)
        self._picture: Picture | None = None
        self._frame: Frame | None = None
        self._iteration: int | None = None
        self._cells: Cells | None = None

    @property
    def frame(self) -> Frame | None:
        """The frame of the last drawing."""
        return self._frame

    def show(self, picture: Picture, frame: Frame, iteration: int | None) -> None:
        """Show a picture, repainting the cells that differ from what is on screen.

        Args:
            picture: What to draw.
            frame: Size and surroundings; its width and height are the pane's.
            iteration: The cursor.
        """
        if frame.height < 1 or frame.width < 1:
            self._cells = None
            return
        old, old_ticks = self._cells, self._ticks()
        same = old is not None and picture == self._picture and frame == self._frame
        readout = self._picture and self._picture.readout_of
        if same and iteration == self._iteration and picture.readout_of == readout:
            return
        if same and old is not None and not picture.is_all_readout:
            cells = self._guard(lambda: _rewritten(old, picture, frame, iteration), picture, frame)
        else:
            cells = self._guard(lambda: picture.draw(frame, iteration), picture, frame)
        self._picture, self._frame, self._iteration, self._cells = picture, frame, iteration, cells
        if old is None or (old.width, old.height) != (cells.width, cells.height) or old.theme != cells.theme:
            self.refresh()
            return
        regions = changed_regions(old, cells)
        new_ticks = self._ticks()
        if old_ticks != new_ticks:
            regions += [Region(x, y, 1, 1) for x, y in {**old_ticks, **new_ticks}]
        if regions:
            self.refresh(*regions)

    def _guard(self, draw: Callable[[], Cells], picture: Picture, frame: Frame) -> Cells:
        """Draw; an error affects only this pane, not the program."""
        try:
            return draw()
        except Exception as error:
            LOG.exception("%s cannot be drawn", type(picture).__name__)
            return not_drawn(error).draw(frame)

    def _ticks(self) -> dict[tuple[int, int], Tick]:
        """Return the ticks of the crosshair by column and row."""
        if self._picture is None or self._frame is None or self._cells is None or not self._picture.crosshair:
            return {}
        x = self._frame.column_of(self._iteration)
        return {} if x is None else {(x, y): tick for y, tick in ticks_of(self._cells, self._frame, x).items()}

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows that Textual wants, with the crosshair laid over them."""
        if self._cells is None or self._frame is None or self._picture is None:
            return [Strip.blank(crop.width, self.rich_style) for _ in range(crop.height)]
        cells, frame = self._cells, self._frame
        ticks = {y: (x, tick) for (x, y), tick in self._ticks().items() if crop.x <= x < crop.right}
        strips: list[Strip] = []
        for y in range(crop.y, crop.bottom):
            if y >= cells.height:
                strips.append(Strip.blank(crop.width, self.rich_style))
                continue
            row: CellRow = cells.row(y)
            if y in ticks:
                row = with_tick(row, *ticks[y])
            strip: Strip = CellStrip(row.crop(crop.x, min(crop.right, cells.width)), frame.output)
            if crop.right > cells.width:
                strip = strip.adjust_cell_length(crop.width, self.rich_style)
            strips.append(strip)
        return strips

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin a press, and keep the mouse while it is dragged."""
        if event.button == 1:
            self.capture_mouse()
            self.post_message(self.Used(self, Pressed(event.x, event.y, False), 0, event.ctrl))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag."""
        if event.button == 1:
            self.post_message(self.Used(self, Pressed(event.x, event.y, True), 0, event.ctrl))

    def on_mouse_up(self, _: events.MouseUp) -> None:
        """End the press."""
        self.release_mouse()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Turn the wheel down."""
        self.post_message(self.Used(self, None, 1, event.ctrl))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Turn the wheel up."""
        self.post_message(self.Used(self, None, -1, event.ctrl))


def changed_regions(old: Cells, new: Cells) -> list[Region]:
    """Return rectangles that hold every cell in which two grids of one size differ.

    Stretches of a row stay separate if the gap between them is worth a cursor jump. Equal stretches of neighbouring
    rows become one rectangle.
    """
    differs = (old.ch != new.ch) | (old.fg != new.fg) | (old.bg != new.bg)
    differs |= (old.bold != new.bold) | (old.mark != new.mark)
    regions: list[Region] = []
    open_spans: dict[tuple[int, int], int] = {}
    for y in range(new.height + 1):
        spans = _stretches(np.flatnonzero(differs[y])) if y < new.height and differs[y].any() else []
        for span in [span for span in open_spans if span not in spans]:
            top = open_spans.pop(span)
            regions.append(Region(span[0], top, span[1] - span[0], y - top))
        for span in spans:
            open_spans.setdefault(span, y)
    return regions


def _stretches(columns: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[tuple[int, int]]:
    breaks = np.flatnonzero(np.diff(columns) > GAP)
    starts = columns[np.r_[0, breaks + 1]]
    stops = columns[np.r_[breaks, len(columns) - 1]] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _rewritten(cells: Cells, picture: Picture, frame: Frame, iteration: int | None) -> Cells:
    """Return a copy of the cells with another readout."""
    copy = Cells(cells.width, cells.height, cells.theme)
    for name in ("ch", "fg", "bg", "bold", "mark"):
        setattr(copy, name, getattr(cells, name).copy())
    picture.write_readout(copy, frame, iteration)
    return copy
