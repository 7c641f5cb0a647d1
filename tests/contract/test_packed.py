"""Every command takes a packed run where it takes a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtui.cli import main
from tests.store.builders import METADATA, STRUCTURE, make_record

SAMPLE = "sample_runs/mnist-faults.dtui"


@pytest.fixture(scope="module")
def packed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "mnist.h5"
    assert main(["pack", str(repository / SAMPLE), str(path)]) == 0
    return path


@pytest.mark.parametrize("words", [["info"], ["anomalies"], ["anomalies", "--rule", "left", "--class", "4"]])
def test_the_answers_are_those_of_the_folder(
    packed: Path, repository: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    shown = []
    for path in (packed, repository / SAMPLE):
        assert main([words[0], str(path), *words[1:], "--json"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


def test_it_stands_in_the_list_of_a_folder(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(packed.parent)]) == 0
    assert "mnist.h5  done " in capsys.readouterr().out


def test_it_is_checked_and_there_is_nothing_to_fold(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(packed)]) == 0
    assert "mnist.h5: fine" in capsys.readouterr().out
    assert main(["compact", str(packed)]) == 0
    assert capsys.readouterr().out == f"{packed}: a packed run, nothing to fold\n"


def test_a_report_is_written_from_it(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(packed), "-o", str(tmp_path / "report.txt")]) == 0
    assert "mnist-faults" in (tmp_path / "report.txt").read_text()


def test_what_is_missing_is_a_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dtui.store import RunWriter

    out = tmp_path / "live.h5"
    with RunWriter(tmp_path / "live", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(make_record(0))
        assert main(["pack", str(writer.path), str(out)]) == 1
        shown = capsys.readouterr()
        assert shown.out.splitlines()[1:] == [
            "  missing  it was still being recorded, at iteration 0; what came after is not in it"
        ]
        assert main(["pack", str(writer.path), str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert main(["pack", str(writer.path), str(out), "--force", "--json"]) == 1
        answer = json.loads(capsys.readouterr().out)
        assert (answer["frames"], len(answer["missing"])) == ({"records": 1}, 1)
    assert main(["info", str(out)]) == 0
    assert "crashed" in capsys.readouterr().out
