"""Scores where a network predicts numbers."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return |output - target| of each item, the mean over its numbers; give it with better="lower".

    Args:
        outputs: Shape (n,) or (n, …).
        targets: As many numbers, of the same shape but for axes of length 1.

    Returns:
        Shape (n,), float32, >= 0; NaN where an output or a target is.

    Raises:
        ValueError: There are not as many numbers of both.
    """
    if not outputs.dim() or outputs.numel() != targets.numel() or len(outputs) != len(targets):
        raise ValueError(
            f"absolute_error: outputs of shape {tuple(outputs.shape)}, targets {tuple(targets.shape)}; "
            "give as many of both"
        )
    off = (outputs.reshape(len(outputs), -1).float() - targets.reshape(len(targets), -1).float()).abs()
    return off.mean(1)
