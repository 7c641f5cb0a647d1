"""Keeps what batches are known by, for as long as a training keeps the batches themselves.

Owns how a tensor that the network is called with is known: it is one of a batch, or a view of one, or what the network
was called with for that batch before, unchanged since.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from dtui.model import IntArray
from dtui.record.batches.passes import Pass
from dtui.record.batches.tensors import Traces, span_of

MOST_KEPT = 1_024
"""Batches that are known again after they were used, or passed over."""

Ids = IntArray | Tensor


class Batch:
    """One batch: its number in the pass, its ids, and what its tensors are known by."""

    __slots__ = ("_shown", "ids", "is_met", "is_used", "number", "one", "traces")

    def __init__(self, one: Pass, number: int, ids: Ids, content: Any) -> None:
        """Begin with what a pass handed out."""
        self.one, self.number, self.ids, self.traces = one, number, ids, Traces(content)
        self.is_met = False
        """Whether the network was called with it, also where no gradient came of that."""
        self.is_used = False
        """Whether its gradients arrived at the network."""
        self._shown: list[tuple[weakref.ref[Tensor], int, int]] = []

    def show(self, called: Sequence[Tensor]) -> None:
        """Note that the network is called with tensors that were made of it, as on another device."""
        self._shown = [(weakref.ref(tensor), span_of(tensor)[0], tensor._version) for tensor in called]

    def is_shown(self, tensor: Tensor, place: int) -> bool:
        """Whether the network was called with a tensor, or with one at its place, that has not changed since."""
        for known, begin, version in self._shown:
            living = known()
            if living is not None and (living is tensor or begin == place != 0) and living._version == version:
                return True
        return False

    @property
    def is_whole(self) -> bool:
        """Whether the training still has all of its tensors, so that it can use it."""
        return self.traces.are_living

    @property
    def is_there(self) -> bool:
        """Whether the training still has a tensor that it is known by."""
        return self.traces.is_one_living or any(known() is not None for known, _, _ in self._shown)


def owned(batches: Iterable[Batch], called: Sequence[Tensor]) -> list[Batch]:
    """Return the batches that tensors are of; a tensor that is of several tells nothing."""
    known = [(batch, *span) for batch in batches for span in batch.traces.spans()]
    found: list[Batch] = []
    for tensor in called:
        place, _ = span_of(tensor)
        owners = {id(batch): batch for batch, one, begin, end in known if begin <= place < end or one is tensor}
        if len(owners) == 1:
            found += [batch for batch in owners.values() if batch not in found]
    return found


class KeptBatches:
    """Batches that were used or passed over, of which the training still has something."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque(maxlen=MOST_KEPT)

    def add(self, batches: Iterable[Batch]) -> None:
        """Keep batches, and forget those that are gone."""
        living = [batch for batch in (*self._batches, *batches) if batch.is_there]
        self._batches = deque(living, MOST_KEPT)

    def known(self, called: Sequence[Tensor]) -> list[Batch]:
        """Return those that the network is called with again."""
        found = owned(self._batches, called)
        if not found and self._batches:
            places = [(tensor, span_of(tensor)[0]) for tensor in called]
            found = [batch for batch in self._batches if any(batch.is_shown(*place) for place in places)][-1:]
        return found

    def has_old(self, fresh: Sequence[Batch]) -> bool:
        """Whether the training still has a whole batch that it has used before, other than those of this update."""
        return any(batch.is_used and batch.is_whole for batch in self._batches if batch not in fresh)
