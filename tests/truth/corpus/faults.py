"""What goes wrong on purpose: each kind of fault, what it hits, and which causes an incident may rightly name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]
"""Images and labels."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one training.

    Attributes:
        kind: Key of `KINDS`.
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

    name, causes, records = "dropped class", ("class",), (6, 12)

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


# --- weights


def _some(random: np.random.Generator, count: int, share: float) -> tuple[int, ...]:
    return tuple(sorted(map(int, random.choice(count, max(1, round(count * share)), replace=False))))


class DeadFilters(Kind):
    """A bias falls so far that filters never give anything again."""

    name, causes = "dead filters", ("dead",)

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        layer = str(random.choice(list(target.activated)))
        return {
            "layers": (layer,) if layer not in target.batch_norms else (layer, target.norms[layer]),
            "filters": _some(random, target.layers[layer], float(random.choice([0.25, 0.5]))),
        }

    @torch.no_grad()
    def strike(self, fault: Fault, model: nn.Module) -> None:
        owner = model.get_submodule(fault.layers[-1])
        owner.bias[list(fault.filters)] = -20.0
        if len(fault.layers) > 1:
            owner.weight[list(fault.filters)] *= 0.01


class _Flips(Kind):
    """Bits of the exponent of weights turn from 0 to 1; of a filter that weight is hit which grows most by it."""

    bits: tuple[int, ...] = ()

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        layer = str(random.choice(list(target.layers)))
        return {
            "layers": (layer,),
            "filters": self._filters(random, target.layers[layer]),
            "amount": float(random.choice(self.bits)),
        }

    def _filters(self, random: np.random.Generator, count: int) -> tuple[int, ...]:
        return (int(random.integers(count)),)

    @torch.no_grad()
    def strike(self, fault: Fault, model: nn.Module) -> None:
        weight = model.get_parameter(f"{fault.layers[0]}.weight")
        for index in fault.filters:
            row = weight[index].flatten()
            flipped = (row.view(torch.int32) ^ (1 << int(fault.amount))).view(torch.float32)
            growth = torch.nan_to_num(flipped.abs() - row.abs(), nan=-1.0)
            place = int(growth.argmax())
            row[place] = flipped[place]
            weight[index] = row.view_as(weight[index])


class SmallFlip(_Flips):
    """A weight becomes two or four times as large."""

    name, causes, bits = "bit flip, small", ("filter",), (23, 24)


class LargeFlip(_Flips):
    """A weight becomes 16 or 256 times as large."""

    name, causes, bits = "bit flip, large", ("filter",), (25, 26)


class HugeFlip(_Flips):
    """A weight becomes 10³⁸ times as large."""

    name, causes, bits, is_fatal = "bit flip, huge", ("filter", "nonfinite"), (30,), True


class SeveralFlips(_Flips):
    """Weights of three to six filters of a layer become 4 to 256 times as large."""

    name, causes, bits = "several bit flips", ("filter", "layer"), (24, 25, 26)

    def _filters(self, random: np.random.Generator, count: int) -> tuple[int, ...]:
        return tuple(sorted(map(int, random.choice(count, int(random.integers(3, 7)), replace=False))))


class NotANumber(Kind):
    """A weight becomes NaN."""

    name, causes, is_fatal = "NaN", ("nonfinite",), True

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        layer = str(random.choice(list(target.layers)))
        return {"layers": (layer,), "filters": (int(random.integers(target.layers[layer])),)}

    @torch.no_grad()
    def strike(self, fault: Fault, model: nn.Module) -> None:
        model.get_parameter(f"{fault.layers[0]}.weight")[fault.filters[0]].view(-1)[0] = torch.nan


class ScaledLayer(Kind):
    """All weights of a layer become several times as large, which saturates what follows."""

    name, causes = "scaled layer", ("layer",)

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        factors = [4, 10] if target.is_normalised else [3, 5]
        return {"layers": (str(random.choice(list(target.layers))),), "amount": float(random.choice(factors))}

    @torch.no_grad()
    def strike(self, fault: Fault, model: nn.Module) -> None:
        model.get_parameter(f"{fault.layers[0]}.weight").mul_(fault.amount)


class NewLayer(Kind):
    """The weights of a layer are drawn anew."""

    name, causes = "layer drawn anew", ("layer",)

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        return {"layers": (str(random.choice(list(target.layers))),)}

    def strike(self, fault: Fault, model: nn.Module) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(fault.seed)
            model.get_submodule(fault.layers[0]).reset_parameters()


# --- normalisation


class BrokenStatistics(Kind):
    """The running mean and variance of a batch normalisation are those of other data."""

    name, causes, needs = "running statistics broken", ("norm",), "batch"

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        layer = str(random.choice(list(target.batch_norms)))
        return {"layers": (layer, target.norms[layer]), "amount": float(random.choice([0.03, 30.0]))}

    @torch.no_grad()
    def strike(self, fault: Fault, model: nn.Module) -> None:
        norm = model.get_submodule(fault.layers[1])
        norm.running_mean += 3 * norm.running_var.sqrt()
        norm.running_var *= fault.amount


class ZeroGamma(Kind):
    """The scales of a normalisation become zero."""

    name, causes, needs = "gamma zeroed", ("norm", "dead"), "any"

    def _drawn(self, random: np.random.Generator, target: Target) -> dict:
        layer = str(random.choice(list(target.norms)))
        return {"layers": (layer, target.norms[layer]), "amount": float(random.choice([0.5, 1.0])), "becomes": 0}

    @torch.no_grad()
    def strike(self, fault: Fault, model: nn.Module) -> None:
        weight = model.get_parameter(f"{fault.layers[1]}.weight")
        weight[_some(np.random.default_rng(fault.seed), len(weight), fault.amount),] = 0.0


KINDS = {
    kind.name: kind
    for kind in (
        PoisonedLabels(),
        DroppedClass(),
        ShuffledLabels(),
        WronglyNormalisedInputs(),
        RateSpike(),
        RateLeftHigh(),
        ExplodingGradient(),
        FrozenLayer(),
        DeadFilters(),
        SmallFlip(),
        LargeFlip(),
        HugeFlip(),
        SeveralFlips(),
        NotANumber(),
        ScaledLayer(),
        NewLayer(),
        BrokenStatistics(),
        ZeroGamma(),
    )
}
