"""Draws what the colours of the cube's faces stand for."""

from __future__ import annotations

import numpy as np

from dtui.tui.renderables.canvas.cells import Cells, UintArray, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.palettes import band_colours, interpolate, ramp
from dtui.tui.renderables.canvas.primitives import paint_pixels

SHADES = 7
"""Colours on either side of the usual. What is within a sixth of the usual looks like it: of noise nothing is drawn."""


def class_legend(cells: Cells, frame: Frame) -> None:
    """Write what the colours of errors stand for, at the right of the second row."""
    colours = ramp(frame.theme, "error", frame.output)
    end = frame.gutter + frame.plot_width
    words, high, length = "error 0", "100%", min(12, len(colours))
    x = end - length - text_width(words) - text_width(high) - 3
    if x <= frame.gutter:
        return
    x = cells.text(x, 1, words, frame.theme.muted) + 1
    _paint_legend(cells, frame, x, 1, colours, length)
    cells.text(x + length + 1, 1, high, frame.theme.muted)


def layer_legend(cells: Cells, frame: Frame, y: int, left: int, quantity: str) -> None:
    """Write what the colours of layers stand for into row `y`, right of `left`; only `quantity` without room."""
    colours = usual_colours(frame)
    length, end = len(colours), frame.gutter + frame.plot_width
    for words in (f"{quantity} ÷10", "÷10"):
        high = "×10 of usual"
        x = end - length - text_width(words) - text_width(high) - 3
        if x > left:
            x = cells.text(x, y, words, frame.theme.muted) + 1
            _paint_legend(cells, frame, x, y, colours, length)
            cells.text(x + length + 1, y, high, frame.theme.muted)
            return
    cells.text(left, y, quantity, frame.theme.muted, limit=max(0, end - left))


def usual_colours(frame: Frame) -> UintArray:
    """Return the colours from a tenth of the usual over the usual, which is the panel's, to ten times."""
    positive, negative = band_colours(frame.theme, frame.output)
    stops = (*negative[::-1], frame.theme.line, *positive)
    return interpolate(stops, 2 * SHADES + 1)


def _paint_legend(cells: Cells, frame: Frame, x: int, y: int, colours: UintArray, length: int) -> None:
    """Draw a ramp as the face draws it, from end to end: in colours, or shaded where there are too few."""
    steps = np.arange(length) * (len(colours) - 1) // max(1, length - 1)
    if frame.output.has_pixels:
        cells.bg[y, x : x + length] = colours[steps]
    else:
        paint_pixels(cells, x, y, np.tile(steps, (2, 1)), colours, frame.output)
