"""Of those who claim one path at once, one gets it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dtui.errors import RunExistsError
from dtui.store import RunReader, RunWriter
from dtui.store.write.claim import Claim, claim_new, claim_numbered, hold_run, take_claim
from tests.store.builders import METADATA, STRUCTURE

RACER = """
import sys
from pathlib import Path
from dtui.errors import RunExistsError
from dtui.store.write.claim import claim_new, claim_numbered
folder, kept = Path(sys.argv[1]), []
print("ready", flush=True)
for line in sys.stdin:
    how, name = line.split()
    try:
        claim = {"number": claim_numbered, "refuse": claim_new}[how.removeprefix("brief-")](folder / name)
        claim.give_up() if how.startswith("brief") else kept.append(claim)
        print(claim.path.name, flush=True)
    except RunExistsError:
        print("refused", flush=True)
"""


def test_of_two_processes_one_gets_the_path(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACER, str(tmp_path)]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    def answers(request: str) -> list[str]:
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write(request)
            racer.stdin.flush()
        return sorted(racer.stdout.readline().strip() for racer in racers if racer.stdout is not None)

    try:
        assert answers("") == ["ready", "ready"]
        for number in range(200):
            assert answers(f"number a{number}.dtui\n") == [f"a{number}-2.dtui", f"a{number}.dtui"]
            assert answers(f"refuse b{number}.dtui\n") == [f"b{number}.dtui", "refused"]
            got = answers(f"brief-refuse c{number}.dtui\n")  # the second may come after the first has given it up
            assert got in ([f"c{number}.dtui", "refused"], [f"c{number}.dtui"] * 2)
    finally:
        for racer in racers:
            racer.communicate(timeout=60)


def test_of_many_threads_one_gets_the_path(tmp_path: Path) -> None:
    for number in range(100):
        got: list[object] = []
        begin = threading.Barrier(4)

        def take(path: Path, got: list[object] = got, begin: threading.Barrier = begin) -> None:
            begin.wait()
            got.append(take_claim(path))

        threads = [threading.Thread(target=take, args=(tmp_path / f"run{number}.dtui",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(claim is not None for claim in got) == 1


def test_a_claim_that_is_given_up_leaves_nothing_and_a_copy_in_a_child_does_nothing(tmp_path: Path) -> None:
    claim = claim_new(tmp_path / "a" / "b" / "run.dtui")
    child = os.fork()
    if not child:
        claim.give_up()
        os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / "a" / "b" / "run.dtui" / "resume.lock").exists()
    claim.give_up()
    assert list(tmp_path.iterdir()) == []


def test_the_writer_takes_the_claim_and_leaves_none(tmp_path: Path) -> None:
    claim = claim_new(tmp_path / "run.dtui")
    writer = RunWriter("not asked", STRUCTURE, METADATA, claim=claim, compact=False)
    assert not (tmp_path / "run.dtui" / "resume.lock").exists()
    claim.give_up()
    writer.close()
    reader = RunReader(tmp_path / "run")
    assert reader.faults == ()
    reader.close()


def test_what_another_process_took_meanwhile_is_left_alone(tmp_path: Path) -> None:
    claim = claim_new(tmp_path / "run.dtui")
    lock = tmp_path / "run.dtui" / "resume.lock"
    other = lock.read_bytes().replace(b'"host": "', b'"host": "else')
    lock.write_bytes(other)
    with pytest.raises(RunExistsError, match=r"on else.* is about to record there; record into another run"):
        RunWriter("not asked", STRUCTURE, METADATA, claim=claim, compact=False)
    assert lock.read_bytes() == other


def test_a_run_that_is_held_is_left_as_it_is(tmp_path: Path) -> None:
    RunWriter(tmp_path / "run.dtui", STRUCTURE, METADATA, compact=False).close()
    before = sorted(path.name for path in (tmp_path / "run.dtui").rglob("*"))
    held: Claim = hold_run(tmp_path / "run.dtui")
    with pytest.raises(RunExistsError, match="let only one record it"):
        hold_run(tmp_path / "run.dtui")
    assert claim_numbered(tmp_path / "run.dtui").path.name == "run-2.dtui"
    held.give_up()
    assert sorted(path.name for path in (tmp_path / "run.dtui").rglob("*")) == before
