"""Turns series into dots on each row's own scale: lines and box plots.

Owns how a row's own range is found.
"""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray


def line_spans(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper end of each dot column of lines that join each value to the next.

    Args:
        values: Shape (rows, columns); what is not finite interrupts the line.

    Returns:
        Two of shape (rows, 2 * columns), in [0, 1] of the row's own range.
    """
    (points,) = _scaled(values)
    after = np.concatenate((points[:, 1:], points[:, -1:]), 1)
    dots = _interleave(points, np.where(np.isfinite(after), (points + after) / 2, points))
    between = (dots[:, 1:] + dots[:, :-1]) / 2
    before = np.concatenate((dots[:, :1], between), 1)
    behind = np.concatenate((between, dots[:, -1:]), 1)
    return np.fmin(dots, np.fmin(before, behind)), np.fmax(dots, np.fmax(before, behind))


def box_spans(median: FloatArray, first: FloatArray, third: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper end of each dot column of box plots.

    Args:
        median: Shape (rows, columns), in the right dot column.
        first: First quartile, same shape; the left dot column runs from it …
        third: … to the third quartile, same shape.

    Returns:
        Two of shape (rows, 2 * columns), in [0, 1] of the row's own range.
    """
    middle, low, high = _scaled(median, first, third)
    return _interleave(low, middle), _interleave(high, middle)


def _scaled(*series: FloatArray) -> list[FloatArray]:
    """Return the series on the row's range over all of them, NaN for what is not finite."""
    finite = [np.where(np.isfinite(values), values, np.nan) for values in series]
    low, high = _own_range(np.stack(finite))
    return [(values - low) / (high - low) for values in finite]


def _own_range(stacked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and largest value of each row, shape (rows, 1), never equal."""
    finite = np.where(np.isfinite(stacked), stacked, np.nan)
    has = np.isfinite(finite).any((0, 2))
    low = np.where(has, np.min(np.where(np.isnan(finite), np.inf, finite), (0, 2)), 0.0)
    high = np.where(has, np.max(np.where(np.isnan(finite), -np.inf, finite), (0, 2)), 1.0)
    flat = high <= low
    margin = np.maximum(0.5, np.abs(low) / 1000)
    return np.where(flat, low - margin, low)[:, None], np.where(flat, low + margin, high)[:, None]


def _interleave(left: FloatArray, right: FloatArray) -> FloatArray:
    joined: FloatArray = np.stack([left, right], -1).reshape(left.shape[0], -1)
    return joined
