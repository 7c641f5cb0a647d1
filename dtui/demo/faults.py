"""Injects faults into the demonstration and the sample runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dtui.demo.digits import CLASSES


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is injected on purpose.

    Attributes:
        kind: "poisoned_labels", "learning_rate_spike", "dead_filters" or "bit_flip".
        iteration: When it begins.
        length: Iterations for which it lasts; a dead filter stays dead.
        label: Class whose labels are poisoned; they are replaced by `becomes`.
        becomes: See `label`.
        factor: Multiplier of the learning rate.
        layer: The affected layer; `filters` are its affected filters.
        filters: See `layer`.
    """

    kind: str
    iteration: int
    length: int = 1
    label: int = -1
    becomes: int = -1
    factor: float = 1.0
    layer: str = ""
    filters: tuple[int, ...] = ()

    def is_active(self, iteration: int) -> bool:
        """Whether the fault acts at an iteration."""
        return self.iteration <= iteration < self.iteration + self.length

    def as_note(self) -> dict[str, object]:
        """Return the fault as a note for the run's metadata."""
        note: dict[str, object] = {
            "iteration": self.iteration,
            "last": self.iteration + self.length - 1,
            "kind": self.kind,
        }
        if self.label >= 0:
            note |= {"class": CLASSES[self.label], "becomes": CLASSES[self.becomes]}
        if self.factor != 1.0:
            note["factor"] = self.factor
        if self.layer:
            note |= {"layer": self.layer, "filters": list(self.filters)}
        return note


def poison_labels(labels: Tensor, faults: Sequence[Fault], iteration: int) -> Tensor:
    """Return the labels with those replaced that active faults poison."""
    for fault in faults:
        if fault.kind == "poisoned_labels" and fault.is_active(iteration):
            labels = torch.where(labels == fault.label, fault.becomes, labels)
    return labels


@torch.no_grad()
def break_weights(model: nn.Module, faults: Sequence[Fault], iteration: int) -> None:
    """Change the weights for the faults that begin at an iteration."""
    for fault in faults:
        if fault.iteration != iteration or not fault.layer:
            continue
        filters = list(fault.filters)
        if fault.kind == "dead_filters":
            norm = model.get_submodule(fault.layer.replace("conv", "bn"))
            if isinstance(norm, nn.BatchNorm2d):
                norm.bias[filters] = -20.0
                norm.weight[filters] *= 0.01
        elif fault.kind == "bit_flip":
            weight = model.get_parameter(f"{fault.layer}.weight")
            row = weight[filters[0]].view(-1)
            row[int(row.abs().argmax())] *= 2.0**16
