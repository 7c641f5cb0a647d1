"""A night in shards: the same bytes as a whole night, and what is missing is said."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.errors import UsageError
from dtui.query.folders import Lease, LeaseHeldError
from dtui.reports.nightly.index import Index
from dtui.reports.nightly.night import NightSettings, merge_shards, run_night, run_shard
from dtui.reports.nightly.plan import Shard
from tests.reports.nightly.runs import here, make_run, tree

TEXT = NightSettings(format="text", jobs=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs; not to be changed."""
    runs = tmp_path_factory.mktemp("shards") / "runs"
    first = make_run(runs / "a", troubled=True)
    for name in "bcdef":
        shutil.copytree(first, runs / f"{name}.dtui")
    return runs


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a night without shards."""
    out = tmp_path_factory.mktemp("whole") / "night"
    run_night(folder, out, TEXT, engine=here)
    return tree(out)


def shard(folder: Path, out: Path, number: int, of: int = 3) -> int:
    return run_shard(folder, out, Shard(number, of), TEXT, engine=here)


def merged(folder: Path, out: Path) -> Index:
    return merge_shards(folder, out)


def test_shards_together_make_the_bytes_of_a_whole_night(folder: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "night"
    looked = [shard(folder, out, number) for number in (2, 3, 1)]
    assert sum(looked) == 6
    assert max(looked) < 6
    index = merged(folder, out)
    assert (index.missing, index.exit_code) == ((), 1)
    assert tree(out, without=["shards/"]) == whole


def test_missing_shards_are_named_and_give_2(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "night"
    shard(folder, out, 2)
    assert main(["nightly", str(folder), "-o", str(out), "--merge"]) == 2
    assert "shards 1/3, 3/3 have not done their part" in capsys.readouterr().err
    page = (out / "index.html").read_text()
    assert "1/3, 3/3" in page
    assert "no shard has reported it" in page.lower()
    shard(folder, out, 1)
    shard(folder, out, 3)
    assert main(["nightly", str(folder), "-o", str(out), "--merge", "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_second_merge_says_the_same_and_the_next_night_begins_anew(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "night"
    for number in (1, 2, 3):
        shard(folder, out, number)
    assert merged(folder, out).missing == ()
    assert merged(folder, out).missing == ()
    shard(folder, out, 2)
    assert merged(folder, out).missing == (1, 3)  # those of the night before do not count


def test_a_shard_that_begins_again_is_missing_until_it_is_done(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "night"
    for number in (1, 2, 3):
        shard(folder, out, number)

    def interrupted(units):
        raise KeyboardInterrupt
        yield from units

    with pytest.raises(KeyboardInterrupt):
        run_shard(folder, out, Shard(1, 3), TEXT, engine=interrupted)
    assert merged(folder, out).missing == (1,)


def test_without_shards_there_is_nothing_to_merge(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no shard is done"):
        merged(folder, tmp_path / "night")


def test_shards_of_another_division_are_forgotten(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "night"
    shard(folder, out, 1, 2)
    shard(folder, out, 3, 3)
    assert merged(folder, out).missing == (1, 2)


def test_the_same_shard_twice_and_a_night_over_shards_are_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "night"
    shard(folder, out, 1)
    with Lease(out / "shards", "1-of-3.lease"):
        with pytest.raises(LeaseHeldError):
            shard(folder, out, 1)
        with pytest.raises(LeaseHeldError, match="works on shard"):
            run_night(folder, out, TEXT, engine=here)
        shard(folder, out, 2)  # another one may
    with Lease(out, "night.lease"), pytest.raises(LeaseHeldError):
        shard(folder, out, 1)


@pytest.mark.parametrize("text", ["9/4", "0/4"])
def test_a_shard_that_is_none_is_a_usage_error(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert main(["nightly", str(folder), "-o", str(tmp_path / "night"), "--shard", text]) == 2
    assert capsys.readouterr().err == f"dtui: shard {text}: there is none; the first is 1/4, the last 4/4\n"
    assert not (tmp_path / "night").exists()


def test_a_task_of_a_slurm_array_does_its_shard(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("ID", "7"), ("COUNT", "3"), ("MIN", "5"), ("MAX", "7")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    out = tmp_path / "night"
    assert main(["nightly", str(folder), "-o", str(out), "--format", "text", "--json"]) == 0
    assert '"shard": "3/3"' in capsys.readouterr().out
    assert [path.name for path in (out / "shards" / "done").iterdir()] == ["3-of-3.json"]


def test_leases_that_killed_processes_left_on_other_hosts_stop_nobody(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtui.store.run.lock.WATCHED_SECONDS", 0.1)
    out = tmp_path / "night"
    shard(folder, out, 1)
    with Lease(out, "night.lease"):
        elsewhere = (out / "night.lease").read_text().replace(socket.gethostname(), "elsewhere")
    (out / "night.lease").write_text(elsewhere)  # of a merge that ran out of time
    for number in (2, 3):
        shard(folder, out, number)
        (out / "shards" / f"{number}-of-3.lease").write_text(elsewhere)  # of tasks that ran out of time
    assert merged(folder, out).missing == ()
    assert not list(out.rglob("*.lease"))
