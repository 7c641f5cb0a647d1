"""Finds the class scores in a model's output, and reads them both as logits and as probabilities.

A head that ends in Sigmoid or Softmax gives probabilities; a second sigmoid would put every image of a binary
classifier into class 1. Each pass is therefore reduced in both ways at once, on the device and without waiting for it;
which way counts is decided when the whole validation has been seen (`dtui.record.validation.output_kind`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dtui.record.validation.targets import Place, UnusableLoaderError, pick
from dtui.record.writing.warn import warn_once

NO_LABEL = -1
"""Of an image whose outputs hold a NaN."""


@dataclass(eq=False, slots=True)
class Predicted:
    """One forward pass of n images, still on the device.

    Attributes:
        labels: Shape (n, 2), int64: as logits, as probabilities; NO_LABEL where an output is NaN.
        confidences: Probability of the label, shape (n, 2), float; NaN where an output is.
        looks: Shape (3,), float32: smallest and largest output, and the largest distance of a sum over the classes from
            one, in units of what rounding explains; NaN left out.
        outputs: Number of outputs per image; one output means two classes.
        batches: Number of batches that the loader had given out before the pass ended.
        ends_in: LOGITS or PROBABILITIES if the last operation was seen, else "".
        tops: The outputs with the largest values, shape (n, k), int64, the largest first; None where nobody asked, or
            there is but one output.
        seconds: Probability of the second of them, shape (n, 2), float: as logits, as probabilities; None likewise.
    """

    labels: Tensor
    confidences: Tensor
    looks: Tensor
    outputs: int
    batches: int
    ends_in: str = ""
    tops: Tensor | None = None
    seconds: Tensor | None = None


def rows_of(args: Any, kwargs: Mapping[str, Any]) -> int | None:
    """Return the number of images in a model's call, from its first tensor; None if it has none."""
    tensors = (part for part in (*args, *kwargs.values()) if isinstance(part, Tensor) and part.dim())
    first = next(tensors, None)
    return None if first is None else len(first)


def tell_choice(shapes: str) -> None:
    """Warn that of several tensors the first is taken."""
    warn_once(
        "scores",
        f"validation: the model returns {shapes}; the first is taken as the class scores; name them by "
        "recorder.validation(loader, scores=…), an index, a key or a function of the output",
    )


def find_scores(
    output: Any, count: int | None, place: Place | None = None, *, choosing: Callable[[str], None] | None = tell_choice
) -> Tensor:
    """Return the class scores in a model's output, shape (images, outputs).

    Args:
        output: A tensor, or an object that holds one: under `logits`, else its first tensor of that shape.
        count: Images in the call, if known.
        place: Where the scores are; None looks for them.
        choosing: Called with their shapes if several tensors are possible and the first is taken; None refuses them.

    Raises:
        UnusableLoaderError: There are no class scores.
    """
    if place is not None:
        output = pick(output, place)
    if isinstance(output, Mapping) and isinstance(output.get("logits"), Tensor):
        output = output["logits"]
    elif isinstance(getattr(output, "logits", None), Tensor):
        output = output.logits
    elif not isinstance(output, Tensor):
        output = _first_scores(output, count, choosing)
    if not isinstance(output, Tensor):
        raise UnusableLoaderError("validation: the model's output holds no class scores of shape (images, classes)")
    return _as_rows(output, count)


def _first_scores(output: Any, count: int | None, choosing: Callable[[str], None] | None) -> Tensor | None:
    parts = [
        (where, part) for where, part in _parts_of(output) if isinstance(part, Tensor) and part.is_floating_point()
    ]
    found = [(where, part) for where, part in parts if part.dim() == 2 and count in (None, len(part))]
    found = found or [(where, part) for where, part in parts if part.dim() == 2]
    found = found or [(where, part) for where, part in parts if part.dim() and count in (None, len(part))]
    if len(found) > 1:
        if choosing is None:
            return None
        choosing(", ".join(f"{where} {tuple(part.shape)}" for where, part in found))
    return found[0][1] if found else None


