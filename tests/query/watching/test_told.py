"""What was told is not told again after a restart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dtui.errors import OutputError
from dtui.model import (
    RunStatus,
)
from dtui.query.watching.events import Wanted
from dtui.query.watching.told import Told
from dtui.query.watching.watched_run import as_seconds
from dtui.query.watching.watcher import Watcher
from dtui.store import RunWriter, find_past
from tests.query.watching.live import calm, kinds
from tests.store.builders import METADATA, STRUCTURE


def test_what_was_told_is_not_told_again_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    path = tmp_path / "runs" / "run.dtui"
    with RunWriter(path, STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(calm(0, "weights"))
    for expected in (["nonfinite"], []):
        told = Told(file)
        watcher = Watcher(path.parent, Wanted(), told, is_once=True)
        assert kinds(list(watcher.look().events)) == expected
        told.save()
    second = RunWriter(tmp_path / "runs" / "second", STRUCTURE, METADATA, compact=False)
    second.append_record(calm(0, "weights"))
    second.close()
    told = Told(file)
    watcher = Watcher(path.parent, Wanted(), told)  # it ended while nobody watched, and that is news
    assert [event.path for event in watcher.look().events] == [str(second.path)]


def crashed(path: Path, is_old: bool = True) -> Path:
    """Record a run that crashes; where one is there, the new one takes its place, or goes on with it."""
    past = find_past(path) if is_old else None
    if past is None:
        shutil.rmtree(path.with_suffix(".dtui"), ignore_errors=True)
        writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
        writer.append_record(calm(0))
    else:
        writer = RunWriter.resume(past, 10, compact=False)
        writer.append_record(calm(1))
    writer.close(RunStatus.CRASHED, "boom")
    return writer.path


def test_what_was_told_of_a_run_is_told_of_another_in_its_place_and_of_one_that_went_on(tmp_path: Path) -> None:
    """By the same watch, and by one that is started when all is over; each thing once."""
    now, file = [0.0], tmp_path / "told.json"
    watcher = Watcher(tmp_path, Wanted(), Told(file), clock=lambda: now[0])

    def told() -> list[str]:
        now[0] += 60.0
        return kinds(list(watcher.look().events))

    for is_old, expected in ((False, ["crash"]), (False, ["crash"]), (True, ["crash"])):
        crashed(tmp_path / "run", is_old)
        assert [told(), told()] == [expected, []]
    for is_old in (True, False):
        for expected in ([], ["crash"], []):
            if expected:
                crashed(tmp_path / "run", is_old)
            watcher = Watcher(tmp_path, Wanted(), Told(file), clock=lambda: now[0])
            assert told() == expected
            watcher._told.save()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"dtui_watch": 9}', b'{"told": {}}', b"\xff", b"[" * 100_000])
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(OutputError, match="not a file that dtui watch keeps"):
        Told(file)
    assert file.read_bytes() == content


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.query.watching.told.MOST_KEYS", 3)
    monkeypatch.setattr("dtui.query.watching.told.MOST_RUNS", 2)
    told = Told(tmp_path / "file")
    for run in "abc":
        assert all(told.add(run, str(key)) for key in range(5))
        assert not told.add(run, "4")
    told.save()
    assert json.loads((tmp_path / "file").read_text())["told"] == {run: ["2", "3", "4"] for run in "bc"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.004, "4 ms"),
        (0.5, "0.5 s"),
        (59.6, "60 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (9000, "2.5 h"),
    ],
)
def test_lengths_of_time_are_words(seconds: float, words: str) -> None:
    assert as_seconds(seconds) == words
