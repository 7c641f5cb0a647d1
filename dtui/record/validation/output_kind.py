"""Decides whether a model returns logits or probabilities: the user says it, it is seen, or assumed with a warning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dtui.errors import RecorderError
from dtui.model import FloatArray
from dtui.record.network.hooks import QuietHook
from dtui.record.validation.scores import find_scores
from dtui.record.validation.targets import UnusableLoaderError
from dtui.record.writing.warn import warn_once

LOGITS, PROBABILITIES = "logits", "probabilities"
KINDS = (LOGITS, PROBABILITIES)
"""Also the order of the columns of `Predicted`."""
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for logits or probabilities in one validation, over all processes.

    Attributes:
        low: Smallest output.
        high: Largest output.
        off: As the third number of `Predicted.looks`.
        ends_in: As in `Predicted`, if all passes agree.
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
        """Return the proven kind of outputs, "" if both are possible."""
        if not self.is_inside:
            return LOGITS
        if outputs > 1 and self.off <= 1 and self.low < self.high:  # NaN counts as one value inside, and proves nothing
            return PROBABILITIES
        return self.ends_in


def check_outputs(outputs: str | None) -> str | None:
    """Return the kind of outputs that the user gave.

    Raises:
        RecorderError: It is not one of the two words.
    """
    if outputs is not None and outputs not in KINDS:
        raise RecorderError(f"outputs={outputs!r}: give {LOGITS!r}, {PROBABILITIES!r}, or None to have it recognised")
    return outputs


class OutputKind:
    """The kind of outputs of a run's model, kept from one validation to the next."""

    def __init__(self, given: str | None) -> None:
        """Begin with the kind that the user gave, or None."""
        self._given = given
        self._kind = ""
        self._is_assumed = False
        self._trained = ""
        self.is_launched = False
        """Whether `dtui run` records, so that no line of the script can give outputs=…."""
        self._handle: RemovableHandle | None = None

    def listen(self, model: nn.Module) -> None:
        """Watch the next pass with a gradient. A compiled model is left alone, because a hook would recompile it."""
        self.detach()
        if self._given is None and not is_compiled(model):
            self._handle = model.register_forward_hook(QuietHook(self._see))

    def detach(self) -> None:
        """Stop watching."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _see(self, module: nn.Module, args: Any, output: Any) -> None:
        try:
            scores = find_scores(output, None, choosing=None)
        except UnusableLoaderError:
            self.detach()
            return
        if scores.grad_fn is not None:
            self._trained = last_operation(scores)
            self.detach()

    def decide(self, evidence: Evidence, outputs: int, iteration: int) -> str:
        """Return LOGITS or PROBABILITIES; the same for all validations of a run, or with a warning about the change.

        Args:
            evidence: Evidence of this validation.
            outputs: Number of outputs per image.
            iteration: Iteration of this validation.

        Raises:
            UnusableLoaderError: The user said probabilities, but some outputs are not.
        """
        if self._given is not None:
            if self._given == PROBABILITIES and not evidence.is_inside:
                raise UnusableLoaderError(
                    f"validation: outputs from {evidence.low:.3g} to {evidence.high:.3g} are not probabilities; give "
                    'outputs="logits", or leave it out'
                )
            return self._given
        kind = evidence.proven(outputs) or ("" if self._is_assumed else self._kind)
        if not kind and evidence.high == evidence.low and outputs > 1:
            return self._kind or LOGITS  # a head that begins with zeros tells nothing
        self._is_assumed = not kind and self._trained != PROBABILITIES
        kind = kind or self._assume()
        if self._kind and kind != self._kind:
            warn_once(
                "outputs changed",
                f"iteration {iteration}: the outputs are {kind} from here on; validations before were judged as if "
                f"they were {self._kind}; {self._remedy(kind)}",
            )
        self._kind = kind
        return kind

    def _assume(self) -> str:
        if self._trained == PROBABILITIES:
            return PROBABILITIES
        kind = self._trained or PROBABILITIES
        why = "as in training" if self._trained else "for all lie between 0 and 1"
        other = KINDS[1 - KINDS.index(kind)]
        if not (self.is_launched and self._trained):  # nobody asked, and a pass in training has shown it
            warn_once("outputs", f"validation: the outputs are taken as {kind}, {why}; {self._remedy(other)}")
        return kind

    def _remedy(self, kind: str) -> str:
        if self.is_launched:
            return f'a recorder of your own says otherwise with outputs="{kind}"'
        return f'give outputs="{kind}" if they {"were" if self._kind else "are"} not'


def is_compiled(model: nn.Module) -> bool:
    """Whether a hook on the model, or on a module in it, would cause a recompilation."""
    return any(
        "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )


def last_operation(scores: Tensor) -> str:
    """Return the kind of scores that the last operation makes, from their gradient graph; "" if that is unclear."""
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
    """Detects, also in evaluation, that a model returns the output of a Sigmoid or Softmax module in it."""

    def __init__(self, model: nn.Module) -> None:
        found = () if is_compiled(model) else model.modules()
        self._handles = [
            module.register_forward_hook(QuietHook(self._see))
            for module in found
            if isinstance(module, _PROBABILITY_MODULES)
        ]
        self._last: Tensor | None = None

    def detach(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._last = [], None

    def _see(self, module: nn.Module, args: Any, output: Any) -> None:
        self._last = output  # held until the pass ends, so that no other tensor can have its memory

    def told(self, scores: Tensor) -> str:
        """Return the kind of scores of the pass that has just ended, "" if unknown."""
        last, self._last = self._last, None
        if last is not None and _shares_memory(last, scores):
            return PROBABILITIES
        return last_operation(scores)


def _shares_memory(one: Tensor, other: Tensor) -> bool:
    try:
        return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr() != 0
    except Exception:  # noqa: BLE001 - tensors without memory of their own
        return one is other
