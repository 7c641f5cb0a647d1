"""The registry of detectors: what each of them says of itself, and what one that fails costs the others."""

from __future__ import annotations

import ast
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from dtui.analysis.detectors import registry
from dtui.analysis.detectors.registry import Constant, Detector, RunValues, detector, detector_named, detectors
from dtui.errors import RunDamagedError
from dtui.model import AnomalySettings, Evidence, Missing, Showing, Trigger
from dtui.query import RunQuery, detecting
from tests.query.fake_reader import FakeReader

ROOT = Path(__file__).parents[2]


class Odd(Detector):
    """Says that every second record is odd, unless it is told to fail."""

    name = title = "odd"
    source = needs = legend = "a test"

    def __init__(self, fails: str = "", error: Exception | None = None) -> None:
        self.fails, self.error = fails, error or ValueError("two\nlines \x1b[2J")

    def _may_fail(self, what: str) -> None:
        if self.fails == what:
            raise self.error

    def missing(self, values: RunValues) -> Missing | None:
        self._may_fail("missing")
        return None

    def find(self, values: RunValues) -> list[Evidence]:
        self._may_fail("find")
        return [Evidence(self.name, int(at), layer="fc", filters=(2,)) for at in values.run.records[1::2]]

    def describe(self, evidence: Evidence) -> Showing:
        self._may_fail("describe")
        return Showing("?", "odd", "is odd")


@pytest.fixture
def query(monkeypatch: pytest.MonkeyPatch) -> RunQuery:
    """A run with flips and a trigger."""
    reader = FakeReader(triggers=(Trigger(219, "loss", "", (), 6.0, 8.5),))
    reader.labels[:] = reader.targets[:, None]
    reader.labels[0:30, 33:] = 2
    return RunQuery(reader.path, reader)  # type: ignore[arg-type]


def add(monkeypatch: pytest.MonkeyPatch, *more: Detector) -> None:
    monkeypatch.setattr(detecting, "detectors", lambda: (*more, *detectors()))


def test_each_says_what_it_is_and_has_a_twin() -> None:
    folder = ROOT / "dtui" / "analysis" / "detectors"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "registry"}
    assert {one.name for one in detectors()} == files >= {"class_rules", "watch"}
    twins = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "oracle" / "detectors").glob("test_*.py")}
    assert twins == files
    for one in detectors():
        assert detector_named(one.name) is one
        assert all((one.title, one.source, one.needs, one.legend))
        assert one.legend.endswith(".")
        assert all(isinstance(constant, Constant) and constant.source for constant in one.constants.values())
        assert type(one).__module__ == f"dtui.analysis.detectors.{one.name}"


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="detector 'watch': there is another one"):
        detector(type("Other", (Odd,), {"name": "watch"}))
    with pytest.raises(KeyError):
        detector_named("odd")
    assert "odd" not in registry._DETECTORS


