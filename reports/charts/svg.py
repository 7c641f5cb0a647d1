"""Writes SVG text: the parts that drawings without Vega share.

Owns escaping, the time axis and the cutting of long names. Numbers are written short, so that the same values give the
same text.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from dtui.model import TimeAxis
from dtui.reports.charts import theme

CHARACTER = 6.2
"""Pixels that a letter of 11 pixels takes, on average; one of East Asia takes twice as much."""
TICK_ROOM = 78
"""Pixels that the label of a tick needs beside its neighbours."""


def element(name: str, inside: str = "", /, **attributes: object) -> str:
    """Return an element; an underscore in an attribute's name stands for a hyphen, `inside` is SVG already."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(_number(value) if isinstance(value, float) else str(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def text(words: str, x: float, y: float, **attributes: object) -> str:
    """Return a line of text; `y` is its middle."""
    place = {"x": float(x), "y": float(y), "dominant_baseline": "central", "font_size": 11, "fill": theme.INK}
    return element("text", escape(words), **{**place, **attributes})


def picture(parts: Iterable[str], width: float, height: float, origin: tuple[float, float]) -> str:
    """Return a whole picture; `parts` are drawn relative to `origin`."""
    moved = element("g", "".join(parts), transform=f"translate({_number(origin[0])},{_number(origin[1])})")
    size = {"width": float(width), "height": float(height), "viewBox": f"0 0 {_number(width)} {_number(height)}"}
    return element("svg", moved, xmlns="http://www.w3.org/2000/svg", **size, font_family=theme.FONT)


def cut(words: str, pixels: float) -> str:
    """Return a text that fits into a width, with an ellipsis in place of what does not."""
    room = pixels / CHARACTER
    for k, character in enumerate(words):
        room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if room < (0 if k == len(words) - 1 else 1):
            return words[:k] + "…"
    return words


def ticks(axis: TimeAxis, width: float) -> list[int]:
    """Return round iterations for the labels of an axis: as many as have room, in steps of 1, 2 or 5 times a power of
    ten."""
    least = max(1.0, axis.span / max(1.0, width / TICK_ROOM))
    power = 10 ** math.floor(math.log10(least))
    step = next(int(power * factor) for factor in (1, 2, 5, 10) if power * factor >= least)
    return list(range(-(-math.ceil(axis.first) // step) * step, math.floor(axis.stop) + 1, step))


def time_axis(axis: TimeAxis, width: float, y: float) -> str:
    """Return the axis below a picture, with its name."""
    parts = [element("line", x1=0, x2=float(width), y1=float(y), y2=float(y), stroke=theme.FAINT)]
    for tick in ticks(axis, width):
        x = (tick - axis.first) / axis.span * width
        anchor = "start" if x < TICK_ROOM / 4 else "end" if x > width - TICK_ROOM / 4 else "middle"
        parts.append(element("line", x1=x, x2=x, y1=float(y), y2=y + 5, stroke=theme.FAINT))
        parts.append(text(f"{tick:,}", x, y + 12, text_anchor=anchor, fill=theme.MUTED))
    parts.append(text("iteration", width / 2, y + 28, text_anchor="middle", fill=theme.MUTED))
    return "".join(parts)


def stage_lines(stages: Sequence[int], axis: TimeAxis, width: float, height: float) -> str:
    """Return a dashed line at each iteration at which the learning rate changed."""
    places = [(stage - axis.first) / axis.span * width for stage in stages if axis.contains(stage)]
    line = {"y1": 0, "y2": float(height), "stroke": theme.MUTED, "stroke_opacity": 0.55, "stroke_dasharray": "3,3"}
    return "".join(element("line", x1=x, x2=x, **line) for x in places)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
