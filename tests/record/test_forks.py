"""A training that forks while it is recorded never hangs: no child inherits what a thread of ours held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dtui import fork_gate, patience
from dtui.model import RunStatus
from dtui.patience import TURN_SECONDS
from dtui.store import RunReader
from tests.conftest import SHARE, is_whole
from tests.record.forking import PATIENCE

FORKS = 240
"""With --all; a share of them without."""


def run(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.record.forking", name, str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_our_threads_import_nothing_and_do_nothing_that_a_fork_would_not_wait_for(tmp_path: Path) -> None:
    done = run("work", tmp_path)
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert "iteration 160 was not written" in done.stderr
    assert (tmp_path / "seen").read_text() == ""
    reader = RunReader(tmp_path / "28.dtui")
    assert reader.status() is RunStatus.DONE
    assert reader.images is not None
    assert list((tmp_path / "28.dtui" / "parts").glob("watches-*"))
    reader.close()


def test_no_child_hangs_that_is_forked_while_our_threads_work(
    tmp_path: Path, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    forks = FORKS if is_whole(pytestconfig) else FORKS // SHARE
    done = run("storm", tmp_path, str(forks))
    assert done.returncode == 0, done.stderr[-6000:]
    for number in range(4):
        reader = RunReader(tmp_path / f"run{number}.dtui")
        assert reader.status() is RunStatus.DONE
        assert reader.gaps == ()
        assert reader.record_iterations.tolist() == list(range(forks // 4))
        reader.close()
    record_property("forks of a recorded training in which no child hung", forks)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_data_loader_are_begun_in_every_way(tmp_path: Path, method: str) -> None:
    done = run("loaders", tmp_path, method)
    assert done.returncode == 0, done.stderr[-6000:]
    reader = RunReader(tmp_path / "run.dtui")
    assert (reader.status(), reader.gaps) == (RunStatus.DONE, ())
    assert len(reader.validation_iterations) == (3 if method == "fork" else 1)
    reader.close()


def fork() -> int:
    """Fork a child that ends at once, and return its exit status."""
    child = os.fork()
    if not child:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Working(threading.Thread):
    """A thread that works behind a gate until it is released, and may rest in between."""

    def __init__(self, *, rests: bool = False) -> None:
        super().__init__(daemon=True)
        self.gate = fork_gate.ForkGate()
        self.begun, self.release, self.done = threading.Event(), threading.Event(), threading.Event()
        self.rests = rests
        self.start()
        assert self.begun.wait(PATIENCE)

    def run(self) -> None:
        with self.gate.working():
            if self.rests:
                with fork_gate.resting():
                    self.begun.set()
                    assert self.release.wait(PATIENCE)
            else:
                self.begun.set()
                assert self.release.wait(PATIENCE)
            self.done.set()


def test_a_fork_waits_until_the_work_is_done() -> None:
    working = Working()
    before: list[bool] = []
    waiting = threading.Thread(target=lambda: before.append(fork() == 0 and working.done.is_set()))
    waiting.start()
    while fork_gate._turn.acquire(blocking=False):  # until the fork waits
        fork_gate._turn.release()
    working.release.set()
    waiting.join(PATIENCE)
    assert before == [True]


def test_a_fork_does_not_wait_for_a_thread_that_rests_nor_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    resting = Working(rests=True)
    assert fork() == 0
    assert not resting.done.is_set()
    resting.release.set()
    resting.join(PATIENCE)
    monkeypatch.setattr(fork_gate, "LONGEST_WAIT", 0.01)
    stuck = Working()
    assert fork() == 0
    assert not stuck.done.is_set()
    stuck.release.set()
    stuck.join(PATIENCE)
    assert stuck.done.is_set()


class Held:
    """A gate's lock that a thread holds: a wait for it takes as long as it is given, and the first a while more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stopped: float = 0) -> None:
        self.waited, self.now, self.stopped = 0.0, 0.0, stopped
        monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: self.now))

    def acquire(self, timeout: float) -> bool:
        self.waited += timeout
        self.now += timeout + self.stopped
        self.stopped = 0
        return False


def test_all_forks_together_wait_for_one_piece_of_work_no_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    held, gate = Held(monkeypatch), fork_gate.ForkGate()
    with gate.working():
        held.now += 100  # it works long before anything forks
        lock, gate._lock = gate._lock, held  # type: ignore[assignment]
        gate._worker = -1
        assert not gate._take()
        assert fork_gate.LONGEST_WAIT - TURN_SECONDS <= held.waited <= fork_gate.LONGEST_WAIT + TURN_SECONDS
        waited = held.waited
        assert not gate._take()
        assert held.waited == waited
        gate._lock = lock


def test_a_fork_still_waits_after_the_process_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has worked meanwhile; a child that did not wait could hang."""
    held, gate = Held(monkeypatch, stopped=1000), fork_gate.ForkGate()
    with gate.working():
        lock, gate._lock = gate._lock, held  # type: ignore[assignment]
        gate._worker = -1
        assert not gate._take()
        assert held.waited >= fork_gate.LONGEST_WAIT - TURN_SECONDS
        gate._lock = lock


def test_what_is_noted_for_children_in_the_middle_of_work_does_not_hold_back_the_fork_that_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The writer notes what a child has to let go while it opens a run: neither may wait for the other."""
    taken: dict[fork_gate.ForkGate, bool] = {}
    take = fork_gate.ForkGate._take
    monkeypatch.setattr(fork_gate.ForkGate, "_take", lambda gate: taken.setdefault(gate, take(gate)))
    gate, begun = fork_gate.ForkGate(), threading.Event()
    made: list[fork_gate.ForkGate] = []

    def work() -> None:
        with gate.working():
            begun.set()
            while fork_gate._turn.acquire(blocking=False):  # until the fork waits
                fork_gate._turn.release()
            fork_gate.forget_in_child(gate._renew)
            made.append(fork_gate.ForkGate())

    working = threading.Thread(target=work)
    working.start()
    assert begun.wait(PATIENCE)
    assert fork() == 0
    working.join(PATIENCE)
    assert taken[gate]
    assert made[0] in fork_gate._gates
    assert gate._renew in [known() for known in fork_gate._forgetting]


def test_a_child_finds_the_gate_of_another_thread_open_and_its_own_as_it_was() -> None:
    gate = fork_gate.ForkGate()
    for worker, is_locked in ((threading.get_ident(), True), (-1, False)):
        gate._lock.acquire(blocking=False)
        gate._worker = worker
        gate._renew()
        assert gate._lock.locked() == is_locked


def test_a_thread_of_ours_may_fork_itself() -> None:
    """A person's code may, when it makes a picture."""
    gate = fork_gate.ForkGate()
    with gate.working():
        assert fork() == 0
    assert fork() == 0


def fork_and_wait() -> None:
    assert fork() == 0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        pass


def test_ctrl_c_while_a_fork_waits_is_not_lost() -> None:
    working = Working()

    def interrupt() -> None:
        while fork_gate._turn.acquire(blocking=False):
            fork_gate._turn.release()
        os.kill(os.getpid(), signal.SIGINT)
        working.release.set()

    before: Any = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            fork_and_wait()
    finally:
        signal.signal(signal.SIGINT, before)
    interrupting.join(PATIENCE)
    assert fork() == 0
