"""Death at every call of the operating system that a writer or a compactor makes, one after the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.store.crashing import compact_run, crash_compactor, crash_writer, write_run
from tests.store.dying import count_calls, in_child, shrink_parts

SHARES = 4
"""Tests that share the calls among them, so that they spread over processes."""
COMPACTOR_STEP = 3


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_parts(monkeypatch, 2, 4)


@pytest.mark.parametrize("share", range(SHARES))
def test_a_writer_may_die_at_any_call(tmp_path: Path, share: int) -> None:
    calls = count_calls(lambda pipe: write_run(tmp_path / "whole", pipe))
    assert calls > 60
    for call in range(1 + share, calls + 1, SHARES):
        path = tmp_path / f"{call}.dtui"
        crash_writer(path, call, torn=call % 2 == 0)
        shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("share", range(SHARES))
def test_a_compactor_may_die_at_any_call(tmp_path: Path, share: int) -> None:
    good = tmp_path / "good.dtui"
    in_child(lambda pipe: write_run(good, pipe), 0)
    shutil.copytree(good, tmp_path / "whole.dtui")
    calls = count_calls(lambda _: compact_run(tmp_path / "whole.dtui"))
    assert calls > 200
    for call in range(1 + share * COMPACTOR_STEP, calls + 1, SHARES * COMPACTOR_STEP):
        path = tmp_path / f"{call}.dtui"
        crash_compactor(good, path, call)
        shutil.rmtree(path)


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
