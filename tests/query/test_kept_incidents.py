"""Incidents as a first screen keeps them: the same without a detector, found anew whenever they might differ."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Optional, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from dtui.analysis.detectors.online.class_error import ClassError
from dtui.model import Cause, Incident
from dtui.model.findings.incident_evidence import IncidentEvidence
from dtui.query import open_run
from dtui.query.incidents import sliced, walk
from dtui.query.kept import told
from dtui.query.kept.spelled import read_as, spelled
from dtui.store import RunWriter, find_past
from dtui.synth import synthesise
from tests.query.test_kept_pictures import as_bits
from tests.query.watching.live import calm
from tests.store.builders import METADATA, STRUCTURE

Answers = tuple[Any, ...]
ANY = r"[^$]*"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with four incidents, of classes, filters and the network, in a journal."""
    return synthesise(tmp_path_factory.mktemp("incidents") / "run", "small", records=120, compact=False)


@pytest.fixture
def run(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, of which what the first screen shows is kept once it was shown."""
    monkeypatch.setattr(walk, "WORTH_KEEPING_SECONDS", -1.0)
    left_out = shutil.ignore_patterns("findings.h5")
    return shutil.copytree(recorded, tmp_path / "run.dtui", ignore=left_out)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What looked for incidents."""
    seen: list[object] = []

    class Noted(sliced.SlicedIncidents):
        def __init__(self, data: Any) -> None:
            seen.append(self)
            super().__init__(data)

    monkeypatch.setattr(sliced, "SlicedIncidents", Noted)
    return seen


def shown_of(path: Path) -> Answers:
    """What the first screen shows of incidents."""
    with open_run(path) as query:
        with query.keeping_first_screen() as keep:
            assert query.prepare_incidents(60)
            found = query.incidents()
            shown = found, query.incidents_not_judged(), as_bits(query.incident_evidence(found))
        keep()
        return shown


def test_the_next_first_screen_says_the_same_and_looks_for_nothing(run: Path, looked: list[object]) -> None:
    with open_run(run) as query, query.keeping_first_screen():
        assert not query.prepare_incidents(0.0)  # a little at a time, so that others are answered
        expected = query.incidents()
        assert query.prepare_incidents(0.0)
    first = shown_of(run)
    assert len(first[0]) == 4
    assert first[0] == expected
    assert len(looked) == 2
    kept = (run / "findings.h5").read_bytes()
    with open_run(run) as query, query.keeping_first_screen():
        assert query.prepare_incidents(0.0)
    assert shown_of(run) == first
    assert len(looked) == 2
    assert (run / "findings.h5").read_bytes() == kept


def test_those_of_a_run_that_was_judged_quickly_are_kept_too(
    run: Path, looked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "WORTH_KEEPING_SECONDS", 1e9)
    first = shown_of(run)
    looked.clear()
    assert shown_of(run) == first
    assert not looked


def test_what_a_person_decided_is_not_kept(run: Path, looked: list[object]) -> None:
    first = shown_of(run)[0]
    with open_run(run) as query:
        query.decide(first[1].id, "dismissed", "known")
    looked.clear()
    again = shown_of(run)[0]
    assert again == (first[0], replace(first[1], status="dismissed", note="known"), *first[2:])
    assert not looked


def test_a_run_that_shrank_or_grew_is_looked_at_anew(run: Path, looked: list[object]) -> None:
    whole = shown_of(run)
    held = {path: path.read_bytes() for first in (64, 96) for path in (run / "journal").glob(f"*-{first:010}.dtj")}
    assert len(held) == 4
    for path, data in held.items():
        path.write_bytes(data[: len(data) // 8])  # the last incident begins behind it
    looked.clear()
    shorter = shown_of(run)
    assert looked
    assert [one.id for one in shorter[0]] == [one.id for one in whole[0][:-1]]
    assert shown_of(run) == shorter
    for path, data in held.items():
        path.write_bytes(data)
    looked.clear()
    assert shown_of(run) == whole
    assert looked


def test_whoever_keeps_a_run_open_sees_what_a_resumed_training_records(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(3):
            writer.append_record(calm(position))
    with open_run(writer.path) as query:
        with query.keeping_first_screen() as keep:
            assert query.incidents() == ()
        keep()
        past = find_past(writer.path)
        assert past is not None
        with RunWriter.resume(past, 30, compact=False) as again:
            again.append_record(calm(3, "weights"))
        query.refresh()
        assert [one.cause for one in query.incidents()] == [Cause.NONFINITE]
        assert shown_of(writer.path)[0] == query.incidents()


def test_values_between_the_records_count_too(run: Path, looked: list[object]) -> None:
    (run / "logged.jsonl").touch()
    shown_of(run)
    looked.clear()
    os.utime(run / "logged.jsonl")
    shown_of(run)
    assert looked


@pytest.mark.parametrize("change", ["flip", "cut", "empty", "none"])
def test_a_damaged_cache_costs_nothing_but_looking(run: Path, looked: list[object], change: str) -> None:
    first, path = shown_of(run), run / "findings.h5"
    good = path.read_bytes()
    changed = {"flip": good[:200] + bytes([good[200] ^ 1]) + good[201:], "cut": good[: len(good) // 2], "empty": b""}
    path.write_bytes(changed.get(change, good))
    looked.clear()
    assert shown_of(run) == first
    assert bool(looked) == (change != "none")
    looked.clear()
    assert shown_of(run) == first
    assert not looked, "it was kept anew"


def test_other_detectors_do_not_believe_these(
    run: Path, looked: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shown_of(run)
    package = shutil.copytree(
        Path(told.__file__).parents[2], tmp_path / "package", ignore=shutil.ignore_patterns("*.pyc")
    )
    monkeypatch.setattr(told, "__file__", str(package / "query" / "kept" / "told.py"))
    told.judges.cache_clear()
    looked.clear()
    assert shown_of(run) == first
    assert not looked, "the same code elsewhere"
    for name in (
        "analysis/detectors/online/class_error.py",
        "analysis/incidents/sentences.py",
        "query/incidents/walk.py",
    ):
        with (package / name).open("a") as file:
            file.write("\n")
        told.judges.cache_clear()
        looked.clear()
        assert shown_of(run) == first
        assert looked, name
    monkeypatch.undo()
    told.judges.cache_clear()


def test_what_a_failing_detector_left_out_is_not_kept(
    run: Path, looked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, open_run(run) as query:
        patch.setattr(ClassError, "begin", lambda *_: Failing())
        with query.keeping_first_screen() as keep:
            fewer = query.incidents()
        keep()
        assert query.detector_faults()
    looked.clear()
    assert len(shown_of(run)[0]) > len(fewer)
    assert looked


class Failing:
    """A stream of evidence that fails."""

    def add(self, _: object) -> list[object]:
        raise ZeroDivisionError


LIES: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "a class that is not there": (Incident, lambda one: replace(one, classes=(10,))),
    "a filter that is not there": (Incident, lambda one: replace(one, layers=("layer1.0.conv1",), filters=(10**6,))),
    "filters of no layer": (Incident, lambda one: replace(one, layers=(), filters=(1,))),
    "filters of an unknown layer": (Incident, lambda one: replace(one, layers=("x",), filters=(1,))),
    "after the last iteration": (Incident, lambda one: replace(one, last=10**9)),
    "before the first": (Incident, lambda one: replace(one, first=-5)),
    "decided already": (Incident, lambda one: replace(one, status="dismissed")),
    "nothing that shows it": (Incident, lambda one: replace(one, evidence=())),
    "evidence of no class": (Incident, lambda one: replace(one, evidence=(replace(one.evidence[0], classes=(99,)),))),
    "of another incident": (IncidentEvidence, lambda one: replace(one, id="x")),
    "an image that is not there": (IncidentEvidence, lambda one: replace(one, wrong=(10**6,))),
    "a worst class that is not there": (IncidentEvidence, lambda one: replace(one, label=-1)),
    "a single point": (IncidentEvidence, lambda one: _with(one, iterations=np.array([1]), values=np.array([0.5]))),
    "a series that goes back": (IncidentEvidence, lambda one: _with(one, iterations=one.series[0].iterations[::-1])),
    "more points than iterations": (IncidentEvidence, lambda one: _with(one, values=np.zeros(3))),
}


def _with(one: IncidentEvidence, **changes: Any) -> IncidentEvidence:
    return replace(one, series=(replace(one.series[0], **changes), *one.series[1:]))


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_so_is_not_believed(run: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    expected = shown_of(run)
    of, tell = LIES[lie]
    lied = []

    def lying(kind: type, text: np.ndarray) -> Any:
        found = read_as(kind, text)
        if kind is not of or not found:
            return found
        lied.append(lie)
        return (tell(found[0]), *found[1:])

    monkeypatch.setattr(told, "read_as", lying)
    assert shown_of(run) == expected
    assert lied


# --- how they are spelled
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["<i8", "class"]),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=18))
def test_what_is_no_value_is_refused(values: list[object]) -> None:
    import json

    text = json.dumps([values]).encode()
    for kind in (Incident, IncidentEvidence):
        with pytest.raises(ValueError, match=ANY):
            read_as(kind, np.frombuffer(text, np.uint8))


def test_bytes_that_are_no_json_are_refused() -> None:
    for text in (b"", b"[", b"\xff\xfe", b"{}", b"[" * 100_000, b"[[1]]", b'"x"'):
        with pytest.raises(ValueError, match=ANY):
            read_as(Incident, np.frombuffer(text, np.uint8))


def test_each_field_comes_back_as_it_was_and_of_no_other_type(run: Path) -> None:
    with open_run(run) as query:
        found = query.incidents()
        shown = query.incident_evidence(found)
    assert read_as(Incident, spelled(found)) == found
    assert as_bits(read_as(IncidentEvidence, spelled(shown))) == as_bits(shown)
    names = [field.name for field in fields(Incident)]
    for name in names:
        bad = replace(found[0], **{name: {"no": "value"}})
        with pytest.raises(ValueError, match=ANY):
            read_as(Incident, spelled([bad]))


Scalar = TypeVar("Scalar", bound=np.generic)
Numbers = TypeAliasType("Numbers", np.ndarray[Any, np.dtype[Scalar]], type_params=(Scalar,))


@dataclass(frozen=True)
class Written:
    """Types as newer releases of Python and NumPy spell them."""

    some: Numbers[np.float64]
    one: Optional[int]  # noqa: UP045


def test_a_type_is_read_however_it_is_spelled() -> None:
    written = Written(np.array([1.5, 2.0]), None)
    ((numbers, one),) = ((found.some.tolist(), found.one) for found in read_as(Written, spelled([written])))
    assert (numbers, one) == ([1.5, 2.0], None)
