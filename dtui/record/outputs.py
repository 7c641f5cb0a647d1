"""What a model returned: where its class scores are, and what they say as logits and as probabilities.

A head that ends in Sigmoid or Softmax gives probabilities; a second sigmoid would make every image of a binary
classifier one of class 1. Each pass is therefore reduced in both ways at once, on the device and without waiting
for it, with what tells the two apart; which way counts is decided when the whole validation has been seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dtui.errors import RecorderError
from dtui.model import FloatArray
from dtui.record.hooks import QuietHook
from dtui.record.targets import Place, UnusableLoaderError, pick
from dtui.record.warn import warn_once

LOGITS, PROBABILITIES = "logits", "probabilities"
KINDS = (LOGITS, PROBABILITIES)
"""Also the order of the columns of `Predicted`."""
NO_LABEL = -1
"""Of an image whose outputs hold a NaN."""

_PROBABILITY_MODULES = (nn.Sigmoid, nn.Softmax, nn.Softmax2d)
_PROBABILITY_OPERATIONS = {"Sigmoid", "Softmax", "SafeSoftmax"}
_LOGIT_OPERATIONS = {"Addmm", "Mm", "Bmm", "Mv", "Linear", "Convolution", "LogSoftmax"}
_PASSED = {
    *("View", "UnsafeView", "Reshape", "ReshapeAlias", "Squeeze", "Unsqueeze", "Expand", "Permute", "T", "Transpose"),
    *("ToCopy", "Alias", "Clone", "Select", "Slice", "Clamp", "_DDPSink"),
}
_SCALED = {"Mul", "Div", "Add", "Sub"}
"""Of logits they make logits; of probabilities anything."""
_MOST_PASSED = 32
_INSIDE = 1e-4
"""How far a probability may lie beyond 0 and 1 by rounding."""


@dataclass(eq=False, slots=True)
class Predicted:
    """One forward pass of n images, still on the device.

    Attributes:
        labels: Shape (n, 2), int64: as logits, as probabilities; NO_LABEL where an output is NaN.
        confidences: Probability of the label, shape (n, 2), float; NaN where an output is.
        looks: Shape (3,), float32: smallest and largest output, and the largest distance of a sum over the classes from
            one, in units of what rounding explains; NaN left out.
        outputs: Number of outputs an image; one tells two classes apart.
        batches: Batches that the loader had given out by then.
        ends_in: LOGITS or PROBABILITIES where the last operation was seen, else "".
    """

    labels: Tensor
    confidences: Tensor
    looks: Tensor
    outputs: int
    batches: int
    ends_in: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tells logits from probabilities in one validation, over all processes.

    Attributes:
        low: Smallest output.
        high: Largest output.
        off: As the third of `Predicted.looks`.
        ends_in: As of `Predicted`, where all passes agree.
    """

    low: float
    high: float
    off: float
    ends_in: str = ""

    @classmethod
    def of(cls, looks: FloatArray, ends_in: set[str]) -> Self:
        """Put the passes together, shape (passes, 3)."""
        low, high, off = float(looks[:, 0].min()), float(looks[:, 1].max()), float(looks[:, 2].max())
        return cls(low, high, off, next(iter(ends_in)) if len(ends_in) == 1 else "")

    @property
    def is_inside(self) -> bool:
        """Whether every output could be a probability."""
        return self.low >= -_INSIDE and self.high <= 1 + _INSIDE

    def proven(self, outputs: int) -> str:
        """Return what the outputs are beyond doubt, "" where both may be."""
        if not self.is_inside:
            return LOGITS
        if outputs > 1 and self.off <= 1:
            return PROBABILITIES
        return self.ends_in


def check_outputs(outputs: str | None) -> str | None:
    """Return what the user says the outputs are.

    Raises:
        RecorderError: It is no such word.
    """
    if outputs is not None and outputs not in KINDS:
        raise RecorderError(f"outputs={outputs!r}: give {LOGITS!r}, {PROBABILITIES!r}, or None to have it recognised")
    return outputs


