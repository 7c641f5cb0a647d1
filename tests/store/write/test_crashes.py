"""Death at every call of the operating system by which a writer or a compactor changes a run, one after the other.

A writer dies here at every second call, and a compactor where a run is as it was before no other call; both die at all
of them in `python -m tests.bench crashes`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.crashing import Crashes
from tests.store.dying import count_calls, in_child
from tests.store.remains import remains_of
from tests.store.tally import Tally

SMALL, LARGE = 2, 4
SHARES = 2
"""Tests that share the calls among them, so that they spread over processes."""


@pytest.mark.parametrize("share", range(SHARES))
def test_a_writer_and_a_compactor_may_die_at_any_call(
    tmp_path: Path, share: int, record_property: Callable[[str, object], None]
) -> None:
    tally = Tally()
    crashes = Crashes(tmp_path, SMALL, LARGE, tally)
    assert crashes.calls > 60
    assert crashes.folds > 300
    mine = range(1 + share, crashes.calls + 1, 2 * SHARES)
    for call in mine:
        crashes.crash_writer(call)
    torn = crashes.torn_calls()[share::SHARES]
    for call in torn:
        crashes.crash_writer(call, torn=True)
    fewest = crashes.kinds_of_remains
    telling = crashes.telling_folds()
    assert len(telling) > 30
    others = [call for call in range(1, crashes.folds + 1) if call not in telling]
    folds = [*telling[share::SHARES], *others[share :: SHARES * 60]]
    for call in folds:
        crashes.crash_compactor(call)
    assert tally.failures == []
    assert tally.total == len(mine) + len(torn) + len(folds)
    assert len(torn) >= 3
    assert 10 < fewest < crashes.kinds_of_remains - 5  # not all the same, and so never judged
    record_property("deaths", tally.total)


def test_remains_are_equal_only_where_all_bytes_are(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lock = '{"pid": %d, "host": "%s", "boot": "b", "started": %d}'
    (run / "compact.lock").write_text(lock % (1, "here", 2))
    (run / "part.h5.tmp-1-abc").write_bytes(b"part")
    before = remains_of(run)
    (run / "compact.lock").write_text(lock % (33, "here", 44))
    (run / "part.h5.tmp-1-abc").rename(run / "part.h5.tmp-22-def")
    assert remains_of(run) == before
    for name, data in (("compact.lock", b""), ("part.h5", b"part"), ("part.h5.tmp-3-abc", b"parts"), ("folder", None)):
        known = remains_of(run)
        (run / name).mkdir() if data is None else (run / name).write_bytes(data)
        assert remains_of(run) != known
    (run / "compact.lock").write_text(lock % (33, "elsewhere", 44))
    assert remains_of(run) != known


def test_it_counts_the_calls_that_matter(tmp_path: Path) -> None:
    """Were the count blind for some calls, the tests above would pass over the instants between them."""

    def work(pipe: int) -> None:
        import os

        with (tmp_path / "a").open("wb") as file:
            file.write(b"x")
            os.fsync(file.fileno())
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "b").unlink()

    assert count_calls(work) >= 5
    in_child(work, 4)
    assert (tmp_path / "a").exists()
