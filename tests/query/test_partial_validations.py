"""Validations that judged a part of the images: each number is that of the images that were judged, never a guess."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dtui.model import NOT_JUDGED, NOT_JUDGED_STORED, AnomalySettings, ImagesRequest, TimeAxis, Validation
from dtui.query import open_run
from dtui.store import RunReader, RunWriter, check_run, pack_run
from tests.store.builders import IMAGES, METADATA, STRUCTURE

UNSEEN = NOT_JUDGED_STORED
TARGETS = [0, 0, 0, 1, 1, 2]
JUDGED = [
    [0, 1, 0, 1, 1, 2],
    [0, 1, UNSEEN, 1, 2, 2],
    [0, UNSEEN, UNSEEN, UNSEEN, UNSEEN, UNSEEN],
    [UNSEEN] * 6,
    [0, 0, 0, 1, 1, 0],
] * 8


def error(labels: list[int], of: tuple[int, ...]) -> float:
    """The share of wrong labels among those given, of the images of some classes."""
    judged = [
        (label, target) for label, target in zip(labels, TARGETS, strict=True) if label != UNSEEN and target in of
    ]
    return sum(label != target for label, target in judged) / len(judged) if judged else math.nan


@pytest.fixture(params=["folded", "journal", "packed"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run with partial validations; the first 32 are in a part where it is folded."""
    path = tmp_path / "run"
    with RunWriter(path, STRUCTURE, METADATA, classes=IMAGES.classes, compact=request.param != "journal") as writer:
        writer.set_images(IMAGES)
        for position, labels in enumerate(JUDGED):
            array = np.array(labels, np.uint16)
            writer.append_validation(Validation(position * 10, array, np.full(6, 200, np.uint8)))
    path = tmp_path / "run.dtui"
    if request.param == "packed":
        result = pack_run(path, tmp_path / "run.h5")
        assert not result.missing
        path = tmp_path / "run.h5"
    assert check_run(path).is_fine
    return path


def test_labels_that_were_not_given_are_told_from_lost_ones(run: Path) -> None:
    reader = RunReader(run)
    labels = reader.read_labels(slice(0, 6), slice(0, len(JUDGED)))
    reader.close()
    assert labels.T.tolist() == [[NOT_JUDGED if label == UNSEEN else label for label in row] for row in JUDGED]
    assert reader.faults == ()


def test_errors_and_curves_are_those_of_the_images_judged(run: Path) -> None:
    axis = TimeAxis(0, 10 * len(JUDGED), len(JUDGED))
    with open_run(run) as query:
        groups = [(0,), (1,), (2,), (0, 1), (0, 1, 2)]
        found = query.class_errors(groups, axis).values
        curve = query.curves(axis).series["validation_error"]
        info = query.info()
    for column, labels in enumerate(JUDGED):
        for row, group in enumerate(groups):
            assert found[row, column] == pytest.approx(error(labels, group), nan_ok=True), (column, group)
        assert curve[column] == pytest.approx(error(labels, (0, 1, 2)), nan_ok=True)
    (told,) = (line for line in info.findings if "label" in line)
    assert told == (
        "24 validations have a label for a part of the images only, first at iteration 10 (5 of 6); "
        "the others were not judged, or their outputs were NaN"
    )


def test_images_have_no_value_where_they_were_not_judged_and_flip_nowhere(run: Path) -> None:
    axis = TimeAxis(0, 10 * len(JUDGED), len(JUDGED))
    with open_run(run) as query:
        rows = query.image_rows(ImagesRequest((0, 1, 2), axis, 0, 9, 9, "index", "label"))
        verdict, known = query.image_verdict(5, 20), query.image_verdict(0, 20)
        flips = query.anomalies(AnomalySettings(rule="left", window=1, unit="images", threshold=1))
    truth = np.array(JUDGED).T
    is_known = truth != UNSEEN
    np.testing.assert_array_equal(np.isnan(rows.correct), ~is_known)
    np.testing.assert_array_equal(rows.correct[is_known], (truth == np.array(TARGETS)[:, None])[is_known])
    assert rows.wrong_label.max() < 3
    assert (verdict.label, math.isnan(verdict.confidence), known.label) == (None, True, 0)
    assert verdict.validations == 24
    # Only between two validations that judged the whole class: none is made up where a hole begins or ends.
    assert {(flip.class_index, flip.iteration // 10 % 5) for flip in flips} == {(0, 0), (1, 1), (2, 0)}
