"""What goes wrong on purpose: a fault, what of a network it can hit, and what a kind of fault is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]
"""Images and labels."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one training.

    Attributes:
        kind: Name of its kind, see `kinds.KINDS`.
        begin: First iteration that it acts on.
        end: Last iteration that it acts on; what it did to weights stays.
        layers: Names that are right for where it happened, that of the weights first; empty where it is nowhere.
        filters: Of the first layer.
        classes: Labels that it hits; empty where it hits all.
        amount: How much, in the kind's own unit.
        becomes: Label that takes a poisoned one's place.
        seed: Of what is drawn while it acts.
    """

    kind: str
    begin: int
    end: int
    layers: tuple[str, ...] = ()
    filters: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    amount: float = 0.0
    becomes: int = -1
    seed: int = 0

    def acts(self, iteration: int) -> bool:
        """Whether it acts on an iteration."""
        return self.begin <= iteration <= self.end


@dataclass(frozen=True, slots=True)
class Target:
    """What of a network can be hit.

    Attributes:
        layers: Filters of each layer.
        norms: The normalisation of each layer that has one: behind it, or before it for layer normalisation.
        batch_norms: Those of the layers whose normalisation keeps running statistics.
        activated: Layers whose filters die with a large negative bias.
        classes: Number of classes.
    """

    layers: dict[str, int]
    norms: dict[str, str]
    batch_norms: tuple[str, ...]
    activated: tuple[str, ...]
    classes: int

    @property
    def is_normalised(self) -> bool:
        """Whether batch normalisation keeps a large step from ruining it."""
        return bool(self.batch_norms)


def target_of(model: nn.Module, classes: int) -> Target:
    """Look at a network."""
    layers: dict[str, int] = {}
    norms: dict[str, str] = {}
    batch_norms: list[str] = []
    waiting = ""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            layers[name] = len(module.weight)
            if waiting:
                norms[name], waiting = waiting, ""
        elif isinstance(module, nn.BatchNorm2d):
            norms[next(reversed(layers))] = name
            batch_norms.append(next(reversed(layers)))
        elif isinstance(module, nn.LayerNorm):
            waiting = name
    return Target(layers, norms, tuple(batch_norms), tuple(getattr(model, "activated", ())), classes)


class Kind:
    """A kind of fault: how one is drawn, and what it does to the training at each place where it can act.

    Attributes:
        name: What tables call it.
        causes: What an incident may rightly call its cause.
        records: Fewest and most records that it lasts.
        needs: Normalisation that a network must have: "", "batch" or "any".
        is_fatal: Whether the training is over with it.
    """

    name = ""
    causes: tuple[str, ...] = ()
    records = (1, 1)
    needs = ""
    is_fatal = False

    def draw(self, random: np.random.Generator, target: Target, begin: int, every: int) -> Fault:
        """Draw one that begins at an iteration."""
        low, high = self.records
        updates = 1 if high == 1 else int(random.integers(low * every, high * every + 1))
        return Fault(
            self.name, begin, begin + updates - 1, seed=int(random.integers(2**31)), **self._drawn(random, target)
        )

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:  # fields of Fault
        return {}

    def batch(self, fault: Fault, batch: Batch, iteration: int) -> Batch:
        """Return what is trained with."""
        return batch

    def rate(self, fault: Fault, rate: float) -> float:
        """Return the learning rate."""
        return rate

    def loss(self, fault: Fault, loss: Tensor) -> Tensor:
        """Return what is differentiated."""
        return loss

    def strike(self, fault: Fault, model: nn.Module) -> None:
        """Do what it does to the network once, before the update of its first iteration."""

    def leave(self, fault: Fault, model: nn.Module) -> None:
        """Take back what lasts no longer, after the update of its last iteration."""
