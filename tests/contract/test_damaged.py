"""A run with a damaged block of labels: every command shows what is left, and says once what is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.query import open_run
from dtui.store.disk.hdf5 import tables
from dtui.synth import synthesise
from tests.store.folding import fold

NAMED = "reading /validation/label failed"


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose labels are several blocks."""
    path = tmp_path_factory.mktemp("whole") / "whole.dtui"
    synthesise(path, "small", records=300, seed=0)
    fold(path, finish=True)  # whatever a slow machine has left in parts that were replaced
    return path


def largest(run: Path, kind: str) -> Path:
    """Return the largest part of a kind, which holds the newest frames of a folded run."""
    return max((run / "parts").glob(f"{kind}-*"), key=lambda part: part.stat().st_size)


@pytest.fixture
def damaged(whole_run: Path, tmp_path: Path) -> Path:
    """The same run with one bit of a block of labels flipped."""
    path = tmp_path / "damaged.dtui"
    shutil.copytree(whole_run, path)
    part = largest(path, "validations")
    with tables.open_file(str(part)) as file:
        labels = file.root.validation.label
        info = labels.chunk_info((0, 0))
        assert labels.chunkshape[0] < labels.shape[0]
    data = bytearray(part.read_bytes())
    data[info.offset + info.size // 2] ^= 1
    part.write_bytes(data)
    return path


def test_anomalies_are_the_true_ones_but_for_the_lost(
    damaged: Path, whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = []
    for path in (whole_run, damaged):
        assert main(["anomalies", str(path), "--json"]) == 0
        shown = capsys.readouterr()
        lists.append(json.loads(shown.out))
    whole, left = ({one["id"]: one for one in found} for found in lists)
    assert left.items() <= whole.items()
    assert 0 < len(left) < len(whole)
    assert shown.err.count("\n") == shown.err.count(NAMED) == 1
    assert "anomalies may be missing where it is damaged" in shown.err


@pytest.mark.parametrize(("least", "code"), [("1", 1), ("100000", 2)])
def test_a_damaged_run_is_never_judged_fine(
    damaged: Path, capsys: pytest.CaptureFixture[str], least: str, code: int
) -> None:
    assert main(["anomalies", str(damaged), "--fail-on", least]) == code
    assert NAMED in capsys.readouterr().err


def test_damage_that_hides_no_anomaly_is_no_matter(whole_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.dtui"
    shutil.copytree(whole_run, path)
    next((path / "parts").glob("records-*")).write_bytes(b"")
    assert main(["anomalies", str(path), "--fail-on", "100000"]) == 0


def test_a_report_is_whole_and_names_the_fault_once(damaged: Path, tmp_path: Path) -> None:
    assert main(["report", str(damaged), "-o", str(tmp_path / "report.txt"), "--section", "anomalies"]) == 0
    text = " ".join((tmp_path / "report.txt").read_text().split())
    assert text.count(NAMED) == 1
    assert "could not be made" not in text
    assert "Anomaly iterations" in text


def test_the_pack_of_it_answers_the_same(damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = tmp_path / "packed.h5"
    assert main(["pack", str(damaged), str(packed)]) == 1
    assert NAMED in capsys.readouterr().out
    assert main(["anomalies", str(packed), "--fail-on", "100000"]) == 2
    assert NAMED in capsys.readouterr().err


def test_what_rests_on_judgements_says_that_some_are_missing(
    damaged: Path, whole_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, says in (
        (["correlation"], "anomalies may be missing where it is damaged"),
        (["images", "--list", "hard"], "judgements are missing where it is damaged"),
        (["confusion", "--at", "0"], "judgements are missing where it is damaged"),
    ):
        answers = []
        for path in (whole_run, damaged):
            assert main([words[0], str(path), *words[1:], "--json"]) == 0
            shown = capsys.readouterr()
            answers.append(json.loads(shown.out))
        assert shown.err.count("\n") == shown.err.count(NAMED) == shown.err.count(says) == 1
        assert answers[0] != answers[1]


def test_filters_that_are_lost_are_missing_and_none_takes_their_place(
    whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.dtui"
    shutil.copytree(whole_run, path)
    with open_run(path) as query:
        at = str(query.record_iterations()[-3])
    part = largest(path, "records")
    with tables.open_file(str(part)) as file:
        changes = file.root.filters.update_ratio
        info = changes.chunk_info((0, changes.shape[1] - 3))
        lost = changes.chunkshape[0]
    data = bytearray(part.read_bytes())
    data[info.offset + info.size // 2] ^= 1
    part.write_bytes(data)
    rows = []
    for run in (whole_run, path):
        assert main(["filters", str(run), "--at", at, "--count", "100000", "--json"]) == 0
        shown = capsys.readouterr()
        rows.append({(one["layer"], one["filter"]): one["change"] for one in json.loads(shown.out)["filters"]})
    assert rows[1].items() <= rows[0].items()
    assert len(rows[0]) - len(rows[1]) == min(lost, len(rows[0]))
    assert "filters may be missing where it is damaged" in shown.err
    assert main(["correlation", str(path)]) == 0
