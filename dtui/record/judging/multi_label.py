"""Scores where an image may have several labels, or none."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def truth_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the probability that a network gives to what is so, for each image and label.

    Args:
        logits: Shape (n, labels), before the sigmoid.
        targets: Shape (n, labels): 1 where the image has the label, 0 where it has not; anything below 0, or NaN,
            where nobody knows.

    Returns:
        Shape (n, labels), float32, in [0, 1]: right from 0.5 on. NaN where nobody knows, or the logit is NaN.

    Raises:
        ValueError: The shapes differ.
    """
    _check("truth_probability", logits, targets)
    sure = torch.sigmoid(logits.float())
    known = torch.where(targets > 0.5, sure, 1 - sure)
    return torch.where(targets >= 0, known, torch.nan)


@torch.no_grad()
def share_right(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the share of an image's labels that are right.

    Args:
        logits: As in `truth_probability`.
        targets: As in `truth_probability`.

    Returns:
        Shape (n,), float32, in [0, 1]; NaN for an image of which no label is known, or of which a logit is NaN.

    Raises:
        ValueError: The shapes differ.
    """
    _check("share_right", logits, targets)
    is_known = targets >= 0
    is_right = ((logits > 0) == (targets > 0.5)) & is_known
    share = is_right.sum(1) / is_known.sum(1)
    return torch.where((logits.isnan() & is_known).any(1), torch.nan, share.float())


def _check(name: str, logits: Tensor, targets: Tensor) -> None:
    if logits.dim() != 2 or logits.shape != targets.shape:
        raise ValueError(
            f"{name}: logits of shape {tuple(logits.shape)}, targets {tuple(targets.shape)}; "
            "give (images, labels) of both"
        )
