"""What each threshold marks, image by image, against the advisor."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.thresholds import THRESHOLDS, advise
from tests.oracle import twins
from tests.oracle.detectors.test_class_rules import PER_CLASS, judged


def twin(targets: np.ndarray, correct: np.ndarray) -> tuple[list[tuple[float, int, int]], float | None]:
    """Return (threshold, validations marked, classes marked) and the threshold to use."""
    flips = twins.flips(correct, "left", 5)
    first = max(-(-len(correct) // 10), 5)
    rows, proposed = [], None
    for threshold in (0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6):
        marked = marks = 0
        for at in range(first, len(correct)):
            here = sum(
                (flips[at, targets == label] == -1).sum() / images >= threshold - 1e-9
                for label, images in enumerate(PER_CLASS)
                if images
            )
            marked, marks = marked + (here > 0), marks + here
        rows.append((threshold, marked, marks))
        if proposed is None and marked / (len(correct) - first) <= 0.05:
            proposed = threshold
    return rows, proposed


@pytest.mark.parametrize(("seed", "validations"), [(0, 40), (1, 25), (2, 90), (3, 200)])
def test_advice_is_what_counting_image_by_image_says(seed, validations):
    targets, correct, flips = judged(seed, validations)
    advice = advise(flips)
    rows, proposed = twin(targets, correct)
    assert [(row.threshold, row.marked, row.marks) for row in advice.rows] == rows
    assert advice.proposed == proposed
    assert advice.counted + advice.left_out == validations
    marked = [row.marked for row in advice.rows]
    assert marked == sorted(marked, reverse=True)
    assert marked[0] > 0
    assert tuple(row.threshold for row in advice.rows) == THRESHOLDS
