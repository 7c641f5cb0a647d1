"""`dtui correlation` and `dtui filters`: what they print, their JSON, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.cli import main
from dtui.model import FILTER_STATISTICS, ImageSet, Layer, Module, Structure, Validation
from dtui.query import open_run
from dtui.store import RunWriter
from dtui.store.format.contents import Stored, contents
from tests.store.builders import METADATA, make_record

EVIL = "\x1b]0;renamed\x07[red]{name}"
STRUCTURE = Structure(
    (Layer(0, EVIL, "Conv2d", (6, 1, 3, 3), 0), Layer(1, "fc", "Linear", (4, 6), 6)),
    (Module(0, "", "Net", -1, (0, 1)),),
)
IMAGES = ImageSet((EVIL, "dog"), np.repeat([0, 1], 10).astype(np.uint16), tuple(f"{EVIL}{n}" for n in range(20)))
MEANS = contents(2, ("weights",), (Stored("mean", ("weights",), 10), Stored("std", ("weights",), 10)), (Stored("std"),))


def write(path: Path, validations: int = 16, **given: Any) -> Path:
    """Write a run in which both classes are learned at once at validation 8, and class 0 is lost again at 14."""
    with RunWriter(path, STRUCTURE, METADATA, compact=False, **given) as writer:
        writer.set_images(IMAGES)
        for position in range(16):
            record = make_record(position, structure=STRUCTURE)
            if not given:
                record.filters[FILTER_STATISTICS.index("update_ratio")] = np.arange(1, 11) / (position + 1)
            writer.append_record(record)
            if position < validations:
                right = position >= 8
                labels = np.where(np.repeat([right and position < 14, right], 10), IMAGES.targets, 1 - IMAGES.targets)
                writer.append_validation(Validation(position * 10, labels.astype(np.uint16), np.zeros(20, np.uint8)))
    return writer.path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(tmp_path / "small")


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main([*words, "--json"]) == 0
    output = capsys.readouterr()
    assert output.out.isascii()
    return json.loads(output.out)


def test_correlation_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(["correlation", str(run), "--count", "3", "--exclude", "fc"], capsys)
    assert list(found) == [
        *("statistic", "count", "per_layer", "exclude", "layers", "classes", "counts", "events", "mini_sets"),
    ]
    assert (found["statistic"], found["count"], found["per_layer"], found["exclude"]) == (
        "update_ratio",
        3,
        None,
        ["fc"],
    )
    assert (found["layers"], found["classes"]) == ([EVIL, "fc"], [EVIL, "dog"])
    assert found["counts"] == [[3, 3], [0, 0]]
    events = [(event["class"], event["iteration"], event["record"]) for event in found["events"]]
    assert events == [(EVIL, 80, 80), (EVIL, 140, 140), ("dog", 80, 80)]
    with open_run(run) as query:
        assert {event["id"] for event in found["events"]} <= {anomaly.id for anomaly in query.anomalies()}
    assert found["mini_sets"] == [
        {"layer": EVIL, "filters": [3, 4, 5], "occurrences": 3, "importance": 9, "records": [80, 140]}
    ]
    assert answer(["correlation", str(run), "--min-importance", "31"], capsys)["mini_sets"] == []


def test_filters_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(["filters", str(run), "--at", "85", "--at", "20", "--per-layer", "1"], capsys)
    assert list(found) == ["statistic", "count", "per_layer", "exclude", "iterations", "records", "filters"]
    assert (found["count"], found["per_layer"]) == (None, 1)
    assert (found["iterations"], found["records"]) == ([85, 20], [80, 20])
    first, second = found["filters"]
    assert list(first) == ["layer", "filter", "rank", "change", "ranks", "changes"]
    assert [first["layer"], first["filter"], first["rank"], first["ranks"]] == ["fc", 3, 1, [1, 1]]
    assert [second["layer"], second["filter"], second["rank"], second["ranks"]] == [EVIL, 5, 5, [5, 5]]
    assert first["change"] == min(first["changes"]) == pytest.approx(10 / 9, rel=0.01)


def test_text_shows_names_from_outside_as_data(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["correlation", str(run)], ["filters", str(run), "--at", "80"]):
        assert main([*words, "--exclude", "fc", "--count", "2"]) == 0
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        assert "�]0;renamed�[red]{name}" in shown
    assert main(["filters", str(run), "--at", "80", "--exclude", EVIL]) == 0
    assert "without �]0;renamed�[red]{name}" in capsys.readouterr().out


def test_correlation_as_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["correlation", str(run), "--count", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["layer", "�]0;renam…", "dog", "all", "classes"],
        ["fc", "3", "3", "3"],
        ["anomalies", "2", "1", "3"],
    ]
    assert lines[3].endswith("the 3 with the largest update ratio, at the record of each anomaly; 1 layer has none")
    assert [line.split()[:6] for line in lines[5:7]] == [
        ["importance", "layer", "filters", "anomalies", "classes"],
        ["9", "fc", "1,", "2,", "3", "3"],
    ]
    assert main(["correlation", str(run), "--min-importance", "99"]) == 0
    assert "no mini-set is that important; 2 are less" in capsys.readouterr().out


def test_filters_as_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["filters", str(run), "--at", "20", "--at", "80", "--count", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["1", "fc", "3", "3.33,", "1.11", "1,", "1"]
    assert lines[2] == "the 1 with the largest update ratio, at records 20, 80"


def test_a_run_without_anomalies_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write(tmp_path / "unjudged", validations=0)
    assert main(["correlation", str(run)]) == 0
    output = capsys.readouterr()
    assert output.out == "no anomaly iterations of classes, so there is nothing to correlate\n"
    assert output.err == f"dtui: {run}: class rules: no validations were recorded\n"
    assert main(["correlation", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["classes"], found["counts"], found["events"]) == ([], [[], []], [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["correlation", "--exclude", "conv"], "no layer 'conv'; use first-conv"),
        (["correlation", "--count", "0"], "argument --count: '0' is not a whole number"),
        (["filters"], "--at"),
        (["filters", "--at", "soon"], "argument --at: 'soon' is not a whole number"),
        (["filters", "--at", "99999"], "iteration 99999: no record is at it"),
        (["filters", "--at", "-1"], "iteration -1: no record is at it .* from 0 to 150"),
        (["filters", "--at", "10", "--statistic", "mean"], "'mean' is unknown; use one of update_ratio, cosine"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    words: list[str], says: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([words[0], str(run), *words[1:]]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert re.fullmatch(f"dtui: .*{says}.*\n", output.err), output.err


@pytest.mark.parametrize("words", [["correlation"], ["filters", "--at", "10"]])
def test_a_run_without_the_statistic_says_so(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write(tmp_path / "few", contents=MEANS)
    assert main([words[0], str(run), *words[1:]]) == 2
    assert re.fullmatch(f"dtui: {run}: .*update_ratio.*\n", capsys.readouterr().err)
