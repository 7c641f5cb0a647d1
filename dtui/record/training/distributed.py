"""Collects the measurements of all processes of a distributed training in the first process.

Owns the exchange between ranks. It uses no collective operation. The writer thread of each rank leaves its part in the
key-value store of torch.distributed, and the first rank's writer thread picks the parts up. So training never waits for
us, and a rank that dies causes a gap, not a hang.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from dtui.errors import RecorderError
from dtui.fork_gate import resting
from dtui.patience import Patience
from dtui.record.writing.stopping import StopSignal

WAIT_SECONDS = 60.0
"""How long the first rank's writer waits for a part."""

LATE_SECONDS = 1.0
"""How long it waits for a rank whose last part was missing: a queue of records must not wait a minute each."""

CLOSING_SECONDS = 5.0
"""How long it waits for parts of a closing record: nothing keeps the ranks together any more."""

KEPT = 64
"""Parts of one stream that a rank leaves in the store at most."""

_POLL_SECONDS = 0.01
_numbers = count()

Arrays = Mapping[str, NDArray[Any]]


class PartMissingError(OSError):
    """A rank did not leave its part in time."""


class Exchange:
    """Exchanges the parts of one run. A training with one process has one rank and exchanges nothing."""

    def __init__(self, name: str) -> None:
        """Join the default process group, if there is one. Every rank must make its exchanges in the same order."""
        self.rank, self.ranks, self._store = 0, 1, None
        if dist.is_available() and dist.is_initialized():
            self.rank, self.ranks = dist.get_rank(), dist.get_world_size()
            self._store = dist.distributed_c10d._get_default_store()
        self.is_imported = is_imported_again()
        """Whether the parent of this process writes the run, and this one made its recorder only by importing it."""
        self._prefix = f"dtui/{next(_numbers)}/{name}"
        self._left: dict[str, deque[str]] = {}
        self._late: set[int] = set()

    @property
    def is_first(self) -> bool:
        """Whether this rank writes the run."""
        return self.rank == 0 and not self.is_imported

    def tell(self, updates: int | None, refusal: str = "", path: str = "") -> None:
        """As the first rank, tell the others the path and first iteration of the run, or why it is refused."""
        if self._store is not None and self.is_first:
            self._store.set(f"{self._prefix}/start", json.dumps([updates, refusal, path]))

    def ask(self) -> tuple[int, str] | None:
        """Return the first iteration of the run and its path; None if the first rank has not told them in time.

        Raises:
            RecorderError: The first rank refused.
        """
        if self._store is None:
            return None
        patience = Patience(WAIT_SECONDS)
        while not self._store.check([f"{self._prefix}/start"]):
            if patience.is_over:
                return None
            time.sleep(_POLL_SECONDS)
        updates, refusal, path = json.loads(self._store.get(f"{self._prefix}/start"))
        if refusal:
            raise RecorderError(f"rank 0: {refusal}")
        return int(updates), str(path)

    def stop_signal(self) -> StopSignal:
        """Return the answer to whether the training should stop, the same in all ranks."""
        if self._store is None or self.ranks == 1:
            return StopSignal()
        return StopSignal(announce=self.announce_stop) if self.is_first else StopSignal(heard=self.announced_stop)

    def announce_stop(self, iteration: int) -> None:
        """As the first rank, tell the others from which iteration on the training should stop."""
        if self._store is not None:
            self._store.set(f"{self._prefix}/stop", str(iteration))

    def announced_stop(self) -> int | None:
        """Return what the first rank has told, None for nothing yet."""
        key = f"{self._prefix}/stop"
        return int(self._store.get(key)) if self._store is not None and self._store.check([key]) else None

    def leave(self, stream: str, iteration: int, arrays: Arrays) -> None:
        """Leave this rank's part for the first rank."""
        if self._store is None:
            return
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(arrays))
        key = self._key(stream, iteration, self.rank)
        self._store.set(key, buffer.getvalue())  # type: ignore[arg-type]
        left = self._left.setdefault(stream, deque())
        left.append(key)
        if len(left) > KEPT:
            self._store.delete_key(left.popleft())

    def pick_up(self, stream: str, iteration: int, wait: float | None = None) -> list[Arrays]:
        """Return the parts of all other ranks, in their order.

        Args:
            stream: Stream of the parts.
            iteration: Iteration of the parts.
            wait: Seconds to wait for them; None for WAIT_SECONDS.

        Raises:
            PartMissingError: A part is missing after that time; after LATE_SECONDS if that rank's last part was
                missing, too.
        """
        most = WAIT_SECONDS if wait is None else wait
        usual, late = Patience(most), Patience(LATE_SECONDS)
        return [
            self._pick_up(self._key(stream, iteration, rank), rank, late if rank in self._late else usual)
            for rank in range(1, self.ranks)
        ]

    def _pick_up(self, key: str, rank: int, patience: Patience) -> Arrays:
        if self._store is None:
            return {}
        while not self._store.check([key]):
            if patience.is_over:
                self._late.add(rank)
                raise PartMissingError(f"rank {rank} left no part within {patience.seconds:.0f} s")
            with resting():
                time.sleep(_POLL_SECONDS)
        self._late.discard(rank)
        data = self._store.get(key)
        self._store.delete_key(key)
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def _key(self, stream: str, iteration: int, rank: int) -> str:
        return f"{self._prefix}/{stream}/{iteration}/{rank}"


