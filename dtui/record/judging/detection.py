"""Scores where a network finds boxes in images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

MOST_BOXES = 100
"""Found boxes of an image that count, the surest first, as in COCO."""


@torch.no_grad()
def matched_boxes(
    found: Sequence[Mapping[str, Tensor]], true: Sequence[Mapping[str, Tensor]], iou: float = 0.5
) -> Tensor:
    """Return how well the found boxes of each image match the true ones: F1, the harmonic mean of precision and recall.

    A found box matches the true box of its label that it covers best and no surer one has matched, if their
    intersection ⁄ union is at least `iou`.

    Args:
        found: Of each image, as torchvision's detectors return it: boxes, shape (p, 4), as (left, top, right, bottom);
            scores, shape (p,); labels, shape (p,), optional.
        true: Of each image: boxes, shape (t, 4), and labels, shape (t,), optional.
        iou: Smallest intersection ⁄ union of a match.

    Returns:
        Shape (n,), float32, in [0, 1]; 1 for an image without boxes in which none were found.

    Raises:
        ValueError: There are not as many images in both.
    """
    if len(found) != len(true):
        raise ValueError(f"matched_boxes: {len(found)} images found, {len(true)} true ones; give one of each an image")
    return torch.stack([_f1(one, other, iou) for one, other in zip(found, true, strict=True)]) if found else _nothing()


def _f1(found: Mapping[str, Tensor], true: Mapping[str, Tensor], iou: float) -> Tensor:
    order = found["scores"].argsort(descending=True, stable=True)[:MOST_BOXES]
    boxes, wanted = found["boxes"][order], true["boxes"].to(found["boxes"].device)
    total = len(boxes) + len(wanted)
    if not len(boxes) or not len(wanted):
        return torch.full((), 0.0 if total else 1.0, dtype=torch.float32, device=boxes.device)
    covered = overlap(boxes, wanted)
    if "labels" in found and "labels" in true:
        is_same = found["labels"][order][:, None] == true["labels"].to(boxes.device)[None]
        covered = torch.where(is_same, covered, -1.0)
    is_free = torch.ones(len(wanted), dtype=torch.bool, device=boxes.device)
    for row in covered:
        best = torch.where(is_free, row, -1.0)
        place = best.argmax(keepdim=True)
        is_match = best.gather(0, place) >= iou
        is_free = is_free.scatter(0, place, is_free.gather(0, place) & ~is_match)
    return (2 * (~is_free).sum() / total).float()


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Return intersection ⁄ union of boxes, shape (p, t), given shapes (p, 4) and (t, 4); 0 of two empty boxes."""
    low = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = (high - low).clamp_min(0).prod(2).float()
    sizes = [(some[:, 2:] - some[:, :2]).prod(1).float() for some in (boxes, others)]
    either = sizes[0][:, None] + sizes[1][None] - both
    return torch.where(either > 0, both / either, 0.0)


def _nothing() -> Tensor:
    return torch.zeros(0, dtype=torch.float32, device="cpu")
