"""`dtui batch`: what it says, the list of ids that it writes, and one line for what cannot be answered."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from dtui.cli import main
from dtui.cli.samples.batch import _skipped, _text, _write_skip_list
from dtui.errors import UsageError
from dtui.model.findings.batches import BatchAnswer, KeptBatch, StandoutSample
from dtui.query import open_run
from dtui.store.format.schema import GAPS_FILE

SAMPLES = Path(__file__).parents[2] / "sample_runs"
BATCHES = str(SAMPLES / "mnist-batches")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["batch", *words])
    return code, *capsys.readouterr()


def test_it_lists_the_batch_those_before_and_who_stands_out(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = said(capsys, BATCHES, "--at", "611")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "batch of iteration 611: 32 samples"
    assert lines[1].startswith("412 3177 793")
    assert lines[3].startswith("before it  610: 3867, 2356")
    assert [line.split()[0] for line in lines[-3:]] == ["1973", "412", "3305"]
    assert lines[-2].endswith("in 611")


def test_an_iteration_that_was_not_kept_has_the_nearest_before(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, BATCHES, "--at", "705")
    assert out.startswith("batch of iteration 700, the nearest kept one before 705: 32 samples")


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, BATCHES, "--at", "612", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["asked"], found["iteration"], found["count"], found["left_out"]) == (612, 612, 32, 0)
    assert [one["sample"] for one in found["standouts"] if one["here"]] == [412]
    assert [one["iteration"] for one in found["before"]][:2] == [611, 610]
    with open_run(BATCHES) as query:
        answer = query.batch(612)
    assert (found["counted_over"], found["events"]) == ("trigger", 25)
    assert found["samples"] == answer.batch.samples.tolist()
    told = [tuple(one[name] for name in ("sample", "times", "of", "batches", "chance")) for one in found["standouts"]]
    assert told == [(one.sample, one.times, one.of, one.batches, one.chance) for one in answer.standouts]


def test_a_skip_list_has_one_id_a_line_and_says_what_it_replaces(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "skip.txt"
    _, _, error = said(capsys, BATCHES, "--at", "611", "--skip", str(path))
    assert path.read_text() == "1973\n412\n3305\n"
    assert error == f"dtui: {path}: written, 3 ids of samples that stand out, one a line\n"
    _, _, error = said(capsys, BATCHES, "--at", "611", "--skip", str(path), "--skip-of", "batch")
    assert len(path.read_text().splitlines()) == 32
    assert "replaced, 32 ids of iteration 611" in error
    _, _, error = said(capsys, BATCHES, "--at", "611", "--skip", str(path), "--skip-of", "before")
    assert "replaced, 288 ids of iterations 603 to 611" in error
    code, out, error = said(capsys, BATCHES, "--at", "611", "--skip", "-")
    assert (code, out) == (2, "")
    assert error == "dtui: batch: standard output has the answer; give --skip a file\n"


@pytest.mark.parametrize(
    ("run", "at", "says"),
    [
        (BATCHES, "99999", "there is no iteration 99,999; the run has 0 to 1,999"),
        (BATCHES, "-1", "there is no iteration -1"),
        (str(SAMPLES / "mnist-faults"), "430", "no samples of batches were recorded; record with batches=True"),
        (str(SAMPLES / "mnist-resumed.h5"), "430", "no samples of batches were recorded; record with batches=True"),
    ],
)
def test_what_cannot_be_answered_is_one_line(run: str, at: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = said(capsys, run, "--at", at)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert says in error


def test_a_packed_run_answers_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, folder, _ = said(capsys, BATCHES, "--at", "611")
    assert main(["pack", BATCHES, str(tmp_path / "run.h5")]) == 0
    capsys.readouterr()
    assert said(capsys, str(tmp_path / "run.h5"), "--at", "611") == (0, folder, "")


def test_a_report_as_json_names_the_batches_as_the_list_of_incidents_does(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["incidents", BATCHES, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert main(["report", BATCHES, "--json", "--format", "text", "-o", str(tmp_path / "report.txt")]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert [one["batches"] for one in run["incidents"]] == [one["batches"] for one in listed]
    assert {"iteration": 611, "count": 32, "standouts": [412]} in [one["batches"] for one in listed]


def test_where_the_run_is_damaged_it_says_that_samples_may_be_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(f"{BATCHES}.dtui", path)
    (path / GAPS_FILE).write_text("no line\n")
    code, out, error = said(capsys, str(path), "--at", "611")
    assert (code, out.splitlines()[0]) == (0, "batch of iteration 611: 32 samples")
    told = f"{path}: samples may be missing where it is damaged: {path / GAPS_FILE}: 1 damaged lines are left out"
    assert error == f"dtui: {told}\n"
    _, _, error = said(capsys, str(path), "--at", "611", "--json", "--skip", str(tmp_path / "skip"))
    assert error == f"dtui: {tmp_path / 'skip'}: written, 3 ids of samples that stand out, one a line; {told}\n"


def test_long_lists_are_cut_and_say_how_much_is_left_out() -> None:
    before = tuple(KeptBatch(20 - at, np.arange(11 + at), 20) for at in range(1, 7))
    standouts = tuple(StandoutSample(1_000 + at, 3, 4, 5, 0.001) for at in range(25))
    lines = _text(BatchAnswer(20, KeptBatch(20, np.arange(8), 9), before, standouts, 4)).splitlines()
    assert lines[0] == "batch of iteration 20: 9 samples, the first 8 kept"
    shown = [line for line in lines if line.startswith("before it")]
    assert [line.rpartition(", ")[2] for line in shown] == ["11", "11 and 1 more", "11 and 2 more", "11 and 3 more"]
    assert lines[7].endswith("; 5 more, --json has all")
    assert [line.split()[0] for line in lines[9:]] == [str(1_000 + at) for at in range(20)]


def test_what_is_not_known_is_said() -> None:
    lines = _text(BatchAnswer(20, KeptBatch(20, np.arange(0), 9), (), (), 4)).splitlines()
    assert lines[1:3] == ["its samples are not known", "no batch was kept right before it"]


def test_a_sample_that_comes_again_is_skipped_once() -> None:
    before, own = (KeptBatch(at, np.array(ids), len(ids)) for at, ids in ((4, [7, 8]), (5, [9, 7, 9])))
    found = BatchAnswer(5, own, (before,), (), 0, "trigger")
    assert _skipped("before", found) == ([7, 8, 9], "iterations 4 to 5")
    assert _skipped("batch", found) == ([9, 7], "iteration 5")


def test_an_empty_skip_list_is_not_written(tmp_path: Path) -> None:
    found = BatchAnswer(5, KeptBatch(5, np.array([9]), 1), (), (), 0, "trigger")
    options = Namespace(run="run", skip=str(tmp_path / "skip.txt"), skip_of="named")
    with pytest.raises(UsageError, match="run: no sample stands out, so there is nothing to skip"):
        _write_skip_list(options, found)
    assert not list(tmp_path.iterdir())
