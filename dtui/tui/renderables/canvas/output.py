"""What the terminal at hand can show."""

from __future__ import annotations

from enum import Enum

from dtui.dataclass_on_use import dataclass


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
    def has_pixels(self) -> bool:
        """Whether half blocks can show two colours a cell; otherwise a map is drawn as shading, one pixel a cell."""
        return self.mode in (ColorMode.TRUECOLOR, ColorMode.PALETTE_256) and not self.ascii
