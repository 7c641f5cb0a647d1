"""Finds mini-sets: filters of one layer that always occur together among the anomaly filters.

Owns the partition. Two filters are in one part if they are in the same layer and in the same sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Filters of one layer that are in the same sets.

    Attributes:
        filters: Rows on the flat filter axis, ascending, at least one.
        sets: Positions of the sets that hold them, ascending, at least one.
    """

    filters: IntArray
    sets: IntArray


def partition(sets: Sequence[IntArray], layer_of: IntArray) -> list[Part]:
    """Split the filters of all sets into the coarsest parts such that every set is a union of parts.

    Takes time in proportion to the size of all sets, and to the number of filters: each filter's sets are listed by
    counting, and filters with equal lists are found by hashing them.

    Args:
        sets: Rows of filters, in any order, each at most once per set.
        layer_of: Layer of each filter, shape (F,). Filters of different layers are never in one part.

    Returns:
        The parts by their first filter. They are disjoint, and together they cover all sets.

    Source: DeepTracker (ACM TIST 2018), mini-sets, there by splitting each part by each set; by signature: dtui.
    """
    if not sets:
        return []
    filters = np.concatenate(sets).astype(np.int64, copy=False)
    holders = np.repeat(np.arange(len(sets), dtype=np.int64), [len(one) for one in sets])
    order = _by_counting(filters)
    filters, holders = filters[order], holders[order]
    starts = np.flatnonzero(np.diff(filters, prepend=-1))
    rows, layers = filters[starts].tolist(), layer_of[filters[starts]].tolist()
    bounds = [*starts.tolist(), len(filters)]
    signatures, size = holders.tobytes(), holders.itemsize
    members: dict[tuple[int, bytes], list[int]] = {}
    for at, row in enumerate(rows):
        signature = signatures[bounds[at] * size : bounds[at + 1] * size]
        members.setdefault((layers[at], signature), []).append(row)
    return [
        Part(np.array(own, dtype=np.int64), np.frombuffer(signature, dtype=np.int64))
        for (_, signature), own in members.items()
    ]


def _by_counting(values: IntArray) -> IntArray:
    """Return the stable order of values in [0, 2³²), by counting their halves: NumPy sorts 16 bits by radix."""
    low = (values & 0xFFFF).astype(np.uint16)
    order: IntArray = np.argsort(low, kind="stable")
    if int(values.max(initial=0)) > 0xFFFF:
        high = (values[order] >> 16).astype(np.uint16)
        order = order[np.argsort(high, kind="stable")]
    return order
