"""The JSON that scripts read: field names and types, held for ever."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from dtui.analysis.detectors.registry import detector_named
from dtui.cli import main
from dtui.model import Trigger
from dtui.query import open_run
from dtui.store import RunWriter
from dtui.synth import synthesise
from tests.store.builders import METADATA, STRUCTURE, make_record

INFO = {
    "run": str,
    "status": str,
    "reason": str,
    "format": int,
    "invented": bool,
    "records": int,
    "validations": int,
    "first_iteration": (int, type(None)),
    "last_iteration": (int, type(None)),
    "layers": int,
    "filters": int,
    "classes": int,
    "images": int,
    "gaps": list,
    "findings": list,
    "watches": int,
    "joins": list,
    "coverage": (dict, type(None)),
    "norms": int,
    "channels": int,
    "other_parameters": int,
    "trainable": (int, type(None)),
    "states": dict,
    "judging": (dict, type(None)),
    "activations": bool,
    "heads": int,
    "adapters": list,
    "looks": (dict, type(None)),
    "not_learned": str,
}
ANOMALY = {
    "id": str,
    "kind": str,
    "rule": str,
    "iteration": int,
    "class": (str, type(None)),
    "layer": (str, type(None)),
    "filters": list,
    "direction": str,
    "count": int,
    "share": (int, float),
    "score": (int, float, type(None)),
    "threshold": (int, float, type(None)),
    "status": str,
    "note": str,
}


def answer(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    """Return what a command printed as JSON."""
    assert main([*words, "--json"]) == code
    output = capsys.readouterr()
    assert output.err == ""
    return json.loads(output.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def assert_fields(found: dict[str, Any], fields: dict[str, Any]) -> None:
    assert list(found) == list(fields)
    for name, types in fields.items():
        assert isinstance(found[name], types), name
        assert not isinstance(found[name], bool) or types is bool, name


def test_info(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = answer(["info", str(small_run)], capsys)
    assert_fields(info, INFO)
    assert info["status"] in ("live", "done", "incomplete", "crashed")
    assert info["invented"] is True
    assert info["records"] == 40
    with open_run(small_run) as query:
        assert [info["filters"], info["images"]] == [query.info().filters, query.info().images]


def test_runs(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = answer(["runs", str(small_run.parent)], capsys)
    assert_fields(row, {"path": str, "error": type(None), **INFO})
    assert row["path"] == str(small_run)


def test_anomalies(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(["anomalies", str(small_run), "--threshold", "2", "--window", "2"], capsys)
    assert found, "the planted anomalies are not found"
    for anomaly in found:
        assert_fields(anomaly, ANOMALY)
        assert anomaly["rule"] in ("left", "right")
        assert anomaly["direction"] in ("gained", "lost", "both")
        assert anomaly["status"] in ("new", "flagged", "dismissed")
        assert anomaly["threshold"] == 2
    assert [row["iteration"] for row in found] == sorted(row["iteration"] for row in found)


def test_anomalies_are_narrowed_by_iteration_class_and_rule(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loose = ["anomalies", str(small_run), "--threshold", "2", "--window", "2"]
    everything = answer(loose, capsys)
    middle = everything[len(everything) // 2]
    for words, keeps in (
        (["--since", str(middle["iteration"])], lambda row: row["iteration"] >= middle["iteration"]),
        (["--class", middle["class"]], lambda row: row["class"] == middle["class"]),
        (["--rule", middle["rule"]], lambda row: row["rule"] == middle["rule"]),
    ):
        assert answer([*loose, *words], capsys) == [row for row in everything if keeps(row)]


@pytest.mark.parametrize(("records", "code"), [(5, 2), (6, 0)])
def test_fail_on_does_not_call_a_run_fine_before_the_rules_can_tell(
    records: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "young.dtui"
    synthesise(run, "small", records=records, seed=0)
    assert main(["anomalies", str(run), "--fail-on", "100000"]) == code
    line = re.compile(r"dtui: .*young\.dtui: 5 validations, the rules need 6; flips are not judged\n")
    assert bool(line.fullmatch(capsys.readouterr().err)) == (code == 2)


def test_fail_on_judges_by_what_nobody_has_dismissed(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(small_run, tmp_path / "judged.dtui")
    words = ["anomalies", str(run), "--threshold", "2", "--window", "2"]
    found = answer(words, capsys)
    count = str(len(found))
    answer([*words, "--fail-on", count], capsys, code=1)
    answer([*words, "--fail-on", str(len(found) + 1)], capsys, code=0)
    with open_run(run) as query:
        query.decide(found[0]["id"], "dismissed", "a\x1b[2Jb")
    rows = answer([*words, "--fail-on", count], capsys, code=0)
    dismissed = {row["id"]: row["note"] for row in rows if row["status"] == "dismissed"}
    assert dismissed == {found[0]["id"]: "a\x1b[2Jb"}
    assert main(words) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_iterations_are_those_of_the_records(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = answer(["info", str(small_run)], capsys)
    with open_run(small_run) as query:
        assert [info["first_iteration"], info["last_iteration"]] == [
            int(query.record_iterations()[0]),
            int(query.record_iterations()[-1]),
        ]


@pytest.fixture
def watched_run(tmp_path: Path) -> Path:
    """A run without validations in which the flight recorder fired, on a layer and on the whole network."""
    with RunWriter(tmp_path / "watched", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(3):
            writer.append_record(make_record(position, 100))
        writer.append_trigger(Trigger(120, "loss", "", (), 9.5, 4.0))
        writer.append_trigger(Trigger(150, "filter", "fc", (1,), 57.0, 12.0))
    return writer.path


def test_a_trigger_does_not_claim_to_be_a_flip(watched_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anomalies", str(watched_run), "--json"]) == 0
    shown = capsys.readouterr()
    assert shown.err == f"dtui: {watched_run}: class rules: no validations were recorded\n"
    loss, jumped = (one for one in json.loads(shown.out) if one["kind"] == "watch")
    size = next(layer.filters for layer in STRUCTURE.layers if layer.name == "fc")
    for fired in (loss, jumped):
        assert_fields(
            fired, {**ANOMALY, **dict.fromkeys(("direction", "count", "share"), (str, float, int, type(None)))}
        )
        assert (fired["kind"], fired["class"], fired["direction"], fired["threshold"]) == ("watch", None, None, None)
    assert (loss["layer"], loss["filters"], loss["count"], loss["share"]) == (None, [], None, None)
    assert (jumped["layer"], jumped["filters"], jumped["count"], jumped["share"]) == ("fc", [1], 1, 1 / size)
    assert main(["anomalies", str(watched_run)]) == 0
    rows = [" ".join(row.split()) for row in capsys.readouterr().out.split("\n")]
    assert "120 loss ◆ flight recorder 9.5 new watch-loss-120" in rows
    assert "150 filter fc filter 1 ◆ flight recorder 57 new watch-filter-150" in rows
    assert main(["anomalies", str(watched_run), "--fail-on", "1000"]) == 0  # no validation will come


def test_a_detector_that_fails_leaves_a_run_unjudged(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a\x1b[2Jb")

    words = ["anomalies", str(small_run), "--threshold", "2", "--window", "2"]
    found = answer(words, capsys)
    monkeypatch.setattr(type(detector_named("watch")), "find", fail)
    assert main([*words, "--json", "--fail-on", "100000"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out) == found
    line = "anomalies may be missing: detector watch failed and found nothing: ZeroDivisionError: a"
    assert shown.err.count("\n") == shown.err.count(line) == 1
    assert "\x1b" not in shown.err
    assert main([*words, "--fail-on", "1"]) == 1
    capsys.readouterr()
    assert main(["report", str(small_run), "-o", str(tmp_path / "report.txt")]) == 0
    text = " ".join((tmp_path / "report.txt").read_text(encoding="utf-8").split())
    assert text.count("detector watch failed and found nothing: ZeroDivisionError: a") == 1
    assert "First report of this run" in text
