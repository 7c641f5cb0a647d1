"""The samples of one update, as a frame stores them.

Owns the two columns of watches, and the two of records, that hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtui.model import Column, IntArray
from dtui.record.batches.clearing import Cleared, standing
from dtui.record.training.devices import when_ready
from dtui.record.writing.failure_guard import RECORDS, WATCHES
from dtui.record.writing.warn import warn_once

MOST_SAMPLES = 4_096
"""Samples of an update that are kept: 32 KiB a watch in the ring of the flight recorder."""
USUAL_SAMPLES = 256
"""Rows of a run that is begun before any batch is seen, by a validation before the training."""
LARGEST_ID = 1 << 53
"""The first id that a float64 does not hold exactly."""
_NAMES = {WATCHES: ("samples", "sample_count"), RECORDS: ("record_samples", "record_sample_count")}
"""The columns of a stream. Records have them too: where every iteration is a record there are no watches."""


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """What the batches of one update were made of; what is on a device is read by whoever may wait for it.

    Attributes:
        parts: The ids of each batch, in the order in which they were used, integers, shape (n,); and between them
            whether the gradients of those before were cleared.
    """

    parts: tuple[IntArray | Tensor | Cleared, ...] = ()

    @property
    def awaited(self) -> list[object]:
        """What a device may still have to compute."""
        return [part.rest if isinstance(part, Cleared) else part for part in self.parts]

    def read(self) -> IntArray:
        """Return all ids, shape (samples,), int64; negative ones, which stand for none, and huge ones are left out."""
        parts: list[IntArray | Tensor] = standing(self.parts)
        read = [part.cpu().numpy() if isinstance(part, Tensor) else part for part in parts]
        if not read:
            return np.empty(0, np.int64)
        ids = np.concatenate([one.reshape(-1).astype(np.int64) for one in read])
        if (ids >= LARGEST_ID).any():
            warn_once("large ids", f"batches: ids of {LARGEST_ID:,} and more are left out")
        return ids[(ids >= 0) & (ids < LARGEST_ID)]


class SampleColumns:
    """The columns of one run. Their length is that of the first update, and does not change."""

    def __init__(self, rows: int) -> None:
        """Make room for so many samples an update."""
        self.rows = min(max(rows, 1), MOST_SAMPLES)

    @classmethod
    def of_run(cls, columns: Iterable[Column]) -> SampleColumns | None:
        """Return those that a run has which is gone on with; None if it was begun without."""
        rows = [column.rows for column in columns if column.name == _NAMES[WATCHES][0]]
        return cls(rows[0] or 1) if rows else None

    @property
    def listed(self) -> Sequence[Column]:
        """The columns, for the list of what the run holds."""
        return [
            column
            for stream, (ids, count) in _NAMES.items()
            for column in (Column(ids, "<f8", stream, self.rows), Column(count, "<u4", stream, 1))
        ]

    def filling(self, samples: Samples, stream: str) -> Callable[[], Mapping[str, NDArray[Any]]]:
        """Return a function for another thread that gives the columns of a frame.

        Those are the ids, NaN behind the last, and how many there were; of more than fit the first are kept.
        """
        ids_name, count_name = _NAMES[stream]
        ready = when_ready(samples.awaited)

        def fill() -> Mapping[str, NDArray[Any]]:
            ready()
            ids = samples.read()
            if len(ids) > self.rows:
                warn_once(
                    "left out samples",
                    f"batches: an update had {len(ids):,} samples; the first {self.rows:,} are kept, as of the first",
                )
            kept = np.full(self.rows, np.nan)
            kept[: min(self.rows, len(ids))] = ids[: self.rows]
            return {ids_name: kept, count_name: np.array([len(ids)], np.uint32)}

        return fill


def as_ids(values: Any) -> IntArray | Tensor:
    """Return ids that a batch holds, shape (n,), integers; on a device a copy that is still there.

    Raises:
        ValueError: They are no integers.
    """
    if isinstance(values, Tensor):
        if values.is_floating_point() or values.is_complex():
            raise ValueError(f"they are {values.dtype}, and ids are integers")
        values = values.detach().reshape(-1).to(torch.int64, copy=True)
        return values if values.device.type != "cpu" else np.asarray(values)
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ValueError(f"they are {array.dtype}, and ids are integers: give each sample a number")
    ids: IntArray = array.reshape(-1).astype(np.int64)
    return ids
