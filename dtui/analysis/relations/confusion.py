"""Counts which wrong labels the images of each class got, and finds the confusions that grew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dtui.model import FloatArray, IntArray, LabelArray

LABELS = 65_536
"""More than any label: a true and a predicted one make one number."""


@dataclass(frozen=True, eq=False, slots=True)
class Confusions:
    """Pairs of a true and a wrong label that occur in some validations.

    Attributes:
        targets: True labels, shape (n,).
        labels: Wrong labels, shape (n,); the pairs are sorted by target, then by label.
        counts: Judgements, shape (n,), >= 1.
        judged: Judgements of each class, right and wrong, shape (C,).
    """

    targets: IntArray
    labels: IntArray
    counts: IntArray
    judged: IntArray


def count_confusions(predicted: IntArray, targets: LabelArray, classes: int) -> Confusions:
    """Count the wrong labels of each class.

    Args:
        predicted: Labels, shape (images, validations); negative where an image was not judged.
        targets: True labels, shape (images,).
        classes: C, > max(targets).
    """
    true = np.broadcast_to(targets.astype(np.int64)[:, None], predicted.shape)
    judged = predicted >= 0
    wrong = judged & (predicted != true)
    pairs, counts = np.unique(true[wrong] * LABELS + predicted[wrong], return_counts=True)
    return Confusions(pairs // LABELS, pairs % LABELS, counts, np.bincount(true[judged], minlength=classes))


@dataclass(frozen=True, eq=False, slots=True)
class Growth:
    """Confusions that grew; see `dtui.model.learning.ConfusionChange`. All arrays have shape (n,)."""

    targets: IntArray
    labels: IntArray
    before: FloatArray
    after: FloatArray
    counts: FloatArray
    scores: FloatArray


def find_growth(before: Confusions, after: Confusions, images: IntArray) -> Growth:
    """Find the confusions whose share of a class's judgements grew, by falling score, then by labels.

    Args:
        before: Over the validations before.
        after: Over those after.
        images: Of each class, shape (C,).

    Returns:
        The confusions that grew. A class that was not judged before, or not after, has none: there is nothing to
        compare.

    Source: dtui; share × √count as for anomalies.
    """
    pairs = np.unique(np.concatenate([one.targets * LABELS + one.labels for one in (before, after)]))
    targets, labels = pairs // LABELS, pairs % LABELS
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [_counts_of(one, pairs) / one.judged[targets] for one in (before, after)]
        growth = shares[1] - shares[0]
        grew = growth > 0
    counts = growth[grew] * images[targets[grew]]
    scores = growth[grew] * np.sqrt(counts)
    order = np.flatnonzero(grew)[by_score := np.lexsort((pairs[grew], -scores))]
    return Growth(targets[order], labels[order], shares[0][order], shares[1][order], counts[by_score], scores[by_score])


def _counts_of(confusions: Confusions, pairs: IntArray) -> IntArray:
    """Return how often each pair was seen, shape (pairs,). `pairs` must include every pair that was seen."""
    counts: IntArray = np.zeros(len(pairs), dtype=np.int64)
    counts[np.searchsorted(pairs, confusions.targets * LABELS + confusions.labels)] = confusions.counts
    return counts


def confusions_over_time(predicted: IntArray, target: int) -> tuple[IntArray, IntArray, IntArray]:
    """Count the wrong labels of the images of one class at each validation.

    Args:
        predicted: Labels of the images of the class, shape (images, validations); negative where one was not judged.
        target: The class.

    Returns:
        The wrong labels, the most frequent first, then by label, shape (n,); how many images had each at every
        validation, shape (n, validations); and how many were judged, shape (validations,).
    """
    judged = predicted >= 0
    images, places = np.nonzero(judged & (predicted != target))
    labels, kinds = np.unique(predicted[images, places], return_inverse=True)
    validations = predicted.shape[1]
    flat = np.bincount(kinds * validations + places, minlength=len(labels) * validations)
    counts = flat.reshape(len(labels), validations)
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    return labels[order], counts[order], judged.sum(axis=0)
