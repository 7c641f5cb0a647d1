"""What shows an incident: compared with the run's own numbers, read one by one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dtui.model import Cause, Incident
from dtui.query import open_run
from dtui.query.incidents.evidence import AROUND, LEAST_TIMES


@pytest.fixture(scope="module")
def faults(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        yield query


def of_cause(query, cause: Cause) -> Incident:
    return next(found for found in query.incidents() if found.cause is cause)


def test_a_class_shows_its_error_and_what_it_became(faults):
    incident = of_cause(faults, Cause.CLASS)
    (shown,) = faults.incident_evidence([incident])
    series = shown.series[0]
    assert (series.what, series.unit) == ("error of class 4", "share")
    at = dict(zip(series.iterations.tolist(), series.values.tolist(), strict=True))
    assert (min(at), max(at), len(at)) == (430 - 200, 430 + 200, 2 * AROUND + 1)
    assert at[430] == 1.0
    assert [(pair.label, pair.count) for pair in shown.became] == [(9, 98), (2, 1), (6, 1)]
    assert (shown.label, shown.moment, shown.judged) == (4, 430, 100)
    for image in shown.wrong:
        verdict, before = faults.image_verdict(image, 430), faults.image_verdict(image, 420)
        assert verdict.target == 4
        assert verdict.label != 4
        assert before.label == 4, "those that were right before come first"
    assert shown.moved[0].layer == "fc"


def test_how_much_a_layer_moved_is_measured_against_the_records_before(faults):
    incident = of_cause(faults, Cause.CLASS)
    (shown,) = faults.incident_evidence([incident])
    ratios, records = faults.layer_update_ratios(), faults.record_iterations().tolist()
    names = [layer.name for layer in faults.structure().layers]
    for move in shown.moved:
        row, at = ratios[names.index(move.layer)], records.index(430)
        before = sorted(row[at - AROUND : at].tolist())
        median = (before[AROUND // 2 - 1] + before[AROUND // 2]) / 2
        assert move.times == pytest.approx(row[at] / median, rel=1e-5)
        assert move.times >= LEAST_TIMES
    assert [move.times for move in shown.moved] == sorted((move.times for move in shown.moved), reverse=True)


def test_each_cause_shows_the_quantity_that_tells_it(faults):
    shown = {incident.cause: evidence.series[0] for incident, evidence in asked(faults)}
    dead, jump, update = shown[Cause.DEAD], shown[Cause.FILTER], shown[Cause.UPDATE]
    assert dead.what == "gradient of 6 filters of layer2.1.conv1"
    assert (dead.values[dead.iterations < 1010] > 0.001).all()
    assert (dead.values[dead.iterations >= 1010] < 1e-6).all()
    assert "filter 17 of layer3.0.conv1" in jump.what
    assert jump.iterations[np.argmax(jump.values)] == 1360
    assert jump.spans_decades
    assert not dead.spans_decades
    small = replace(shown[Cause.CLASS], values=np.array([0.001, 1.0]))
    assert not small.spans_decades, "a share has a scale from nothing to all"
    assert replace(small, unit="number").spans_decades
    assert update.iterations[np.argmax(update.values)] == 750


def counted(reads, read, *where):
    reads.append(where)
    return read(*where)


def test_what_shows_an_incident_is_read_once_while_a_list_scrolls(repository, monkeypatch):
    """The list asks for all of its rows after each step, of which one is new."""
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        incidents, reads = query.incidents(), []
        first = query.incident_evidence(incidents[:-1])
        reader = query._data.reader
        for name in [name for name in dir(type(reader)) if name.startswith("read_")]:
            monkeypatch.setattr(reader, name, partial(counted, reads, getattr(reader, name)))
        decided = tuple(replace(one, status="flagged", note="seen") for one in incidents[:-1])
        again = query.incident_evidence(decided)
        assert all(one.series is before.series for one, before in zip(again, first, strict=True))
        assert reads == []
        query.incident_evidence(incidents)
        assert reads, "the new row is read"


def asked(query):
    incidents = query.incidents()
    return list(zip(incidents, query.incident_evidence(incidents), strict=True))


@pytest.mark.parametrize("cause", list(Cause))
def test_any_cause_at_any_place_is_answered(faults, cause):
    plain = replace(of_cause(faults, Cause.FILTER), cause=cause)
    for first, last in ((-5, -5), (0, 0), (2390, 2390), (10**9, 10**9)):
        for layers, classes in (((), ()), (("no such layer",), (999,)), (("fc",), (0, 1))):
            incident = replace(plain, first=first, last=last, layers=layers, classes=classes, filters=(0,))
            (shown,) = faults.incident_evidence([incident])
            assert all(len(series.iterations) == len(series.values) for series in shown.series)
            assert shown.id == incident.id
