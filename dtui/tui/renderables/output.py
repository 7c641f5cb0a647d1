"""Cells to what a terminal understands.

Owns the one place where escape sequences are written. A second copy would colour a terminal with fewer
colours differently on different screens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dtui.tui.renderables.cells import CellRow, Cells


class ColorMode(Enum):
    """What colours a terminal shows."""

    TRUECOLOR = "truecolor"
    PALETTE_256 = "256"
    PALETTE_16 = "16"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Output:
    """What the terminal at hand can show.

    Attributes:
        mode: Its colours.
        ascii: True where only ASCII glyphs may be written.
        levels: Steps of a colour ramp; 16 keeps slow links fast.
    """

    mode: ColorMode = ColorMode.TRUECOLOR
    ascii: bool = False
    levels: int = 32

    @property
    def has_ramps(self) -> bool:
        """Whether ramps can be shown as colours; otherwise they are shown as shading."""
        return self.mode in (ColorMode.TRUECOLOR, ColorMode.PALETTE_256) and not self.ascii


def row_to_sgr(row: CellRow, output: Output) -> str:
    """Return a row with the fewest escape sequences that show it, ending in a reset; "" for no cells."""
    raise NotImplementedError


def to_ansi(cells: Cells, output: Output) -> str:
    """Return a whole frame, rows joined by newlines."""
    return "\n".join(row_to_sgr(cells.row(y), output) for y in range(cells.height))


def to_text(cells: Cells, output: Output | None = None) -> str:
    """Return the characters of a frame without colours, rows stripped on the right and joined by newlines."""
    raise NotImplementedError
