"""Keeps what batches are known by, for as long as a training keeps the batches themselves.

Owns how a tensor that the network is called with is known: it is one of a batch, or a view of one, or what the network
was called with for that batch before, unchanged since.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor

from dtui.model import IntArray
from dtui.record.batches.passes import Pass
from dtui.record.batches.tensors import Traces, home_of, span_of

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

    def tensors(self) -> Iterator[Tensor]:
        """Yield the tensors that it is known by and that still live."""
        yield from (tensor for tensor, _, _ in self.traces.spans())
        yield from (tensor for known, _, _ in self._shown if (tensor := known()) is not None)

    @property
    def is_whole(self) -> bool:
        """Whether the training still has all of its tensors, so that it can use it."""
        return self.traces.are_living

    @property
    def is_there(self) -> bool:
        """Whether the training still has a tensor that it is known by."""
        return any(True for _ in self.tensors())


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
        self._batches: dict[int, Batch] = {}
        self._at_home: dict[int, list[Batch]] = {}
        self._most = 0

    def add(self, batches: Iterable[Batch]) -> None:
        """Keep batches, and now and then forget those that are gone."""
        for batch in batches:
            if id(batch) not in self._batches:
                self._put(batch)
        if len(self._batches) > self._most:
            living = [batch for batch in self._batches.values() if batch.is_there][-MOST_KEPT:]
            self._batches, self._at_home = {}, {}
            for batch in living:
                self._put(batch)
            self._most = len(living) + max(16, len(living) // 4)

    def _put(self, batch: Batch) -> None:
        self._batches[id(batch)] = batch
        for home in {home_of(tensor) for tensor in batch.tensors()}:
            self._at_home.setdefault(home, []).append(batch)

    def known(self, called: Sequence[Tensor]) -> list[Batch]:
        """Return those that the network is called with again."""
        near = [batch for home in {home_of(tensor) for tensor in called} for batch in self._at_home.get(home, ())]
        found = owned(near, called)
        if not found and near:
            places = [(tensor, span_of(tensor)[0]) for tensor in called]
            found = [batch for batch in near if any(batch.is_shown(*place) for place in places)][-1:]
        return found

    def has_old(self, fresh: Sequence[Batch]) -> bool:
        """Whether the training still has a whole batch that it has used before, other than those of this update."""
        return any(batch.is_used and batch.is_whole for batch in self._batches.values() if batch not in fresh)
