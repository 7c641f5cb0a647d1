"""Judges a batch of a Hugging Face evaluation by the task of its model, where there is no one label an item.

Owns how the task is known: by the shapes of labels and logits, and by what the model's configuration says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dtui.record.judging import (
    absolute_error,
    by_class,
    main_class,
    matched_boxes,
    mean_iou,
    token_loss,
    truth_probability,
)

_HAS_CLASSES = re.compile("Classification|Segmentation|Detection")
RIGHT = 0.5
"""From this IoU, F1 or probability on an item is right."""


@dataclass(frozen=True, eq=False)
class ItemScores:
    """Arguments of `Recorder.judge` for one batch.

    Attributes:
        name: Of the score.
        scores: A number an item, shape (n,).
        ids: What each item is known by, n of them.
        group: See `Recorder.judge`; so are `threshold` and `better`.
    """

    name: str
    scores: Tensor
    ids: Any
    group: Any = None
    threshold: float | None = None
    better: str = "higher"


@torch.no_grad()
def score_items(model: nn.Module, labels: Any, output: Any, first: int) -> ItemScores | None:
    """Return the scores of one batch; None where the model classifies, or nothing is known of its task.

    Args:
        model: The model that was called, inside its wrappers.
        labels: What it was given as `labels`.
        output: What it returned.
        first: Items before this batch in the evaluation.
    """
    logits = getattr(output, "logits", None)
    if not isinstance(logits, Tensor) or labels is None:
        return None
    ids = torch.arange(first, first + len(logits), device="cpu")
    if not isinstance(labels, Tensor):
        return _boxes(labels, output, ids)
    if labels.dim() == 2 and logits.dim() == 3 and not labels.is_floating_point():
        losses = token_loss(logits, labels, shift=_predicts_next(model))
        return ItemScores("token loss", losses, ids, better="lower")
    if labels.dim() == 3 and logits.dim() == 4 and not labels.is_floating_point():
        ignored = getattr(_config(model), "semantic_loss_ignore_index", 255)
        wide = functional.interpolate(logits.float(), labels.shape[1:], mode="bilinear")
        group = main_class(labels, logits.shape[1], ignored)
        return ItemScores("IoU", mean_iou(wide, labels, ignored), ids, group, RIGHT)
    kind, outputs = getattr(_config(model), "problem_type", None), logits.shape[-1]
    if kind == "multi_label_classification" and logits.shape == labels.shape:
        pairs, sure, of_label = by_class(ids, truth_probability(logits, labels))
        return ItemScores("probability", sure, pairs, of_label, RIGHT)
    if (kind == "regression" or outputs == 1) and labels.is_floating_point() and labels.numel() == logits.numel():
        return ItemScores("error", absolute_error(logits, labels), ids, better="lower")
    return None


def class_names(model: nn.Module) -> tuple[str, ...] | None:
    """Return the class names of a model's configuration in label order; None if it has none, or no classes."""
    inner = getattr(model, "get_base_model", lambda: model)()
    names = getattr(_config(model), "id2label", None)
    if not isinstance(names, Mapping) or len(names) < 2 or not _HAS_CLASSES.search(type(inner).__name__):
        return None
    return tuple(str(names[label]) for label in sorted(names))


def _boxes(labels: Any, output: Any, ids: Tensor) -> ItemScores | None:
    """Score found boxes, as detectors of DETR's kind return them: centre, width and height, and no object last."""
    found, logits = getattr(output, "pred_boxes", None), output.logits
    if not isinstance(found, Tensor) or not isinstance(labels, Sequence) or len(labels) != len(logits):
        return None
    sure, classes = logits.softmax(-1)[..., :-1].max(-1)
    is_seen = logits.argmax(-1) != logits.shape[-1] - 1
    seen = [
        {"boxes": _corners(box[keep]), "scores": one[keep], "labels": label[keep]}
        for box, one, label, keep in zip(found, sure, classes, is_seen, strict=True)
    ]
    true = [{"boxes": _corners(one["boxes"]), "labels": one["class_labels"]} for one in labels]
    return ItemScores("F1", matched_boxes(seen, true), ids, threshold=RIGHT)


def _corners(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def _predicts_next(model: nn.Module) -> bool:
    """Whether each place predicts the token after it, as in GPT; not in BERT and T5."""
    if getattr(_config(model), "is_encoder_decoder", False):
        return False
    return getattr(model, "loss_type", None) in (None, "ForCausalLM", "ForConditionalGeneration")


def _config(model: nn.Module) -> Any:
    return getattr(model, "config", None)
