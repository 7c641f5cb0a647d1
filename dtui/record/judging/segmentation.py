"""Scores where each pixel of an image has a class."""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = 255
"""The class of pixels that count nowhere, in most data sets."""


def mean_iou(outputs: Tensor, masks: Tensor, ignore_index: int = IGNORED) -> Tensor:
    """Return the mean over an image's classes of intersection ⁄ union, for each image.

    Args:
        outputs: As in `class_iou`.
        masks: As in `class_iou`.
        ignore_index: As in `class_iou`.

    Returns:
        Shape (n,), float32, in [0, 1]: over the classes that are in the image, or were seen in it. NaN for an image
        without any pixel that counts.

    Raises:
        ValueError: The shapes do not fit together.
    """
    return class_iou(outputs, masks, ignore_index).nanmean(1)


@torch.no_grad()
def class_iou(outputs: Tensor, masks: Tensor, ignore_index: int = IGNORED) -> Tensor:
    """Return intersection ⁄ union of each class, for each image.

    Args:
        outputs: Class scores, shape (n, classes, height, width); of one output, shape (n, 1, height, width), the logit
            of class 1 against class 0.
        masks: The true class of each pixel, shape (n, height, width) or (n, 1, height, width).
        ignore_index: The class of pixels that count nowhere.

    Returns:
        Shape (n, classes), float32, in [0, 1]; NaN for a class that is neither in the image nor seen in it.

    Raises:
        ValueError: The shapes do not fit together.
    """
    truth = masks[:, 0] if masks.dim() == 4 and masks.shape[1] == 1 else masks
    if outputs.dim() != 4 or truth.dim() != 3 or outputs[:, 0].shape != truth.shape:
        raise ValueError(
            f"IoU: outputs of shape {tuple(outputs.shape)}, masks {tuple(masks.shape)}; "
            "give (images, classes, height, width) and (images, height, width)"
        )
    counts = truth != ignore_index
    classes = max(2, outputs.shape[1])
    seen = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(1)
    found = []
    for label in range(classes):
        is_seen, is_there = (seen == label) & counts, (truth == label) & counts
        both, either = (is_seen & is_there).sum((1, 2)), (is_seen | is_there).sum((1, 2))
        found.append(both / either)  # 0 / 0 is NaN
    return torch.stack(found, 1).float()


@torch.no_grad()
def main_class(masks: Tensor, classes: int, ignore_index: int = IGNORED, background: int | None = None) -> Tensor:
    """Return the class that most pixels of an image have: a group for `Recorder.judge`.

    Args:
        masks: Shape (n, height, width).
        classes: Number of classes.
        ignore_index: The class of pixels that count nowhere.
        background: A class that counts only where there is no other; None for none.

    Returns:
        Shape (n,), int64; the smallest of equals.
    """
    counts = torch.stack([(masks == label).flatten(1).sum(1) for label in range(classes)], 1)
    if ignore_index in range(classes):
        counts[:, ignore_index] = -2
    if background is not None:
        is_alone = counts.clamp_min(0).sum(1) <= counts[:, background]
        counts[:, background] = torch.where(is_alone, counts[:, background], -1)
    return counts.argmax(1)
