"""Keeps the batches that one pass over a loader handed out, and says which of them the network was trained on.

Owns how far a loop fetches ahead. It may ask for its next batch before it uses the one before. That is certain where a
call of the network gets a tensor of a batch. Where none does, as on another device, the first update tells that one
batch was left out or that the loop is one ahead: which of them, only the end of the pass can tell. Until then nobody
knows, and no sample is named.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from dtui.model import IntArray
from dtui.record.batches.passes import Pass
from dtui.record.batches.tensors import Traces, span_of

MOST_HANDED = 1_024
"""Batches of one loader that are kept between two updates: more micro-batches than anybody adds up."""

Ids = IntArray | Tensor


class _Batch:
    """One batch: its number in the pass, its ids, and what its tensors are known by."""

    __slots__ = ("ids", "number", "traces")

    def __init__(self, number: int, ids: Ids, content: Any) -> None:
        self.number, self.ids, self.traces = number, ids, Traces(content)


class Handed:
    """The batches of one pass that were handed out and not used yet, the oldest first."""

    def __init__(self, one: Pass, former: Handed | None = None) -> None:
        """Begin with a pass.

        Args:
            one: The pass.
            former: The pass that it replaces: a loop that was ahead there is taken to be ahead here.
        """
        self.one = one
        self.waiting: deque[_Batch] = deque(maxlen=MOST_HANDED)
        self.is_over = False
        self.is_unclear = False
        """Whether the loop may be one batch ahead of what it uses, and nobody can see it."""
        self._count = 0
        self._ahead: int | None = None
        self.fed: list[int] = []
        """The numbers of the batches that the network was called with last."""
        self._reached: set[int] = set()
        self._newest_used = -1
        self._last: Ids | None = None
        if former is not None and not one.is_ahead:
            self._ahead, self.is_unclear = former._ahead or None, former.is_unclear and former.is_over

    @property
    def is_owing(self) -> bool:
        """Whether the loader has no more, and the loop still has a batch that it fetched ahead."""
        return bool(self.is_over and self.waiting and not self.one.is_ahead and (self._ahead or self.fed))

    @property
    def is_spent(self) -> bool:
        """Whether nothing of the pass can be used any more, and the next pass has nothing to learn from it."""
        if not self.is_over or self.is_unclear:
            return False
        return not self.waiting if self.one.is_ahead else not (self._ahead or self.is_owing)

    def add(self, ids: Ids, content: Any) -> None:
        """Note a batch."""
        self.waiting.append(_Batch(self._count, ids, content))
        self._count += 1
        self._last = ids

    def is_before(self, other: Pass) -> bool:
        """Whether another pass replaces this one: over the same loader, or the same data set if this is dropped."""
        loader, mine = other.loader(), self.one
        is_dropped = mine.iterator is not None and mine.iterator() is None
        return (loader is not None and mine.loader() is loader) or (is_dropped and mine.dataset() is other.dataset())

    def enter(self, called: Sequence[Tensor], *, is_owed: bool) -> None:
        """Note a call of the network from which gradients may come.

        Args:
            called: The tensors that it was called with.
            is_owed: Whether a batch of a pass before is still to be used.
        """
        seen = self._seen(called)
        if seen:
            newer = self._count - 1 - seen[-1]
            self._ahead, self.is_unclear = min(newer, newer if self._ahead is None else self._ahead), False
        elif self._is_first_at_hand and not is_owed:
            self._ahead = 0
        self.fed = seen or ([] if self._is_left_over else [batch.number for batch in self._newest()])

    @property
    def _is_first_at_hand(self) -> bool:
        """Whether the first batch of the pass has come, no other was asked for, and no loop was seen to be ahead."""
        is_first = self._count == 1 and bool(self.waiting) and not self.is_over
        return is_first and not (self.is_unclear or self.one.is_ahead)

    @property
    def _is_left_over(self) -> bool:
        """Whether nobody will use what still waits: an evaluation that kept gradients on went through the loader."""
        return self.is_over and not (self._ahead or self.one.is_ahead)

    def _seen(self, called: Sequence[Tensor]) -> list[int]:
        """Return the numbers of the batches that tensors are of, or views of; one that is in several tells nothing."""
        if len(self.waiting) <= int(self._ahead == 0 and not self.is_over):
            return []
        known = [(batch.number, *span) for batch in self.waiting for span in batch.traces.spans()]
        seen: set[int] = set()
        for tensor in called:
            place, _ = span_of(tensor)
            owners = {number for number, one, begin, end in known if begin <= place < end or one is tensor}
            if len(owners) == 1:
                seen |= owners
        return sorted(seen)

    def reach(self, numbers: Sequence[int]) -> None:
        """Note that gradients go back through a call of the network with these batches."""
        self._reached.update(numbers)

    def take(self) -> list[Ids]:
        """Return the batches whose gradients arrive now; none if all that the training has were used."""
        used = self._reached or self.fed
        taken = [batch for batch in self.waiting if batch.number in used] or self._newest()
        self.fed, self._reached = [], set()
        for batch in taken:
            self.waiting.remove(batch)
            self._newest_used = max(self._newest_used, batch.number)
        return [batch.ids for batch in taken]

    def take_owed(self) -> list[Ids]:
        """Return the last batch, if gradients arrive after the end of an unclear pass: then the loop was ahead."""
        if not (self.is_unclear and self.is_over) or self._last is None:
            return []
        self._ahead, self.is_unclear = 1, False
        last, self._last = self._last, None
        return [last]

    def pass_over(self, *, is_used: bool) -> list[Ids]:
        """Return what the training has and has not used, and forget it; of what is newer than a used one nobody knows.

        Args:
            is_used: Whether the update used any: a loop may fetch its next batch before the update.
        """
        newer = sum(batch.number > self._newest_used for batch in self.waiting)
        kept = newer if is_used else min(self._held(), len(self.waiting))
        passed = [self.waiting.popleft().ids for _ in range(len(self.waiting) - kept)]
        if self._newest_used >= 0 and self._ahead is None:
            self.is_unclear |= len(passed) == 1
            self._ahead = None if self.is_unclear else 0
        return passed

    def _newest(self) -> list[_Batch]:
        """Return the newest batch that the training has, none if it has used all of them."""
        held = self._held()
        return list(self.waiting)[-1 - held : len(self.waiting) - held]

    def _held(self) -> int:
        """Return how many batches the loop, or a wrapper, holds back: a wrapper one, if it had two before the first."""
        if self._ahead is None and self.one.is_ahead and self._count:
            self._ahead = int(self._count > 1)
        return 0 if self.is_over else min(self._ahead or 0, len(self.waiting))
