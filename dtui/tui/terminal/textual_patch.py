"""Makes Textual's partial updates begin at the changed cells, come at once, and leave out nothing that was shown.

Owns what depends on the inside of a release of Textual. Textual 8.2.8 rewrites a line from the left edge of the widget
that changed (Textualize/textual#5625): 338 kB for a step of the crosshair on a screen of 150×50, 4–6 kB without that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard
from weakref import WeakKeyDictionary

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate, LayoutUpdate, ReflowResult
from textual.app import App
from textual.filter import NoColor
from textual.geometry import Size
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from dtui.tui.terminal.releases import version

if TYPE_CHECKING:
    from dtui.tui.renderables.canvas.cells import CellRow, Cells
    from dtui.tui.renderables.canvas.output import Output
    from dtui.tui.renderables.canvas.writing import Placed, Shown

PATCHED_VERSIONS = frozenset({"8.2.8"})
"""Releases whose compositor was read and measured; any other is left as it is."""


@cache
def is_known() -> bool:
    """Whether Textual is a release that was read and measured."""
    return version("textual") in PATCHED_VERSIONS


def install() -> bool:
    """Patch Textual if it is a release that is known to need it; return whether it is patched."""
    if not is_known():
        return False
    ChopsUpdate.render_segments = render_segments  # type: ignore[method-assign, assignment]
    LayoutUpdate.render_segments = render_whole  # type: ignore[method-assign, assignment]
    Compositor.reflow = reflow  # type: ignore[method-assign, assignment]
    App._display = display_changes  # type: ignore[method-assign, assignment]
    return True


_display, _reflow = App._display, Compositor.reflow
_laid_out: WeakKeyDictionary[Compositor, Any] = WeakKeyDictionary()
"""Where each widget was when the screen was laid out last."""


def reflow(compositor: Compositor, parent: Widget, size: Size) -> ReflowResult:
    """Lay a screen out, and have painted what moved since it was laid out last.

    Textual compares with a map that may be made anew when somebody asks where a widget is, as the focus does. A box
    that was shown just before is in that map already, so it had the keyboard and was not on the screen.
    """
    compositor._full_map = _laid_out.get(compositor, compositor._full_map)
    result = _reflow(compositor, parent, size)
    _laid_out[compositor] = compositor._full_map
    return result


class CellsStrip(Protocol):
    """A strip of cells, of which those are written that the terminal does not show yet."""

    @property
    def row(self) -> CellRow:
        """The cells."""

    @property
    def output(self) -> Output:
        """What the terminal can show."""


def _has_cells(strip: object) -> TypeGuard[CellsStrip]:
    return hasattr(strip, "row")


_shown: WeakKeyDictionary[Console, Shown] = WeakKeyDictionary()
"""What each app's terminal shows."""
_written: WeakKeyDictionary[Console, Callable[[], Shown]] = WeakKeyDictionary()
"""What was written with `write_screen` and nothing over it; what it shows is asked for when that is needed."""


def forget_shown(app: App[Any]) -> None:
    """Something else has written on an app's terminal, or it has another size: nothing that it shows is known."""
    _shown.pop(app.console, None)
    _written.pop(app.console, None)


class _Written(CompositorUpdate):
    """Escape sequences as they are."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render_segments(self, console: Console) -> str:
        """Return them."""
        return self._text


def display_changes(app: App[Any], screen: Screen[Any], update: Any) -> None:
    """Write an update of a screen; nothing at all, not even where the cursor stands, if all of it is shown already."""
    is_written = app._running and not app._closed and not app.is_headless and app._driver and not app._batch_count
    if not is_written or not isinstance(update, ChopsUpdate | LayoutUpdate | GridUpdate):
        _display(app, screen, update)
        return
    text = update.render_segments(app.console)
    cursor = screen.outer_size.clamp_offset(app.cursor_position)
    if text or cursor != app._previous_cursor_position:
        _display(app, screen, _Written(text))  # type: ignore[arg-type]  # as the updates of its own compositor are


def write_screen(app: App[Any], text: str, shown: Callable[[], Shown]) -> None:
    """Fill an app's terminal, without a widget.

    Whatever is written over it before the app has cells to show is to be told with `forget_shown`.

    Args:
        app: Its screen stays what it is.
        text: Escape sequences and glyphs.
        shown: Returns what the terminal shows then.
    """
    app._display(app.screen, _Written(text))  # type: ignore[arg-type]  # as the updates of its own compositor are
    _shown.pop(app.console, None)
    _written[app.console] = shown


def _shown_on(console: Console, width: int, height: int) -> Shown:
    """Return what an app's terminal of some size shows; whoever writes adds to it."""
    from dtui.tui.renderables.canvas.writing import Shown  # NumPy takes long before the first paint

    written = _written.pop(console, None)
    shown = _shown.get(console) if written is None else written()
    if shown is None or (shown.width, shown.height) != (width, height):
        shown = _shown[console] = Shown(width, height)
    return shown


