"""The screen before there is one: the frame of all screens, with what is known at once.

It needs nothing but Textual, so that it is on the terminal while the rest is imported and the run is read.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from dtui.safe_text import safe
from dtui.tui.renderables.canvas.theme import Theme

WAITING = "nothing recorded yet; it opens with the first record"
Part = tuple[str, int, bool]
"""Words, their colour 0xRRGGBB, and whether they are bold."""


class Opening(Widget):
    """The top bar with the run's name, a line that says that it is being opened, and the key that leaves."""

    DEFAULT_CSS = """
    Opening { width: 100%; height: 100%; }
    """

    def __init__(self, name: str, theme: Theme, *, is_ascii: bool) -> None:
        """Show the name of a run, which is data from outside."""
        super().__init__()
        self._run, self._colours, self._dots = safe(name), theme, "..." if is_ascii else "…"
        self._words = f"opening {self._run}"

    def wait_for_record(self) -> None:
        """Say that the training has begun, and nothing is recorded yet; nothing is painted where that is said."""
        if self._words != WAITING:
            self._words = WAITING
            self.refresh()

    def take_theme(self, theme: Theme) -> None:
        """Show it in other colours."""
        self._colours = theme
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a row: the bars as they will be, and the words in the middle of the screen."""
        theme, size = self._colours, self.size
        top, bottom = 0, size.height - 1
        if y == top:
            parts: list[Part] = [(" dtui", theme.accent, True), (f"  {self._run}", theme.bright, True)]
        elif y == bottom:
            parts = [(" q", theme.accent, False), (" quit", theme.muted, False)]
        elif y == size.height // 2:
            words = f"{self._words} {self._dots}"
            parts = [(" " * max(0, (size.width - Segment(words).cell_length) // 2) + words, theme.muted, False)]
        else:
            parts = []
        back = f"#{theme.background if y in (top, bottom) else theme.panel:06x}"
        strip = Strip([Segment(words, _style(colour, back, bold)) for words, colour, bold in parts])
        return strip.crop_extend(0, size.width, Style(bgcolor=back))


def _style(colour: int, back: str, bold: bool) -> Style:
    return Style(color=f"#{colour:06x}", bgcolor=back, bold=bold)