class OutputKind:
    """Whether the outputs of a run's model are logits or probabilities: said, seen, or else assumed and told."""

    def __init__(self, given: str | None) -> None:
        """Begin with what the user says they are, None for nothing."""
        self._given = given
        self._kind = ""
        self._trained = ""
        self._handle: RemovableHandle | None = None

    def listen(self, model: nn.Module) -> None:
        """Look at the next pass of a model that has a gradient. A compiled one would be compiled again: left alone."""
        self.detach()
        if self._given is None and not is_compiled(model):
            self._handle = model.register_forward_hook(QuietHook(self._see))

    def detach(self) -> None:
        """Look no longer."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _see(self, module: nn.Module, args: Any, output: Any) -> None:
        try:
            scores = find_scores(output, None, is_told=False)
        except UnusableLoaderError:
            self.detach()
            return
        if scores.grad_fn is not None:
            self._trained = last_operation(scores)
            self.detach()

    def decide(self, evidence: Evidence, outputs: int, iteration: int) -> str:
        """Return LOGITS or PROBABILITIES; the same for all validations of a run, or the change is told.

        Args:
            evidence: Of this validation.
            outputs: Number of outputs an image.
            iteration: Of this validation.

        Raises:
            UnusableLoaderError: Probabilities were promised, and there are outputs that are none.
        """
        if self._given is not None:
            if self._given == PROBABILITIES and not evidence.is_inside:
                raise UnusableLoaderError(
                    f"validation: outputs from {evidence.low:.3g} to {evidence.high:.3g} are no probabilities; give "
                    'outputs="logits", or leave it out'
                )
            return self._given
        kind = evidence.proven(outputs) or self._kind or self._guess(evidence, outputs)
        if self._kind and kind != self._kind:
            warn_once(
                "outputs changed",
                f"iteration {iteration}: the outputs are {kind} from here on; validations before were judged as if "
                f'they were {self._kind}; give outputs="{kind}" if they were not',
            )
        self._kind = kind
        return kind

    def _guess(self, evidence: Evidence, outputs: int) -> str:
        if evidence.high == evidence.low and outputs > 1:  # a head that begins with zeros
            return LOGITS
        if self._trained == PROBABILITIES:
            return PROBABILITIES
        kind = self._trained or PROBABILITIES
        why = "as in training" if self._trained else "for all lie between 0 and 1"
        other = KINDS[1 - KINDS.index(kind)]
        warn_once(
            "outputs", f'validation: the outputs are taken as {kind}, {why}; give outputs="{other}" if they are not'
        )
        return kind


def is_compiled(model: nn.Module) -> bool:
    """Whether a hook on the model, or on a module in it, would have it compiled again."""
    return any(
        "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )


def last_operation(scores: Tensor) -> str:
    """Return what the last operation makes scores, by the graph of their gradient; "" where it does not tell."""
    node: Any = scores.grad_fn
    is_scaled = False
    for _ in range(_MOST_PASSED):
        name = type(node).__name__.partition("Backward")[0]
        if name in _PROBABILITY_OPERATIONS:
            return "" if is_scaled else PROBABILITIES
        if name in _LOGIT_OPERATIONS:
            return LOGITS
        is_scaled |= name in _SCALED
        if not (name in _PASSED or name in _SCALED) or not node.next_functions:
            break
        node = node.next_functions[0][0]
    return ""


class LastModules:
    """Sees whether what a model returns is what a Sigmoid or Softmax module in it returned, in evaluation too."""

    def __init__(self, model: nn.Module) -> None:
        """Attach to such modules."""
        found = () if is_compiled(model) else model.modules()
        self._handles = [
            module.register_forward_hook(QuietHook(self._see))
            for module in found
            if isinstance(module, _PROBABILITY_MODULES)
        ]
        self._last: Tensor | None = None

    def detach(self) -> None:
        """Take every hook off."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._last = [], None

    def _see(self, module: nn.Module, args: Any, output: Any) -> None:
        self._last = output  # held until the pass ends, so that no other tensor can have its memory

    def told(self, scores: Tensor) -> str:
        """Return what the pass that has just ended tells of its scores, "" if nothing."""
        last, self._last = self._last, None
        if last is not None and _shares_memory(last, scores):
            return PROBABILITIES
        return last_operation(scores)


def _shares_memory(one: Tensor, other: Tensor) -> bool:
    try:
        return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr() != 0
    except Exception:  # noqa: BLE001 - tensors without memory of their own
        return one is other


def rows_of(args: Any, kwargs: Mapping[str, Any]) -> int | None:
    """Return how many images a model was called with, as far as its first tensor tells; None where there is none."""
    tensors = (part for part in (*args, *kwargs.values()) if isinstance(part, Tensor) and part.dim())
    first = next(tensors, None)
    return None if first is None else len(first)


