"""Computes the errors of classes at validations that did not judge every image."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from dtui.model import NO_VALUE, NOT_JUDGED, FloatArray, ImageSet, IntArray, LabelArray
from dtui.model.arrays import distinct

LABELS_AT_ONCE = 8_000_000


class LabelReader(Protocol):
    """The methods of a run's reader that are used here."""

    @property
    def images(self) -> ImageSet | None:
        """The tracked images."""

    def read_class_errors(self, validations: slice) -> FloatArray:
        """Return errors, NaN where not every label of a class is known."""

    def read_labels(self, images: slice, validations: slice) -> IntArray:
        """Return labels, negative where one is not known."""


def read_errors(reader: LabelReader, images: IntArray, validations: slice) -> tuple[FloatArray, dict[int, FloatArray]]:
    """Return the errors of the classes, and how many images of each were judged where that was not all.

    Args:
        reader: Of the run.
        images: Of each class, shape (C,).
        validations: The validations to read.

    Returns:
        The wrong images as a share of the judged ones, shape (C, m), NaN for a class without judged images or with a
        label lost to damage. Then, by position among all validations, the number of judged images, shape (C,), which
        is all images where a label is lost; validations that judged all images are left out.
    """
    errors = np.require(reader.read_class_errors(validations), np.float32, "W")
    sizes = images[: len(errors)].astype(np.float32)
    known, judged = reader.images, dict[int, FloatArray]()
    if known is None:
        return errors, judged
    holes = np.flatnonzero((np.isnan(errors) & (sizes > 0)[:, None]).any(axis=0))
    at_once = max(1, LABELS_AT_ONCE // max(1, len(known.targets)))
    for block in distinct(holes // at_once):
        some = holes[holes // at_once == block]
        begin, end = int(some[0]), int(some[-1]) + 1
        window = slice(validations.start + begin, validations.start + end)
        labels = reader.read_labels(slice(0, len(known.targets)), window)
        for column in some:
            now = labels[:, column - begin]
            partial = _classes_of(known.targets[now == NOT_JUDGED], len(errors)) > 0
            partial &= _classes_of(known.targets[now == NO_VALUE], len(errors)) == 0
            right, seen = _classes_of(known.targets[now == known.targets], len(errors)), now >= 0
            counts = _classes_of(known.targets[seen], len(errors))
            with np.errstate(invalid="ignore"):
                errors[partial, column] = ((counts - right) / counts)[partial]
            if partial.any():
                judged[validations.start + int(column)] = np.where(partial, counts, sizes).astype(np.float32)
    return errors, judged


def _classes_of(targets: LabelArray, classes: int) -> IntArray:
    """Count the images of each class, shape (classes,)."""
    return np.bincount(targets, minlength=classes)[:classes]