def is_imported_again() -> bool:
    """Whether this process, which multiprocessing has spawned, is just importing the script of its parent.

    A worker of a data loader does so, and makes all again that is not below `if __name__ == "__main__":`.
    """
    return bool(getattr(multiprocessing.current_process(), "_inheriting", False))


def untold_ranks() -> int:
    """Return how many processes a launcher has started before torch.distributed is initialised; 0 for none."""
    if dist.is_available() and dist.is_initialized():
        return 0
    try:
        ranks = int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError:
        return 0
    return ranks if ranks > 1 and "RANK" in os.environ else 0


def rank_here() -> int:
    """Return the rank of this process; before torch.distributed is initialised as its launcher tells, 0 for none."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank()
    told = os.environ.get("RANK", os.environ.get("LOCAL_RANK", ""))
    return int(told) if told.isdecimal() else 0


def _as_dtensor(tensor: Tensor | None) -> Any:
    """Return a tensor as DTensor, None if it is not one; torch's module is not imported for this check."""
    module = sys.modules.get("torch.distributed.tensor")
    return tensor if module is not None and isinstance(tensor, module.DTensor) else None


def is_sharded(tensor: Tensor | None) -> bool:
    """Whether each rank holds only a part of a weight (FSDP2)."""
    spread = _as_dtensor(tensor)
    return spread is not None and any(placement.is_shard() for placement in spread.placements)


def own_part(tensor: Tensor) -> Tensor | None:
    """Return the part of a parameter or gradient that this rank counts: every element is counted by one rank of all.

    A rank whose part another rank counts, and one whose values are a term of a sum, counts none: None.
    """
    spread = _as_dtensor(tensor)
    if spread is None:
        return tensor
    for axis, placement in enumerate(spread.placements):
        is_copy = not placement.is_shard() and spread.device_mesh.get_local_rank(axis) > 0
        if placement.is_partial() or is_copy:
            return None
    part: Tensor = spread.to_local()
    return part


def local_rows(tensor: Tensor) -> tuple[Tensor, int] | None:
    """Return the rows of a weight that this rank holds, and the index of the first.

    Args:
        tensor: A weight or gradient with filters first.

    Returns:
        The local tensor and the first row, or None if it is cut along another axis or several axes.
    """
    spread = _as_dtensor(tensor)
    if spread is None:
        return tensor, 0
    cuts = [(axis, placement.dim) for axis, placement in enumerate(spread.placements) if placement.is_shard()]
    if not cuts:
        return spread.to_local(), 0
    axis, dimension = cuts[0]
    if len(cuts) > 1 or dimension != 0:
        return None
    size = -(-spread.shape[0] // spread.device_mesh.size(axis))
    return spread.to_local(), min(size * spread.device_mesh.get_local_rank(axis), spread.shape[0])
