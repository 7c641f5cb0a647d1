"""Draws the small picture of one series around the beginning of an incident."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dtui.model.findings.telling import Telling
from dtui.reports.charts import theme
from dtui.reports.charts.pictures.scale import Scale, axis_number, number
from dtui.reports.charts.vectors import CHARACTER, Vectors
from dtui.reports.document import Picture
from dtui.safe_text import safe

WIDTH, HEIGHT = 300, 116
_TOP, _BOTTOM, _RIGHT = 10, 94, 10


def evidence_pictures(anchor: str, pictures: Sequence[Telling], begin: int) -> tuple[Picture, ...]:
    """Return series, each with what it is compared with, and a line where the incident begins.

    Their time axes begin at one place, so that an iteration stands below itself where they stand below each other.

    Args:
        anchor: What the ids of the pictures begin with.
        pictures: The series, each of at least two values, one of them finite.
        begin: Iteration at which the incident begins.

    Source: dtui.
    """
    scales = [_scale(series) for series in pictures]
    labels = (text for scale, series in zip(scales, pictures, strict=True) for text in _labels(scale, series))
    left = 10 + CHARACTER * max(map(len, labels), default=0)
    return tuple(
        _picture(f"{anchor}-{k}", series, begin, scale, left)
        for k, (scale, series) in enumerate(zip(scales, pictures, strict=True), 1)
    )


def _scale(series: Telling) -> Scale:
    shown = series.values if series.others is None else np.concatenate([series.values, series.others])
    return Scale(shown, _TOP, _BOTTOM, is_share=series.unit == "share")


def _labels(scale: Scale, series: Telling) -> list[str]:
    return [axis_number(value, series.unit) for value in (scale.high, scale.low)]


def _picture(id: str, series: Telling, begin: int, scale: Scale, left: float) -> Picture:
    title = safe(series.what, 120)
    words = evidence_words(series)
    drawing = Vectors.picture(WIDTH, HEIGHT, f"{title}: {words}")
    labels = _labels(scale, series)
    first, last = int(series.iterations[0]), int(series.iterations[-1])
    span = max(1, last - first)

    def x(iteration: float) -> float:
        return left + (iteration - first) / span * (WIDTH - _RIGHT - left)

    for value, label in zip((scale.high, scale.low), labels, strict=True):
        drawing.line([(left, scale(value)), (WIDTH - _RIGHT, scale(value))], theme.GRID)
        drawing.words(left - 4, scale(value) + 4, label, at="end")
    if first <= begin <= last:
        drawing.line([(x(begin), _TOP - 6), (x(begin), _BOTTOM)], theme.LOST, 1, stroke_dasharray="3 3")
    for iteration, value in zip(series.iterations.tolist(), series.values.tolist(), strict=True):
        if not np.isfinite(value):
            drawing.box(x(iteration) - 1.5, _TOP, 3, _BOTTOM - _TOP, theme.LOST, fill_opacity="0.5")
    if series.others is not None:
        drawing.steps(
            _points(series.iterations.tolist(), series.others.tolist(), x, scale),
            theme.TRAIN,
            1.2,
            stroke_dasharray="4 2",
        )
    drawing.steps(_points(series.iterations.tolist(), series.values.tolist(), x, scale), theme.VALIDATION, 1.8)
    if series.then is not None and series.then_at is not None:
        drawing.dot(x(series.then_at), scale(series.then), 3, theme.LOST)
    drawing.words(left, HEIGHT - 6, f"{first:,}")
    drawing.words(WIDTH - _RIGHT, HEIGHT - 6, f"{last:,}", at="end")
    middle = f"{begin:,}"
    if left + CHARACTER * (len(f"{first:,}") + 3) < x(begin) - 18 and x(begin) + 18 < WIDTH - 60:
        drawing.words(x(begin), HEIGHT - 6, middle, theme.LOST, "middle")
    return Picture(id, title, f"{words}.", drawing.svg(), WIDTH)


def evidence_words(series: Telling) -> str:
    """Return what a series shows, in words: before, as it began, at its most, and what it is compared with."""
    said = []
    if series.before is not None:
        said.append(f"about {number(series.before, series.unit)} before")
    began, then = _value_at(series.began, series.began_at, series), _value_at(series.then, series.then_at, series)
    if series.rose:  # as the sentence of the incident says it
        said.append(series.rose)
    elif then:
        said.append(", ".join(part for part in (began if series.began != series.then else "", then) if part))
    if not np.isfinite(series.values).all():
        said.append("NaN or Inf where the bars are")
    if series.others is not None:
        said.append(f"dashed: {series.others_what}")
    return "; ".join(said)


def _value_at(value: float | None, at: int | None, series: Telling) -> str:
    return "" if value is None or at is None else f"{number(value, series.unit)} at {at:,}"


def _points(
    iterations: Sequence[int], values: Sequence[float], x: Callable[[float], float], scale: Scale
) -> list[tuple[float, float] | None]:
    """Return a point a value, None where it is not finite."""
    pairs = zip(iterations, values, strict=True)
    return [(x(at), scale(value)) if np.isfinite(value) else None for at, value in pairs]
