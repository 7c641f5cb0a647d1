"""Draws small pictures as SVG text without a converter: they are in every page, and a converter takes 20 ms for each.

Owns the element tree of these pictures; the library escapes every text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np

from dtui.model import FloatArray
from dtui.reports.charts import theme

SIZE = 12
"""Of the text, in pixels."""
CHARACTER = 6.4
"""Pixels that a character takes, on average."""
LOG_FROM = 40.0
"""Ratio of the largest to the smallest value from which on the scale is logarithmic."""


class Drawing:
    """An SVG picture that grows by one shape after another."""

    def __init__(self, width: float, height: float, description: str) -> None:
        """Begin a picture with words for readers who cannot see it."""
        self.width, self.height = width, height
        size = {"width": _short(width), "height": _short(height), "viewBox": f"0 0 {_short(width)} {_short(height)}"}
        attributes = {"xmlns": "http://www.w3.org/2000/svg", **size, "role": "img", "aria-label": description}
        font = {"font-family": theme.FONT, "font-size": str(SIZE)}
        self._root = ElementTree.Element("svg", {**attributes, **font})

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1, **more: str) -> None:
        """Add a line through some points, at least two."""
        path = "M" + "L".join(f"{_short(x)},{_short(y)}" for x, y in points)
        given = {"d": path, "fill": "none", "stroke": colour, "stroke-width": _short(width)}
        ElementTree.SubElement(self._root, "path", {**given, **_dashed(more)})

    def steps(self, points: Sequence[tuple[float, float] | None], colour: str, width: float, **more: str) -> None:
        """Add lines through points; None breaks the line, and a lone point is a dot."""
        stretch: list[tuple[float, float]] = []
        for point in (*points, None):
            if point is not None:
                stretch.append(point)
                continue
            if len(stretch) == 1:
                self.dot(*stretch[0], width, colour)
            elif stretch:
                self.line(stretch, colour, width, **more)
            stretch = []

    def box(self, x: float, y: float, width: float, height: float, colour: str, **more: str) -> None:
        """Add a filled rectangle."""
        place = {"x": x, "y": y, "width": max(0.5, width), "height": height}
        given = {name: _short(value) for name, value in place.items()}
        ElementTree.SubElement(self._root, "rect", {**given, "fill": colour, **_dashed(more)})

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """Add a filled circle."""
        place = {"cx": _short(x), "cy": _short(y), "r": _short(radius)}
        ElementTree.SubElement(self._root, "circle", {**place, "fill": colour})

    def text(self, x: float, y: float, words: str, colour: str = theme.MUTED, at: str = "start", **more: str) -> None:
        """Add words whose baseline begins, is centred or ends at x ("start", "middle" or "end")."""
        place = {"x": _short(x), "y": _short(y), "fill": colour, "text-anchor": at, **_dashed(more)}
        ElementTree.SubElement(self._root, "text", place).text = words

    def badge(self, x: float, y: float, words: str, colour: str, target: str, *, is_hollow: bool = False) -> None:
        """Add a number on a pill that leads to an anchor of the page."""
        link = ElementTree.SubElement(self._root, "a", {"href": f"#{target}"})
        width = max(18.0, CHARACTER * len(words) + 8)
        pill = {"x": x - width / 2, "y": y - 9, "width": width, "height": 18.0, "rx": 9.0}
        given = {name: _short(value) for name, value in pill.items()}
        fill = {"fill": "#ffffff" if is_hollow else colour, "stroke": colour}
        ElementTree.SubElement(link, "rect", {**given, **fill})
        place = {"x": _short(x), "y": _short(y + 4), "text-anchor": "middle", "font-weight": "bold"}
        ElementTree.SubElement(link, "text", {**place, "fill": colour if is_hollow else "#ffffff"}).text = words

    def svg(self) -> str:
        """Return the picture as text."""
        return ElementTree.tostring(self._root, encoding="unicode")


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
        return percent(value) if 100 * value < 10 else f"{100 * value:.0f} %"
    if value == 0 or 0.001 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.2g}"


def percent(share: float) -> str:
    """Return a share in per cent with one digit, such as "2.4 %"."""
    return f"{100 * share:.1f} %"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _dashed(names: dict[str, str]) -> dict[str, str]:
    """Return attributes as SVG spells them, such as "stroke-opacity"."""
    return {name.replace("_", "-"): value for name, value in names.items()}