def _parts_of(output: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(output, Mapping):
        yield from ((f"[{name!r}]", part) for name, part in output.items())
    elif isinstance(output, Sequence):
        yield from ((f"[{place}]", part) for place, part in enumerate(output))
    elif is_dataclass(output):
        yield from ((f".{field.name}", getattr(output, field.name)) for field in fields(output))


def _as_rows(scores: Tensor, count: int | None) -> Tensor:
    """Return scores as a matrix: (n,) is one output per image; axes of length 1 in (n, classes, 1, 1) are removed."""
    if not (scores.is_floating_point() or scores.is_quantized):
        raise UnusableLoaderError(
            f"validation: the model returns {scores.dtype}, need class scores of a real float type"
        )
    if scores.dim() < 2:
        return scores.reshape(1, -1) if count == 1 else scores.reshape(-1, 1)  # squeezed: a batch of one image
    if scores.dim() > 2 and all(side == 1 for side in scores.shape[2:]):
        scores = scores.flatten(1)
    if scores.dim() != 2:
        raise UnusableLoaderError(f"validation: class scores of shape {tuple(scores.shape)}, need (images, classes)")
    return scores


@torch.no_grad()
def predict(scores: Tensor, batches: int, ends_in: str = "", top: int = 0) -> Predicted:
    """Reduce class scores, shape (n, outputs), to labels and their probabilities, without waiting for the device.

    Args:
        scores: As a model returns them.
        batches: See `Predicted`.
        ends_in: See `Predicted`.
        top: How many of the largest to keep for each image; 0 for the label alone.
    """
    values = scores.detach()
    tolerance = 1e-4 if not values.is_floating_point() else max(1e-4, 2 * torch.finfo(values.dtype).eps)
    if values.is_quantized:
        values = values.dequantize()
    values = values if values.dtype == torch.float64 else values.float()
    if values.shape[1] == 1:
        value = values[:, 0]
        labels = torch.stack([value > 0, value > 0.5], 1).long()
        confidences = torch.stack([torch.sigmoid(value.abs()), torch.maximum(value, 1 - value)], 1)
    else:
        label = values.argmax(1, keepdim=True)
        first = values.gather(1, label)
        softmax = (first - values.logsumexp(1, keepdim=True)).exp()
        softmax = torch.where(first == torch.inf, 1.0, softmax)
        labels, confidences = label.expand(-1, 2), torch.cat([softmax, first.clamp(0, 1)], 1)
    is_nan = values.isnan().any(1)
    labels = torch.where(is_nan[:, None], NO_LABEL, labels)
    known = torch.where(is_nan[:, None], 0.5, values)
    off = torch.where(is_nan, 0, (known.sum(1) - 1).abs() / tolerance)
    looks = torch.stack([known.amin(), known.amax(), off.amax()]).float() if len(values) else _nothing(values)
    more = _top(values, top) if top and values.shape[1] > 1 else (None, None)
    return Predicted(labels, confidences, looks, values.shape[1], batches, ends_in, *more)


def _top(values: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """Return the places of the largest values, shape (n, k), and the probability of the second in both ways, (n, 2)."""
    found = values.topk(min(top, values.shape[1]), dim=1)
    second: Tensor = found.values[:, 1:2]
    softmax = torch.where(second == torch.inf, 1.0, (second - values.logsumexp(1, keepdim=True)).exp())
    return found.indices, torch.cat([softmax, second.clamp(0, 1)], 1)


def _nothing(values: Tensor) -> Tensor:
    return torch.tensor([0.5, 0.5, 0.0], dtype=torch.float32, device=values.device)


def as_array(parts: Sequence[Tensor]) -> np.ndarray[Any, Any]:
    """Concatenate tensors to one array on the host."""
    return torch.cat([part.cpu() for part in parts]).numpy()
