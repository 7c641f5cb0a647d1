"""Finds the model that an optimizer trains: the outermost module that has its parameters.

Owns the rule for what is one training, and what is two.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from dtui.record.network.layers import find_layers, kind_of, unwrap


class NotFoundError(ValueError):
    """It cannot be told which model is trained; the text says why."""


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """A training that was found.

    Attributes:
        model: The outermost module.
        optimizers: Those that update its parameters, the one that made the first update first.
        left_out: Trained parameters of these optimizers that are in other modules.
    """

    model: nn.Module
    optimizers: tuple[Optimizer, ...]
    left_out: int = 0


def trained(optimizers: Iterable[Optimizer]) -> set[int]:
    """Return the identities of the parameters that optimizers update."""
    return {id(one) for optimizer in optimizers for group in optimizer.param_groups for one in group["params"]}


def parameters_of(module: nn.Module) -> set[int]:
    """Return the identities of a module's own parameters; tensors that it is given for one call are not its own."""
    return {id(parameter) for parameter in module.parameters() if isinstance(parameter, nn.Parameter)}


def apart(optimizers: Sequence[Optimizer]) -> list[Optimizer]:
    """Return optimizers that share no parameters, the first of those that do: others are inside it, or made anew."""
    chosen: list[Optimizer] = []
    for optimizer in optimizers:
        if not trained(chosen) & trained([optimizer]):
            chosen.append(optimizer)
    return chosen


def has_all(module: nn.Module, optimizers: Sequence[Optimizer]) -> bool:
    """Whether a module has all that the optimizers update, and layers to record."""
    wanted = trained(optimizers)
    return bool(wanted) and wanted <= parameters_of(module) and bool(find_layers(module))


def find_training(first: Optimizer, others: Sequence[Optimizer], called: Sequence[nn.Module]) -> Found:
    """Return the training that an optimizer belongs to, when it is about to make its first update.

    Args:
        first: That optimizer.
        others: All other optimizers that exist.
        called: Modules that were called in training, the outermost ones.

    Raises:
        NotFoundError: No module has its parameters, or another optimizer trains another model.
    """
    tops = _outermost(modules_of_process())
    wanted = trained([first])
    model = _best(wanted, called, tops)
    if model is None:
        raise NotFoundError(f"no torch module with layers has the parameters of the {type(first).__name__}")
    own = parameters_of(model)
    with_it = [first]
    for other in others:
        if trained([other]) & own:
            with_it.append(other)
            continue
        rival = _best(trained([other]), called, tops)
        if rival is not None and unwrap(rival) is not unwrap(model):
            kinds = f"a {kind_of(unwrap(model))} and a {kind_of(unwrap(rival))}"
            raise NotFoundError(
                f"two models are trained, {kinds}, and a run holds one; to join them, "
                "model = torch.nn.ModuleDict({'one': …, 'other': …}) and optimizer = [of_one, of_other]"
            )
    return Found(model, tuple(with_it), len(wanted - own))


def modules_of_process() -> list[nn.Module]:
    """Return every module that exists. No attribute of anything else is read: some objects run code when asked."""
    return [thing for thing in gc.get_objects() if issubclass(type(thing), nn.Module)]


def optimizers_around(inner: Iterable[Optimizer]) -> list[Optimizer]:
    """Return all optimizers that share parameters with some: torch may not have told that they were made."""
    wanted = trained(inner)
    living = [thing for thing in gc.get_objects() if issubclass(type(thing), Optimizer)]
    return [one for one in living if "param_groups" in one.__dict__ and trained([one]) & wanted]


def _outermost(modules: Sequence[nn.Module]) -> list[nn.Module]:
    """Return the modules that no other one holds."""
    held = {id(child) for module in modules for child in module.__dict__.get("_modules", {}).values()}
    return [module for module in modules if id(module) not in held and "_modules" in module.__dict__]


def _best(wanted: set[int], called: Sequence[nn.Module], tops: Sequence[nn.Module]) -> nn.Module | None:
    """Return the module that holds most of some parameters, None if no module with layers holds any.

    One that was called comes before others, a tight one before a wide one.
    """
    best, rank = None, (0, False, 0)
    for is_called, modules in ((True, called), (False, tops)):
        for module in modules:
            own = parameters_of(module)
            here = (len(wanted & own), is_called, -len(own))
            if here[0] and here > rank and find_layers(module):
                best, rank = module, here
    return best
