"""Right or wrong of all images of a long run is held once, also while it is read."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from dtui.analysis.correctness import PackedLayout
from dtui.model import IntArray
from dtui.query.labels import judgements
from dtui.query.labels.judgements import Judgements

IMAGES, VALIDATIONS = 2_048, 8_192
TARGETS = np.repeat(np.arange(4, dtype=np.uint16), IMAGES // 4)


def read(images: slice, validations: slice) -> IntArray:
    """Return labels of which one of seven is wrong, and of the last validations one of eleven is lost."""
    at = np.arange(validations.start, validations.stop)[None, :] + np.arange(images.start, images.stop)[:, None]
    labels: IntArray = np.where(at % 7 == 0, 4, TARGETS[images][:, None]).astype(np.int32)
    return np.where((at % 11 == 0) & (np.arange(validations.start, validations.stop) > 8_000), -1, labels)


def test_reading_takes_no_second_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what is held at the end there is one stretch of labels, however long the run."""
    monkeypatch.setattr(judgements, "LABELS_AT_ONCE", 8 * IMAGES)
    held = Judgements(PackedLayout.of(TARGETS, 4))
    tracemalloc.start()
    try:
        held.extend(VALIDATIONS, TARGETS, lambda *part: read(*part).clip(0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held.right.nbytes == IMAGES * VALIDATIONS // 8
    assert peak < 1.5 * held.right.nbytes


@pytest.mark.parametrize("steps", [(8_192,), (100, 100, 5_000, 8_192), (8_000, 8_192)])
def test_what_is_read_a_little_at_a_time_is_the_same(steps: tuple[int, ...]) -> None:
    held, whole = Judgements(PackedLayout.of(TARGETS, 4)), Judgements(PackedLayout.of(TARGETS, 4))
    for validations in steps:
        before = held.right
        while len(held.right) < validations:
            held.extend(validations, TARGETS, read, seconds=0.0)
        assert np.array_equal(held.right[: len(before)], before)
    whole.extend(VALIDATIONS, TARGETS, read)
    assert np.array_equal(held.right, whole.right)
    assert held.lost is not None
    assert whole.lost is not None
    assert np.array_equal(held.lost, whole.lost)
    assert np.array_equal(held.times_right, whole.times_right)
    assert np.array_equal(held.times_judged, whole.times_judged)
