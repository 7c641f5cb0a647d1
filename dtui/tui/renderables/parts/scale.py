"""Finds round numbers for axes.

Owns the places of ticks.
"""

from __future__ import annotations

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray


@dataclass(frozen=True, slots=True)
class Scale:
    """A value axis.

    Attributes:
        low: Value at the bottom; its logarithm when `is_log`.
        high: Value at the top, > low.
        ticks: Positions in [0, 1] from the bottom, and their labels.
        is_log: Whether values are to be taken as log10.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def heights(self, values: FloatArray) -> FloatArray:
        """Return values on the axis (log10 where it is one); NaN where they have none there."""
        if not self.is_log:
            return np.clip(values, self.low, self.high)
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithms = np.where(values > 0, np.log10(values), np.nan)
        result: FloatArray = np.clip(logarithms, self.low, self.high)
        return result

    def shares(self, values: FloatArray) -> FloatArray:
        """Return places of values on the axis, 0 at the bottom to 1 at the top; NaN where they have none."""
        result: FloatArray = (self.heights(values) - self.low) / (self.high - self.low)
        return result


def round_up(value: float) -> float:
    """Return the smallest of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 times a power of ten that is >= value > 0."""
    power = 10.0 ** np.floor(np.log10(value))
    for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10):
        if step * power >= value * (1 - 1e-9):
            return float(step * power)
    return float(10 * power)


def linear_scale(values: FloatArray, is_share: bool, ceiling: float = np.inf) -> Scale:
    """Return a scale from 0 (or a round number below the smallest negative value) over the finite values.

    Args:
        values: Any shape.
        is_share: Whether labels are percent.
        ceiling: The top is never above it.
    """
    finite = values[np.isfinite(values)]
    largest = float(finite.max()) if finite.size else 1.0
    smallest = min(0.0, float(finite.min())) if finite.size else 0.0
    high = min(ceiling, round_up(largest)) if largest > 0 else 0.0
    low = -round_up(-smallest) if smallest < 0 else 0.0
    if high <= low:
        high = low + 1.0
    middle = (low + high) / 2
    ticks = tuple((share, _label(value, is_share)) for share, value in ((0.0, low), (0.5, middle), (1.0, high)))
    return Scale(low, high, ticks)


def logarithmic_scale(values: FloatArray, is_share: bool) -> Scale:
    """Return a logarithmic scale of at most six decades below the largest positive value."""
    finite = values[np.isfinite(values) & (values > 0)]
    high = float(np.ceil(np.log10(finite.max()) - 1e-9)) if finite.size else 0.0
    low = float(np.floor(np.log10(finite.min()) + 1e-9)) if finite.size else -2.0
    low = max(min(low, high - 1), high - 6)
    decades = np.arange(low, high + 0.5).tolist()
    steps = decades if high - low > 2 else sorted(decades + [decade + np.log10(3) for decade in decades[:-1]])
    ticks = tuple(((step - low) / (high - low), _label(10.0**step, is_share)) for step in steps)
    return Scale(low, high, ticks, is_log=True)


def tick_step(span: float, columns: int, room: int) -> int:
    """Return a round number of iterations between ticks that are at least `room` columns apart."""
    wanted = max(1.0, span * room / max(1, columns))
    power = 10 ** int(np.floor(np.log10(wanted)))
    return int(next(step * power for step in (1, 2, 5, 10) if step * power >= wanted * (1 - 1e-9)))


def _label(value: float, is_share: bool) -> str:
    if is_share:
        return f"{value * 100:.4g}%"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")
