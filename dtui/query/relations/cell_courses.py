"""Answers what a cell of the grid of incidents did over the run: the error of its class, and its filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import TimeAxis, read_only
from dtui.model.cube import CellCourses
from dtui.model.layers import FilterCourse
from dtui.query.classes.errors import class_errors
from dtui.query.data import RunData
from dtui.query.layers.filter_history import courses_of
from dtui.query.tree import check_filter


def cell_courses(
    data: RunData, label: int | None, layer: int, filters: Sequence[int], statistic: str, axis: TimeAxis
) -> CellCourses:
    """Answer `RunQuery.cell_courses`."""
    for one in filters:
        check_filter(data, layer, one)
    moved = courses_of(data, statistic, layer, filters, axis) if filters else ()
    of = data.structure.layers[layer].shape[0] if filters else 0
    return CellCourses(axis, label, layer, tuple(filters), _error(data, label, axis), moved, of)


def _error(data: RunData, label: int | None, axis: TimeAxis) -> FilterCourse | None:
    """Return the error of a class with that of all images as the middle, or of all images; None without classes."""
    count = len(data.layout.images)
    if not count or not len(data.validations):
        return None
    every = tuple(range(count))
    groups = [(label,), every] if label is not None else [every]
    values = class_errors(data, groups, axis).values
    none = read_only(np.full(axis.columns, np.nan))
    middle = read_only(values[1]) if label is not None else none
    return FilterCourse("error", read_only(values[0]), middle, none, none, read_only(np.zeros(axis.columns, np.int64)))
