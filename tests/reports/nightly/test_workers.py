"""Worker processes that hang, eat memory, die or answer nonsense: each is tried once more, and stops no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from dtui.reports.nightly.plan import Unit
from dtui.reports.nightly.workers import Limits, Workers

WORKER = """
import json, os, sys, time
for line in sys.stdin:
    unit = json.loads(line)
    open(unit["out"], "a").write(unit["run"] + " " + str(os.getpid()) + "\\n")
    if unit["run"] == "hangs":
        time.sleep(1000)
    if unit["run"] == "eats":
        eaten = b"x" * (300 << 20)
        time.sleep(1000)
    if unit["run"] == "starts one that eats":
        import subprocess
        subprocess.run([sys.executable, "-c", "x = b'x' * (300 << 20); import time; time.sleep(1000)"])
    if unit["run"] == "dies":
        os.kill(os.getpid(), 9)
    if unit["run"] == "ends":
        sys.exit("the disk is on fire")
    if unit["run"] == "lies":
        print("nonsense", flush=True)
    if unit["run"] == "fails once":
        unit["run"] = "fails" if open(unit["out"]).read().count("fails once") == 1 else "good"
    print(json.dumps({"reason": "no such luck" if unit["run"] == "fails" else ""}), flush=True)
"""


def outcome(names: list[str], log: Path, *, count: int = 1, limits: Limits | None = None) -> dict[str, str]:
    units = [Unit(name, "", str(log), "", "text", 1) for name in names]
    with Workers(count, limits or Limits(20.0, 1 << 30), (sys.executable, "-c", WORKER)) as workers:
        return {unit.run: reason for unit, reason in workers.run(units)}


def tries(log: Path) -> list[tuple[str, str]]:
    lines = [line.rpartition(" ") for line in log.read_text().splitlines()]
    return [(name, pid) for name, _, pid in lines]


def test_a_worker_is_used_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert outcome(["a", "b", "c"], log) == {"a": "", "b": "", "c": ""}
    assert len({pid for _, pid in tries(log)}) == 1


def test_several_work_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert set(outcome(["a", "b", "c", "d"], log, count=2).values()) == {""}
    assert len({pid for _, pid in tries(log)}) <= 2


@pytest.mark.parametrize(
    ("name", "limits", "reason"),
    [
        ("hangs", Limits(0.5, 1 << 30), "not done within 0.5 s; give more with --time-limit"),
        ("eats", Limits(20, 200 << 20), "took more than 200 MiB of memory; give more with --memory-limit"),
        ("starts one that eats", Limits(20, 200 << 20), "took more than 200 MiB of memory"),
        ("dies", Limits(20), "the process that makes reports was killed (signal 9)"),
        ("ends", Limits(20), "ended with code 1: the disk is on fire"),
        ("lies", Limits(20), "answered nonsense"),
        ("fails", Limits(20), "no such luck"),
    ],
)
def test_a_bad_run_is_tried_twice_and_stops_nothing(tmp_path: Path, name: str, limits: Limits, reason: str) -> None:
    log = tmp_path / "log"
    found = outcome(["a", name, "b"], log, limits=limits)
    assert (found["a"], found["b"]) == ("", "")
    assert reason in found[name]
    asked = [run for run, _ in tries(log)]
    assert asked == ["a", name, name, "b"]
    pids = {pid for run, pid in tries(log) if run == name}
    assert not [pid for pid in pids if name != "fails" and Path(f"/proc/{pid}").exists()]


def test_a_run_that_fails_once_is_reported(tmp_path: Path) -> None:
    assert outcome(["fails once"], tmp_path / "log") == {"fails once": ""}


def test_all_are_gone_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    units = [Unit(name, "", str(log), "", "text", 1) for name in ("a", "hangs")]
    with Workers(2, Limits(20.0), (sys.executable, "-c", WORKER)) as workers:
        next(iter(workers.run(units)))
        while len(tries(log)) < 2:
            os.sched_yield()
    for _, pid in tries(log):
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            os.sched_yield()
        assert not Path(f"/proc/{pid}").exists()


def test_a_worker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Also where its requests come from elsewhere, so that their end does not tell it."""
    start = "import subprocess, sys; subprocess.Popen([sys.executable, '-m', 'dtui.reports.nightly.worker']).wait()"
    read_end, write_end = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", start], stdin=read_end, stdout=subprocess.PIPE)
    os.close(read_end)
    unit = Unit("none", str(tmp_path / "none.dtui"), str(tmp_path / "night"), "", "text", 1)
    os.write(write_end, json.dumps(asdict(unit)).encode() + b"\n")
    assert b"reason" in parent.stdout.readline()  # so it is at work
    (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        os.sched_yield()
    gone = not Path(f"/proc/{child}").exists()
    os.close(write_end)
    parent.stdout.close()
    assert gone


def test_a_worker_whose_starter_ended_while_it_began_does_nothing(tmp_path: Path) -> None:
    """A night that was killed early must not go on by itself, beside the next one."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    unit = Unit("none", str(tmp_path / "none.dtui"), str(tmp_path / "night"), "", "text", 1)
    result = subprocess.run(
        [sys.executable, "-m", "dtui.reports.nightly.worker"],
        input=json.dumps(asdict(unit)).encode() + b"\n",
        env={**os.environ, "DTUI_STARTER": str(ended.pid)},
        capture_output=True,
        check=True,
    )
    assert result.stdout == b""
    assert not (tmp_path / "night").exists()
