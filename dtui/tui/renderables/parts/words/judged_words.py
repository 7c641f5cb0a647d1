"""Says how an image was judged where a score decides what is right, and not a label."""

from __future__ import annotations

import math

from dtui.model import ImageVerdict
from dtui.model.judging import Judging
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import shorten, text_width
from dtui.tui.renderables.canvas.palettes import label_colour
from dtui.tui.renderables.canvas.theme import Theme

LONGEST_NAME = 24
MOST_DIGITS = 6
"""Digits behind the point of a score, which is kept in single precision."""
BEHIND = 254
"""A rank that is not among the first that were kept."""


def has_labels(judging: Judging | None) -> bool:
    """Whether a label says what an image was taken for."""
    return judging is None or judging.is_labelled


def wrong_colour(theme: Theme, label: int, judging: Judging | None) -> int:
    """Return the colour of a wrong label; that of all that is wrong where the item is not right, and no more."""
    return theme.incorrect if judging is not None and label == judging.other else label_colour(theme, label)


def is_scored(verdict: ImageVerdict) -> bool:
    """Whether a score decides what is right."""
    return not has_labels(verdict.judging)


def no_label_words(verdict: ImageVerdict) -> str:
    """Return why an image has no label at the crosshair."""
    if verdict.iteration is None:
        return "not validated yet"
    return "lost to damage" if verdict.judging is None else "not judged"


def score_name(judging: Judging | None) -> str:
    """Return the name of the score, harmless to show."""
    return safe(judging.score, LONGEST_NAME) if judging is not None else "score"


def score_words(verdict: ImageVerdict, room: int | None = None) -> str:
    """Return "IoU 0.83", in at most `room` columns: the name is cut first. The name alone where there is no score."""
    name = score_name(verdict.judging)
    score = "" if math.isnan(verdict.score) else f" {verdict_score(verdict)}"
    if room is None:
        return name + score
    return f"{shorten(name, max(0, room - text_width(score)))}{score}"


def verdict_score(verdict: ImageVerdict) -> str:
    """Return the score of an image alone."""
    return score_beside(verdict.score, verdict.judging)


def score_beside(score: float, judging: Judging | None) -> str:
    """Return a score as `score_text` does, with as many digits as tell on which side of the threshold it is."""
    threshold, short = None if judging is None else judging.threshold, score_text(score)
    if threshold is None or not math.isfinite(score):
        return short
    longer = (f"{score:.{digits}f}" for digits in range(3, MOST_DIGITS + 1))
    return next((text for text in (short, *longer) if _is_beside(float(text), score, threshold)), short)


def _is_beside(shown: float, score: float, threshold: float) -> bool:
    """Whether a rounded score is on the same side of the threshold as the score, or both are the threshold."""
    return (shown > threshold) == (score > threshold) and (shown < threshold) == (score < threshold)


def score_text(score: float) -> str:
    """Return a score in three digits."""
    return f"{score:.2f}" if 0 < abs(score) < 10 and abs(score) >= 0.005 else f"{score:.3g}"


def second_words(verdict: ImageVerdict, name: str) -> str:
    """Return "second cat 12 %, true class 3rd": what is known behind the first label; "" for nothing.

    Args:
        verdict: On the image.
        name: Of its second label, harmless to show.
    """
    parts = []
    if verdict.second_label is not None:
        sure = "" if math.isnan(verdict.second_confidence) else f" {verdict.second_confidence:.0%}"
        parts.append(f"second {name}{sure}")
    if verdict.rank is not None and verdict.rank > 0:
        place = "not among the first" if verdict.rank >= BEHIND else ordinal(verdict.rank + 1)
        parts.append(f"true class {place}")
    return ", ".join(parts)


def ordinal(place: int) -> str:
    """Return "1st", "2nd", "3rd", "4th"."""
    tens, ones = place // 10 % 10, place % 10
    return f"{place}{'th' if tens == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(ones, 'th')}"
