"""Answers which images turned wrong around an incident, whatever their class: for incidents that name none."""

from __future__ import annotations

import numpy as np

from dtui.analysis.ordering import by_most_frequent
from dtui.model import Incident, IntArray
from dtui.model.findings.incident_evidence import MOST_IMAGES, TurnedWrong
from dtui.query.data import RunData

MOST_WITHIN = 8
"""Validations of an incident that are looked at: the first ones."""
MOST_BEFORE = 8
"""Validations before it that say what is usual."""
MOST_LABELS = 16_000_000
"""Labels that are read at most, four bytes each; in a run of more images fewer validations are looked at."""
MOST_CLASSES = 3


def turned_wrong(data: RunData, incident: Incident) -> TurnedWrong | None:
    """Answer `RunQuery.turned_wrong`."""
    validations, images = data.validations, data.images
    begun = int(np.searchsorted(validations, incident.first))
    if images is None or not len(images.targets) or not 1 <= begun < len(validations):
        return None
    most = max(1, MOST_LABELS // (3 * len(images.targets)))
    stop = max(begun + 1, int(np.searchsorted(validations, incident.last, side="right")))
    stop = min(stop, begun + min(MOST_WITHIN, most))
    lag = _worst(data, begun, stop) - begun + 1
    first = max(0, begun - min(MOST_BEFORE, most) - lag)
    before = data.labels(slice(0, len(images.targets)), slice(first, begun + lag))
    is_right = before == images.targets[:, None]
    turned = is_right[:, :-lag] & ~is_right[:, lag:] & (before[:, lag:] >= 0)
    counts: IntArray = np.count_nonzero(turned, axis=0)
    usual = counts[: begun - first - lag]  # pairs that end before the incident
    found = np.flatnonzero(turned[:, begun - 1 - first])
    targets = images.targets[found].astype(np.int64)
    labels, own = np.unique(targets, return_counts=True)
    order = np.lexsort((labels, -own))
    return TurnedWrong(
        incident.id,
        int(validations[begun - 1]),
        int(validations[begun - 1 + lag]),
        len(found),
        float(np.median(usual)) if len(usual) else float("nan"),
        tuple((int(labels[one]), int(own[one])) for one in order[:MOST_CLASSES]),
        tuple(found[by_most_frequent(targets)[:MOST_IMAGES]].tolist()),
    )


def _worst(data: RunData, begun: int, stop: int) -> int:
    """Return the validation of [begun, stop) at which most images are wrong that were right before the incident."""
    if stop - begun == 1 or data.images is None:
        return begun
    labels = data.labels(slice(0, len(data.images.targets)), slice(begun - 1, stop))
    is_right = labels == data.images.targets[:, None]
    turned = is_right[:, :1] & ~is_right[:, 1:] & (labels[:, 1:] >= 0)
    return begun + int(np.count_nonzero(turned, axis=0).argmax())
