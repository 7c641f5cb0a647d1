"""Checks the Recorder's arguments before the first iteration.

Owns these checks and the text of their errors.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from dtui.errors import RecorderError, RunExistsError
from dtui.model import MOST_CLASSES
from dtui.record.network.layers import LayerProbe
from dtui.record.network.outer_steps import watch_step
from dtui.run_path import with_suffix

ON_EXISTING = NUMBER, RESUME, REPLACE, REFUSE = "number", "resume", "replace", "refuse"
"""What is done where a run is already; the first is the default."""

NORMS = LAYERS, CHANNELS = "layers", "channels"
"""What is recorded of normalisation layers; the first is the default."""

_DEEPSPEED = (
    "DeepSpeed keeps weights and updates in buffers of its own; use fully_shard (FSDP2) or DistributedDataParallel"
)

OR_GO_ON = "go on with it by resume=True"


def check_period(every: int) -> None:
    """Refuse a period that is not a positive integer.

    Raises:
        RecorderError: It is not.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise RecorderError(f"every={every!r}: every must be a positive integer")


def check_norms(norms: str) -> None:
    """Refuse what normalisation layers cannot be recorded as.

    Raises:
        RecorderError: It is not one of NORMS.
    """
    if norms not in NORMS:
        raise RecorderError(f"norms={norms!r}: not known; give one of {', '.join(map(repr, NORMS))}")


def run_folder(path: str | Path) -> Path:
    """Return the absolute folder of a run for a path with or without ".dtui"; a later os.chdir does not change it.

    Raises:
        RecorderError: The path has no name.
    """
    wanted = with_suffix(path)
    if not wanted.name:
        raise RecorderError(f"{wanted}: names no run; give a path such as runs/first")
    return wanted.absolute()


def check_existing(on_existing: str | None, resume: bool | None) -> str:
    """Return what to do if the run exists already: one of ON_EXISTING.

    Raises:
        RecorderError: It is not one of them, or the two arguments disagree.
    """
    if on_existing is not None and on_existing not in ON_EXISTING:
        known = ", ".join(map(repr, ON_EXISTING))
        raise RecorderError(f"on_existing={on_existing!r}: not known; give one of {known}")
    if resume is None or (on_existing is None and not resume):
        return on_existing or NUMBER
    if on_existing is not None and resume != (on_existing == RESUME):
        raise RecorderError(
            f"resume={resume!r} and on_existing={on_existing!r} disagree; give one of them (resume=True is short for "
            f"on_existing={RESUME!r})"
        )
    return RESUME if resume else str(on_existing)


def check_path(path: str | Path, on_existing: str) -> Path:
    """Return the requested directory of the run; nothing is created yet.

    Args:
        path: With or without ".dtui".
        on_existing: One of ON_EXISTING.

    Raises:
        RecorderError: It cannot be made there.
        RunExistsError: The path exists already, and `on_existing` is "refuse".
    """
    wanted = run_folder(path)
    if on_existing == REFUSE and (wanted.exists() or wanted.is_symlink()) and not _is_unborn(wanted):
        raise RunExistsError(f"{wanted}: a run is already there; choose another path, or {OR_GO_ON}")
    if on_existing == RESUME and wanted.is_dir():
        return wanted
    above = wanted.absolute().parent
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise RecorderError(f"{wanted}: {above} cannot be written to; choose another path")
    return wanted


def _is_unborn(folder: Path) -> bool:
    from dtui.store.run.unborn import is_unborn

    return folder.is_dir() and is_unborn(folder)


