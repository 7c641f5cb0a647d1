"""Reports every update of a network's parameters exactly once, whichever optimizer makes it.

Owns the rule for which of several optimizers counts:

- The optimizer that was given leads: each of its updates counts. Of several that were given the first leads.
- An optimizer that shares parameters with the one that leads makes updates of its own (one made anew to unfreeze more,
  the base optimizer of SAM's second step): they count, and it leads from there on.
- One of other parameters of the network (the head's beside the body's) does not count beside the one that leads, but
  takes over once it steps on and on while that one no longer does. What it did until then is counted, not recorded.
- An update inside another one (a wrapper around an optimizer, a `step` that calls that of its base class) is a part of
  it: the outer one counts, once it is done. Where torch has no hook for its end, `outer_steps` tells it.
- Where none was given, one that updates all trainable parameters leads at once, any other after some updates; once
  `Recorder.step` is called, only that counts.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from dtui.record.network.outer_steps import CALLS, watch_around
from dtui.record.network.step_hooks import AFTER_STEP, STEP, StepHook
from dtui.record.writing.warn import reason_of, warn_once

GIVEN_WAITS = 100
"""Updates that an optimizer makes before it takes over where nothing is known of its rhythm: critics are trained alone
for so long before the first update of what they judge."""
UNSTATED = 8
"""Updates that it makes before it leads where none was given, for `Recorder.step` may be called after some of them."""
RHYTHMS = 4
"""How many times its longest stretch so far between two updates of the one that leads it waits, where that is known."""


class _Rank(Enum):
    FOREIGN = auto()
    """Updates nothing of the network."""
    APART = auto()
    """Updates parameters of the network, but none that the optimizer that leads updates."""
    LEADING = auto()
    """Updates parameters of the one that leads: its updates count."""


@dataclass(slots=True)
class _Known:
    """What is known of an optimizer.

    Attributes:
        rank: Whether it counts.
        is_given: Whether it was given beside the first.
        steps: Updates that it has made.
        waiting: Number of these since the leader's last update.
        longest: Most of its updates between two updates of the leader; 0 if the leader made none since it appeared.
        seen_at: Number of counted updates at its last step.
    """

    rank: _Rank
    is_given: bool
    steps: int = 0
    waiting: int = 0
    longest: int = 0
    seen_at: int = 0


class Updates:
    """Watches all optimizers of the process for updates of one network. It keeps neither them nor the network alive."""

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        count: Callable[[Optimizer, int], None],
        seen: Callable[[], None],
    ) -> None:
        """Begin to watch.

        Args:
            model: The network, wrapped or not.
            optimizers: The given optimizers, the leader first; none lets the observed updates decide.
            count: Called after each update that counts, with its optimizer and how many before it were missed.
            seen: Called after each update that does not count, though it is one of the network.
        """
        self._model = weakref.ref(model)
        self._count = count
        self._seen = seen
        self._first: weakref.ref[Optimizer] | None = None
        self._leader: weakref.ref[Optimizer] | None = None
        self._known: weakref.WeakKeyDictionary[Optimizer, _Known] = weakref.WeakKeyDictionary()
        self._counted = 0
        self.is_given = bool(optimizers)
        """Whether an optimizer was given, so that nobody needs to call `Recorder.step`."""
        self.is_stated = False
        """Whether the training says itself when it has made an update."""
        self._is_ahead = False
        self.foreign = 0
        """Updates so far of optimizers that update nothing of the network."""
        self.on_foreign: Callable[[Optimizer], None] = _nothing
        """Called after each of them."""
        self.is_captured = False
        """Whether an update was captured into a CUDA graph, whose replays no optimizer tells of."""
        if optimizers:
            self._lead(optimizers[0])
        for optimizer in optimizers[1:]:
            self._known[optimizer] = _Known(_Rank.APART, is_given=True)
        self._leave = AFTER_STEP.add(_weakly(self))
        weakref.finalize(self, self._leave).atexit = False

    @property
    def leader(self) -> Optimizer | None:
        """The optimizer whose update counted last, or the given one; None if there is none, or it is gone."""
        return None if self._leader is None else self._leader()

    def remove(self) -> None:
        """Stop watching."""
        self._leave()

    def state(self) -> bool:
        """Note that the training reports an update itself; True if that update must still be counted."""
        if self.is_given and not self.is_captured:
            return False
        is_counted = self._is_ahead
        self.is_stated, self._is_ahead = True, False
        return not is_counted

    def after_step(self, optimizer: Optimizer) -> None:
        """Note an update by any optimizer of the process; never raises."""
        try:
            if _is_captured():
                if self._is_leading(optimizer) or self._rank(optimizer) is not _Rank.FOREIGN:
                    self.is_captured, self._is_ahead = True, False
            elif self._is_leading(optimizer) or self._rank(optimizer) is _Rank.LEADING:
                if not self.is_stated and not self._is_part(optimizer, sys._getframe()):
                    watch_around(optimizer, sys._getframe())
                    self._lead(optimizer)
                    self._tell(optimizer, 0)
            else:
                self._wait(optimizer)
        except Exception as error:  # noqa: BLE001 - the boundary between the recorder and somebody's training
            warn_once("updates", f"updates: one could not be counted: {reason_of(error)}")

    def _is_leading(self, optimizer: Optimizer) -> bool:
        return (self._leader is not None and self._leader() is optimizer) or (
            self._first is not None and self._first() is optimizer
        )

    def _lead(self, optimizer: Optimizer) -> None:
        if self._leader is None or self._leader() is not optimizer:
            self._leader = weakref.ref(optimizer)
            self._first = self._first or self._leader

    def _tell(self, optimizer: Optimizer, missed: int) -> None:
        self._counted += 1
        self._is_ahead = not self.is_given
        self._count(optimizer, missed)

    def _wait(self, optimizer: Optimizer) -> None:
        """Note an update that does not count, unless its optimizer becomes the leader with it."""
        known = self._known[optimizer]
        known.steps += 1
        if known.rank is _Rank.FOREIGN:
            self.foreign += 1
            self.on_foreign(optimizer)
            return
        if self.is_stated:
            return
        if known.seen_at != self._counted:
            known.longest = max(known.longest, known.waiting)
            known.seen_at, known.waiting = self._counted, 0
        known.waiting += 1
        if known.waiting <= self._patience(known) or self._is_part(optimizer, sys._getframe()):
            self._seen()
            return
        missed, known.longest, known.waiting = known.waiting - 1, known.waiting, 0
        self._lead(optimizer)
        self._tell(optimizer, missed)

    def _patience(self, known: _Known) -> int:
        """Return how many updates in a row another optimizer may make before the leader counts as stopped."""
        if self._first is None:
            return UNSTATED
        if self.leader is None:
            return 0
        if known.is_given or not self._counted:
            return max(GIVEN_WAITS, RHYTHMS * known.longest)
        return max(1, RHYTHMS * known.longest)

    def _rank(self, optimizer: Optimizer) -> _Rank:
        """Return how an optimizer relates to the network. A foreign one is checked again at times: models change."""
        known = self._known.get(optimizer)
        if known is None:
            known = self._known[optimizer] = _Known(self._judge(optimizer), is_given=False, seen_at=self._counted)
        elif known.rank is _Rank.FOREIGN and known.steps & (known.steps - 1) == 0:
            known.rank = self._judge(optimizer)
        return known.rank

    def _judge(self, optimizer: Optimizer) -> _Rank:
        model, leader = self._model(), self.leader
        parameters = {} if model is None else {id(own): own.requires_grad for own in model.parameters()}
        updated = _updated(optimizer) & parameters.keys()
        if not updated:
            return _Rank.FOREIGN
        if leader is None and self._first is None:
            trained = {own for own, is_trained in parameters.items() if is_trained}
            return _Rank.LEADING if trained <= updated else _Rank.APART
        return _Rank.LEADING if leader is None or updated & _updated(leader) else _Rank.APART

    def _is_part(self, optimizer: Optimizer, frame: FrameType | None) -> bool:
        """Whether an update was made inside another one that counts, even of the same optimizer."""
        is_own = True
        for _ in range(CALLS):
            if frame is None:
                break
            if frame.f_code is STEP:
                outer = frame.f_locals.get("self")
                if is_own and outer is optimizer:
                    is_own = False
                elif isinstance(outer, Optimizer) and (self._is_leading(outer) or self._rank(outer) is _Rank.LEADING):
                    return True
            frame = frame.f_back
        return False


def _nothing(_: Optimizer) -> None:
    """Do nothing."""


def _weakly(updates: Updates) -> StepHook:
    """Return a hook that keeps nothing alive."""
    reference = weakref.ref(updates)

    def after_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found = reference()
        if found is not None:
            found.after_step(optimizer)

    return after_step


def _is_captured() -> bool:
    """Whether operations are being captured into a CUDA graph now, not executed."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()  # type: ignore[no-untyped-call]


def _updated(optimizer: Optimizer) -> set[int]:
    return {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
