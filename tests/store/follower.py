"""Follows a run until it ends, and compares every answer with what its writer appends; run as a process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from dtui.model import FILTER_STATISTICS, RunStatus
from dtui.store import RunReader
from tests.store.builders import make_record
from tests.store.twin import KEPT_BITS, rounded


def follow(path: Path) -> int:
    """Return how many answers were compared."""
    reader = RunReader(path)
    rows = {name: FILTER_STATISTICS.index(name) for name in ("std", "update_norm")}
    expected = {name: np.empty((12, 0), np.float32) for name in rows}
    answers = seen = 0
    while True:
        ended = reader.status() is not RunStatus.LIVE
        reader.refresh()
        count = len(reader.record_iterations)
        assert count >= seen, f"{count} records after {seen}"
        assert reader.faults == (), reader.faults
        for position in range(seen, count):
            filters = make_record(position).filters
            for name, row in rows.items():
                expected[name] = np.column_stack([expected[name], rounded(filters[row], KEPT_BITS[name])])
        for name, values in expected.items():
            np.testing.assert_array_equal(reader.read_filters(name, slice(None), slice(0, count)), values[:, :count])
            answers += 1
        np.testing.assert_array_equal(reader.record_iterations, np.arange(count) * 10)
        seen = count
        if ended:
            reader.close()
            return answers


if __name__ == "__main__":
    print(follow(Path(sys.argv[1])))
