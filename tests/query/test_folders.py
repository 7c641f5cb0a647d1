"""What a folder of runs tells before any run is opened: which there are, and which have changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dtui.query import open_run
from dtui.query.folders import find_all_runs, has_recorded_nothing
from dtui.store import pack_run
from tests.reports.nightly.runs import Training, make_run


def prints(folder: Path) -> dict[str, str]:
    return {run.name: run.fingerprint for run in find_all_runs(folder)}


def test_a_copy_has_the_fingerprint_of_its_original(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    shutil.copytree(run, tmp_path / "deep" / "b.dtui", copy_function=shutil.copyfile)  # other times
    found = prints(tmp_path)
    assert set(found) == {"a.dtui", "deep/b.dtui"}
    assert found["a.dtui"] == found["deep/b.dtui"] != ""


@pytest.mark.parametrize("name", ["heartbeat", "findings.h5", "compact.lock", "resume.lock", "journal/x.tmp-1-ab"])
def test_signs_of_work_are_no_change(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "a")
    before = prints(tmp_path)
    (run / "journal").mkdir(exist_ok=True)
    (run / name).write_text("anything")
    assert prints(tmp_path) == before


def test_records_decisions_and_the_end_are_changes(tmp_path: Path) -> None:
    training = Training(tmp_path / "a", troubled=True)
    training.grow(2)
    seen = [prints(tmp_path)["a.dtui"]]
    training.grow(1)
    seen.append(prints(tmp_path)["a.dtui"])
    training.close()
    seen.append(prints(tmp_path)["a.dtui"])
    with open_run(training.path) as query:
        query.decide(query.incidents()[0].id, "dismissed", "")
    seen.append(prints(tmp_path)["a.dtui"])
    assert len(set(seen)) == 4


def test_a_packed_run_changes_with_what_people_decide(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "a", troubled=True)
    (tmp_path / "packed").mkdir()
    pack_run(run, tmp_path / "packed" / "a.h5")
    before = prints(tmp_path / "packed")
    with open_run(tmp_path / "packed" / "a.h5") as query:
        query.decide(query.incidents()[0].id, "flagged", "")
    after = prints(tmp_path / "packed")
    assert set(before) == set(after) == {"a.h5"}
    assert before != after


def test_whatever_is_called_like_a_run_is_found(tmp_path: Path) -> None:
    (tmp_path / "empty.dtui").mkdir()
    (tmp_path / "headless.dtui" / "parts").mkdir(parents=True)
    (tmp_path / "headless.dtui" / "parts" / "records-0-31.h5").write_bytes(b"")
    (tmp_path / "notes").mkdir()
    assert set(prints(tmp_path)) == {"empty.dtui", "headless.dtui"}
    assert has_recorded_nothing(tmp_path / "empty.dtui")
    assert not has_recorded_nothing(tmp_path / "headless.dtui")


def test_links_out_of_a_run_are_not_followed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "a")
    before = prints(tmp_path / "runs")
    (tmp_path / "secret").write_text("one")
    (run / "gaps.jsonl").unlink(missing_ok=True)
    (run / "gaps.jsonl").symlink_to(tmp_path / "secret")
    linked = prints(tmp_path / "runs")
    (tmp_path / "secret").write_text("another")
    assert prints(tmp_path / "runs") == linked == before
