"""A stretch of which nothing was recorded, as after a resume far behind the last record, is empty and said in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtui.model import Gap, RunMetadata, TimeAxis
from dtui.query import RunQuery, open_run
from dtui.store import RunWriter
from dtui.synth import _images
from dtui.synth.judging import Judge
from dtui.synth.networks import resnet20
from dtui.synth.training import Training
from tests.tui.desk import Desk

EVERY, FIRST, STOP, RECORDS = 20, 30, 60, 90
WHY = "trained without being recorded, before the run was resumed at iteration 1,200"


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> RunQuery:
    """A run of 90 records, of which the middle third is missing."""
    structure, images = resnet20(), _images(4)
    training, judge = Training(structure, (), RECORDS, 0), Judge(images, (), RECORDS, 0)
    path: Path = tmp_path_factory.mktemp("runs") / "gappy.dtui"
    writer = RunWriter(
        path, structure, RunMetadata("gappy", "2026-01-01T00:00:00+00:00", EVERY), classes=images.classes
    )
    with writer:
        writer.set_images(images)
        for place in range(RECORDS):
            record, judged = training.record(place, EVERY, 0.2), judge.validation(place, EVERY)
            if not FIRST <= place < STOP:
                writer.append_record(record)
                writer.append_validation(judged)
        for stream in ("records", "validations"):
            writer.append_gap(Gap((FIRST - 1) * EVERY + 1, STOP * EVERY - 1, stream, WHY))
    return open_run(path)


def test_no_value_before_a_gap_stands_in_it(gappy: RunQuery) -> None:
    axis = TimeAxis(*gappy.limits(), 90)
    missing = slice(FIRST + 1, STOP)
    curves = gappy.curves(axis).series
    assert {"validation_error", "loss"} & set(curves)
    errors = gappy.class_errors([(0,)], axis).values[0]
    for values in (*curves.values(), errors):
        assert np.isnan(values[missing]).all()
        assert np.isfinite(values[[0, FIRST - 1, STOP, RECORDS - 1]]).all()
    assert gappy.curves_at((STOP - 1) * EVERY) == {}
    assert gappy.curves_at(STOP * EVERY)


@pytest.mark.parametrize("size", [(150, 50), (80, 24)])
def test_the_layers_are_empty_in_a_gap(gappy: RunQuery, size: tuple[int, int]) -> None:
    desk = Desk(gappy, size).press("2")
    scene = desk.session.scene
    first, last, end = (scene.layout.gutter + scene.axis.column_of(place * EVERY) for place in (35, 55, RECORDS - 1))
    row = next(line for line in desk.panes()["tree"].splitlines() if "■ conv1" in line)
    assert not row[first:last].strip(" ·┊│╷")
    assert row[scene.layout.gutter : first - 4].strip(" ·┊")
    assert row[last + 4 : end].strip(" ·┊")


def test_the_crosshair_says_that_nothing_was_recorded_there(gappy: RunQuery) -> None:
    desk = Desk(gappy).press("2")
    assert "not recorded" not in desk.go(10 * EVERY).panes()["axis"]
    assert "900 not recorded" in desk.go(45 * EVERY).panes()["axis"]
    assert "not recorded" not in desk.go(STOP * EVERY).panes()["axis"]
