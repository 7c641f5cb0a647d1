"""Computes derived numbers: class errors, which are also stored, and filter norms, which are not.

Owns their formulas.
"""

from __future__ import annotations

import numpy as np

from dtui.model import NO_VALUE, NOT_JUDGED, NOT_JUDGED_STORED, BoolArray, FloatArray, IntArray, LabelArray


def norms(mean: FloatArray, std: FloatArray, elements: IntArray) -> FloatArray:
    """Return the Euclidean norms of filters.

    Args:
        mean: Of the finite elements of each filter, shape (filters, n), float32.
        std: Their population standard deviation, same shape.
        elements: In each filter, shape (filters,).

    Returns:
        Same shape, float32: √elements · √(mean² + std²). The formula does not enlarge a relative error of mean and std;
        that is why the norm, and not mean or std, is left out. Elements that are not finite count like an average
        finite element.

    Source: dtui.
    """
    result: FloatArray = np.hypot(mean, std)
    result *= np.sqrt(elements.astype(np.float32))[:, None]
    return result


def is_not_judged(labels: IntArray, classes: int) -> BoolArray:
    """Return which stored labels mean "not judged", same shape; none if the run has too many classes for that code."""
    result: BoolArray = (labels == NOT_JUDGED_STORED) & (classes <= NOT_JUDGED_STORED)
    return result


def as_read(labels: IntArray, classes: int) -> IntArray:
    """Replace the stored code for "not judged" by NOT_JUDGED, in place, and return the labels."""
    labels[is_not_judged(labels, classes)] = NOT_JUDGED
    return labels


def class_errors(labels: IntArray, targets: LabelArray, classes: int) -> FloatArray:
    """Return the share of wrongly judged images of each class.

    Args:
        labels: Predicted labels as they are stored, shape (images,) or (images, validations); NO_VALUE where one is
            lost.
        targets: True labels, shape (images,).
        classes: Number of classes.

    Returns:
        Shape (classes,) or (classes, validations), float32, in [0, 1]; NaN for a class without images, or if one of its
        labels is lost or not judged: the error of the remaining images is not the class error.

    Source: dtui.
    """
    errors: FloatArray = np.full((classes, *labels.shape[1:]), np.nan, np.float32)
    if not targets.size:
        return errors
    if (targets[1:] < targets[:-1]).any():  # a run has them in order
        order = np.argsort(targets, kind="stable")
        targets, labels = targets[order], labels[order]
    starts = np.flatnonzero(np.concatenate([[True], targets[1:] != targets[:-1]]))
    present, counts = targets[starts], np.diff(starts, append=len(targets))
    columns = (slice(None), *(None for _ in labels.shape[1:]))
    wrong = np.add.reduceat(labels != targets[columns], starts, axis=0, dtype=np.int64)
    errors[present] = wrong / counts[columns]
    is_open = (labels == NO_VALUE) | is_not_judged(labels, classes)
    if is_open.any():
        errors[present] = np.where(np.logical_or.reduceat(is_open, starts, axis=0), np.nan, errors[present])
    return errors
