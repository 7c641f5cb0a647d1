"""dtui incidents and dtui state as scripts and people use them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from dtui.cli import main
from dtui.query import open_run
from dtui.store import RunWriter
from tests.contract.test_json import assert_fields
from tests.query.fake_reader import FakeReader
from tests.query.test_real_runs import record

Printed = pytest.CaptureFixture[str]
INCIDENT = {
    "id": str,
    "first": int,
    "last": int,
    "cause": str,
    "sentence": str,
    "scope": str,
    "layers": list,
    "filters": list,
    "classes": list,
    "evidence": list,
    "moved_first": str,
    "next_step": str,
    "final": bool,
    "score": float,
    "status": str,
    "note": str,
    "batches": type(None),
    "origin": type(None),
}
EVIDENCE = (
    "detector",
    "rule",
    "iteration",
    "known",
    "layer",
    "norm",
    "filters",
    "classes",
    "strength",
    "count",
    "share",
)
NUMBERS = ("times", "amount", "usual", "concentration", "frequency")


@pytest.fixture
def faults(repository: Path) -> str:
    return str(repository / "sample_runs" / "mnist-faults")


@pytest.fixture
def healthy(repository: Path) -> str:
    return str(repository / "sample_runs" / "mnist-healthy")


def short_run(path: Path) -> None:
    reader = FakeReader()
    with RunWriter(path, reader.structure, reader.metadata) as writer:
        writer.append_record(record(reader, 0))


def answer(words: list[str], capsys: Printed, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_five_sentences_for_five_faults(faults: str, capsys: Printed):
    assert main(["incidents", faults]) == 0
    lines = capsys.readouterr().out.splitlines()
    said, steps, names = lines[0:-1:3], lines[1:-1:3], lines[2:-1:3]
    assert len(said) == 5
    assert all(line.startswith("       next: ") for line in steps)
    assert steps[3].endswith("before 1,360, and test the GPU's memory if it comes back: learning seldom does this")
    assert all("incident-" in line for line in names)
    assert "class 4 rose" in said[0]
    assert "updates of the whole network" in said[1]
    assert "6 of the 16 filters of layer2.1.conv1 get no gradient any more" in said[2]
    assert "filter 17 of layer3.0.conv1" in said[3]
    assert "class 7" in said[4]
    assert lines[-1].startswith("5 incidents, 5 to review; looked for in 240 records, 240 validations: ")


def test_samples_that_stand_before_an_incident_are_named_with_the_command_that_lists_them(
    repository: Path, capsys: Printed
):
    run = str(repository / "sample_runs" / "mnist-batches")
    assert main(["incidents", run]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(place for place, line in enumerate(lines) if "this one too: 1973" in line)
    assert lines[at].startswith("       data: 1 sample id stands before 11 of 25 triggers")
    assert lines[at + 1] == f"       dtui batch {shlex.quote(run)} --at 514 lists them"


def test_what_was_dismissed_says_no_next_step(tmp_path: Path, faults: str, capsys: Printed):
    shutil.copytree(f"{faults}.dtui", run := tmp_path / "run.dtui")
    with open_run(run) as query:
        query.decide("incident-430-class-class4", "dismissed")
    assert main(["incidents", str(run)]) == 0
    assert capsys.readouterr().out.count("next: ") == 4


def test_a_healthy_run_says_what_was_looked_for(healthy: str, capsys: Printed):
    assert main(["incidents", healthy]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("no incident; looked for in 240 records, 240 validations: ")
    assert "NaN and Inf" in line


def test_the_fields_of_an_incident(faults: str, capsys: Printed):
    for one in answer(["incidents", faults], capsys):
        assert one["persists"] in (True, False, None)
        assert_fields({name: value for name, value in one.items() if name != "persists"}, INCIDENT)
        assert one["evidence"]
        assert all(tuple(told) == (*EVIDENCE, *NUMBERS) for told in one["evidence"])


def test_since_asks_for_what_goes_on_later(faults: str, capsys: Printed):
    assert [one["cause"] for one in answer(["incidents", faults, "--since", "1100"], capsys)] == ["filter", "class"]
    assert answer(["incidents", faults, "--since", "99999"], capsys) == []


def test_a_nightly_script_judges_by_what_nobody_dismissed(tmp_path: Path, faults: str, capsys: Printed):
    import shutil

    run = tmp_path / "night.dtui"
    shutil.copytree(f"{faults}.dtui", run)
    assert main(["incidents", str(run), "--fail-on", "5"]) == 1
    assert main(["incidents", str(run), "--fail-on", "6"]) in (0, 2)
    with open_run(run) as query:
        query.decide(query.incidents()[0].id, "dismissed")
    assert main(["incidents", str(run), "--fail-on", "5"]) in (0, 2)
    capsys.readouterr()
    assert main(["incidents", str(run)]) == 0
    assert "[dismissed]" in capsys.readouterr().out


def test_what_cannot_be_judged_is_not_fine(tmp_path: Path, capsys: Printed):
    short_run(tmp_path / "short")
    assert main(["incidents", str(tmp_path / "short"), "--fail-on", "1"]) == 2
    output = capsys.readouterr()
    assert "1 record, the detectors need 12" in output.err
    assert "no incident; no check could run yet in 1 record" in output.out


def test_damage_may_hide_some(tmp_path: Path, faults: str, capsys: Printed):
    import shutil

    run = tmp_path / "damaged.dtui"
    shutil.copytree(f"{faults}.dtui", run)
    for part in (run / "parts").glob("*.h5"):
        blob = bytearray(part.read_bytes())
        blob[4096::4096] = bytes(255 - byte for byte in blob[4096::4096])
        part.write_bytes(blob)
    assert main(["incidents", str(run), "--fail-on", "99"]) == 2
    assert "incidents may be hidden where it is damaged" in capsys.readouterr().err


def test_bad_usage_is_one_line(faults: str, capsys: Printed):
    for words in (["--fail-on", "0"], ["--since", "soon"], ["--top", "3"]):
        assert main(["incidents", faults, *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "invalid int value" not in line
    assert main(["incidents", "nowhere"]) == 3


def test_the_state_at_the_end(faults: str, healthy: str, capsys: Printed):
    assert main(["state", faults]) == 0
    text = capsys.readouterr().out
    assert "dead   layer2.1.conv1  6 of 16  1,010  1, 4, 5, 8, 11, 14" in text
    found = answer(["state", faults], capsys)
    assert [(one["standing"], one["layer"], one["since"]) for one in found["entries"]] == [
        ("dead", "layer2.1.conv1", [1010] * 6),
        ("dead", "layer3.0.conv1", [1360]),
    ]
    assert main(["state", healthy]) == 0
    assert capsys.readouterr().out == "nothing stands out at the end of 240 records\n"


def test_the_state_of_a_short_run_says_what_it_needs(tmp_path: Path, capsys: Printed):
    short_run(tmp_path / "short")
    assert main(["state", str(tmp_path / "short")]) == 0
    assert "1 record, they need 3" in capsys.readouterr().err


def test_incidents_are_columns_of_the_correlation(faults: str, capsys: Printed):
    found = answer(["correlation", faults, "--incidents", "--count", "3"], capsys)
    ids = [one["id"] for one in answer(["incidents", faults], capsys)]
    assert {event["id"] for event in found["events"]} == set(ids)
    assert "4" in found["classes"]
    assert None in found["classes"]
    flipped = next(one for one in found["mini_sets"] if one["layer"] == "layer3.0.conv1" and 17 in one["filters"])
    assert flipped["records"]


def test_a_filter_is_looked_up_the_other_way_round(faults: str, capsys: Printed):
    found = answer(["filters", faults, "--of", "layer3.0.conv1", "17"], capsys)
    assert "incident-1360-filter-layer3.0.conv1" in [one["id"] for one in found]
    assert main(["filters", faults, "--of", "layer3.0.conv1", "17", "--count", "1"]) == 0
    assert "incident-1360" in capsys.readouterr().out
    for words in (
        ["--of", "conv9", "1"],
        ["--of", "layer3.0.conv1", "99"],
        ["--of", "layer3.0.conv1", "x"],
        [],
        ["--at", "9", "--of", "fc", "1"],
    ):
        assert main(["filters", faults, *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_advisor_tells_how_dense_anomalies_are_by_learning_rate(faults: str, capsys: Printed):
    assert main(["advise", faults]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "by learning rate" in line]
    assert line.count(" at ") == 3
    stages = answer(["advise", faults], capsys)["stages"]
    assert stages[0]["per_hundred"] > stages[-1]["per_hundred"]


def test_that_nothing_was_learned_is_said_above_the_count(
    healthy: str, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setattr("dtui.query.findings.not_learned", lambda data: "the network is no better than chance")
    assert main(["incidents", healthy]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "the network is no better than chance"
    assert main(["info", healthy]) == 0
    assert re.search("^learned +the network is no better than chance$", capsys.readouterr().out, re.MULTILINE)