class _Writing:
    """Strips in their places: cells that the terminal shows already are not written again."""

    def __init__(self, console: Console, width: int, height: int) -> None:
        self._console, self._strips = console, list[tuple[int, int, Strip]]()
        self._shown = _shown_on(console, width, height)

    def put(self, x: int, y: int, strip: Strip) -> None:
        """Write a strip at a place."""
        self._strips.append((x, y, strip))

    def text(self) -> str:
        """Return all escape sequences; they begin and end in the terminal's own colours, as those of Textual do."""
        from dtui.tui.renderables.canvas.writing import Placed, write_cells

        placed: list[Placed] = []
        parts: list[str] = []
        output: Output | None = None
        for x, y, strip in self._strips:
            if _has_cells(strip):
                placed.append(Placed(x, y, strip.row))
                output = strip.output
            else:
                self._shown.forget(x, y, strip.cell_length)
                parts.append(f"\x1b[{y + 1};{x + 1}H{strip.render(self._console)}")
        return (write_cells(placed, output, self._shown) if output is not None else "") + "".join(parts)


def render_segments(update: ChopsUpdate, console: Console) -> str:
    """Return the escape sequences that write only the changed spans of a screen, and nothing to their left."""
    writing = _Writing(console, max(ends[-1] for ends in update.chop_ends if ends), len(update.chops))
    for y, first, stop in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= stop or end <= first:
                continue
            start, finish = max(x, first), min(end, stop)
            writing.put(start, y, strip if (start, finish) == (x, end) else strip.crop(start - x, finish - x))
    return writing.text()


def render_whole(update: LayoutUpdate, console: Console) -> str:
    """Return the escape sequences that have all of a screen shown."""
    writing = _Writing(console, *update.region.size)
    for y, strips in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in strips:
            writing.put(x, y, strip)
            x += strip.cell_length
    return writing.text()


class GridUpdate(CompositorUpdate):
    """Writes cells that fill the screen."""

    def __init__(self, cells: Cells, output: Output) -> None:
        """Take the cells, and what the terminal can show."""
        self._cells, self._output = cells, output

    def render_segments(self, console: Console) -> str:
        """Return the escape sequences that write those that the terminal does not show yet."""
        from dtui.tui.renderables.canvas.writing import write_grid

        cells = self._cells
        return write_grid(cells, self._output, _shown_on(console, cells.width, cells.height))


def paint_at_once(widget: Widget, cells: Cells, output: Output) -> bool:
    """Write the cells of a widget, without Textual's wait of up to a frame, its rounds of messages and its strips.

    Nothing is written where the screen is not shown, is to be laid out first, or belongs to a release that was not
    tried: Textual can paint them then, a little later.

    Args:
        widget: It fills the screen, and nothing lies over it.
        cells: All that it shows now.
        output: What the terminal can show.

    Returns:
        Whether they are on the terminal, so that Textual has nothing to paint.
    """
    if not is_known() or not widget.is_attached or widget.size != (cells.width, cells.height):
        return False
    screen, app = widget.screen, widget.app
    if screen is not app.screen or screen._layout_required or app._batch_count:
        return False
    widget._exchange_repaint_regions()
    widget._repaint_required = False
    app._display(screen, GridUpdate(cells, output))  # type: ignore[arg-type]  # as its own compositor's updates are
    return True


def leave_out_unused(app: App[Any], has_colour: bool) -> None:
    """Have every screen come without what dtui does not use: notifications, tooltips, shapes of the mouse's pointer.

    Without colours Textual would still write black, white and greys: also a black ground on a light terminal.

    Textual's widgets for them have their styles found and are mounted, and when the first is hidden a moment later, all
    is written once more.
    """
    if not has_colour:
        app._filters.append(NoColor())
    app._disable_notifications = app._disable_tooltips = True
    app._set_pointer_shape = lambda shape: None  # type: ignore[method-assign]


def is_painted(screen: Screen[Any]) -> None:
    """Say that a new screen is painted: Textual paints it whole at once, and then twice more within two frames.

    It is still laid out again, and what that moves is painted. Releases that were not tried do as they are used to.

    Args:
        screen: It was laid out and painted when it came to the top.
    """
    if is_known():
        screen._dirty_widgets.clear()
        screen._repaint_required = False
