"""Scalars that a training logs. A logged NaN, a name that was not logged, and damage are kept apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from dtui.model.arrays import BoolArray, FloatArray, IntArray

Points = tuple[IntArray, FloatArray]
"""Iterations, ascending, and the value at each, shape (n,) both."""

SKIPPED_UPDATES = "skipped_updates"
"""Scalar of our own: updates that a GradScaler has skipped so far, from the first one on."""

LARGEST: Mapping[str, str] = MappingProxyType(
    {
        "loss": "loss_max",
        "learning_rate": "learning_rate_max",
        "gradient_norm": "gradient_norm_max",
        "update_norm": "update_norm_max",
    }
)
"""Scalars of our own: the largest value since the record before, that record's own left out, by what it is of. Of loss
and learning rate at each update, of the norms of all gradients and of all updates at each watch. A record has one where
there were several values, and it is NaN where one of them was."""

_RATE = re.compile(r"^learning_rate(?:_(?P<optimizer>\d{1,4}))?(?:_group_(?P<group>\d{1,4}))?$")

_NAN_BITS = np.uint64(0x7FF8_0000_0000_0001)
LOGGED_NAN = float(_NAN_BITS.view(np.float64))
"""The NaN that stands for a NaN that was logged; any other says that nothing was, or that it is lost."""
_LOST_BITS = np.uint64(0x7FF8_0000_0000_0002)
LOST_NAN = float(_LOST_BITS.view(np.float64))
"""The NaN that is read where damage took what may have been logged; it is never in a file."""


def rate_name(optimizer: int = 1, group: int = 1) -> str:
    """Return the scalar of the learning rate of an optimizer, or of a group of its parameters; both count from 1."""
    return "learning_rate" + (f"_{optimizer}" if optimizer > 1 else "") + (f"_group_{group}" if group > 1 else "")


def rate_of(name: str) -> tuple[int, int] | None:
    """Return the optimizer and the group whose learning rate a scalar is, None for any other scalar."""
    found = _RATE.match(name)
    return None if found is None else (int(found["optimizer"] or 1), int(found["group"] or 1))


def rate_called(name: str) -> str:
    """Return what sentences call the learning rate of a name, such as "the learning rate of optimizer 2"."""
    optimizer, group = rate_of(name) or (1, 1)
    of = [f"group {group}"] * (group > 1) + [f"optimizer {optimizer}"] * (optimizer > 1)
    return " of ".join(["the learning rate", *of])


def was_logged(values: FloatArray) -> BoolArray:
    """Return where a scalar was logged, also as NaN, shape of `values`.

    Args:
        values: A scalar as it was read, float64, any shape.

    Source: dtui.
    """
    raw = np.ascontiguousarray(values, np.float64)
    logged: BoolArray = ~np.isnan(raw) | (raw.view(np.uint64) == _NAN_BITS)
    return logged


def was_lost(values: FloatArray) -> BoolArray:
    """Return where a scalar is lost to damage, shape of `values`.

    Args:
        values: A scalar as it was read, float64, any shape.

    Source: dtui.
    """
    lost: BoolArray = np.ascontiguousarray(values, np.float64).view(np.uint64) == _LOST_BITS
    return lost


def scalar_points(iterations: IntArray, is_watch: BoolArray, values: FloatArray, own: Points | None) -> Points:
    """Return every value of a scalar with its iteration: those of records, and those logged between them.

    A record repeats the last value of each name that was logged since the record before. If that value is also known
    with its own iteration, the record's copy is left out, even where it is lost to damage.

    Args:
        iterations: Of records and watches, shape (n,), ascending.
        is_watch: Which of them are watches, shape (n,).
        values: The scalar there, shape (n,), float64.
        own: What was logged between records, no iteration twice, NaN as LOGGED_NAN; None where nothing was.

    Returns:
        What was logged: NaN as LOGGED_NAN, and LOST_NAN where the value is lost to damage. Of two values at one
        iteration the record's comes first.

    Source: dtui.
    """
    held = was_logged(values) | was_lost(values)
    if own is None or not len(own[0]):
        return iterations[held], values[held]
    own_iterations, own_values = own
    before = np.concatenate([np.full(1, -1), iterations[:-1]])
    regular = np.flatnonzero(~is_watch)
    before[regular] = np.concatenate([np.full(1, -1), iterations[regular]])[: len(regular)]
    for side in ("left", "right"):  # a record that closes a run also holds what was logged after its own update
        place = np.searchsorted(own_iterations, iterations, side) - 1
        known = own_values[np.maximum(place, 0)]
        is_near = (place >= 0) & (own_iterations[np.maximum(place, 0)] >= before)
        is_same = (known == values) | (np.isnan(known) & np.isnan(values))
        held &= ~(is_near & (is_same | was_lost(values)))
    joined = np.concatenate([iterations[held], own_iterations])
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate([values[held], own_values])[order]
