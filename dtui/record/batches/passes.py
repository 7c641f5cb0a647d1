"""Notes what the data loaders of this process hand out, for as long as somebody listens.

Owns the hook on torch's DataLoader. While one is iterated, its iterator and, as it begins, its sampler are made into
subclasses that also take notes: the same objects, batches, order and random numbers. The sampler draws ahead for the
workers; a batch gets its positions when it is handed out, not when they are drawn.
"""

from __future__ import annotations

import functools
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader

from dtui.model import IntArray
from dtui.record.batches.tensors import Traces
from dtui.record.training.loader_order import (
    as_positions,
    below_subsets,
    chain,
    each_of,
    keeps_order,
    noting_kind,
    set_class,
)

CALLS = 6
"""Calls up the stack in which a wrapper is looked for that iterates over a loader."""
MOST_EARLY = 1_024
"""Batches that are kept for whoever wants to know of them later."""
NOT_AHEAD = ("tqdm", "lightning", "lightning_fabric", "pytorch_lightning")
"""Packages whose wrappers hand out each batch before they ask for the next one."""


class Listener(Protocol):
    """What is told of the batches of this process."""

    @property
    def is_awake(self) -> bool:
        """Whether it wants to know of batches now."""

    def handed_out(self, one: Pass, batch: Any, positions: IntArray | None) -> None:
        """Hear that a batch was handed out, with its positions in `one.dataset`, shape (n,), if they are known."""

    def ended(self, one: Pass) -> None:
        """Hear that a loader had no more batches."""


class Early:
    """Keeps what was handed out before whoever wants to know of it is there: `pass_on` tells it of that."""

    def __init__(self) -> None:
        self._seen: deque[tuple[Pass, Traces | None, IntArray | None]] = deque(maxlen=MOST_EARLY)

    @property
    def is_awake(self) -> bool:
        """Whether a batch that is handed out now may be for training."""
        return torch.is_grad_enabled()

    def handed_out(self, one: Pass, batch: Any, positions: IntArray | None) -> None:
        """Keep the positions of a batch, not the batch."""
        self._seen.append((one, Traces(batch), positions))

    def ended(self, one: Pass) -> None:
        """Forget a pass, unless a wrapper around it may still hold a batch back."""
        if one.is_ahead:
            self._seen.append((one, None, None))
            return
        for seen in [seen for seen in self._seen if seen[0] is one]:
            self._seen.remove(seen)

    def tell(self, listener: Listener) -> None:
        """Tell a listener of the passes that still go on."""
        for one, traces, positions in list(self._seen):
            if one.iterator is None or one.iterator() is None:
                continue
            if traces is None:
                listener.ended(one)
            else:
                listener.handed_out(one, traces, positions)


class Pass:
    """One pass over a loader.

    Attributes:
        loader: The loader, without keeping it alive.
        iterator: Its iterator, likewise.
        dataset: The data set below all subsets, in which the positions are, likewise.
        kind: The name of its class.
        is_ahead: Whether a wrapper takes the batches, which may hold one back.
        problem: Why its positions cannot be known; "" if they can.
    """

    def __init__(self, loader: Any, caller: FrameType | None) -> None:
        """Look at a loader that is about to be iterated; `caller` asked for that."""
        self.loader = weakref.ref(loader)
        self.iterator: weakref.ref[Any] | None = None
        dataset, self._places = below_subsets(loader.dataset)
        self.dataset, self.kind = reach(dataset), type(dataset).__name__
        self.is_ahead = _is_wrapped(loader, caller)
        self.problem = ""
        self._drawn: deque[IntArray] = deque()
        if not keeps_order(loader):
            self.problem = "its workers hand out batches in any order; in_order=True keeps it"

    @contextmanager
    def drawing(self, loader: DataLoader[Any]) -> Iterator[None]:
        """Note what the sampler draws in the iteration that begins here; afterwards it is as it was."""
        sampler: Any = loader.sampler if loader.batch_sampler is None else loader.batch_sampler
        kind = type(sampler)
        if isinstance(sampler, list | tuple):
            self._drawn.extend(map(as_positions, sampler))
            yield
            return
        try:
            set_class(sampler, noting_kind(kind, "__iter__", _drawing_into(self._drawn, kind)))
        except (TypeError, AttributeError):
            self.problem = self.problem or f"the order of its {kind.__name__} cannot be watched"
            yield
            return
        try:
            yield
        finally:
            set_class(sampler, kind)

    def next_positions(self) -> IntArray | None:
        """Return the positions of the batch that is handed out now, shape (n,); None if they are unknown."""
        drawn = self._drawn.popleft() if self._drawn else None
        if self.problem or drawn is None or not len(drawn):
            return None
        return drawn if self._places is None else self._places[drawn]


