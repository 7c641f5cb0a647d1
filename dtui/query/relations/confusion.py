"""Answers which wrong labels classes got, at a validation and over time."""

from __future__ import annotations

import numpy as np

from dtui.analysis.relations.confusion import (
    confusions_over_time,
    count_confusions,
    find_growth,
)
from dtui.errors import UsageError
from dtui.model import IntArray, LabelArray, read_only
from dtui.model.learning import Confused, Confusion, ConfusionChange, ConfusionTimes
from dtui.query.classes import check_labels
from dtui.query.data import RunData

MOST_COMPARED = 100
"""Validations before, and after, that are read at once."""


def confusion(data: RunData, iteration: int, window: int) -> Confusion:
    """Answer `RunQuery.confusion`."""
    if not 1 <= window <= MOST_COMPARED:
        raise UsageError(f"confusion: {window} validations before and after; use 1 to {MOST_COMPARED}")
    at = _validation_at(data, iteration)
    before = slice(max(0, at - window), at)
    after = slice(at, min(at + window, len(data.validations)))
    targets, labels = _labels(data, slice(before.start, after.stop))  # read once: neighbours share a block of the file
    parts = [slice(some.start - before.start, some.stop - before.start) for some in (slice(at, at + 1), before, after)]
    here, earlier, later = (count_confusions(labels[:, part], targets, len(data.class_sizes)) for part in parts)
    growth = find_growth(earlier, later, data.class_sizes)
    order = np.lexsort((here.labels, here.targets, -here.counts))
    return Confusion(
        iteration=int(data.validations[at]),
        pairs=tuple(
            Confused(
                int(here.targets[pair]),
                int(here.labels[pair]),
                int(here.counts[pair]),
                float(here.counts[pair] / here.judged[here.targets[pair]]),
            )
            for pair in order
        ),
        before=tuple(data.validations[before].tolist()),
        after=tuple(data.validations[after].tolist()),
        grown=tuple(
            ConfusionChange(int(target), int(label), *map(float, numbers))
            for target, label, *numbers in zip(
                growth.targets, growth.labels, growth.before, growth.after, growth.counts, growth.scores, strict=True
            )
        ),
    )


def _validation_at(data: RunData, iteration: int) -> int:
    """Return the position of the last validation at or before an iteration of the run."""
    validations = data.validations
    if not len(validations):
        raise UsageError(f"iteration {iteration}: no validations were recorded, so there are no confusions")
    at = int(np.searchsorted(validations, iteration, side="right")) - 1
    if at < 0 or iteration > data.last_iteration:
        there = f"has validations from {int(validations[0])} to {int(validations[-1])}"
        raise UsageError(f"iteration {iteration}: the run {there} and ends at {data.last_iteration}")
    return at


def _labels(data: RunData, validations: slice) -> tuple[LabelArray, IntArray]:
    """Return the true labels, shape (images,), and those predicted at some validations, shape (images, validations)."""
    images = data.images
    if images is None:
        return np.zeros(0, dtype=np.uint16), np.zeros((0, 0), dtype=np.int64)
    return images.targets, data.reader.read_labels(slice(0, len(images.targets)), validations)


def confusion_times(data: RunData, label: int) -> ConfusionTimes:
    """Answer `RunQuery.confusion_times`."""
    check_labels(data, [label])
    first = int(data.layout.first_image[label])
    rows = slice(first, first + int(data.class_sizes[label]))
    labels = data.reader.read_labels(rows, slice(0, len(data.validations)))
    found, counts, judged = confusions_over_time(labels, label)
    return ConfusionTimes(label, data.validations, read_only(found), read_only(counts), read_only(judged))