def test_a_front_end_names_no_detector() -> None:
    names = {one.name for one in detectors()} | {one.kind for one in detectors()} - {""}
    files = [path for top in ("dtui/tui", "dtui/cli", "reports") for path in (ROOT / top).rglob("*.py")]
    assert len(files) > 50
    quoted = {
        (path.name, node.value)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        for node in (node.left, *node.comparators)
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert quoted == set()


def test_evidence_is_frozen_and_says_where() -> None:
    evidence = Evidence("odd", 3, layer="fc", filters=(2, 7, 9))
    with pytest.raises(FrozenInstanceError):
        evidence.iteration = 4  # type: ignore[misc]
    assert evidence.place == "fc filter 2 and 2 more"
    assert Evidence("odd", 3, layer="fc", filters=(2,)).place == "fc filter 2"
    assert Evidence("odd", 3, layer="fc").place == "fc"
    assert Evidence("odd", 3, classes=(1,)).place == ""


@pytest.mark.parametrize(
    ("evidence", "name"),
    [
        (Evidence("odd", 3), "odd-3"),
        (Evidence("odd", 3, "up", layer="a.b"), "odd-up-a.b-3"),
        (Evidence("odd", 3, layer="fc", filters=(2, 5)), "odd-fc-2-3"),
        (Evidence("odd", 3, direction="lost", classes=(4, 1)), "odd-4-3-lost"),
        (Evidence("odd", 3, classes=(0,)), "odd-0-3"),
    ],
)
def test_an_id_says_what_and_where_and_when(evidence: Evidence, name: str) -> None:
    assert Odd().identify(evidence) == name


def test_what_a_detector_finds_stands_among_the_others(query: RunQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    before = query.anomalies(AnomalySettings(window=4))
    add(monkeypatch, Odd())
    found = query.anomalies()
    assert {one.kind for one in found} >= {"odd", "class", "watch"}
    assert [one.iteration for one in found] == sorted(one.iteration for one in found)
    assert [one.id for one in found if one.kind != "odd"] == [one.id for one in before]
    odd = next(one for one in found if one.kind == "odd")
    query.decide(odd.id, "flagged", "look")
    assert {one.id for one in query.anomalies() if one.status == "flagged"} == {odd.id}
    assert query.detector_faults() == ()
    assert query.legends(found)[-1] == detector_named("watch").legend
    assert query.legends([odd]) == ("a test",)


@pytest.mark.parametrize("fails", ["find", "describe"])
def test_one_that_fails_is_told_and_the_others_go_on(
    fails: str, query: RunQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Odd(fails)
    add(monkeypatch, odd)
    line = "detector odd failed and found nothing: ValueError: two lines \x1b[2J"
    assert query.detector_faults() == ()
    assert "odd" not in (kinds := {one.kind for one in query.anomalies()})
    assert kinds >= {"class", "watch"}
    assert query.detector_faults() == (line,)
    assert query.info().findings[-1] == line
    assert {one.kind for one in query.top_anomalies(999)} == kinds
    assert query.detector_faults() == (line,)
    odd.fails = ""
    assert "odd" in {one.kind for one in query.top_anomalies(99)}
    assert query.detector_faults() == ()


def test_one_that_cannot_say_what_it_lacks_is_told(query: RunQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, Odd("missing"))
    assert query.not_judged(AnomalySettings(window=60))[0].is_early
    assert query.detector_faults()[0].startswith("detector odd failed")


def test_a_run_that_cannot_be_read_is_no_fault_of_a_detector(query: RunQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, Odd("find", RunDamagedError("x: gone")))
    with pytest.raises(RunDamagedError, match="gone"):
        query.anomalies()
    assert query.detector_faults() == ()


@pytest.mark.parametrize(
    ("validations", "said", "is_early"),
    [
        (0, "class rules: no validations were recorded", False),
        (1, "1 validation, the rules need 6; flips are not judged", True),
        (5, "5 validations, the rules need 6; flips are not judged", True),
    ],
)
def test_what_is_missing_is_a_sentence(validations: int, said: str, is_early: bool) -> None:
    reader = FakeReader(validations=validations)
    assert RunQuery(reader.path, reader).not_judged() == (Missing(said, is_early),)  # type: ignore[arg-type]
    reader = FakeReader(validations=6)
    assert RunQuery(reader.path, reader).not_judged() == ()  # type: ignore[arg-type]


def test_a_detector_reads_what_it_asks_for(query: RunQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader(Odd):
        def find(self, values: RunValues) -> list[Evidence]:
            run, n = values.run, len(values.run.records)
            assert run.layers("weights", "nonfinite").shape == (5, n) == (5, len(run.is_watch))
            assert run.filters("update_norm", 4).shape == (3, n)
            assert run.scalar("loss").shape == (n,)
            assert run.class_errors().shape == (len(run.class_sizes), len(run.validations))
            return [Evidence(self.name, int(np.max(run.records)))]

    add(monkeypatch, Reader())
    assert "odd" in {one.kind for one in query.anomalies()}
