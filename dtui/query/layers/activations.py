"""Answers what the activations of filters were in the validations, and which images excite a filter most."""

from __future__ import annotations

import numpy as np

from dtui.analysis.downsample import pool_largest
from dtui.analysis.layers.silent import NEVER, silent_since
from dtui.errors import NotRecordedError, UsageError
from dtui.model import FloatArray, IntArray, TimeAxis, read_only
from dtui.model.layers import ACTIVATION_COLUMNS, FilterCourse
from dtui.query.data import RunData
from dtui.query.images import position_of
from dtui.query.layers.courses import course_of
from dtui.query.tree import check_filter

EXCITING = "most_exciting"
IMAGES_A_FILTER = 9


def has_activations(data: RunData) -> bool:
    """Whether validations of the run hold activations; known once its first validation is."""
    held = {column.name for column in data.reader.columns}
    return held.issuperset((*ACTIVATION_COLUMNS, EXCITING))


def activations(data: RunData, name: str, layer: int) -> FloatArray:
    """Return a column of activations for the filters of a layer, shape (filters, validations).

    Raises:
        NotRecordedError: The run holds no activations.
    """
    if not has_activations(data):
        raise NotRecordedError(f"{data.reader.path}: activations were not recorded; give Recorder(activations=True)")
    rows = data.structure.layers[layer].filter_rows
    values: FloatArray = data.growing_columns(
        (name, layer), len(data.validations), lambda some: data.reader.read_column(name, rows, some)
    )
    return values


def checked(data: RunData, name: str, layer: int) -> FloatArray:
    """Answer `RunQuery.activations`."""
    if name not in ACTIVATION_COLUMNS:
        raise UsageError(f"activations {name!r} are unknown; use one of {', '.join(ACTIVATION_COLUMNS)}")
    check_filter(data, layer, 0)
    return read_only(activations(data, name, layer))


def activation_courses(data: RunData, layer: int, filter: int, axis: TimeAxis) -> tuple[FilterCourse, ...]:
    """Return the courses of share of zeros and mean of a filter, beside its layer; none where they are not recorded."""
    if not has_activations(data) or not len(data.validations):
        return ()
    held = data.held_validations(axis)
    return tuple(
        course_of(name, filter, pool_largest(activations(data, name, layer), held)) for name in ACTIVATION_COLUMNS
    )


def exciting_images(data: RunData, layer: int, filter: int, iteration: int) -> IntArray:
    """Answer `RunQuery.exciting_images`."""
    own, position = check_filter(data, layer, filter), position_of(data, iteration)
    if not has_activations(data) or position < 0:
        return np.zeros(0, dtype=np.int64)
    first = IMAGES_A_FILTER * (own.first_filter + filter)
    rows, here = slice(first, first + IMAGES_A_FILTER), slice(position, position + 1)
    found = data.reader.read_column(EXCITING, rows, here)[:, 0].astype(np.int64)
    images: IntArray = read_only(found[(found >= 0) & (found < data.layout.total_images)])
    return images


def silent_filters(data: RunData, layer: int) -> dict[int, int]:
    """Return the filters of a layer that let nothing through at its last validation, and since which iteration.

    None of a layer that no ReLU follows, as far as that is known: what is not above zero goes on there.
    """
    places = data.structure.activations
    if not has_activations(data) or layer >= len(places) or not places[layer].has_zeros:
        return {}
    since = data.remembered(
        ("silent", layer), lambda: silent_since(activations(data, ACTIVATION_COLUMNS[0], layer), data.validations)
    )
    return {int(filter): int(since[filter]) for filter in np.flatnonzero(since != NEVER)}
