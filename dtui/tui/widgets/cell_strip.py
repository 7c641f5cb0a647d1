"""A Textual strip over cell arrays: cropping makes a view, rendering writes only what changes.

Owns the link between cells and Textual's compositor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.color import Color as RichColor
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.strip import Strip

from dtui.tui.renderables.canvas.cells import CellRow, UintArray
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.sgr import fold_ascii, row_text, style_runs
from dtui.tui.renderables.canvas.writing import row_to_sgr


class CellStrip(Strip):
    """An immutable row of cells; segments are made only on request.

    Textual crops, divides and renders: these work on the arrays. Everything else (filters, joins, text
    selection, exports) works on segments, made when first needed, which show the same cells.
    """

    __slots__ = ["_made", "_output", "_row"]

    def __init__(self, row: CellRow, output: Output) -> None:
        """Take a row; its arrays must not change afterwards."""
        self._row = row
        self._output = output
        self._made: list[Segment] | None = None
        super().__init__((), len(row.ch))

    @property
    def row(self) -> CellRow:
        """The cells."""
        return self._row

    @property
    def output(self) -> Output:
        """What the terminal can show."""
        return self._output

    @property
    def _segments(self) -> list[Segment]:
        if self._made is None:
            self._made = _segments_of(self._row, self._output)
        return self._made

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        """Ignore what the base class sets: the cells say it all."""

    @property
    def text(self) -> str:
        """The characters, a wide glyph once."""
        return row_text(_glyphs(self._row, self._output))

    @property
    def cell_count(self) -> int:
        """Number of characters, as the base class counts them: a wide glyph once."""
        return len(self.text)

    def __bool__(self) -> bool:
        """Whether there are cells; asking must not make segments."""
        return len(self._row.ch) > 0

    def crop(self, start: int, end: int | None = None) -> Strip:
        """Return the cells start..end-1 as a strip over the same arrays."""
        width = len(self._row.ch)
        start, end = max(0, start), width if end is None else min(width, end)
        if start == 0 and end == width:
            return self
        return CellStrip(self._row.crop(start, end), self._output) if start < end else Strip([], 0)

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Return the strips between consecutive cuts; cuts beyond the end are left out."""
        width, position, parts = len(self._row.ch), 0, []
        for cut in cuts:
            if cut <= width:
                parts.append(self.crop(position, cut))
                position = cut
        return parts

    def apply_filter(self, filter: LineFilter, background: Color) -> Strip:
        """Return a plain strip with a filter applied, as Textual does to dim a screen behind a dialog."""
        return Strip(filter.apply(self._segments, background), len(self._row.ch))

    def render(self, console: Console) -> str:
        """Return the escape sequences for the terminal that the output was made for."""
        if self._render_cache is None:
            self._render_cache = row_to_sgr(self._row, self._output)
        return self._render_cache


def _glyphs(row: CellRow, output: Output) -> UintArray:
    return fold_ascii(row.ch) if output.ascii else row.ch


def _segments_of(row: CellRow, output: Output) -> list[Segment]:
    """Return one segment for each stretch of equal looks."""
    reverses = output.mode in (ColorMode.PALETTE_16, ColorMode.NONE)
    ch = _glyphs(row, output)
    return [
        Segment(row_text(ch[begin:end]), _style(fg, bg, bold, marked and reverses))
        for begin, end, fg, bg, bold, marked in style_runs(row)
    ]


@lru_cache(maxsize=16_384)
def _style(fg: int, bg: int, bold: bool, reverse: bool) -> Style:
    return Style(
        color=RichColor.from_rgb(fg >> 16, fg >> 8 & 255, fg & 255),
        bgcolor=RichColor.from_rgb(bg >> 16, bg >> 8 & 255, bg & 255),
        bold=bold or None,
        reverse=reverse or None,
    )
