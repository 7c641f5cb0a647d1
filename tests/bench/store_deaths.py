"""Deaths and damage by the thousand: how many cost nothing, counted one by one; and how to see each failure again."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.registry import Measurement, benchmark
from tests.store.tally import Tally

KILLS = 2_400
MUTATIONS = 5_000


@benchmark
def kills() -> list[Measurement]:
    """Writers, compactors, packers and viewers killed at random instants without a loss, beside how many died."""
    from tests.store.ordeal import endure

    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    seeds = itertools.count(time.time_ns() % 1_000_000 * 1_000_000)
    tally = endure(folder, seeds, lambda tally: tally.total >= KILLS)
    if not tally.failures:
        shutil.rmtree(folder)
    return rows_of("kills", tally)


@benchmark
def crashes() -> list[Measurement]:
    """Death at every call of the operating system that a writer or a compactor makes, with parts of several sizes."""
    from tests.store.crashing import PART_SIZES, Crashes

    tally = Tally()
    remains = 0
    for small, large in PART_SIZES:
        with tempfile.TemporaryDirectory() as folder:
            crashes = Crashes(Path(folder), small, large, tally)
            for call in range(1, crashes.calls + 1):
                crashes.crash_writer(call)
            for call in crashes.torn_calls():
                crashes.crash_writer(call, torn=True)
            for call in range(1, crashes.folds + 1):
                crashes.crash_compactor(call)
            remains += crashes.kinds_of_remains
    share = Measurement("crashes_remains", remains, "crashes", tally.total, "different", remains / tally.total)
    return [*rows_of("crashes", tally), share]


@benchmark
def mutations() -> list[Measurement]:
    """Damaged runs, one of eight of them packed, that answered truly or not at all, beside how many were damaged."""
    from tests.store.mutating import mutate_runs

    with tempfile.TemporaryDirectory() as folder:
        return rows_of("mutations", mutate_runs(Path(folder), time.time_ns() % 1_000_000_000, range(MUTATIONS)))


def rows_of(name: str, tally: Tally) -> list[Measurement]:
    """Return a row for all and one a kind; tell on standard error how each failure is seen again."""
    for line in tally.failures:
        print(f"tests.bench: {name}: {line}", file=sys.stderr, flush=True)
    rows = [Measurement(name, tally.fine, "all of them", tally.total, "", tally.fine / max(1, tally.total))]
    kinds = [(f"{name}_{kind.replace(' ', '_')}", count) for kind, count in sorted(tally.counts.items())]
    return rows + [Measurement(one, n, name, tally.total, "", n / max(1, tally.total)) for one, n in kinds]
