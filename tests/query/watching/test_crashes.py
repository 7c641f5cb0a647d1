"""A training that crashes is told of once, and one that does not is not."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from dtui.model import (
    RunStatus,
)
from dtui.query import open_run
from dtui.query.compare.others import Others
from dtui.query.watching.claims import LEAVING_SECONDS
from dtui.query.watching.events import EventKind, Look, Wanted
from dtui.query.watching.told import Told
from dtui.query.watching.watcher import Watcher
from dtui.store import RunWriter, find_past
from dtui.store.run.run_file import Process, RunFile
from tests.query.watching.live import Live, calm, killed, kinds
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_validation


def test_a_healthy_training_is_never_told_of(live: Live) -> None:
    for _ in range(30):
        live.append()
        assert live.look(5.0) == []
    live.writer.close()
    assert live.look(5.0) == []
    assert live.watcher.is_over


def test_a_crash_is_told_once_with_its_reason(live: Live) -> None:
    live.writer.close(RunStatus.CRASHED, "RuntimeError: CUDA out of memory")
    (event,) = live.look(1.0)
    assert (event.kind, event.iteration, event.status) == (EventKind.CRASH, 0, RunStatus.CRASHED)
    assert event.sentence == "crashed after iteration 0: RuntimeError: CUDA out of memory"
    assert live.watcher.is_over
    assert live.look(1.0) == []


def test_a_crash_is_told_after_the_last_validation_or_before_the_first_record(tmp_path: Path) -> None:
    sentences = []
    for name in ("validated", "new"):
        writer = RunWriter(tmp_path / name, STRUCTURE, METADATA, compact=False)
        if name == "validated":
            writer.append_record(calm(0))
            writer.set_images(IMAGES)
            writer.append_validation(make_validation(2))
        writer.close(RunStatus.CRASHED, "boom")
        watcher = Watcher(writer.path, Wanted(), is_once=True)
        sentences += [event.sentence for event in watcher.look().events]
        watcher.close()
    last = make_validation(2).iteration
    assert sentences == [f"crashed after iteration {last}: boom", "crashed before its first record: boom"]


def test_runs_of_the_same_name_in_two_folders_are_two(tmp_path: Path) -> None:
    told = Told()
    for folder in ("a", "b"):
        writer = RunWriter(tmp_path / folder / "run", STRUCTURE, METADATA, compact=False)
        writer.append_record(calm(0, "weights"))
        watcher = Watcher(writer.path, Wanted(), told, is_once=True)
        assert kinds(list(watcher.look().events)) == ["nonfinite"]
        watcher.close()
        writer.close()


def test_a_killed_training_is_told_and_again_when_it_is_killed_after_a_resume(live: Live) -> None:
    killed(live.path)
    (event,) = live.look(1.0)
    assert event.sentence == "crashed after iteration 0: nobody closed it, and nothing records it any more"
    past = find_past(live.path)
    assert past is not None
    RunWriter.resume(past, 10, compact=False).append_record(calm(1))
    assert live.look(1.0) == []
    assert live.watcher.following != ()
    killed(live.path)
    assert [one.iteration for one in live.look(1.0)] == [10]


@pytest.mark.parametrize(("is_once", "found"), [(True, ["crash"]), (False, [])])
def test_one_look_watches_for_signs_of_life_from_another_host_and_a_first_of_many_does_not(
    live: Live, monkeypatch: pytest.MonkeyPatch, is_once: bool, found: list[str]
) -> None:
    monkeypatch.setattr("dtui.store.run.life.GLANCE_SECONDS", 0.0)
    file = RunFile.read(live.path)
    replace(file, writer=replace(Process.this(), host="elsewhere")).write(live.path)
    watcher = Watcher(live.path, Wanted(), is_once=is_once)
    assert kinds(list(watcher.look().events)) == found
    watcher.close()


def test_a_training_on_another_host_that_was_silent_and_is_back_is_watched_again(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, now = RunFile.read(live.path), [0.0]
    replace(file, writer=replace(Process.this(), host="elsewhere")).write(live.path)
    watcher = Watcher(live.path.parent, Wanted(), clock=lambda: now[0])

    def told() -> list[str]:
        now[0] += 60.0
        os.utime(live.path / "heartbeat", (now[0], now[0]))
        return kinds(list(watcher.look().events))

    assert [told(), told()] == [[], []]
    for _ in range(2):
        with monkeypatch.context() as silent:
            silent.setattr("dtui.store.run.life.SILENT_SECONDS", -1.0)
            assert told() == ["crash"]
            assert watcher.following == ()
        assert [told(), told()] == [[], []]
        assert watcher.following != ()
    watcher.close()


def test_a_list_of_runs_reads_it_again_too(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = shutil.copytree(live.path, tmp_path / "elsewhere" / "own.dtui")
    file = RunFile.read(live.path)
    replace(file, writer=replace(Process.this(), host="elsewhere")).write(live.path)
    with open_run(own) as query:
        others = Others(query, (live.path,))

        def status() -> RunStatus:
            return next(row.info.status for row in others.rows(9).rows if row.info is not None)

        assert status() is RunStatus.LIVE
        with monkeypatch.context() as silent:
            silent.setattr("dtui.store.run.life.WATCHED_SECONDS", -1.0)
            assert others.refresh()
            assert status() is RunStatus.CRASHED
        assert not others.refresh()
        os.utime(live.path / "heartbeat", (1.0, 1.0))
        assert others.refresh()
        assert status() is RunStatus.LIVE
        others.close()


class Claiming:
    """A child that has claimed a path, and waits."""

    def __init__(self, path: Path) -> None:
        from dtui.store.write.claim import claim_new

        (may_go, self._go), (ready, is_ready) = os.pipe(), os.pipe()
        self.child = os.fork()
        if not self.child:
            os.close(self._go)
            claim = claim_new(path)
            os.write(is_ready, b".")
            if os.read(may_go, 1):
                claim.give_up()
            os.write(is_ready, b".")
            os.read(may_go, 1)
            os._exit(0)
        os.read(ready, 1)
        self._ready = ready

    def give_up(self) -> None:
        os.write(self._go, b".")
        os.read(self._ready, 1)

    def end(self) -> None:
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)


@pytest.mark.parametrize("place", ["claimed", "."])
@pytest.mark.parametrize("how", ["killed", "failed"])
def test_a_training_that_dies_before_its_first_record_has_crashed(tmp_path: Path, place: str, how: str) -> None:
    """Killed, it leaves its claim; by an exception it gives it up, and is there for a moment more."""
    training, now = Claiming(tmp_path / "claimed.dtui"), [0.0]
    watchers = [
        Watcher(tmp_path / place, wanted, clock=lambda: now[0])
        for wanted in (Wanted(), Wanted(), Wanted(frozenset({EventKind.STALL})))
    ]
    looked = [watcher.look() for watcher in watchers]
    if how == "failed":
        training.give_up()
        looked += [watcher.look() for watcher in watchers]
    assert looked == [Look()] * len(looked)
    training.end()
    now[0] += 60
    first, second, third = (watcher.look() for watcher in watchers)
    (event,) = first.events
    assert event.sentence.startswith(f"crashed before its first record: process {training.child} on ")
    assert (event.kind, event.run, event.iteration, event.path) == (
        EventKind.CRASH,
        "claimed",
        None,
        str(tmp_path / "claimed.dtui"),
    )
    assert (second, third.events) == (first, ())
    assert watchers[0].is_over == (place == "claimed")
    assert (watchers[0].look().events, watchers[2].look().events) == ((), ())
    assert watchers[2].is_over == (place == "claimed")


def test_a_training_that_leaves_its_claim_and_goes_on_has_not_crashed(tmp_path: Path) -> None:
    """As in a notebook, where the network was dropped before it was trained."""
    training, now = Claiming(tmp_path / "claimed.dtui"), [0.0]
    watcher = Watcher(tmp_path / "claimed", Wanted(), clock=lambda: now[0])
    assert watcher.look() == Look()
    training.give_up()
    assert watcher.look() == Look()
    now[0] += LEAVING_SECONDS
    assert watcher.look() == Look()
    training.end()
    assert [line[-25:] for line in watcher.look().remarks] == ["makes it with its recorder"[-25:]]
    assert watcher.is_over
