"""Faults of the network itself: weights, biases, normalisation."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.truth.corpus.faults import Fault, Kind, Target


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
        owner.bias[list(fault.filters)] = -20.0 if len(fault.layers) > 1 else -100.0  # far below what comes in
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
