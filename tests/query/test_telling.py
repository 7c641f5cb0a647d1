"""The series that show an incident, the courses of classes, and the checks, against the numbers that were planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES, Cause, Incident
from dtui.model.findings.telling import Telling
from dtui.query import RunQuery
from dtui.query.incidents.checks import FLIGHT_RECORDER
from dtui.query.incidents.walk import AT_ONCE
from tests.query.fake_reader import EVERY, FakeReader
from tests.query.troubled_reader import DEATH, DROP, JUMP, SPIKE, troubled_reader

AROUND = 20


def at(record: int) -> int:
    return record * EVERY + 9


def asked(reader: FakeReader) -> tuple[RunQuery, dict[Cause, Incident]]:
    query = RunQuery(reader.path, reader)
    return query, {one.cause: one for one in query.incidents()}


@pytest.fixture
def shown() -> dict[Cause, tuple[Telling, ...]]:
    query, found = asked(troubled_reader())
    return {cause: query.incident_evidence([one])[0].series for cause, one in found.items()}


def test_a_jump_is_shown_beside_the_other_filters_of_the_layer(shown: dict[Cause, tuple[Telling, ...]]):
    reader = troubled_reader()
    first = shown[Cause.FILTER][0]
    ratios = reader.filters[FILTER_STATISTICS.index("update_ratio")][:, JUMP - AROUND : JUMP + AROUND + 1]
    layer = next(layer for layer in reader.structure.layers if layer.filter_rows.start <= 11 < layer.filter_rows.stop)
    assert first.iterations.tolist() == [at(record) for record in range(JUMP - AROUND, JUMP + AROUND + 1)]
    assert np.array_equal(first.values, ratios[11].astype(np.float64))
    assert first.others is not None
    assert np.allclose(first.others, np.median(ratios[layer.filter_rows], axis=0))
    assert (first.then, first.then_at) == (30.0, at(JUMP))
    assert first.before == pytest.approx(float(np.median(ratios[11, :AROUND])))
    assert first.what == f"change of filter {11 - layer.filter_rows.start} of {layer.name} in one record, ‖Δw‖ / ‖w‖"


def test_filters_that_died_are_shown_beside_those_that_live(shown: dict[Cause, tuple[Telling, ...]]):
    first = shown[Cause.DEAD][0]
    assert (first.then, first.then_at) == (0.0, at(DEATH))
    assert first.others is not None
    assert first.others[-1] > 0.01
    assert first.what == "gradient of 3 filters of layer1.0.conv1"


def test_updates_are_shown_over_all_layers(shown: dict[Cause, tuple[Telling, ...]]):
    reader = troubled_reader()
    first = shown[Cause.UPDATE][0]
    norms = reader.layers[SOURCES.index("updates"), LAYER_STATISTICS.index("norm2")].astype(np.float64)
    expected = float(np.sqrt((norms[:, SPIKE] ** 2).sum()))
    assert first.then == pytest.approx(expected, rel=1e-6)
    assert first.then_at == at(SPIKE)


def test_a_class_is_shown_beside_all_classes(shown: dict[Cause, tuple[Telling, ...]]):
    reader = troubled_reader()
    first = shown[Cause.CLASS][0]
    wrong = (reader.labels != reader.targets[:, None])[reader.targets == 2]
    assert (first.what, first.unit, first.others_what) == ("error of class 2", "share", "all classes")
    window = slice(DROP - AROUND, DROP + AROUND + 1)
    assert np.allclose(first.values, wrong[:, window].mean(axis=0))
    assert first.then == pytest.approx(float(wrong[:, window].mean(axis=0).max()))


def test_what_is_said_is_of_the_incident_and_not_of_what_comes_behind_it():
    reader = troubled_reader()
    reader.layers[SOURCES.index("updates"), LAYER_STATISTICS.index("norm2"), :, SPIKE + 15] *= 20
    query, _ = asked(reader)
    leap = next(one for one in query.incidents() if one.first == at(SPIKE))
    first = query.incident_evidence([leap])[0].series[0]
    assert leap.last < at(SPIKE + 15)
    assert first.values.max() == first.values[first.iterations == at(SPIKE + 15)]
    assert first.then_at == at(SPIKE)


def test_the_value_at_its_beginning_is_told_beside_the_farthest(shown: dict[Cause, tuple[Telling, ...]]):
    dropped = shown[Cause.CLASS][0]
    values = dict(zip(dropped.iterations.tolist(), dropped.values.tolist(), strict=True))
    assert dropped.began_at is not None
    assert dropped.then_at is not None
    assert dropped.began == values[dropped.began_at]
    assert dropped.then == values[dropped.then_at]
    assert dropped.began_at == min(one for one in values if one >= at(DROP))
    assert dropped.then_at >= dropped.began_at


def test_what_was_not_recorded_is_left_out():
    reader = troubled_reader()
    query, found = asked(reader)
    assert any("change of filter" in one.what for one in query.incident_evidence([found[Cause.FILTER]])[0].series)
    kept = {name: one for name, one in reader.contents.filters.items() if name != "update_ratio"}
    reader.contents = replace(reader.contents, filters=kept)
    anew = RunQuery(reader.path, reader)
    assert all("change of filter" not in one.what for one in anew.incident_evidence([found[Cause.FILTER]])[0].series)


def test_a_series_of_one_value_is_no_picture():
    reader = troubled_reader()
    query, found = asked(reader)
    reader.filters[FILTER_STATISTICS.index("update_ratio"), 11] = np.nan
    reader.filters[FILTER_STATISTICS.index("update_ratio"), 11, JUMP] = 30.0
    assert all("change of filter" not in one.what for one in query.incident_evidence([found[Cause.FILTER]])[0].series)


# --- courses of classes
def test_courses_are_those_of_the_errors():
    reader = troubled_reader()
    query = RunQuery(reader.path, reader)
    wrong = reader.labels != reader.targets[:, None]
    errors = np.stack([wrong[reader.targets == label, :180].mean(axis=0) for label in range(4)])
    late = errors[:, 36:]
    by_error, by_change = query.class_courses("error"), query.class_courses("change")
    assert [one.label for one in by_error] == sorted(range(4), key=lambda label: (-errors[label, -1], label))
    assert by_change[0].label == 2, "the class that lost its images"
    for one in by_error:
        row = late[one.label]
        assert (one.lowest, one.highest) == (pytest.approx(row.min()), pytest.approx(row.max()))
        places = [(36 + int(find())) * EVERY + 12 for find in (row.argmin, row.argmax)]
        assert [one.lowest_at, one.highest_at] == places
        assert one.last == pytest.approx(errors[one.label, -1])
    assert len(query.class_courses(top=2)) == 2
    assert by_change[0].change == pytest.approx(float(late[2].max() - late[2].min()))


@pytest.mark.parametrize(("by", "top"), [("colour", 1), ("error", 0)])
def test_a_list_that_is_not_there_is_refused(query, by: str, top: int):
    with pytest.raises(UsageError):
        query.class_courses(by, top)


def test_without_validations_there_are_no_courses():
    reader = FakeReader(validations=0)
    assert RunQuery(reader.path, reader).class_courses() == ()


# --- checks
def test_checks_say_why_they_could_not_judge():
    query, _ = asked(troubled_reader())
    checks = {one.title: one for one in query.all_checks()}
    assert [one.title for one in checks.values() if not one.lacks] == list(query.incident_checks())
    assert tuple(t for t, one in checks.items() if one.lacks and not one.is_covered) == query.incidents_unchecked()
    assert all(one.source and one.needs for one in checks.values())
    assert FLIGHT_RECORDER in checks
    young, _ = asked(troubled_reader(3))
    assert all(one.lacks for one in young.all_checks())
    unvalidated = FakeReader(validations=0)
    unjudged = {one.needs for one in RunQuery(unvalidated.path, unvalidated).all_checks() if "validation" in one.lacks}
    assert unjudged == {"validations of the same images"}
    broken = troubled_reader()
    broken.layers[SOURCES.index("gradients")] = np.nan
    broken.layers[SOURCES.index("gradients"), LAYER_STATISTICS.index("nonfinite")] = 4
    lacks = {one.lacks for one in asked(broken)[0].all_checks()}
    assert f"no gradient was finite in the last {AT_ONCE} records" in lacks
    assert "gradients were not recorded" not in lacks


@pytest.mark.parametrize(
    ("around", "has_seam", "sentence", "check"),
    [
        (0, False, "was off (keep_around=0)", "it was off (keep_around=0)"),
        (20, False, "was on, and fired nothing", ""),
        (None, False, "fired nothing, or was off (keep_around=0)", "it fired nothing, or was off (keep_around=0)"),
        (20, True, "fired nothing, or was off (keep_around=0)", "it fired nothing, or was off (keep_around=0)"),
    ],
)
def test_a_flight_recorder_that_left_nothing_was_off_or_fired_nothing(
    around, has_seam: bool, sentence: str, check: str
):
    reader = troubled_reader()
    reader.metadata = replace(reader.metadata, keep_around=around)
    reader.seams = ("a process went on here",) if has_seam else ()
    query = RunQuery(reader.path, reader)
    assert f"the flight recorder {sentence}" in [lacks.sentence for lacks in query.incidents_not_judged()]
    told = next(one for one in query.all_checks() if one.title == FLIGHT_RECORDER)
    assert told.lacks == check
    assert (FLIGHT_RECORDER in query.incident_checks()) == (not check)


def test_who_decided_is_known(query):
    assert query.decided_by("incident-1") == ("", "")
    query.decide("incident-1", "flagged", "")
    assert query.decided_by("incident-1") == ("ada", "2026-01-01T00:00:00+00:00")
