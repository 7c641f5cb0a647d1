"""Validations of long runs: a step of the crosshair reads as much as in a short run, and little stays in memory."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from dtui.model import NO_VALUE, NOT_JUDGED, ImagesRequest, RunStatus, TimeAxis
from dtui.query import RunQuery
from dtui.query.incidents.walk import AT_ONCE
from tests.query.fake_reader import EVERY
from tests.query.test_learning import HolesReader, query_of

SHORT, LONG, TOGETHER = 60, 600, 16
GROUPS = ((0,), (1, 2), (2,), (0, 1, 2, 3))
ALL = (2, 0, 1)


@pytest.fixture
def long(monkeypatch):
    """Have every run be long, and the store keep few validations together."""
    labels = "dtui.query.labels"
    monkeypatch.setattr(f"{labels}.error_columns.WHOLE_BYTES", 8 * 4 * TOGETHER)
    monkeypatch.setattr(f"{labels}.error_columns.TOGETHER", TOGETHER)
    monkeypatch.setattr(f"{labels}.labels_around.TOGETHER", TOGETHER)
    monkeypatch.setattr(f"{labels}.judgements.TOGETHER", TOGETHER)
    monkeypatch.setattr(f"{labels}.validation_data.BITS_KEPT", 0)
    monkeypatch.setattr("dtui.query.classes.errors.AT_ONCE", 32)
    for module in ("validation_data", "judged_classes"):
        monkeypatch.setattr(f"{labels}.{module}.CLASSES_ALONE", 1)


class PartlyJudged(HolesReader):
    """Every seventh validation judged a part of the images, and one lost a label."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.holes[:, [at for at in range(self.total) if at % 7]] = 0
        self.holes[self.holes == NO_VALUE] = NOT_JUDGED
        self.holes[3, 14] = NO_VALUE

    def read_class_errors(self, validations: slice) -> np.ndarray:
        errors = super().read_class_errors(validations)
        for label in range(len(self.per_class)):
            errors[label, (self.holes[self.targets == label, validations] < 0).any(axis=0)] = np.nan
        return errors


def run(validations: int, **about) -> HolesReader:
    return HolesReader(validations=validations, total=validations, **about)


def whole(reader: HolesReader) -> TimeAxis:
    return TimeAxis(0, 12 + EVERY * reader.validations, 20)


def asked(reader: HolesReader, sort: str = "error") -> ImagesRequest:
    return ImagesRequest(ALL, whole(reader), 3, 100, 17, sort, "correctness")


def images(query: RunQuery, reader: HolesReader, sort: str) -> tuple[object, ...]:
    found = query.image_rows(asked(reader, sort))
    return found.correct.tolist(), found.order.tolist(), found.always_wrong.tolist()


def test_answers_of_a_long_run_are_those_of_a_short_one(monkeypatch, request):
    monkeypatch.setattr("dtui.query.labels.validation_data.CLASSES_ALONE", 1)
    reader = PartlyJudged(validations=150, total=150)
    query = query_of(reader)
    answers = {
        "errors": lambda query: query.class_errors(GROUPS, whole(reader)).values.tolist(),
        "here": lambda query: query.class_errors(GROUPS, TimeAxis(500, 501, 1)).values.tolist(),
        "again": lambda query: query.class_errors(GROUPS[::-1], whole(reader)).values.tolist(),
        "worst": lambda query: query.worst_classes(700, 3),
        "curves": lambda query: query.curves(whole(reader)).series["validation_error"].tolist(),
        "taken for": lambda query: query.taken_for(ALL, 900).counts.tolist(),
        **{sort: partial(images, reader=reader, sort=sort) for sort in ("error", "similarity", "peak", "index")},
    }
    before = {name: answer(query) for name, answer in answers.items()}
    request.getfixturevalue("long")
    other = query_of(reader)
    for name, answer in answers.items():
        np.testing.assert_equal(answer(other), before[name], name)
    assert query._data.has_judgements
    assert not other._data.has_judgements


@pytest.mark.parametrize("what", ["labels", "class errors"])
def test_a_step_of_the_crosshair_reads_no_more_at_ten_times_the_validations(long, what):
    read = []
    for validations in (SHORT, LONG):
        reader = run(validations)
        query = query_of(reader)
        middle = 12 + EVERY * (validations // 2)
        query.taken_for(ALL, middle)
        query.class_errors(GROUPS, TimeAxis(middle, middle + 1, 1))
        query.worst_classes(middle)
        read.append(sum(stop - start for kind, start, stop in reader.reads if kind == what))
    assert 0 < read[0] == read[1] <= TOGETHER


def test_incidents_of_a_long_run_are_found_with_a_stretch_of_the_errors_at_a_time(monkeypatch, request):
    many = 200
    reader = PartlyJudged(validations=many, total=many, records=many, state=RunStatus.DONE)
    expected = query_of(reader).incidents()
    request.getfixturevalue("long")
    reader.reads.clear()
    query = query_of(reader)
    whole = []
    monkeypatch.setattr(query._data._errors, "whole", lambda *_: whole.append(True))
    assert query.incidents() == expected != ()
    assert not whole
    read = [stop - start for kind, start, stop in reader.reads if kind == "class errors"]
    assert max(read) <= AT_ONCE + 2 * TOGETHER
    assert many <= sum(read) < 2 * many


def test_strips_of_classes_are_read_once_while_one_scrolls(long):
    reader = run(150)
    query = query_of(reader)
    query.class_errors([(0,), (1, 2)], whole(reader))
    reader.reads.clear()
    query.class_errors([(1,), (3,), (1, 2)], whole(reader))
    assert reader.reads == []


def test_images_of_a_long_run_are_read_a_little_at_a_time(long):
    reader = run(150)
    query = query_of(reader)
    pieces = 1
    while not query.prepare_images(ALL, 0.0):
        pieces += 1
    assert pieces == -(-reader.validations // TOGETHER)
    reader.reads.clear()
    query.image_rows(asked(reader))
    assert [one for one in reader.reads if one[0] == "labels"] == []


def test_what_all_validations_say_of_all_classes_is_freed_when_the_run_has_ended(long):
    reader = run(150, state=RunStatus.DONE)
    query = query_of(reader)
    errors = query._data.class_errors()
    assert query._data.class_errors().base is errors.base
    query.tidy()
    assert query._data.class_errors().base is not errors.base
    reader.state = RunStatus.LIVE  # the next record needs it
    errors = query._data.class_errors()
    query.tidy()
    assert query._data.class_errors().base is errors.base
