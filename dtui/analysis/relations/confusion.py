"""Counts which wrong labels the images of each class got, and finds the confusions that grew."""

from __future__ import annotations

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, FloatArray, IntArray, LabelArray

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
class Changes:
    """Confusions whose share changed; see `dtui.model.learning.ConfusionChange`. All arrays have shape (n,)."""

    targets: IntArray
    labels: IntArray
    before: FloatArray
    after: FloatArray
    counts: FloatArray
    scores: FloatArray

    def chosen(self, which: BoolArray | slice) -> Changes:
        """Return some of them, in the same order."""
        return Changes(
            self.targets[which],
            self.labels[which],
            self.before[which],
            self.after[which],
            self.counts[which],
            self.scores[which],
        )


def find_growth(before: Confusions, after: Confusions, images: IntArray) -> Changes:
    """Find the confusions whose share of a class's judgements grew; see `find_changes`."""
    changes = find_changes(before, after, images)
    return changes.chosen(changes.counts > 0)


def find_changes(before: Confusions, after: Confusions, images: IntArray) -> Changes:
    """Find the confusions whose share of a class's judgements changed, by falling score, then by labels.

    Args:
        before: Over the validations before.
        after: Over those after.
        images: Of each class, shape (C,).

    Returns:
        The confusions that changed; the counts of those that shrank are negative, all scores are positive. A class
        that was not judged before, or not after, has none: there is nothing to compare.

    Source: dtui; share × √count as for anomalies.
    """
    pairs = np.unique(np.concatenate([one.targets * LABELS + one.labels for one in (before, after)]))
    targets, labels = pairs // LABELS, pairs % LABELS
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [_counts_of(one, pairs) / one.judged[targets] for one in (before, after)]
        change = shares[1] - shares[0]
        has_changed = np.abs(change) > 0
    change = change[has_changed]
    counts = change * images[targets[has_changed]]
    scores = np.abs(change) * np.sqrt(np.abs(counts))
    order = np.flatnonzero(has_changed)[by_score := np.lexsort((pairs[has_changed], -scores))]
    return Changes(
        targets[order], labels[order], shares[0][order], shares[1][order], counts[by_score], scores[by_score]
    )


def labels_that_matter(told: IntArray, counted: IntArray, most: int) -> IntArray:
    """Return the labels to show, at most `most`: first those in `told`, then those that are counted most often.

    Args:
        told: Labels in order of importance, shape (n,); the first of equal ones counts.
        counted: Of every label, shape (C,); a label with 0 is left out unless it is told.
        most: >= 1.
    """
    labels, first = np.unique(told, return_index=True)
    by_told = labels[np.argsort(first)]
    by_count = np.argsort(-counted, kind="stable")
    rest = by_count[(counted[by_count] > 0) & ~np.isin(by_count, by_told)]
    return np.concatenate([by_told, rest])[:most]


def tabulate(confusions: Confusions, rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray]:
    """Return true against predicted labels as a table.

    Args:
        confusions: Of one validation.
        rows: True labels, shape (R,), all different.
        columns: Predicted labels, shape (K,), all different.

    Returns:
        Judgements, shape (R, K), right ones where both labels are the same; and those of each row with none of the
        columns, shape (R,).
    """
    row_of, column_of = np.full(LABELS, -1), np.full(LABELS, -1)
    row_of[rows], column_of[columns] = np.arange(len(rows)), np.arange(len(columns))
    row, column = row_of[confusions.targets], column_of[confusions.labels]
    table: IntArray = np.zeros((len(rows), len(columns)), dtype=np.int64)
    is_shown = (row >= 0) & (column >= 0)
    table[row[is_shown], column[is_shown]] = confusions.counts[is_shown]
    wrong = np.bincount(row[row >= 0], confusions.counts[row >= 0], minlength=len(rows)).astype(np.int64)
    right = confusions.judged[rows] - wrong
    place = column_of[rows]
    table[np.flatnonzero(place >= 0), place[place >= 0]] = right[place >= 0]
    return table, confusions.judged[rows] - table.sum(axis=1)


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
