"""Keeps the batches that one pass over a loader handed out, and says which of them the network was trained on.

Owns how far a loop fetches ahead. It may ask for its next batch before it uses the one before. That is certain where a
call of the network gets a tensor of a batch. Where none does, as on another device, the newest that the network has not
met is meant. If the loop then still has another one, nobody knows which it was; if it left one out, or is one ahead,
only the end of the pass can tell. Until then no sample is named.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from dtui.record.batches.kept import Batch, Ids
from dtui.record.batches.passes import Pass

MOST_HANDED = 1_024
"""Batches of one loader that are kept between two updates: more micro-batches than anybody adds up."""


class Handed:
    """The batches of one pass that were handed out and not used yet, the oldest first."""

    def __init__(self, one: Pass, former: Handed | None = None) -> None:
        """Begin with a pass.

        Args:
            one: The pass.
            former: The pass that it replaces: a loop that was ahead there is taken to be ahead here.
        """
        self.one = one
        self.waiting: deque[Batch] = deque(maxlen=MOST_HANDED)
        self.is_over = False
        self.is_unclear = False
        """Whether the loop may be one batch ahead of what it uses, and nobody can see it."""
        self.is_muddled = False
        """Whether the loop had several batches of which it used some, and nobody can see which."""
        self._count = 0
        self._guessed_among = 0
        self._ahead: int | None = None
        self.fed: list[Batch] = []
        """The batches that the network was called with last."""
        self.reached: list[Batch] = []
        """Those that gradients go back to."""
        self._newest_used = -1
        self._last: Batch | None = None
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

    @property
    def is_hidden(self) -> bool:
        """Whether nobody can see which batch is used."""
        return self.is_unclear or self.is_muddled

    @property
    def goes_on(self) -> bool:
        """Whether the loader is still being iterated."""
        return not self.is_over and self.one.iterator is not None and self.one.iterator() is not None

    def add(self, ids: Ids, content: Any) -> None:
        """Note a batch."""
        self._last = Batch(self.one, self._count, ids, content)
        self.waiting.append(self._last)
        self._count += 1

    def is_before(self, other: Pass) -> bool:
        """Whether another pass replaces this one: over the same loader, or the same data set if this is dropped."""
        loader, mine = other.loader(), self.one
        is_dropped = mine.iterator is not None and mine.iterator() is None
        return (loader is not None and mine.loader() is loader) or (is_dropped and mine.dataset() is other.dataset())

    def meet(self, seen: Sequence[Batch]) -> None:
        """Note a call of the network, from which gradients may come, that got tensors of these batches."""
        if seen:
            newer = self._count - 1 - max(batch.number for batch in seen)
            self._ahead, self.is_unclear = min(newer, newer if self._ahead is None else self._ahead), False
        self.feed(seen)

    def offered(self, *, is_owed: bool) -> list[Batch]:
        """Return the batches of which a call may be that got a tensor of none.

        Args:
            is_owed: Whether a batch of a pass before is still to be used.
        """
        if self._is_first_at_hand and not is_owed:
            self._ahead = 0
        return [] if self._is_left_over else self._at_hand()

    def guess(self, chosen: Sequence[Batch]) -> None:
        """Note that a call is taken to be of these batches; the update tells whether it may have been of others."""
        self._guessed_among = self._count - self._held()
        self.feed(chosen)

    def feed(self, batches: Sequence[Batch]) -> None:
        """Note the batches of the last call."""
        self.fed = list(batches)
        for batch in batches:
            batch.is_met = True

    @property
    def _is_first_at_hand(self) -> bool:
        """Whether the first batch of the pass has come, no other was asked for, and no loop was seen to be ahead."""
        is_first = self._count == 1 and bool(self.waiting) and not self.is_over
        return is_first and not (self.is_unclear or self.one.is_ahead)

    @property
    def _is_left_over(self) -> bool:
        """Whether nobody will use what still waits: an evaluation that kept gradients on went through the loader."""
        return self.is_over and not (self._ahead or self.one.is_ahead)

    def take(self, *, is_called: bool) -> list[Batch]:
        """Return the batches whose gradients arrive now; none if all that the training has were used.

        Args:
            is_called: Whether calls of the network were seen since the last update.
        """
        used = self.reached or self.fed
        if not is_called:
            used = self._at_hand()[-1:]
            self._guessed_among = self._count - self._held()
        self.fed, self.reached = [], []
        taken = [batch for batch in self.waiting if batch in used]
        for batch in taken:
            self.waiting.remove(batch)
            self._newest_used = max(self._newest_used, batch.number)
        return taken

    def take_owed(self) -> list[Batch]:
        """Return the last batch, if gradients arrive after the end of an unclear pass: then the loop was ahead."""
        if not (self.is_unclear and self.is_over) or self._last is None:
            return []
        self._ahead, self.is_unclear, self.is_muddled = 1, False, False
        last, self._last = self._last, None
        return [last]

    def settle(self) -> None:
        """Note that an update was made: if one of several was guessed and the loop still has others, nobody knows."""
        others = [batch for batch in self.waiting if batch.number < self._guessed_among]
        self.is_muddled = self.is_muddled or any(batch.is_whole for batch in others)
        self._guessed_among = 0

    def pass_over(self, *, is_used: bool) -> list[Batch]:
        """Return what the training has and has not used, and forget it; of what is newer than a used one nobody knows.

        Args:
            is_used: Whether the update used any: a loop may fetch its next batch before the update.
        """
        newer = sum(batch.number > self._newest_used for batch in self.waiting)
        kept = newer if is_used else min(self._held(), len(self.waiting))
        passed = [self.waiting.popleft() for _ in range(len(self.waiting) - kept)]
        if self._newest_used >= 0 and self._ahead is None:
            self.is_unclear |= len(passed) == 1
            self._ahead = None if self.is_unclear else 0
        return passed

    def _at_hand(self) -> list[Batch]:
        """Return the batches that the training has and has not used, the newest last."""
        return list(self.waiting)[: len(self.waiting) - self._held()]

    def _held(self) -> int:
        """Return how many batches the loop, or a wrapper, holds back: a wrapper one, if it had two before the first."""
        if self._ahead is None and self.one.is_ahead and self._count:
            self._ahead = int(self._count > 1)
        return 0 if self.is_over else min(self._ahead or 0, len(self.waiting))
