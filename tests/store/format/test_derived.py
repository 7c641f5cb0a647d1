"""Class errors, against a count image by image."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.model import NO_VALUE, NOT_JUDGED_STORED
from dtui.store.format.derived import class_errors


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(), (3,)])
def test_class_errors_are_the_wrong_of_all_images(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    classes, images = 5, 30
    targets = rng.integers(0, classes - 1, images).astype(np.uint16)  # the last class has no image
    targets = np.sort(targets) if seed % 2 else targets
    labels = rng.integers(0, classes, (images, *shape)).astype(np.int32)
    if seed > 1:
        labels[rng.random(labels.shape) < 0.05] = rng.choice([NO_VALUE, NOT_JUDGED_STORED])
    found = class_errors(labels, targets, classes)
    assert found.shape == (classes, *shape)
    assert found.dtype == np.float32
    for place in np.ndindex(shape):
        for label in range(classes):
            of = [int(labels[(image, *place)]) for image in range(images) if targets[image] == label]
            is_open = not of or any(one in (NO_VALUE, NOT_JUDGED_STORED) for one in of)
            share = np.nan if is_open else sum(one != label for one in of) / len(of)
            assert np.float32(share) == found[(label, *place)] or (is_open and np.isnan(found[(label, *place)]))
