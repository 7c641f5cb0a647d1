"""Turns series into dots: lines, on each row's own scale.

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
    return dot_spans(_scaled(values))


def dot_spans(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the same for heights that are in [0, 1] already, shape (…, columns); NaN interrupts the line."""
    after = np.concatenate((points[..., 1:], points[..., -1:]), -1)
    dots = _interleave(points, np.where(np.isfinite(after), (points + after) / 2, points))
    between = (dots[..., 1:] + dots[..., :-1]) / 2
    before = np.concatenate((dots[..., :1], between), -1)
    behind = np.concatenate((between, dots[..., -1:]), -1)
    return np.fmin(dots, np.fmin(before, behind)), np.fmax(dots, np.fmax(before, behind))


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
