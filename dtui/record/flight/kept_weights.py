"""Keeps the weights of the filters that a trigger names: from before it, and from after it.

Owns two copies of all weights in host memory, of which one is known to be from before any trigger to come.

A trigger is known only once its watch was judged, some watches later, and nobody knows before which filters it will
name. So every COPIED_EVERY watches all weights are copied, and the copy counts as "before" once its own watch has been
judged; the older copy stays until then. "After" are the weights of the first watch that the training thread takes when
it hears of the trigger. Both are named with the iteration after whose update they were read. On CUDA the copies are
made on the training stream, and the writer waits for them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dtui.fork_gate import resting
from dtui.model import Layer, Trigger
from dtui.model.findings.kept_weights import WeightsAt
from dtui.record.flight.norm_meter import WatchMeter
from dtui.record.network.layers import reorder_rows
from dtui.record.writing.writer_thread import Store

MOST_BYTES = 1 << 16
"""Of the weights that are kept a trigger, before and after together; each half is one line of a file."""
COPIED_EVERY = 64
"""Watches from one copy of all weights to the next."""
LARGEST_COPIES = 1 << 30
"""Bytes of both copies; of a larger network only the weights after a trigger are kept."""


@dataclass(eq=False, slots=True)
class _Copy:
    """All weights at one watch, in the layout of the meter.

    Attributes:
        matrices: Host memory, pinned if the weights are on CUDA.
        event: Set when they have arrived; None on the CPU.
        number: Of the watch.
        iteration: Of the watch.
        orders: Memory order of the rows of each layer; None for a layer that was not there.
    """

    matrices: list[Tensor]
    event: torch.cuda.Event | None
    number: int = -1
    iteration: int = -1
    orders: list[torch.memory_format | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Filters of which the weights after a trigger are wanted."""

    iteration: int
    layer: int
    filters: tuple[int, ...]


class WeightKeeper:
    """The kept weights of one run. The training thread calls `watched`, the writer's thread calls the rest."""

    def __init__(self, meter: WatchMeter, layers: Sequence[Layer], most: int) -> None:
        """Allocate the copies.

        Args:
            meter: Holds the weights of the last watch.
            layers: Layers of the network.
            most: Bytes that are kept a trigger, before and after together; 0 for none.
        """
        self._meter = meter
        self._layers = layers
        self._index = {layer.name: layer.index for layer in layers}
        self._most = most // 2
        self._is_cuda = meter.device.type == "cuda"
        fits = most > 0 and 2 * meter.copied_bytes <= LARGEST_COPIES
        self._copies = [self._new_copy() for _ in range(2 if fits else 0)]
        self._before: _Copy | None = None
        self._next: _Copy | None = None
        self._wanted: deque[_Wanted] = deque()

    @property
    def bytes(self) -> int:
        """Bytes of the copies."""
        return len(self._copies) * self._meter.copied_bytes

    def _new_copy(self) -> _Copy:
        matrices = [_on_host(torch.zeros, matrix.shape, self._is_cuda) for matrix in self._meter.matrices]
        return _Copy(matrices, torch.cuda.Event() if self._is_cuda else None)  # type: ignore[no-untyped-call]

    # --- on the training thread, after the meter has measured a watch

    @torch.no_grad()
    def watched(self, number: int, iteration: int) -> Callable[[Store], None]:
        """Read what is wanted of the weights at a watch; return what the writer's thread does once it has arrived.

        Args:
            number: Of the watch, ascending.
            iteration: Of the watch.
        """
        if self._copies and self._next is None:
            last = -COPIED_EVERY if self._before is None else self._before.number
            if number - last >= COPIED_EVERY:
                self._copy_all(number, iteration)
        finish = [self._read(self._wanted.popleft(), iteration) for _ in range(len(self._wanted))]

        def write(store: Store) -> None:
            for one in finish:
                one(store)

        return write

    def _copy_all(self, number: int, iteration: int) -> None:
        copy = next(one for one in self._copies if one is not self._before)
        for target, matrix in zip(copy.matrices, self._meter.matrices, strict=True):
            target.copy_(matrix, non_blocking=True)
        if copy.event is not None:
            copy.event.record(torch.cuda.current_stream(self._meter.device))
        copy.number, copy.iteration, copy.orders = number, iteration, self._meter.orders()
        self._next = copy

    def _read(self, wanted: _Wanted, iteration: int) -> Callable[[Store], None]:
        """Begin to read the weights at this watch; return what writes them."""
        order = self._meter.orders()[wanted.layer]
        if order is None:
            return lambda store: None
        found = self._rows(self._meter.matrices, wanted.layer, wanted.filters)
        event = None
        if self._is_cuda:
            rows = _on_host(torch.empty, found.shape, True)
            rows.copy_(found, non_blocking=True)
            event, found = torch.cuda.Event(), rows  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._meter.device))

        def write(store: Store) -> None:
            _wait(event)
            self._write(store, wanted, iteration, found, order)

        return write

    # --- on the writer's thread

    def judged(self, number: int) -> None:
        """Let a copy count as before whatever fires from now on: all watches up to its own are judged."""
        copy = self._next
        if copy is not None and number >= copy.number:
            self._before = copy
            self._next = None  # last: now the training thread may fill the other one

    def want(self, store: Store, trigger: Trigger) -> None:
        """Write the weights before a trigger, and want those after it; a trigger without a layer keeps none."""
        index = self._index.get(trigger.layer)
        if index is None or not self._most or not trigger.filters:
            return
        most = max(1, self._most // (4 * math.prod(self._layers[index].shape[1:])))
        wanted = _Wanted(trigger.iteration, index, trigger.filters[:most])
        self._wanted.append(wanted)
        copy = self._before
        order = None if copy is None else copy.orders[index]
        if copy is not None and order is not None:
            _wait(copy.event)
            rows = self._rows(copy.matrices, index, wanted.filters)
            self._write(store, wanted, copy.iteration, rows, order)

    @torch.no_grad()
    def end(self, store: Store, iteration: int) -> None:
        """Write the weights at the last watch for the triggers of which those after are still wanted.

        Args:
            store: Takes them.
            iteration: Of the last watch; none follows.
        """
        while self._wanted:
            wanted = self._wanted.popleft()
            order = self._meter.orders()[wanted.layer]
            if order is not None:
                with resting():
                    rows = self._rows(self._meter.matrices, wanted.layer, wanted.filters).cpu()
                self._write(store, wanted, iteration, rows, order)

    def _rows(self, matrices: Sequence[Tensor], layer: int, filters: Sequence[int]) -> Tensor:
        """Return a copy of the weights of some filters, one row each."""
        places = [self._meter.place_of(layer, number) for number in filters]
        return torch.stack([matrices[matrix][row] for matrix, row in places])

    def _write(self, store: Store, wanted: _Wanted, iteration: int, rows: Tensor, order: torch.memory_format) -> None:
        shape = self._layers[wanted.layer].shape
        rows = reorder_rows(rows, (len(rows), *shape[1:]), order, torch.contiguous_format)
        values = rows[:, : max(1, self._most // (4 * len(rows)))].numpy()
        name = self._layers[wanted.layer].name
        store.append_weights(WeightsAt(wanted.iteration, name, iteration, tuple(shape[1:]), wanted.filters, values))


def _on_host(make: Callable[..., Tensor], shape: torch.Size, is_pinned: bool) -> Tensor:
    return make(shape, dtype=torch.float32, device="cpu", pin_memory=is_pinned)


def _wait(event: torch.cuda.Event | None) -> None:
    if event is not None:
        with resting():
            event.synchronize()