def find_scores(output: Any, count: int | None, place: Place | None = None, *, is_told: bool = True) -> Tensor:
    """Return the class scores in a model's output, shape (images, outputs).

    Args:
        output: A tensor, or what holds one: under `logits`, else its first tensor of that shape.
        count: Images in the call, where it is known.
        place: Where the scores are; None looks for them.
        is_told: Whether it is told where several tensors could be meant; else there are none then.

    Raises:
        UnusableLoaderError: There are none.
    """
    if place is not None:
        output = pick(output, place)
    if isinstance(output, Mapping) and isinstance(output.get("logits"), Tensor):
        output = output["logits"]
    elif isinstance(getattr(output, "logits", None), Tensor):
        output = output.logits
    elif not isinstance(output, Tensor):
        output = _first_scores(output, count, is_told)
    if not isinstance(output, Tensor):
        raise UnusableLoaderError("validation: the model's output holds no class scores of shape (images, classes)")
    return _as_rows(output, count)


def _first_scores(output: Any, count: int | None, is_told: bool) -> Tensor | None:
    parts = [
        (where, part) for where, part in _parts_of(output) if isinstance(part, Tensor) and part.is_floating_point()
    ]
    found = [(where, part) for where, part in parts if part.dim() == 2 and count in (None, len(part))]
    found = found or [(where, part) for where, part in parts if part.dim() == 2]
    found = found or [(where, part) for where, part in parts if part.dim() and count in (None, len(part))]
    if len(found) > 1 and not is_told:
        return None
    if len(found) > 1:
        shapes = ", ".join(f"{where} {tuple(part.shape)}" for where, part in found)
        warn_once(
            "scores",
            f"validation: the model returns {shapes}; the first is taken as the class scores; name them by "
            "recorder.validation(loader, scores=…), an index, a key or a function of the output",
        )
    return found[0][1] if found else None


def _parts_of(output: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(output, Mapping):
        yield from ((f"[{name!r}]", part) for name, part in output.items())
    elif isinstance(output, Sequence):
        yield from ((f"[{place}]", part) for place, part in enumerate(output))
    elif is_dataclass(output):
        yield from ((f".{field.name}", getattr(output, field.name)) for field in fields(output))


def _as_rows(scores: Tensor, count: int | None) -> Tensor:
    """Return scores as a matrix: (n,) is one output an image, (n, classes, 1, 1) loses its ones."""
    if not (scores.is_floating_point() or scores.is_quantized):
        raise UnusableLoaderError(
            f"validation: the model returns {scores.dtype}, need class scores of a real float type"
        )
    if scores.dim() < 2:
        is_one_image = count == 1 and scores.numel() > 1  # squeezed where the batch has one image
        return scores.reshape(1, -1) if is_one_image else scores.reshape(-1, 1)
    if scores.dim() > 2 and all(side == 1 for side in scores.shape[2:]):
        scores = scores.flatten(1)
    if scores.dim() != 2:
        raise UnusableLoaderError(f"validation: class scores of shape {tuple(scores.shape)}, need (images, classes)")
    return scores


@torch.no_grad()
def predict(scores: Tensor, batches: int, ends_in: str = "") -> Predicted:
    """Reduce class scores, shape (n, outputs), to labels and their probabilities, without waiting for the device."""
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
        top = values.gather(1, label)
        softmax = (top - values.logsumexp(1, keepdim=True)).exp()
        softmax = torch.where(top == torch.inf, 1.0, softmax)
        labels, confidences = label.expand(-1, 2), torch.cat([softmax, top.clamp(0, 1)], 1)
    is_nan = values.isnan().any(1)
    labels = torch.where(is_nan[:, None], NO_LABEL, labels)
    known = torch.where(is_nan[:, None], 0.5, values)
    off = torch.where(is_nan, 0, (known.sum(1) - 1).abs() / tolerance)
    looks = torch.stack([known.amin(), known.amax(), off.amax()]).float() if len(values) else _nothing(values)
    return Predicted(labels, confidences, looks, values.shape[1], batches, ends_in)


def _nothing(values: Tensor) -> Tensor:
    return torch.tensor([0.5, 0.5, 0.0], device=values.device)


def as_array(parts: Sequence[Tensor]) -> np.ndarray[Any, Any]:
    """Return tensors one after the other as an array on the host."""
    return torch.cat([part.cpu() for part in parts]).numpy()
