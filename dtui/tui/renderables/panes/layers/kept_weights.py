"""Draws the weights of a filter before and after a trigger as small pictures, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, FloatArray
from dtui.model.findings.kept_weights import KeptWeights
from dtui.tui.renderables.canvas.cells import Cells, UintArray
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import band_colours, interpolate
from dtui.tui.renderables.parts.chrome import number

PIXEL = 2
"""Columns of one weight: about as wide as a row is high."""
LEVELS = 7
"""Colours on each side of zero."""
MOST_APART = 8.0
"""Times that the largest weights of both sides may differ on one scale."""
STRIP_ROWS = 3
MOST_ROWS = 7
CAPTION_ROWS = 2


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which weights stand where: a grid of their indices, -1 where there is none, and in words which they are."""

    at: np.ndarray
    words: str


def kept_rows(kept: KeptWeights, room: int) -> int:
    """Return the rows that the pictures of a filter take; 0 where `room` rows are too few."""
    rows = CAPTION_ROWS + (STRIP_ROWS if _is_strip(kept.shape) else min(MOST_ROWS, _kernel(kept.shape)[0]))
    return min(rows, room) if room > CAPTION_ROWS else 0


def draw_kept(cells: Cells, frame: Frame, y: int, rows: int, kept: KeptWeights, place: tuple[int, int]) -> None:
    """Draw a caption, and below it the weights before on the left and those after on the right.

    Args:
        cells: Where to draw.
        frame: Colours and width.
        y: First row.
        rows: Of `kept_rows`, > CAPTION_ROWS.
        kept: The weights.
        place: Which of how many triggers it is, from 1.
    """
    theme, half = frame.theme, (frame.width - 4) // 2
    stored = max(len(kept.before), len(kept.after))
    layout = _lay_out(kept.shape, stored, max(1, (half - 1) // PIXEL), rows - CAPTION_ROWS)
    sizes = _scales(layout, kept.before, kept.after)
    of = f" ({place[0]} of {place[1]} triggers that name it)" if place[1] > 1 else ""
    apart = " · each side on a scale of its own" if sizes[0] != sizes[1] else ""
    x = cells.text(1, y, f"Weights around iteration {kept.iteration:,}", theme.bright, bold=True)
    cells.text(x, y, f"{of} · {layout.words}{apart}", theme.muted, limit=max(0, frame.width - 1 - x))
    sides = (("before", kept.before_at, kept.before, sizes[0]), ("after", kept.after_at, kept.after, sizes[1]))
    for left, (name, at, values, size) in zip((2, 2 + half), sides, strict=True):
        words = f"{name}: not kept" if at is None else f"{name}, at update {at:,}"
        x = cells.text(left, y + 1, words, theme.text, limit=max(0, half - 1))
        if at is not None:
            _draw_scale(cells, frame, x + 2, y + 1, left + half - x - 3, size)
            _draw_values(cells, frame, left, y + CAPTION_ROWS, layout, values, size)


def _is_strip(shape: Sequence[int]) -> bool:
    """Whether the weights of a filter are a vector: of a linear layer, or of kernels of one weight."""
    return math.prod(shape[1:]) == 1


def _kernel(shape: Sequence[int]) -> tuple[int, int]:
    """Return height and width of one kernel; the planes of a three-dimensional one stand below each other."""
    return math.prod(shape[1:-1]), shape[-1]


def _lay_out(shape: Sequence[int], stored: int, columns: int, rows: int) -> _Layout:
    """Return where the weights stand that have room: kernels beside each other, a vector in lines."""
    total = math.prod(shape)
    if _is_strip(shape):
        count = min(stored, columns * rows)
        at = np.full(rows * columns, -1)
        at[:count] = np.arange(count)
        noun = "weights" if len(shape) == 1 else "input channels"
        return _Layout(at.reshape(rows, columns), _of(count, total, noun))
    height, width = _kernel(shape)
    fit = max(1, min(shape[0], (columns + 1) // (width + 1), max(1, stored // (height * width))))
    tall, wide = min(height, rows), min(width, columns)
    at = np.full((tall, fit * (wide + 1)), -1)
    for channel in range(fit):
        first = channel * height * width + np.arange(tall)[:, None] * width + np.arange(wide)
        at[:, channel * (wide + 1) : channel * (wide + 1) + wide] = np.where(first < stored, first, -1)
    part = "" if (tall, wide) == (height, width) else f", {tall}×{wide} of {height}×{width}"
    return _Layout(at, _of(fit, shape[0], "input channels") + part)


def _of(count: int, total: int, noun: str) -> str:
    if count < total:
        return f"first {count:,} of {total:,} {noun}"
    return f"all {total:,} {noun}" if total > 1 else f"its one {noun[:-1]}"


def _scales(layout: _Layout, before: FloatArray, after: FloatArray) -> tuple[float, float]:
    """Return the size of a weight that has the strongest colour on each side, 0 where all are zero.

    It is the same on both, unless the weaker side would be without contrast then.
    """
    sizes = []
    for values in (before, after):
        shown = np.abs(values[layout.at[(layout.at >= 0) & (layout.at < len(values))]])
        sizes.append(float(shown[np.isfinite(shown)].max(initial=0.0)))
    low, high = sorted(sizes)
    return (high, high) if low * MOST_APART >= high or not low else (sizes[0], sizes[1])


def _colours(frame: Frame) -> tuple[UintArray, UintArray]:
    """Return the colours of positive and of negative weights, from zero on."""
    positive, negative = band_colours(frame.theme, frame.output)
    if frame.output.mode is ColorMode.PALETTE_256:
        return np.array((frame.theme.line, *positive), np.uint32), np.array((frame.theme.line, *negative), np.uint32)
    up, down = (interpolate((frame.theme.line, *side), LEVELS) for side in (positive, negative))
    return up, down


def _draw_values(cells: Cells, frame: Frame, x: int, y: int, layout: _Layout, values: FloatArray, size: float) -> None:
    is_there: BoolArray = (layout.at >= 0) & (layout.at < len(values))
    shown = np.where(is_there, values[np.where(is_there, layout.at, 0)], 0.0).astype(np.float64)
    up, down = _colours(frame)
    with np.errstate(invalid="ignore"):
        share = np.clip(np.nan_to_num(shown / (size or 1.0), posinf=1.0, neginf=-1.0), -1, 1)
    level = np.rint(np.abs(share) * (len(up) - 1)).astype(int)
    colour = np.where(share < 0, down[level], up[level])
    is_broken = is_there & ~np.isfinite(shown)
    for row, column in zip(*np.nonzero(is_there), strict=True):
        left = x + PIXEL * int(column)
        if is_broken[row, column]:
            cells.text(left, y + int(row), "××", frame.theme.incorrect)
        elif not frame.output.has_pixels:
            cells.text(left, y + int(row), _digit(float(share[row, column])))
        else:
            cells.text(left, y + int(row), "  ", bg=int(colour[row, column]))


def _digit(share: float) -> str:
    """Return a weight in two characters, for a terminal of few colours: its sign, and its size from 0 to 9."""
    tenths = round(abs(share) * 9)
    return f"{'-' if share < 0 else '+'}{tenths}" if tenths else " 0"


def _draw_scale(cells: Cells, frame: Frame, x: int, y: int, room: int, size: float) -> None:
    """Draw what the colours stand for; in words where they have no room, or the terminal has few."""
    theme, low, high = frame.theme, f"{number(-size)} ", f" {number(size)}"
    up, down = _colours(frame)
    colours = (*down[:0:-1].tolist(), *up.tolist())
    if not frame.output.has_pixels:
        cells.text(x, y, f"9 is {number(size)}", theme.muted, limit=max(0, room))
    elif len(low) + len(colours) + len(high) > room:
        cells.text(x, y, f"±{number(size)}", theme.muted, limit=max(0, room))
    else:
        x = cells.text(x, y, low, theme.muted)
        for colour in colours:
            x = cells.text(x, y, " ", bg=colour)
        cells.text(x, y, high, theme.muted)
