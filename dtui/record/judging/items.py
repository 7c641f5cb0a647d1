"""Turns scores of items by classes, such as an image's IoU of each class, into one item for each pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def by_class(
    ids: Any, scores: Tensor, names: Sequence[str] | None = None
) -> tuple[Any, Tensor, Tensor | Sequence[str]]:
    """Return ids, scores and groups for `Recorder.judge`: an item for each pair of item and class, the class its group.

    Args:
        ids: What the items are known by, n integers or strings.
        scores: Shape (n, k); NaN where a class says nothing about an item.
        names: Of the k classes; None for the recorder's own, or numbers.

    Returns:
        Ids, scores and groups of n · k items, those of the first item first. An id is "17 cat", or the number
        17 · k + class where the ids are a tensor, so that nobody waits for its device.

    Raises:
        ValueError: The lengths do not fit together.
    """
    if scores.dim() != 2 or len(scores) != len(ids):
        raise ValueError(f"by_class: {len(ids)} ids, scores of shape {tuple(scores.shape)}; give (ids, classes)")
    count, classes = scores.shape
    if names is not None and len(names) != classes:
        raise ValueError(f"by_class: {len(names)} names, scores of {classes} classes; give one a class")
    label = torch.arange(classes, device=scores.device)
    groups: Tensor | Sequence[str] = label.repeat(count) if names is None else [*names] * count
    if isinstance(ids, Tensor):
        known = (ids.reshape(-1, 1).to(label.device) * classes + label).reshape(-1)
        return known, scores.reshape(-1), groups
    shown = names if names is not None else range(classes)
    return [f"{one} {name}" for one in ids for name in shown], scores.reshape(-1), groups
