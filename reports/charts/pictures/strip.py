"""Draws the error of the whole run as a strip, with the incidents as numbers below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dtui.model import BoolArray, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.curves.rows import Curve
from dtui.reports.charts.pictures.scale import Scale, axis_number
from dtui.reports.charts.vectors import CHARACTER, Vectors
from dtui.reports.document import Picture

WIDE, NARROW = theme.PAGE_WIDTH, 360
HEIGHT, PLOT = 190, 140
_LEFT, _RIGHT, _TOP = 48, 12, 22
APART = 26.0
"""Pixels between two numbers; those nearer become one, such as "3–5"."""
_COLOURS = {"lasting": theme.LOST, "over": theme.VALIDATION, "dismissed": theme.MUTED}


@dataclass(frozen=True, slots=True)
class StripMark:
    """One incident on the strip.

    Attributes:
        number: Its number in the report.
        iteration: At which it begins.
        kind: "lasting" (still so at the end), "over" or "dismissed".
        target: The anchor of its card.
    """

    number: int
    iteration: int
    kind: str
    target: str


def error_strip(
    id: str, curves: Sequence[Curve], axis: TimeAxis, marks: Sequence[StripMark], description: str
) -> Picture:
    """Return the strip for a wide and for a narrow page.

    Args:
        id: Of the picture.
        curves: At least one, values in [0, 1], each with `axis.columns` columns.
        axis: The columns.
        marks: The incidents, by iteration.
        description: What it shows, in words.

    Source: dtui.
    """
    sizes = (WIDE, NARROW, theme.PAPER_WIDTH)
    wide, narrow, paper = (_drawn(width, curves, axis, marks, description) for width in sizes)
    limits = (float(axis.first), float(axis.stop))
    return Picture(id, "", description, wide, WIDE, narrow, limits, paper)


def _drawn(width: int, curves: Sequence[Curve], axis: TimeAxis, marks: Sequence[StripMark], description: str) -> str:
    role = "group" if marks else "img"
    drawing = Vectors.picture(width, HEIGHT, description, role=role, data_plot=f"{_LEFT} {_RIGHT}")
    every = np.concatenate([curve.values for curve in curves])
    scale = Scale(every, _TOP, PLOT, is_share=True)

    def x(iteration: float) -> float:
        return _LEFT + (iteration - axis.first) / axis.span * (width - _LEFT - _RIGHT)

    for share in (scale.high, scale.high / 2, 0.0):
        drawing.line([(_LEFT, scale(share)), (width - _RIGHT, scale(share))], theme.GRID)
        drawing.words(_LEFT - 6, scale(share) + 4, axis_number(share, "share"), at="end")
    for mark in marks:
        drawing.line(
            [(x(mark.iteration), _TOP), (x(mark.iteration), PLOT + 14)], _COLOURS[mark.kind], 1, stroke_opacity="0.55"
        )
    for curve in curves:
        _bars(drawing, curve.nonfinite, axis, x)
        dashes = {"stroke_dasharray": "4 2"} if curve.dashed else {}
        drawing.steps(_points(curve, axis, x, scale), curve.colour, 1.2 if curve.dashed else 1.8, **dashes)
    _names(drawing.group(data_end="yes"), curves, width)
    for place, words, kind, target in _badges(marks, x):
        drawing.badge(place, PLOT + 18, words, _COLOURS[kind], target, is_hollow=kind == "dismissed")
    for at, words, anchor in ((axis.first, f"{axis.first:,.0f}", "start"), (axis.stop, f"{axis.stop:,.0f}", "end")):
        drawing.words(x(at), HEIGHT - 6, words, at=anchor)
    drawing.words((_LEFT + width - _RIGHT) / 2, HEIGHT - 6, "iteration", at="middle")
    return drawing.svg()


def _points(
    curve: Curve, axis: TimeAxis, x: Callable[[float], float], scale: Scale
) -> list[tuple[float, float] | None]:
    """Return a point a column; a column without a value within the curve breaks it."""
    columns = np.arange(axis.columns)
    centres = axis.first + (columns + 0.5) * axis.column_span
    known = np.isfinite(curve.values)
    return [
        (x(centre), scale(value)) if is_known else None
        for centre, value, is_known in zip(centres.tolist(), curve.values.tolist(), known.tolist(), strict=True)
    ]


def _bars(drawing: Vectors, nonfinite: BoolArray | None, axis: TimeAxis, x: Callable[[float], float]) -> None:
    """Mark the columns in which NaN or Inf was logged."""
    for column in () if nonfinite is None else np.flatnonzero(nonfinite).tolist():
        begin = x(axis.first + column * axis.column_span)
        width = x(axis.first + (column + 1) * axis.column_span) - begin
        drawing.box(begin, _TOP, max(1.0, width), PLOT - _TOP, theme.LOST, fill_opacity="0.35")


def _names(drawing: Vectors, curves: Sequence[Curve], width: int) -> None:
    """Write the names of the curves above them, from the right."""
    right = float(width - _RIGHT)
    for curve in reversed(curves):
        drawing.words(right, 13, curve.name, curve.colour, "end")
        right -= CHARACTER * len(curve.name)
        dashes = {"stroke_dasharray": "4 2"} if curve.dashed else {}
        drawing.line([(right - 24, 9), (right - 6, 9)], curve.colour, 2, **dashes)
        right -= 40


def _badges(marks: Sequence[StripMark], x: Callable[[float], float]) -> list[tuple[float, str, str, str]]:
    """Return place, words, kind and target of each number; numbers that would touch become one."""
    groups: list[list[StripMark]] = []
    for mark in marks:
        if groups and x(mark.iteration) - x(groups[-1][0].iteration) < APART:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    made = []
    for group in groups:
        first, last = group[0], group[-1]
        words = str(first.number) if first is last else f"{first.number}–{last.number}"
        worst = min(group, key=lambda mark: list(_COLOURS).index(mark.kind))
        made.append((x(first.iteration), words, worst.kind, worst.target))
    return made