def _drawing_into(drawn: deque[IntArray], kind: Any) -> Callable[[Any], Iterator[Any]]:
    """Return the `__iter__` of a kind of sampler, which also notes what is drawn."""

    def iterate(sampler: Any) -> Iterator[Any]:
        indices = iter(kind.__iter__(sampler))

        def noted() -> Iterator[Any]:
            for batch in each_of(indices):
                drawn.append(as_positions(batch))
                yield batch

        return noted()

    return iterate


def reach(dataset: Any) -> Callable[[], Any]:
    """Return a function that gives a data set for as long as it is there; one that cannot be left alone stays."""
    try:
        return weakref.ref(dataset)
    except TypeError:
        return lambda: dataset


def listen(listener: Listener) -> None:
    """Tell a listener of all batches, without keeping it alive, until it leaves."""
    _listeners.add(listener)
    original = DataLoader.__iter__
    if hasattr(original, "dtui_original"):
        return

    @functools.wraps(original)
    def iterate(self: DataLoader[Any]) -> Any:
        one = _begun(self, sys._getframe(1)) if _awake() else None
        if one is None:
            return original(self)
        with one.drawing(self):
            iterator = original(self)
        with suppress(Exception):
            _follow(iterator, one)
        return iterator

    iterate.dtui_original = original  # type: ignore[attr-defined]
    iterate.dtui_itself = iterate  # type: ignore[attr-defined]  # a wrapper with functools.wraps gets this one, too
    DataLoader.__iter__ = iterate  # type: ignore[method-assign]


def pass_on(listener: Listener) -> None:
    """Tell a new listener of the batches that `Early` ones heard of before, each without the batch itself."""
    for early in list(_listeners):
        if isinstance(early, Early):
            early.tell(listener)


def leave(listener: Listener) -> None:
    """Tell a listener no more. The hook stays where somebody else's lies on top of it; without listeners it is idle."""
    _listeners.discard(listener)
    placed: Any = DataLoader.__iter__
    is_own = placed is getattr(placed, "dtui_itself", None)
    if is_own and not _listeners:
        DataLoader.__iter__ = placed.dtui_original  # type: ignore[method-assign]


_listeners: weakref.WeakSet[Listener] = weakref.WeakSet()
_following: weakref.WeakKeyDictionary[Any, Pass] = weakref.WeakKeyDictionary()
_kinds: dict[type, type] = {}
"""Kind of iterator to the kind that takes notes."""
os.register_at_fork(after_in_child=_listeners.clear)  # the loaders of a forked worker are not those of the training


def _awake() -> list[Listener]:
    return [listener for listener in _listeners if listener.is_awake]


def _begun(loader: Any, caller: FrameType) -> Pass | None:
    try:
        return Pass(loader, caller)
    except Exception:  # noqa: BLE001 - somebody's loader; that no batch was seen is told where it matters
        return None


def _follow(iterator: Any, one: Pass) -> None:
    """Tell the listeners of what an iterator hands out from here on."""
    kind = type(iterator)
    if kind not in _kinds.values():
        if kind not in _kinds:
            _kinds[kind] = noting_kind(kind, "__next__", _telling(kind))
        set_class(iterator, _kinds[kind])
    one.iterator = weakref.ref(iterator)
    _following[iterator] = one


def _telling(kind: Any) -> Any:
    def give(iterator: Any) -> Any:
        one = _following.get(iterator)
        try:
            batch = kind.__next__(iterator)
        except StopIteration:
            if one is not None:
                for listener in _awake():
                    listener.ended(one)
            raise
        if one is not None:
            with suppress(Exception):
                positions = one.next_positions()
                for listener in _awake():
                    listener.handed_out(one, batch, positions)
        return batch

    return give


def _is_wrapped(loader: Any, caller: FrameType | None) -> bool:
    """Whether a wrapper around a loader, such as accelerate's or timm's, is what the training iterates over."""
    for _ in range(CALLS):
        if caller is None:
            break
        if caller.f_code.co_name in ("__iter__", "__next__"):
            holder = caller.f_locals.get("self")
            package = type(holder).__module__.partition(".")[0]
            is_inside = any(one is loader for one in chain(holder))
            if holder is not None and holder is not loader and is_inside and package not in NOT_AHEAD:
                return True
        caller = caller.f_back
    return False
