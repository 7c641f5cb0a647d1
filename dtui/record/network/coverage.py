"""Measures which of a network's parameters are in recorded layers, and which are not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from dtui.model import Coverage, Trained, Unrecorded
from dtui.record.network.layers import LayerProbe, kind_of, walk, weight_type
from dtui.record.network.other_parameters import outside_layers, own_parameters, with_rows
from dtui.record.network.own_weights import is_layer
from dtui.record.writing.warn import reason_of, warn_once

KEPT = 32
"""Parameters that are named, the largest ones."""
LITTLE = 0.5
"""A smaller share is told when recording begins."""


def measure_coverage(root: nn.Module, probes: Sequence[LayerProbe]) -> Coverage:
    """Count the elements of a network's parameters over all processes, each parameter once.

    Args:
        root: The unwrapped network.
        probes: Its recorded layers. The weight of each counts as recorded, and so do the parameters it is computed
            from.
    """
    total = known = 0
    others: list[Unrecorded] = []
    for name, _, module, parameter, is_outside in outside_layers(root, probes):
        total += parameter.numel()
        if is_outside:
            others.append(Unrecorded(name, kind_of(module), parameter.numel()))
        else:
            known += parameter.numel()
    others.sort(key=lambda one: -one.elements)
    return Coverage(total, known, len(others), tuple(others[:KEPT]))


def measure_trained(root: nn.Module, probes: Sequence[LayerProbe]) -> Trained:
    """Return which parameters of a network are trained: those that require a gradient now."""
    elements = {
        id(parameter): parameter.numel()
        for _, module in walk(root)
        for _, parameter in own_parameters(module)
        if parameter.requires_grad and not is_lazy(parameter)
    }
    frozen = tuple(
        index for index, probe in enumerate(probes) if not any(parameter.requires_grad for parameter in probe.made_from)
    )
    return Trained(sum(elements.values()), frozen)


def try_trained(root: nn.Module, probes: Sequence[LayerProbe]) -> Trained | None:
    """Return which parameters of a network are trained; None if that fails."""
    try:
        return measure_trained(root, probes)
    except Exception as error:  # noqa: BLE001 - it is only told; the training is recorded all the same
        warn_once("trained", f"model: which of its layers are frozen is not known: {reason_of(error)}")
        return None


def try_coverage(root: nn.Module, probes: Sequence[LayerProbe], has_rows: bool = True) -> Coverage | None:
    """Return how much of a network is in recorded layers, and warn the user if it is little; None if that fails.

    Args:
        root: The unwrapped network.
        probes: Its recorded layers.
        has_rows: Whether parameters outside the layers have a row each; a run of before goes on without.
    """
    try:
        coverage = measure_coverage(root, probes)
        _tell(root, coverage, len(with_rows(root, probes)) if has_rows else 0)
    except Exception as error:  # noqa: BLE001 - it is only told; the training is recorded all the same
        warn_once("coverage", f"model: how much of it is recorded is not known: {reason_of(error)}")
        return None
    return coverage


def _hidden_parts(root: nn.Module) -> list[str]:
    """Return the names of the parts with parameters that TorchScript compiled."""
    scripts = [name for name, part in root.named_modules() if isinstance(part, torch.jit.ScriptModule)]
    above = {f"{name}." for name in scripts}
    whole = [name for name in scripts if not any(name.startswith(other) for other in above)]
    return [name for name in whole if next(root.get_submodule(name).parameters(), None) is not None]


def _tell(root: nn.Module, coverage: Coverage, rows: int) -> None:
    """Warn once that little of a network is recorded, what is missing, and which layers cannot be recorded."""
    for name, module in walk(root):
        if is_layer(module) and not weight_type(module).is_floating_point:
            kind = str(weight_type(module)).removeprefix("torch.")
            warn_once(
                f"type {name}",
                f"layer {name or kind_of(module)}: its {kind} weights are not recorded; only real ones are",
            )
    hidden = _hidden_parts(root)
    if hidden:
        warn_once(
            "hidden",
            f"model: TorchScript hides the layers of {', '.join(hidden)}, which are not recorded; leave torch.jit out "
            "to record them",
        )
    if coverage.share < LITTLE:
        warn_once(
            "coverage",
            f"model: {coverage.text(rows=rows)}; recorded by filter are convolutions, fully connected layers and "
            "matrices that modules hold themselves",
        )
