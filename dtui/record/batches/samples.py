"""The samples of one update, as a frame stores them.

Owns the two columns of watches and of records that hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from dtui.model import IntArray

MOST_SAMPLES = 4_096
"""Samples of an update that are kept: 32 KiB a watch in the ring of the flight recorder."""
NO_SAMPLE = -1
"""Stands in the rows behind the last sample."""


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """What the batches of one update were made of; ids that are on a device are read by whoever may wait for it.

    Attributes:
        parts: The ids of each batch, in the order in which they were used: integers, shape (n,).
    """

    parts: tuple[IntArray | Tensor, ...] = ()

    def read(self) -> IntArray:
        """Return all ids, shape (samples,), int64; negative ones, which stand for none, are left out."""
        read = [part.cpu().numpy() if isinstance(part, Tensor) else part for part in self.parts]
        if not read:
            return np.empty(0, np.int64)
        ids = np.concatenate([one.reshape(-1).astype(np.int64) for one in read])
        return ids[ids >= 0]

    def columns(self, rows: int) -> Mapping[str, IntArray]:
        """Return the ids in `rows` rows, and how many there were; of more than fit, the first are kept."""
        ids = self.read()
        kept = np.full(rows, NO_SAMPLE, np.int64)
        kept[: min(rows, len(ids))] = ids[:rows]
        return {"samples": kept, "sample_count": np.array([len(ids)], np.uint32)}


def as_ids(values: Any) -> IntArray | Tensor:
    """Return ids that a batch holds, shape (n,), integers; on a device a copy that is still there.

    Raises:
        ValueError: They are no integers.
    """
    if isinstance(values, Tensor):
        if values.is_floating_point() or values.is_complex():
            raise ValueError(f"they are {values.dtype}, and ids are integers")
        values = values.detach().reshape(-1)
        return values.clone() if values.device.type != "cpu" else values.numpy().astype(np.int64)
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ValueError(f"they are {array.dtype}, and ids are integers: give each sample a number")
    ids: IntArray = array.reshape(-1).astype(np.int64)
    return ids
