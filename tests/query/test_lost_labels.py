"""Labels that are lost to damage: neither right nor wrong nor a flip, and all else as if nothing were lost.

And scalars, which are a hole in their curve.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from dtui.model import LOST_NAN, NO_VALUE, AnomalySettings, ImagesRequest
from dtui.query import RunQuery
from tests.oracle import twins
from tests.query.fake_reader import EVERY, FakeReader

CLASSES = (0, 2, 3)


@dataclass
class LossyReader(FakeReader):
    """Loses a block of images at some validations, one image for good, and single labels here and there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lost = np.random.default_rng(5).random(self.labels.shape) < 0.0002
        self.lost[60:100, 20:29] = True
        self.lost[130] = True
        self.lost_errors = np.zeros((4, self.total), bool)

    def read_labels(self, images: slice, validations: slice) -> np.ndarray:
        labels = np.where(self.lost, NO_VALUE, self.labels.astype(np.int32))
        return self._read("labels", labels[images], validations, self.validations)

    def read_confidences(self, images: slice, validations: slice) -> np.ndarray:
        confidences = np.where(self.lost, NO_VALUE, self.confidences.astype(np.int16))
        return self._read("confidences", confidences[images], validations, self.validations)

    def read_class_errors(self, validations: slice) -> np.ndarray:
        return np.where(self.lost_errors[:, validations], np.nan, super().read_class_errors(validations))


@pytest.fixture
def reader() -> LossyReader:
    return LossyReader()


def judgement(reader: LossyReader, image: int, at: int) -> float:
    """Return 1 for right, 0 for wrong, NaN for lost."""
    return math.nan if reader.lost[image, at] else float(reader.labels[image, at] == reader.targets[image])


def mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@pytest.mark.parametrize("sort", ["index", "error", "similarity"])
@pytest.mark.parametrize("pixels", [999, 20])
def test_image_rows_leave_out_what_is_lost(query, reader, axis, sort, pixels):
    rows = query.image_rows(ImagesRequest(CLASSES, axis, 0, 999, pixels, sort, "label"))
    count = min(pixels, rows.images)
    expected, wrong = np.full((2, count, axis.columns), np.nan)
    for pixel in range(count):
        images = rows.order[pixel * rows.images // count : (pixel + 1) * rows.images // count]
        for column in range(axis.columns):
            positions = twins.record_positions(axis, reader.validation_iterations, EVERY, column)
            shares = [mean([judgement(reader, image, at) for image in images]) for at in positions]
            expected[pixel, column] = mean(shares)
            labels = Counter(
                int(reader.labels[image, at])
                for image in images
                for at in positions
                if judgement(reader, image, at) == 0
            )
            wrong[pixel, column] = min(labels, key=lambda label: (-labels[label], label), default=-1)
    np.testing.assert_allclose(rows.correct, expected, rtol=1e-5)
    np.testing.assert_array_equal(rows.wrong_label, wrong)
    assert np.isnan(rows.correct).any()


def test_images_are_ordered_by_what_is_known(query, reader, axis):
    rows = query.image_rows(ImagesRequest(CLASSES, axis, 0, 999, 999, "error"))
    shares = [mean([judgement(reader, image, at) for at in range(50)]) for image in rows.order]
    assert math.isnan(shares[-1])
    assert shares[:-1] == sorted(shares[:-1], reverse=True)


def test_always_wrong_are_those_of_which_nothing_else_is_known(reader, axis):
    reader.labels[5] = 1
    reader.labels[5, 7] = 0
    reader.lost[5, 7] = True
    rows = RunQuery(reader.path, reader).image_rows(ImagesRequest(CLASSES, axis, 0, 999, 999))
    assert rows.order[rows.always_wrong].tolist() == [5]


def test_a_verdict_that_is_lost_is_none(query, reader):
    verdict = query.image_verdict(80, 262)
    assert (verdict.label, verdict.iteration) == (None, 262)
    assert math.isnan(verdict.confidence)
    known = [judgement(reader, 80, at) for at in range(50) if not reader.lost[80, at]]
    assert (verdict.times_wrong, verdict.validations) == (known.count(0), len(known))
    assert query.image_verdict(80, 12).label == reader.labels[80, 0]


@pytest.mark.parametrize("rule", ["left", "right", "either"])
@pytest.mark.parametrize("window", [1, 3, None])
def test_anomalies_are_true_and_complete_where_nothing_is_lost(reader, rule, window):
    settings = AnomalySettings(rule=rule, window=window, threshold=0.1)
    truth = {one.id: one for one in RunQuery(reader.path, FakeReader()).anomalies(settings)}
    found = {one.id: one for one in RunQuery(reader.path, reader).anomalies(settings)}
    assert found.items() <= truth.items()
    first = np.cumsum([0, *reader.per_class])
    width = (window or 5) + 1
    for name in truth.keys() - found.keys():
        one = truth[name]
        at = (one.iteration - 12) // EVERY
        images = slice(first[one.class_index], first[one.class_index + 1])
        assert reader.lost[images, max(0, at - width) : at + width].any(), name
    assert 0 < len(found) < len(truth)


def test_what_is_lost_later_is_lost_as_at_once(reader, axis):
    growing = LossyReader(validations=15)
    query, request = RunQuery(reader.path, growing), ImagesRequest(CLASSES, axis, 0, 999, 20, "error", "label")
    query.image_rows(request)
    for validations in (18, 24, 50):
        growing.grow(60, validations)
        query.refresh()
        query.image_rows(request)
    ours, theirs = query.image_rows(request), RunQuery(reader.path, reader).image_rows(request)
    for name in ("correct", "wrong_label", "order", "always_wrong"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_the_error_of_a_group_is_lost_with_that_of_one_class(reader, axis):
    whole = RunQuery(reader.path, FakeReader())
    reader.lost_errors[1, 20:30] = True
    query = RunQuery(reader.path, reader)
    (alone, both, others), truth = (one.class_errors([(1,), (0, 1), (0, 2, 3)], axis).values for one in (query, whole))
    np.testing.assert_array_equal(np.isnan(alone), np.isnan(both))
    assert np.isnan(both).any()
    np.testing.assert_array_equal(both[~np.isnan(both)], truth[1][~np.isnan(both)])
    np.testing.assert_array_equal(others, truth[2])
    curve, true = (one.curves(axis).series["validation_error"] for one in (query, whole))
    assert np.isnan(curve).sum() > np.isnan(true).sum()
    assert "validation_error" not in query.curves(axis).nonfinite
    assert "validation_error" not in query.curves_at(222)
    assert query.curves_at(192)["validation_error"] == whole.curves_at(192)["validation_error"]
    np.testing.assert_array_equal(curve[~np.isnan(curve)], true[~np.isnan(curve)])


@pytest.mark.parametrize("name", ["loss", "train_error"])
def test_a_scalar_that_is_lost_is_a_hole_and_not_the_value_before_it(reader, axis, name):
    whole = RunQuery(reader.path, FakeReader())
    reader.scalars[name.removeprefix("train_")][20:30] = LOST_NAN
    query = RunQuery(reader.path, reader)
    curve, true = (one.curves(axis).series[name] for one in (query, whole))
    assert np.isnan(curve).sum() > np.isnan(true).sum()
    np.testing.assert_array_equal(curve[~np.isnan(curve)], true[~np.isnan(curve)])
    assert name not in query.curves(axis).nonfinite
    assert query.curves_at(199)[name] == whole.curves_at(199)[name]
    assert name not in query.curves_at(265)
    assert not any(name in finding for finding in query.info().findings)
