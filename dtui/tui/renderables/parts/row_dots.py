"""Turns series into dots: lines, on a given scale or on each row's own.

Owns how a row's own range is found.
"""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray

Spans = tuple[FloatArray, FloatArray]
"""Lower and upper end of a line in each dot column, two dot columns a cell."""


def line_spans(values: FloatArray, tall: int) -> Spans:
    """Return lower and upper end of each dot column of lines that join each value to the next.

    Args:
        values: Shape (rows, columns); what is not finite interrupts the line.
        tall: Terminal rows of a line, >= 1.

    Returns:
        Two of shape (rows, 2 * columns), in [0, 1] of the row's own range.
    """
    return dot_spans(_scaled(values), tall)


def dot_spans(points: FloatArray, tall: int) -> Spans:
    """Return the same for heights that are in [0, 1] already, shape (…, columns); NaN interrupts the line."""
    after = np.concatenate((points[..., 1:], points[..., -1:]), -1)
    return joined_spans(_interleave(points, np.where(np.isfinite(after), (points + after) / 2, points)), tall)


def joined_spans(heights: FloatArray, tall: int) -> Spans:
    """Return the same for the height of each dot column, shape (…, 2 * columns).

    Of the dots between two neighbours each takes the half that is nearer to it, and neither takes one of the other's.
    """
    steps = 4 * tall - 1
    levels = np.rint(np.clip(heights, 0, 1) * steps)
    by = np.diff(levels)
    last = levels[..., :-1] + np.trunc(by / 2)
    before = np.concatenate((levels[..., :1], last + np.sign(by)), -1)
    behind = np.concatenate((last, levels[..., -1:]), -1)
    return np.fmin(levels, np.fmin(before, behind)) / steps, np.fmax(levels, np.fmax(before, behind)) / steps


def _scaled(values: FloatArray) -> FloatArray:
    """Return each row on its own range, NaN for what is not finite."""
    finite = np.where(np.isfinite(values), values, np.nan)
    low, high = _own_range(finite)
    scaled: FloatArray = (finite - low) / (high - low)
    return scaled


def _own_range(finite: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and largest value of each row, shape (rows, 1), never equal."""
    has = np.isfinite(finite).any(1)
    low = np.where(has, np.min(np.where(np.isnan(finite), np.inf, finite), 1, initial=np.inf), 0.0)
    high = np.where(has, np.max(np.where(np.isnan(finite), -np.inf, finite), 1, initial=-np.inf), 1.0)
    flat = high <= low
    margin = np.maximum(0.5, np.abs(low) / 1000)
    return np.where(flat, low - margin, low)[:, None], np.where(flat, low + margin, high)[:, None]


def _interleave(left: FloatArray, right: FloatArray) -> FloatArray:
    joined: FloatArray = np.stack([left, right], -1).reshape(*left.shape[:-1], -1)
    return joined
