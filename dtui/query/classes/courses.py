"""Answers how the error of each class went: its last, its lowest and its highest value."""

from __future__ import annotations

import numpy as np

from dtui.errors import UsageError
from dtui.model import BoolArray, ClassCourse, FloatArray
from dtui.query.data import Arrays, RunData, have

COURSES = ("error", "change")
EARLY = 0.2
"""Share of the validations in which classes are still being learned: what moves there tells nothing."""


def class_courses(data: RunData, by: str, top: int) -> tuple[ClassCourse, ...]:
    """Answer `RunQuery.class_courses`."""
    if by not in COURSES:
        raise UsageError(f"class list {by!r} is unknown; use one of {', '.join(COURSES)}")
    if top < 1:
        raise UsageError(f"classes: the top {top}; ask for at least 1")

    def find() -> list[ClassCourse]:
        return _told(
            data,
            data.pictured("class courses", lambda: (_courses(data),), lambda found: _are_courses(data, found))[0],
        )

    courses = data.remembered("class courses", find)
    return tuple(sorted(courses, key=lambda one: (-(one.last if by == COURSES[0] else one.change), one.label))[:top])


def _courses(data: RunData) -> FloatArray:
    """Return the course of every class that was ever judged, by label, shape (n, 6): its label, its last, lowest and
    highest error, and the positions of the validations of the latter two.
    """
    errors = data.class_errors()
    known = np.isfinite(errors)
    labels = np.flatnonzero(known.any(axis=1)) if errors.size else np.zeros(0, dtype=np.int64)
    late = np.arange(errors.shape[1]) >= int(EARLY * errors.shape[1])
    rows = [_course(int(label), errors[label], known[label], late) for label in labels]
    return np.array(rows, dtype=np.float64).reshape(-1, 6)


def _course(label: int, errors: FloatArray, known: BoolArray, late: BoolArray) -> tuple[float, ...]:
    counted = np.flatnonzero(known & late)
    counted = counted if len(counted) else np.flatnonzero(known)
    lowest, highest = (int(counted[int(find(errors[counted]))]) for find in (np.argmin, np.argmax))
    return (label, float(errors[known][-1]), float(errors[lowest]), float(errors[highest]), lowest, highest)


def _are_courses(data: RunData, found: Arrays) -> bool:
    """Whether rows from outside can be those of `_courses`."""
    if not have(found, ("f", (None, 6))):
        return False
    labels, shares, places = found[0][:, 0], found[0][:, 1:4], found[0][:, 4:]
    in_range = (labels >= 0) & (labels < len(data.layout.images)) & ((shares >= 0) & (shares <= 1)).all(axis=1)
    in_range &= ((places >= 0) & (places < len(data.validations))).all(axis=1)
    whole = labels == np.floor(labels), places == np.floor(places)
    return bool(in_range.all() and all(one.all() for one in whole) and (np.diff(labels) > 0).all())


def _told(data: RunData, rows: FloatArray) -> list[ClassCourse]:
    names, at = data.reader.classes, data.validations
    return [
        ClassCourse(
            int(label),
            names[int(label)] if label < len(names) else str(int(label)),
            int(data.class_sizes[int(label)]),
            *(last, lowest, int(at[int(lowest_at)]), highest, int(at[int(highest_at)])),
        )
        for label, last, lowest, highest, lowest_at, highest_at in rows.tolist()
    ]
