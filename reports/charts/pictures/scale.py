"""Turns values into pixels and into words, for small pictures."""

from __future__ import annotations

import math

import numpy as np

from dtui.model import FloatArray
from dtui.number_text import number_text

LOG_FROM = 40.0
"""Ratio of the largest to the smallest value from which on the scale is logarithmic."""


class Scale:
    """Turns values into pixels from bottom to top, logarithmic where the values demand it."""

    def __init__(self, values: FloatArray, top: float, bottom: float, *, is_share: bool) -> None:
        """Fit the scale to the finite ones of some values, at least one."""
        finite = values[np.isfinite(values)]
        positive = finite[finite > 0]
        self.low, self.high = float(finite.min(initial=math.inf)), float(finite.max(initial=-math.inf))
        wide = len(positive) > 1 and positive.max() / positive.min() >= LOG_FROM
        self.is_log = not is_share and bool(wide) and self.low >= 0
        if self.is_log:
            self.low = float(positive.min())
        elif is_share:
            self.low, self.high = 0.0, max(0.05, self.high)
        if self.high <= self.low:
            self.high = self.low + (abs(self.low) or 1.0)
        self._top, self._bottom = top, bottom

    def __call__(self, value: float) -> float:
        """Return the pixel row of a finite value; one below the scale lies at its bottom."""
        low, high = (math.log(self.low), math.log(self.high)) if self.is_log else (self.low, self.high)
        at = math.log(max(value, self.low)) if self.is_log else max(value, self.low)
        return self._bottom - (min(at, high) - low) / (high - low) * (self._bottom - self._top)


def number(value: float, unit: str) -> str:
    """Return a value as people read it: "14,700", "0.0018", "2.4 %"."""
    if not math.isfinite(value):
        return "NaN or Inf"
    if unit == "share":
        return "0 %" if value == 0 else percent(value) if 100 * value < 10 else f"{100 * value:.0f} %"
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    return number_text(value)


def axis_number(value: float, unit: str) -> str:
    """Return a value beside its line on a scale, with as many digits as those beside it: "12.5 %" above "6.25 %"."""
    return f"{number_text(100 * value)} %" if unit == "share" and math.isfinite(value) else number(value, unit)


def percent(share: float) -> str:
    """Return a share in per cent with one digit, such as "2.4 %"."""
    return f"{100 * share:.1f} %"


def times(factor: float) -> str:
    """Return a factor as people read it, such as "×5.9", "×97" or "×8.1 million"; "" where there is none."""
    if not math.isfinite(factor):
        return ""
    if 100 <= factor < 1e6:
        return f"×{factor:,.0f}"
    return f"×{number_text(factor, 2)}"
