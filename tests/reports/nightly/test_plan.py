"""Which runs a night reports, and which are in a shard: from names, fingerprints and records alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.errors import UsageError
from dtui.query.folders import FoundRun
from dtui.reports.nightly.entry import Record
from dtui.reports.nightly.places import run_folder
from dtui.reports.nightly.plan import Shard, plan, signature_of
from dtui.reports.nightly.shards import parse_shard, shard_of_array

RUN = FoundRun("a.dtui", Path("/runs/a.dtui"), "print")
DONE = Record("a.dtui", signature_of(RUN, "html", "1"), "key", ("10-x",), status="done")


def planned(run: FoundRun = RUN, record: Record | None = DONE, version: str = "1", format: str = "html") -> list[str]:
    records = {} if record is None else {run.name: record}
    return [unit.run for unit in plan([run], records, out="/out", format=format, keep=7, version=version)]


def test_a_run_that_has_not_changed_is_not_reported_again() -> None:
    assert planned() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"record": None},
        {"run": replace(RUN, fingerprint="another")},
        {"run": replace(RUN, fingerprint="")},  # cannot be read: somebody must hear of it
        {"record": replace(DONE, status="live")},  # may have ended without a trace
        {"record": replace(DONE, outcome="failed")},
        {"record": replace(DONE, outcome="empty")},
        {"record": replace(DONE, lacks_pictures=True)},
        {"version": "2"},
        {"format": "text"},
    ],
    ids=str,
)
def test_a_run_with_news_is_reported(changed: dict[str, object]) -> None:
    assert planned(**changed) == ["a.dtui"]


@settings(max_examples=40)
@given(st.lists(st.text(max_size=8), unique=True), st.integers(1, 9))
def test_each_run_is_in_one_shard_whatever_else_there_is(names: list[str], of: int) -> None:
    shards = [Shard(number, of) for number in range(1, of + 1)]
    for name in names:
        assert sum(shard.has(name) for shard in shards) == 1


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=90), unique=True, min_size=2))
def test_two_runs_never_share_a_folder_and_none_leaves_the_night(names: list[str]) -> None:
    out = Path("/out")
    folders = [run_folder(out, name) for base in names for name in (f"{base}.dtui", f"{base}.h5")]
    assert len(set(folders)) == len(folders)
    assert {folder.parent for folder in folders} == {out / "runs"}
    assert all(folder.name not in ("", ".", "..") and len(folder.name) < 120 for folder in folders)


@pytest.mark.parametrize("text", ["9/4", "0/4", "4", "1/0", "a/b", "-1/4", "1/4/2", "", "1/999999", "١/٤"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_shard(text)


def array(task: str, count: str = "", first: str = "", last: str = "") -> Shard | None:
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX")
    return shard_of_array(dict(zip(names, (task, count, first, last), strict=True)))


def test_a_task_of_a_slurm_array_knows_its_shard() -> None:
    assert array("0", "8", "0", "7") == Shard(1, 8)
    assert array("8", "8", "1", "8") == Shard(8, 8)
    assert array("12", "4", "10", "13") == Shard(3, 4)
    assert shard_of_array({}) is None


@pytest.mark.parametrize("words", [("3", "2", "3", "7"), ("7", "2", "3", "7"), ("1", "", "", ""), ("x", "2", "1", "2")])
def test_an_array_whose_tasks_are_no_shards_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--shard I/N"):
        array(*words)
