"""Scores where a network predicts the tokens of a text."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100
"""The target of a token that counts nowhere: what torch's losses pass over by default."""


@torch.no_grad()
def token_loss(logits: Tensor, targets: Tensor, ignore_index: int = IGNORED, *, shift: bool = False) -> Tensor:
    """Return the mean loss a token of each text, in nats; give it with better="lower".

    Args:
        logits: Shape (n, tokens, vocabulary).
        targets: The token to be predicted at each place, shape (n, tokens).
        ignore_index: The target of places that count nowhere, such as padding.
        shift: Whether `targets` are the tokens that went in, as for the models of transformers, so that each place
            predicts the next.

    Returns:
        Shape (n,), float32, >= 0; NaN for a text without any place that counts.

    Raises:
        ValueError: The shapes do not fit together.
    """
    if logits.dim() != 3 or logits.shape[:2] != targets.shape:
        raise ValueError(
            f"token_loss: logits of shape {tuple(logits.shape)}, targets {tuple(targets.shape)}; "
            "give (texts, tokens, vocabulary) and (texts, tokens)"
        )
    if shift:
        logits, targets = logits[:, :-1], targets[:, 1:]
    if not len(logits):
        return logits.new_zeros(0, dtype=torch.float32)
    means = [
        functional.cross_entropy(one.float(), other, ignore_index=ignore_index)  # one text at a time: logits are large
        for one, other in zip(logits, targets, strict=True)
    ]
    return torch.stack(means)
