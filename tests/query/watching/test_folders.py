"""A folder of runs, and runs that are not there yet, or no more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dtui.errors import RunNotBegunError, RunNotFoundError
from dtui.model import (
    RunStatus,
)
from dtui.query.watching.events import EventKind, Look, Wanted
from dtui.query.watching.watcher import Watcher
from dtui.store import RunWriter, find_past
from tests.query.watching.live import Live, calm, killed, kinds
from tests.store.builders import METADATA, STRUCTURE


def test_a_folder_tells_of_new_runs_and_not_of_what_ended_before(tmp_path: Path) -> None:
    for name in ("old", "older"):
        with RunWriter(tmp_path / name, STRUCTURE, METADATA, compact=False) as writer:
            writer.append_record(calm(0, "weights"))
    killed(tmp_path / "older.dtui")
    now = [0.0]
    watcher = Watcher(tmp_path, Wanted(), clock=lambda: now[0])
    assert watcher.look().events == ()
    for here, there in (("old.dtui", "moved"), ("moved", "old.dtui")):  # as a disk that is not mounted for a while
        (tmp_path / here).rename(tmp_path / there)
        now[0] += 60
        assert watcher.look() == Look()
    new = RunWriter(tmp_path / "deep" / "new", STRUCTURE, METADATA, compact=False)
    new.append_record(calm(0, "weights"))
    now[0] += 60
    assert [(event.path, event.kind) for event in watcher.look().events] == [(str(new.path), EventKind.NONFINITE)]
    assert not watcher.is_over
    new.close(RunStatus.CRASHED, "boom")
    now[0] += 60
    assert kinds(list(watcher.look().events)) == ["crash"]
    assert watcher.following == ()
    past = find_past(tmp_path / "old")
    assert past is not None
    resumed = RunWriter.resume(past, 10, compact=False)
    resumed.append_record(calm(1, "gradients"))
    now[0] += 60
    assert [event.run for event in watcher.look().events] == ["a <run>"]
    watcher.close()
    resumed.close()


def test_one_look_at_a_folder_tells_of_all_runs(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "old", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(calm(0))
    killed(tmp_path / "old.dtui")
    watcher = Watcher(tmp_path, Wanted(), is_once=True)
    assert kinds(list(watcher.look().events)) == ["crash"]


def test_a_run_that_goes_away_or_is_replaced_is_told_once_and_hinders_no_other(live: Live) -> None:
    folder = live.path.parent
    now = [0.0]
    watcher = Watcher(folder, Wanted(), clock=lambda: now[0])
    assert watcher.look().remarks == ()
    other = RunWriter(folder / "other", STRUCTURE, METADATA, compact=False)
    other.append_record(calm(0))
    now[0] += 60
    watcher.look()
    shutil.rmtree(live.path)
    remarks = []
    for _ in range(4):
        other.append_record(calm(int(now[0]), "weights"))
        now[0] += 60
        found = watcher.look()
        remarks += found.remarks
    assert len(remarks) == 1
    assert "removed" in remarks[0]
    shutil.rmtree(other.path)
    replaced = RunWriter(folder / "other", STRUCTURE, METADATA, compact=False)
    replaced.append_record(calm(0, "weights"))
    told = []
    for _ in range(3):
        now[0] += 60
        found = watcher.look()
        told += [*found.remarks, *kinds(list(found.events))]
    assert [line for line in told if "another run has taken its place" in line or line == "nonfinite"] == told
    assert told.count("nonfinite") == 1
    watcher.close()


def test_what_is_no_run_is_refused_and_a_claimed_one_waited_for(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="no such file or directory"):
        Watcher(tmp_path / "nowhere", Wanted())
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(RunNotFoundError, match="a file, not a run"):
        Watcher(tmp_path / "file.txt", Wanted())
    from dtui.store.write.claim import claim_new

    claim = claim_new(tmp_path / "claimed.dtui")
    with pytest.raises(RunNotBegunError):
        Watcher(tmp_path / "claimed", Wanted(), is_once=True)
    watcher = Watcher(tmp_path / "claimed", Wanted())
    assert watcher.look().events == ()
    assert not watcher.is_over
    with RunWriter(tmp_path / "claimed", STRUCTURE, METADATA, compact=False, claim=claim) as writer:
        writer.append_record(calm(0, "weights"))
        assert kinds(list(watcher.look().events)) == ["nonfinite"]
    watcher.close()
