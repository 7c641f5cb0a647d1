"""What a look at the gradients saw, as numbers that processes of one training can put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from dtui.model import IntArray
from dtui.model.findings.nonfinite import BrokenGradients

UNKNOWN, FINITE, BROKEN = range(3)


class Of(IntEnum):
    """Rows of `Seen.codes`."""

    GRADIENT = 0
    WEIGHT = 1
    STATISTIC = 2


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """What was NaN or Inf just before one update.

    Attributes:
        iteration: Of the update.
        codes: UNKNOWN, FINITE or BROKEN of each layer, then of each normalisation layer; rows as in Of, shape (3, N).
        loss: The same of the loss that was logged for the update.
    """

    iteration: int
    codes: IntArray
    loss: int = UNKNOWN

    @property
    def is_broken(self) -> bool:
        """Whether a gradient or a weight was NaN or Inf."""
        return bool((self.codes[: Of.STATISTIC] == BROKEN).any())

    def as_array(self) -> IntArray:
        """Return it as one array, for another process."""
        return np.concatenate([[self.iteration, self.loss], self.codes.ravel()]).astype(np.int64)

    @classmethod
    def from_array(cls, values: IntArray) -> Seen:
        """Return what `as_array` made."""
        return cls(int(values[0]), values[2:].reshape(len(Of), -1), int(values[1]))

    def named(self, names: Sequence[str]) -> BrokenGradients:
        """Return it with the names of layers and normalisation layers."""

        def those(row: Of, code: int) -> tuple[str, ...]:
            return tuple(names[at] for at in np.flatnonzero(self.codes[row] == code).tolist())

        return BrokenGradients(
            self.iteration,
            those(Of.GRADIENT, BROKEN),
            those(Of.GRADIENT, FINITE),
            those(Of.WEIGHT, BROKEN),
            those(Of.STATISTIC, BROKEN),
            those(Of.STATISTIC, FINITE),
            None if self.loss == UNKNOWN else self.loss == FINITE,
        )


def joined_seen(own: IntArray | None, other: IntArray | None) -> IntArray | None:
    """Return what two processes saw that hold a part of each weight each, as arrays; the earlier update counts.

    What only one of them looked at is not known to be finite.
    """
    found = [Seen.from_array(one) for one in (own, other) if one is not None]
    if not found:
        return None
    first = min(found, key=lambda one: one.iteration)
    same = [one.codes for one in found if one.iteration == first.iteration]
    if len(same) == 1:
        codes = np.where(first.codes == FINITE, UNKNOWN, first.codes)
    else:
        codes = np.where((same[0] == BROKEN) | (same[1] == BROKEN), BROKEN, np.minimum(*same))
    return Seen(first.iteration, codes, first.loss).as_array()