def check_optimizers(optimizers: Any, model: nn.Module) -> tuple[Optimizer, ...]:
    """Return the given optimizers, unwrapped; the updates of the first are counted, at the end of what is around them.

    Raises:
        RecorderError: The first is not a torch optimizer, or updates none of the model's parameters.
    """
    given = list(optimizers) if isinstance(optimizers, list | tuple) else [optimizers]
    given = [_unwrapped(optimizer) for optimizer in given if optimizer is not None]
    if not given:
        return ()
    first = given[0]
    if _is_of_deepspeed(first):
        raise RecorderError(f"optimizer: {type(first).__name__}: {_DEEPSPEED}")
    if not isinstance(first, Optimizer):
        raise RecorderError(
            f"optimizer: a {type(first).__name__} is not a torch.optim.Optimizer; "
            "leave it out and call recorder.step() after each update"
        )
    own = {id(parameter) for parameter in model.parameters()}
    updated = [parameter for group in first.param_groups for parameter in group["params"]]
    if not any(id(parameter) in own for parameter in updated):
        raise RecorderError(
            f"optimizer: none of its {len(updated)} parameters belongs to the model; "
            "give the optimizer that updates this model"
        )
    for optimizer in given:
        watch_step(optimizer)
    return tuple(optimizer for optimizer in given if isinstance(optimizer, Optimizer))


def check_whole(model: nn.Module, optimizers: Sequence[Optimizer]) -> None:
    """Refuse what keeps weights or updates in buffers of its own, where they cannot be read as weights of layers.

    Raises:
        RecorderError: The model is of TorchScript, DeepSpeed, FSDP1 or fairscale, or the optimizer updates during
            backward.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise RecorderError(
            "model: torch.jit.script and torch.jit.trace hide the layers; give the module that it was made from, which "
            "has the same weights"
        )
    for module in model.modules():
        names = {kind.__name__ for kind in type(module).__mro__}
        if "FullyShardedDataParallel" in names:
            raise RecorderError(
                "model: FullyShardedDataParallel (FSDP1) cuts weights into flat pieces that have no filters; use "
                "fully_shard (FSDP2) or DistributedDataParallel"
            )
        if _is_of_deepspeed(module) and any(name.endswith("Engine") for name in names):
            raise RecorderError(f"model: {type(module).__name__}: {_DEEPSPEED}")
    if any(getattr(optimizer, "_overlap_with_ddp", False) for optimizer in optimizers):
        raise RecorderError(
            "optimizer: ZeroRedundancyOptimizer with overlap_with_ddp=True makes its updates within backward, where "
            "they cannot be counted; leave overlap_with_ddp out"
        )


def _unwrapped(optimizer: Any) -> Any:
    while isinstance(getattr(optimizer, "optimizer", None), Optimizer) and not _is_of_deepspeed(optimizer):
        watch_step(optimizer)
        optimizer = optimizer.optimizer
    return optimizer


def _is_of_deepspeed(thing: object) -> bool:
    return any(kind.__module__.partition(".")[0] == "deepspeed" for kind in type(thing).__mro__)


def as_class_names(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the class names as strings.

    Raises:
        RecorderError: They are not a sequence of names, are empty, or too many.
    """
    if classes is None:
        return None
    if isinstance(classes, str | bytes | int):
        raise RecorderError(f"classes={classes!r}: give the names in label order, such as ('cat', 'dog')")
    names = tuple(str(name) for name in classes)
    if not 2 <= len(names) <= MOST_CLASSES:
        raise RecorderError(f"classes: {len(names)} names; give between 2 and {MOST_CLASSES}")
    return names


def check_classes(names: tuple[str, ...] | None, model: nn.Module, probes: Sequence[LayerProbe]) -> None:
    """Refuse a model without layers, and more class names than any part of the model has outputs.

    Raises:
        RecorderError: There are more names than the last layer has outputs, and nothing else in the model has as many.
    """
    if not probes:
        raise RecorderError(
            f"model: {type(model).__name__} has no real weights to record: no convolution, no fully connected layer "
            "and no matrix of its own"
        )
    if names is None or any(not probe.shape for probe in probes):
        return
    outputs = {probe.shape[0] for probe in probes}
    sizes = outputs.union(*(parameter.shape for parameter in model.parameters() if parameter.dim() > 1))
    head = probes[-1].shape[0]
    if len(names) > max(2, head) and len(names) not in sizes:  # fewer are fine where the labels stay below them
        raise RecorderError(
            f"classes: {len(names)} names were given, but no layer has so many outputs "
            f"(the last, {probes[-1].name}, has {head}); give one name for each label"
        )
