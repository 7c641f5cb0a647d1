"""Faults of what a network is trained with: data, labels, learning rate, gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tests.truth.corpus.faults import Batch, Fault, Kind, Target

# --- data and labels


class PoisonedLabels(Kind):
    """All images of one class are called another."""

    name, causes, records = "poisoned labels", ("class",), (3, 8)

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        label, becomes = random.choice(target.classes, 2, replace=False)
        return {"classes": (int(label),), "becomes": int(becomes)}

    def batch(self, fault: Fault, batch: Batch, iteration: int) -> Batch:
        images, labels = batch
        return images, torch.where(labels == fault.classes[0], fault.becomes, labels)


class DroppedClass(Kind):
    """One class is missing from the training."""

    name, causes, records = "dropped class", ("class",), (10, 16)

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        return {"classes": (int(random.integers(target.classes)),)}

    def batch(self, fault: Fault, batch: Batch, iteration: int) -> Batch:
        images, labels = batch
        kept = labels != fault.classes[0]
        return (images[kept], labels[kept]) if kept.any() else batch


class ShuffledLabels(Kind):
    """Labels belong to other images of the batch."""

    name, causes, records = "shuffled labels", ("loss", "network"), (1, 5)

    def batch(self, fault: Fault, batch: Batch, iteration: int) -> Batch:
        order = np.random.default_rng((fault.seed, iteration)).permutation(len(batch[1]))
        return batch[0], batch[1][torch.from_numpy(order)]


class WronglyNormalisedInputs(Kind):
    """Images are scaled and shifted."""

    name, causes, records = "inputs normalised wrongly", ("inputs", "norm", "loss", "network"), (2, 6)

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        return {"amount": float(random.choice([0.3, 2.5])), "becomes": int(random.choice([-1, 1]))}

    def batch(self, fault: Fault, batch: Batch, iteration: int) -> Batch:
        return batch[0] * fault.amount + fault.becomes, batch[1]


# --- the optimizer


class RateSpike(Kind):
    """The learning rate is many times too high for one to three updates."""

    name, causes = "learning-rate spike", ("update",)

    def draw(self, random: np.random.Generator, target: Target, begin: int, every: int) -> Fault:
        amount = float(random.choice([8, 15, 30] if target.is_normalised else [4, 8, 12]))
        return Fault(self.name, begin, begin + int(random.integers(3)), amount=amount)

    def rate(self, fault: Fault, rate: float) -> float:
        return rate * fault.amount


class RateLeftHigh(RateSpike):
    """The learning rate is some times too high, and stays so for long."""

    name, causes = "learning rate left too high", ("update",)

    def draw(self, random: np.random.Generator, target: Target, begin: int, every: int) -> Fault:
        amount = float(random.choice([5, 10] if target.is_normalised else [3, 5]))
        return Fault(self.name, begin, begin + int(random.integers(10, 17)) * every - 1, amount=amount)


class ExplodingGradient(Kind):
    """The loss is scaled, and with it every gradient, for one to three updates."""

    name, causes = "exploding gradient", ("gradient",)

    def draw(self, random: np.random.Generator, target: Target, begin: int, every: int) -> Fault:
        amount = float(random.choice([30, 100, 300] if target.is_normalised else [10, 20, 40]))
        return Fault(self.name, begin, begin + int(random.integers(3)), amount=amount)

    def loss(self, fault: Fault, loss: Tensor) -> Tensor:
        return loss * fault.amount


class FrozenLayer(Kind):
    """A layer gets no gradient any more, and stays as it is."""

    name, causes, records = "frozen layer", ("frozen",), (10, 16)

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        return {"layers": (str(random.choice(list(target.layers))),)}

    def strike(self, fault: Fault, model: nn.Module) -> None:
        self._let(fault, model, False)

    def leave(self, fault: Fault, model: nn.Module) -> None:
        self._let(fault, model, True)

    def _let(self, fault: Fault, model: nn.Module, trains: bool) -> None:
        for parameter in model.get_submodule(fault.layers[0]).parameters():
            parameter.requires_grad_(trains)
            parameter.grad = None
