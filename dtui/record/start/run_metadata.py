"""Collects the metadata of a training before the first record.

Owns the choice of versions and hyper-parameters to keep.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import torch
from torch.optim import Optimizer

from dtui.model import RunMetadata
from dtui.record.rates import MOST_OPTIMIZERS, named
from dtui.record.writing.warn import warn_once
from dtui.safe_text import ELLIPSIS
from dtui.version import __version__

LONGEST_TEXT = 1000
"""Characters that are kept of a hyperparameter, of a note and of their names: they are shown, never computed with."""


def describe_run(
    name: str,
    every: int,
    optimizers: Sequence[Optimizer],
    hyperparameters: Mapping[str, object],
    notes: Sequence[Mapping[str, object]],
    keep_around: int,
) -> RunMetadata:
    """Return the metadata of a run that begins now. The user's hyper-parameters override the optimizers'.

    Those of the second of several optimizers are called optimizer_2, lr_2 and so on.
    """
    parameters = {_short(key): _short(value) for key, value in hyperparameters.items()}
    for optimizer, ending in named(optimizers[:MOST_OPTIMIZERS]):
        parameters.setdefault(f"optimizer{ending}", _kind(optimizer))
        inner = getattr(optimizer, "optim", None)
        defaults = {**(inner.defaults if isinstance(inner, Optimizer) else {}), **optimizer.defaults}
        for key, value in defaults.items():
            if isinstance(value, int | float | tuple):
                parameters.setdefault(f"{key}{ending}", _short(value))
    versions = {
        "dtui": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    created = datetime.now(UTC).isoformat(timespec="seconds")
    stored = tuple(map(_as_stored, notes))
    return RunMetadata(_short(name), created, every, False, versions, parameters, stored, keep_around)


def _kind(optimizer: Optimizer) -> str:
    """Return the name of an optimizer's class, and of the class that it spreads over processes (ZeRO)."""
    inner = getattr(optimizer, "optim", None)
    of = f" of {type(inner).__name__}" if isinstance(inner, Optimizer) else ""
    return type(optimizer).__name__ + of


def _as_stored(note: Mapping[str, object]) -> dict[str, object]:
    """Return a note that JSON can store: NumPy numbers become numbers, other objects become text."""
    plain = {_short(key): value.item() if isinstance(value, np.generic) else value for key, value in note.items()}
    return {key: value if isinstance(value, int | float | None) else _short(value) for key, value in plain.items()}


def _short(value: object) -> str:
    """Return any value as text that fits a screen and a file; a cut is reported once."""
    text = str(value)
    if len(text) <= LONGEST_TEXT:
        return text
    warn_once("long text", f"hyperparameters and notes are kept to {LONGEST_TEXT:,} characters: {text[:40]}… is cut")
    return text[: LONGEST_TEXT - 1] + ELLIPSIS
