"""Says which parameters of a module are weights that are recorded, and reads them as the network uses them.

Owns the rule for parameters that a module holds itself instead of in a layer: the projections of attention, the gates
of recurrent layers, the experts of a mixture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

WEIGHT = "weight"
_ADDED = re.compile("pos|bias|embed|token|table|mask", re.IGNORECASE)
"""In the name of a parameter that is added or looked up: it multiplies nothing."""
_NO_MATRICES_IN = nn.Embedding, nn.EmbeddingBag, torch.jit.ScriptModule
"""What these hold is looked up, or cannot be seen."""
_NOT_MATRICES = re.compile("Embed|(Batch|Instance|Layer|Group|RMS)Norm")
"""In the class name of a module whose parameters are looked up, or scale channels."""


def is_layer(module: nn.Module) -> bool:
    """Whether a module's weight is recorded: convolutions of every kind and fully connected layers."""
    return isinstance(module, _ConvNd | nn.Linear) or is_filters_last(module)


def is_filters_last(module: nn.Module) -> bool:
    """Whether it is the fully connected layer of GPT-2 in transformers, which stores (inputs, outputs)."""
    kind = type(module)
    return kind.__name__ == "Conv1D" and kind.__module__ == "transformers.pytorch_utils"


def weight_names(module: nn.Module) -> tuple[str, ...]:
    """Return the names of a module's recorded weights, in order.

    They are "weight" for a layer. Of any other module they are the parameters of its own that have two rows or more of
    two elements or more (attention's `in_proj_weight`, `weight_ih_l0`, experts), but no embeddings, norms and biases.
    """
    if is_layer(module):
        return (WEIGHT,)
    if isinstance(module, _NO_MATRICES_IN) or _NOT_MATRICES.search(type(module).__name__):
        return ()
    made = getattr(module, "parametrizations", None)
    names = [_used_name(module, name) for name in module._parameters]
    names += made if isinstance(made, nn.ModuleDict) else ()
    return tuple(name for name in names if not _ADDED.search(name) and any(map(_is_matrix, made_from(module, name))))


def _used_name(module: nn.Module, name: str) -> str:
    """Return the name of the weight that a parameter of the older weight or spectral norm belongs to."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm | SpectralNorm) and name in (f"{hook.name}_v", f"{hook.name}_orig"):
            return hook.name
    return name


def _is_matrix(parameter: Tensor) -> bool:
    if is_lazy(parameter) or not parameter.is_floating_point() or parameter.dim() < 2:
        return False
    return parameter.shape[0] >= 2 and parameter.shape[1:].numel() >= 2


def effective_weight(module: nn.Module, name: str = WEIGHT) -> Tensor:
    """Return a weight that the network uses, detached: computed, where it is parametrized."""
    if (made := _parametrization(module, name)) is not None:
        with _in_evaluation(made), torch.no_grad():
            return _tensor(getattr(module, name)).detach()
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            with torch.no_grad():
                return _tensor(hook.compute_weight(module)).detach()
        if isinstance(hook, SpectralNorm) and hook.name == name:
            with torch.no_grad():
                return hook.compute_weight(module, do_power_iteration=False).detach()
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            with torch.no_grad():
                return _tensor(hook.apply_mask(module)).detach()  # type: ignore[no-untyped-call]
    return _tensor(getattr(module, name)).detach()


def weight_identity(module: nn.Module, name: str = WEIGHT) -> int | None:
    """Return what a weight is known by, however it is computed; None if the module has none of that name."""
    made = _parametrization(module, name)
    if made is not None:
        return id(next(made.parameters(), made))
    for own in (name, f"{name}_v", f"{name}_orig"):
        parameter = module._parameters.get(own)
        if parameter is not None:
            return id(parameter)
    return None


def made_from(module: nn.Module, name: str = WEIGHT) -> list[Tensor]:
    """Return the parameters from which a weight is computed, or the weight itself."""
    made = _parametrization(module, name)
    if made is not None:
        return list(made.parameters())
    own = (module._parameters.get(f"{name}{end}") for end in ("", "_g", "_v", "_orig"))
    return [parameter for parameter in own if parameter is not None]


def _parametrization(module: nn.Module, name: str) -> nn.Module | None:
    made = getattr(module, "parametrizations", None)
    return made[name] if isinstance(made, nn.ModuleDict) and name in made else None


@contextmanager
def _in_evaluation(module: nn.Module) -> Iterator[None]:
    """Read a parametrization as in evaluation: in training, reading changes the buffers of spectral norm."""
    flags = [(part, part.training) for part in module.modules()]
    try:
        for part, _ in flags:
            part.training = False
        yield
    finally:
        for part, training in flags:
            part.training = training


def _tensor(value: Any) -> Tensor:
    """Return a tensor as it is; `torch.as_tensor` would move it to torch's default device."""
    return value if isinstance(value, Tensor) else torch.as_tensor(value)
