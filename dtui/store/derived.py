"""Numbers that are stored beside what they follow from, because they are asked for most often.

Owns their definition. A second copy would let a class error change when its validation moves into a part.
"""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray, LabelArray


def class_errors(labels: LabelArray, targets: LabelArray, classes: int) -> FloatArray:
    """Return the share of wrongly judged images of each class.

    Args:
        labels: Predicted labels of one validation, shape (images,).
        targets: True labels, same shape.
        classes: Number of classes.

    Returns:
        Shape (classes,), float32, in [0, 1]; NaN for a class without images.

    Source: dtui.
    """
    wrong = np.bincount(targets, labels != targets, minlength=classes)
    counts = np.bincount(targets, minlength=classes)
    with np.errstate(invalid="ignore"):
        errors: FloatArray = (wrong / counts).astype(np.float32)
    return errors
