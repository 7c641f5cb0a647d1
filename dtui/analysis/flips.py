"""Finds images that change from right to wrong, or back, after or before a stable period.

Owns the left and the right rule. Both report the validation of the flip itself.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from dtui.analysis.correctness import WordArray
from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray

AT_ONCE = 512 << 10
"""Bytes of a block: each pass over it finds it in the processor's cache, and what is made of it takes little room."""
_Flags = TypeVar("_Flags", WordArray, BoolArray)


@dataclass(frozen=True, eq=False, slots=True)
class Flips:
    """Flips by direction; each of shape (validations, W), one bit per image.

    Attributes:
        gained: Wrong before, right from here.
        lost: Right before, wrong from here.
    """

    gained: WordArray
    lost: WordArray


def _changes(packed: WordArray) -> WordArray:
    """Return where a validation differs from the one before; no bit is set for the first validation."""
    changes = np.zeros_like(packed)
    np.bitwise_xor(packed[1:], packed[:-1], out=changes[1:])
    return changes


def _any_before(changes: _Flags, count: int) -> _Flags:
    """Return, by doubling, where any of the `count` validations before (not at) this one changed."""
    result = np.zeros_like(changes)
    count = min(count, len(changes) - 1)
    if count <= 0:
        return result
    within = changes.copy()
    span = 1
    while span < count:
        shift = min(span, count - span)
        within[shift:] |= within[:-shift]
        span += shift
    result[1:] = within[:-1]
    return result


def words_at_once(validations: int) -> int:
    """Return the words of a block of so many validations, >= 1."""
    return max(1, AT_ONCE // (np.dtype(np.uint64).itemsize * max(1, validations)))


def find_flips(packed: WordArray, rule: str, window: int) -> Flips:
    """Find the images that flip at each validation and satisfy a rule.

    Args:
        packed: Correctness, shape (validations, W).
        rule: "left": the image held one value for the `window` validations before the flip. "right": it holds
            the new value for `window` validations, the flip's own being the first.
        window: In validations, >= 1.

    Returns:
        Bits at the validation of the flip. No bit is set where the window does not fit into the run: in the first
        `window` validations (left), in the last `window` - 1 (right).

    Raises:
        ValueError: An unknown rule, or a window below 1.

    Source: DeepTracker (ACM TIST 2018), anomaly iteration detection; keyed to the flip: dtui.
    """
    if rule not in ("left", "right") or window < 1:
        raise ValueError(f"flips: rule {rule!r}, window {window}; need 'left' or 'right' and at least 1")
    gained, lost = np.empty_like(packed), np.empty_like(packed)
    at_once = words_at_once(len(packed))
    for first in range(0, packed.shape[1], at_once):
        block = slice(first, first + at_once)
        part = np.ascontiguousarray(packed[:, block])
        changes = _flips_of(part, rule, window)
        np.bitwise_and(changes, part, out=gained[:, block])
        np.bitwise_and(changes, ~part, out=lost[:, block])
    return Flips(gained, lost)


def _flips_of(packed: WordArray, rule: str, window: int) -> WordArray:
    """Return the flips that satisfy a rule, in either direction."""
    changes = _changes(packed)
    if rule == "left":
        changes &= ~_any_before(changes, window - 1)
        changes[:window] = 0
    else:
        changes &= ~_any_before(changes[::-1], window - 1)[::-1]
        changes[max(0, len(packed) - window + 1) :] = 0
    return changes


def looks_at(marked: BoolArray, rule: str, window: int) -> BoolArray:
    """Return the validations whose judgement by a rule depends on a marked one.

    Args:
        marked: Shape (validations, …).
        rule: "left" or "right".
        window: In validations, >= 1.

    Returns:
        Same shape. The left rule looks at the `window` validations before and at the flip's own, the right rule at the
        one before, the flip's own and `window` - 1 after it.

    Source: dtui.
    """
    before, after = (window, 0) if rule == "left" else (1, window - 1)
    return marked | _any_before(marked, before) | _any_before(marked[::-1], after)[::-1]
