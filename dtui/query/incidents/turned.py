"""Answers which images turned wrong around an incident, whatever their class: for incidents that name none."""

from __future__ import annotations

import numpy as np

from dtui.analysis.ordering import by_most_frequent
from dtui.model import ImageSet, Incident, IntArray
from dtui.model.arrays import distinct, is_among, median_of
from dtui.model.findings.incident_evidence import MOST_IMAGES, TurnedWrong
from dtui.query.data import Arrays, RunData, have

MOST_WITHIN = 8
"""Validations of an incident that are looked at: the first ones."""
MOST_BEFORE = 8
"""Validations before it that say what is usual."""
MOST_LABELS = 16_000_000
"""Labels that are read at most, four bytes each, and once; in a run of more images fewer validations are looked at."""
MOST_CLASSES = 3


def turned_wrong(data: RunData, incident: Incident) -> TurnedWrong | None:
    """Answer `RunQuery.turned_wrong`."""
    validations, images = data.validations, data.images
    begun = int(np.searchsorted(validations, incident.first))
    if images is None or not len(images.targets) or not 1 <= begun < len(validations):
        return None
    (since, moment, count, unlabelled), usual, classes, some = data.pictured(
        ("turned wrong", int(incident.first), int(incident.last)),
        lambda: _find(data, images, begun, incident.last),
        lambda found: _is_possible(data, images, found),
    )
    return TurnedWrong(
        incident.id,
        int(since),
        int(moment),
        int(count),
        float(usual[0]),
        tuple((int(label), int(of_it)) for label, of_it in classes),
        tuple(some.tolist()),
        int(unlabelled),
    )


def _find(data: RunData, images: ImageSet, begun: int, last: int) -> Arrays:
    """Return since, moment, count and how many have no label; what is usual, the only float; classes; images.

    Args:
        data: The run.
        images: Its images, at least one.
        begun: Position of the first validation of the incident, at least 1.
        last: Its last iteration.
    """
    validations = data.validations
    most = max(1, MOST_LABELS // (3 * len(images.targets)))
    stop = max(begun + 1, int(np.searchsorted(validations, last, side="right")))
    stop = min(stop, begun + min(MOST_WITHIN, most))
    first = max(0, begun - min(MOST_BEFORE, most) - (stop - begun))
    labels = data.labels(slice(0, len(images.targets)), slice(first, stop))
    is_right = labels == images.targets[:, None]
    is_wrong = ~is_right & (labels >= 0)
    own = begun - first  # column of the first validation of the incident
    turned = is_right[:, own - 1, None] & is_wrong[:, own:]
    lag = int(np.count_nonzero(turned, axis=0).argmax()) + 1  # to the validation at which most are wrong
    end = max(0, own - lag)  # of the pairs that end before the incident
    begin = max(0, end - min(MOST_BEFORE, most))
    usual = np.count_nonzero(is_right[:, begin:end] & is_wrong[:, begin + lag : end + lag], axis=0)
    found = np.flatnonzero(turned[:, lag - 1])
    unlabelled = np.count_nonzero(is_right[:, own - 1] & (labels[:, own - 1 + lag] < 0))
    targets = images.targets[found].astype(np.int64)
    return (
        np.array([validations[begun - 1], validations[begun - 1 + lag], len(found), unlabelled], np.int64),
        np.array([median_of(usual) if len(usual) else np.nan]),
        _classes(targets),
        found[by_most_frequent(targets)[:MOST_IMAGES]].astype(np.int64),
    )


def _classes(targets: IntArray) -> IntArray:
    """Return the most frequent labels with their counts, the most first, shape (at most MOST_CLASSES, 2)."""
    counts = np.bincount(targets)
    labels = np.flatnonzero(counts)
    order = np.lexsort((labels, -counts[labels]))[:MOST_CLASSES]
    return np.stack([labels[order], counts[labels[order]]], axis=1).astype(np.int64)


def _is_possible(data: RunData, images: ImageSet, found: Arrays) -> bool:
    """Whether arrays from outside can be an answer of `_find`."""
    if not have(found, ("i", (4,)), ("f", (1,)), ("i", (None, 2)), ("i", (None,))):
        return False
    (since, moment, count, unlabelled), usual, classes, some = found
    known, most = len(data.layout.images), len(images.targets)
    return (
        bool(is_among(np.array([since, moment]), data.validations).all())
        and since < moment
        and count >= 0
        and unlabelled >= 0
        and count + unlabelled <= most
        and (bool(np.isnan(usual[0])) or 0 <= usual[0] <= most)
        and len(classes) <= MOST_CLASSES
        and bool(((classes[:, 0] >= 0) & (classes[:, 0] < known) & (classes[:, 1] > 0)).all())
        and int(classes[:, 1].max(initial=0)) <= count
        and len(some) == min(count, MOST_IMAGES)
        and bool(((some >= 0) & (some < most)).all())
        and len(distinct(some)) == len(some)
    )
