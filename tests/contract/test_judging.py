"""The commands that judge a run, as people and scripts see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.store import RunWriter
from dtui.synth import synthesise
from tests.store.builders import METADATA, STRUCTURE, make_record


def test_advice_is_a_table_and_a_command_that_works(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    assert main(["advise", "sample_runs/mnist-faults"]) == 0
    heading, *rows, counted, dense, said, command = capsys.readouterr().out.splitlines()
    assert heading.split() == ["threshold", "validations", "marked", "share", "class", "marks"]
    assert [row.split()[0] for row in rows][:3] == ["6%", "8%", "10%"]
    assert [row for row in rows if row.endswith("proposed")] == [rows[5]]
    assert counted.startswith("Counted are 216 validations, without the first 24;")
    assert dense.startswith("Anomalies of classes a hundred validations, by learning rate")
    assert said == "20% is the smallest that marks 5% of them or fewer. Use it with:"
    program, *words = command.split()
    assert (program, words[-1]) == ("dtui", "20%")
    assert main([*words, "--json"]) == 0
    lost = {row["iteration"] for row in json.loads(capsys.readouterr().out) if row["direction"] != "gained"}
    assert rows[5].split()[1] == str(len({at for at in lost if at >= 240})) == "8"


def test_advice_as_json(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", str(repository / "sample_runs/mnist-healthy"), "--json"]) == 0
    output = capsys.readouterr()
    advice = json.loads(output.out)
    assert output.err == ""
    assert list(advice) == ["rule", "window", "direction", "counted", "left_out", "most", "rows", "proposed", "stages"]
    assert [advice["rule"], advice["window"], advice["direction"]] == ["left", 5, "lost"]
    assert [list(row) for row in advice["rows"]] == [["threshold", "marked", "marks"]] * 11
    (proposed,) = (row for row in advice["rows"] if row["threshold"] == advice["proposed"])
    assert proposed["marked"] <= advice["most"] * advice["counted"]


def test_a_run_without_validations_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunWriter(tmp_path / "bare", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(30):
            writer.append_record(make_record(position))
    assert main(["advise", str(writer.path)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        f"dtui: {writer.path}: no validations were recorded, so no threshold suits them; "
        "let the recorder see them with recorder.validation()\n"
    )


def test_a_run_with_too_few_validations_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "young.dtui"
    synthesise(run, "small", records=10, seed=0)
    for words in (["advise", str(run)], ["advise", str(run), "--json"]):
        assert main(words) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err == f"dtui: {run}: 10 validations; advice on a threshold needs 25\n"
