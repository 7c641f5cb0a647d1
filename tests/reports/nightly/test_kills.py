"""A night that is killed, at any instant, and started again makes the bytes of one that was not."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.query import open_run
from dtui.reports.nightly.night import NightSettings, merge_shards, run_night, run_shard
from dtui.reports.nightly.plan import Shard
from tests.reports.nightly.runs import here, make_run, tree
from tests.store.dying import count_calls, in_child

TEXT = NightSettings(format="text", jobs=1, keep=2)
INSTANTS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; not to be changed."""
    runs = tmp_path_factory.mktemp("kills") / "runs"
    make_run(runs / "a", troubled=True)
    make_run(runs / "b", 2)
    return runs


def at_instants(calls: int) -> range:
    """Return calls of all that a piece of work makes, spread over it."""
    return range(1, calls + 1, max(1, calls // INSTANTS))


def test_a_night_killed_at_any_call_is_made_up_for(folder: Path, tmp_path: Path) -> None:
    """The second night of a run: its report says what changed since the first, however often it is begun."""
    first = tmp_path / "first"
    run_night(folder, first, TEXT, engine=here)
    grown = tmp_path / "runs"
    shutil.copytree(folder, grown)
    (first / "night.json").write_text((first / "night.json").read_text().replace(str(folder), str(grown)))
    with open_run(grown / "a.dtui") as query:
        query.decide(query.incidents()[0].id, "flagged", "seen")

    def work(out: Path) -> None:
        run_night(grown, out, TEXT, engine=here)

    def fresh(name: str) -> Path:
        out = tmp_path / name
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(first, out)
        return out

    expected = fresh("expected")
    calls = count_calls(lambda _: work(expected))
    whole = tree(expected)
    assert calls > 100
    assert "flagged: the incident at 0" in whole["index.html"].decode()
    for call in at_instants(calls):
        out = fresh("killed")
        assert in_child(lambda _, out=out: work(out), call)[1] == -1, "it was to be killed"
        if (out / "index.json").read_bytes() == (first / "index.json").read_bytes():  # else that night was over
            work(out)
        assert tree(out, without=["night.lease"]) == whole, f"killed at call {call} of {calls}"


def test_a_shard_killed_at_any_call_is_made_up_for(folder: Path, tmp_path: Path) -> None:
    one = next(number for number in (1, 2) if Shard(number, 2).has("a.dtui"))

    def work(out: Path, number: int = one) -> None:
        run_shard(folder, out, Shard(number, 2), TEXT, engine=here)

    def finished(out: Path) -> dict[str, bytes]:
        work(out, 3 - one)
        assert merge_shards(folder, out).missing == ()
        return tree(out)

    expected = tmp_path / "expected"
    calls = count_calls(lambda _: work(expected))
    whole = finished(expected)
    for call in at_instants(calls):
        out = tmp_path / "killed"
        shutil.rmtree(out, ignore_errors=True)
        assert in_child(lambda _, out=out: work(out), call)[1] == -1, "it was to be killed"
        work(out)
        assert finished(out) == whole, f"killed at call {call} of {calls}"


def is_alive(process: str) -> bool:
    """Whether a process runs: a dead one may wait to be asked for its status."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_the_command_killed_with_its_workers_is_made_up_for(folder: Path, tmp_path: Path) -> None:
    """`kill -9` of the command at chosen moments of its work; its workers end with it."""
    command = [sys.executable, "-m", "dtui", "nightly", str(folder), "--format", "text", "--jobs", "2", "-o"]
    expected, out, workers = tmp_path / "expected", tmp_path / "killed", 0
    assert subprocess.run([*command, str(expected), "--quiet"], check=False).returncode == 1
    for awaited in ("night.lease", "runs/a", "runs/b/record.json"):  # before, while and after reports are made
        process = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (out / awaited).exists() and process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        assert process.poll() is None, f"it was to be killed when {awaited} is there"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers += len(children)
        process.kill()
        process.wait()
        while any(is_alive(child) for child in children):
            os.sched_yield()
    assert workers > 0
    assert subprocess.run([*command, str(out), "--quiet"], check=False).returncode == 1
    found = tree(out)
    index = json.loads(found.pop("index.json"))
    assert {row["run"] for row in index["runs"]} == {"a.dtui", "b.dtui"}
    assert {name: data for name, data in tree(expected).items() if name.startswith("runs/")} == {
        name: data for name, data in found.items() if name.startswith("runs/")
    }
    assert "night.lease" not in found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_night_that_is_asked_to_end_leaves_nothing_at_work(folder: Path, tmp_path: Path, number: int) -> None:
    """As systemd, SLURM and `timeout` ask: the lease is given back, workers and what they were writing are gone."""
    out = tmp_path / "night"
    command = [sys.executable, "-m", "dtui", "nightly", str(folder), "--format", "text", "--jobs", "1", "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not [*out.glob("runs/a/.new-*")] and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(number)
    assert (process.communicate()[1], process.returncode) == (b"", -number)
    assert children
    assert not any(is_alive(child) for child in children)
    assert not (out / "night.lease").exists()
    assert not [*out.glob("runs/*/.new-*")]


def test_what_killed_nights_left_is_removed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.store.run.lock.UNFINISHED_SECONDS", 0.1)
    out = tmp_path / "night"
    run_night(folder, out, TEXT, engine=here)
    whole = tree(out)
    (out / "runs" / "a" / "record.json").unlink()  # so it is made again
    (out / "runs" / "a" / ".new-1-ab").mkdir()
    (out / "shards" / "done").mkdir(parents=True)
    for name in (
        ".dtui-1-ab",
        "night.lease.tmp-1-ab",
        "shards/done/.dtui-1-ab",
        "runs/a/.dtui-1-ab",
        "runs/a/.new-2-ab",
    ):
        (out / name).write_text("half of")
    (out / "shards" / "1-of-2.lease").write_text("")  # of a shard whose process was killed while it made it
    run_night(folder, out, TEXT, engine=here)
    shown = {name: data for name, data in tree(out).items() if not name.startswith("index.")}
    assert shown == {name: data for name, data in whole.items() if not name.startswith("index.")}
    assert not (out / "runs" / "a" / ".new-1-ab").exists()
