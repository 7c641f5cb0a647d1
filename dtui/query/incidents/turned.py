"""Answers which images turned wrong around an incident, whatever their class: for incidents that name none."""

from __future__ import annotations

import numpy as np

from dtui.analysis.ordering import by_most_frequent
from dtui.model import Incident
from dtui.model.findings.incident_evidence import MOST_IMAGES, TurnedWrong
from dtui.query.data import RunData

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
    most = max(1, MOST_LABELS // (3 * len(images.targets)))
    stop = max(begun + 1, int(np.searchsorted(validations, incident.last, side="right")))
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
    targets = images.targets[found].astype(np.int64)
    classes, counts = np.unique(targets, return_counts=True)
    order = np.lexsort((classes, -counts))
    return TurnedWrong(
        incident.id,
        int(validations[begun - 1]),
        int(validations[begun - 1 + lag]),
        len(found),
        float(np.median(usual)) if len(usual) else float("nan"),
        tuple((int(classes[one]), int(counts[one])) for one in order[:MOST_CLASSES]),
        tuple(found[by_most_frequent(targets)[:MOST_IMAGES]].tolist()),
    )
