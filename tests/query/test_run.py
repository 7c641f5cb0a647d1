"""The run itself, its curves, its anomalies and how it is followed."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import (
    LAYER_STATISTICS,
    LOGGED_NAN,
    AnomalySettings,
    Gap,
    HeatmapRequest,
    ImagesRequest,
    RunStatus,
    TimeAxis,
)
from dtui.query import RunQuery
from tests.oracle import twins
from tests.query.fake_reader import EVERY, FakeReader

NOT_FINITE = LAYER_STATISTICS.index("nonfinite")


def test_info(reader, query):
    reader.gaps = (Gap(3, 5, "records", "disk full"),)
    reader.faults = ("parts/0-31.h5: checksum differs",)
    info = query.info()
    assert (info.run, info.status, info.format, info.invented) == ("fake", RunStatus.LIVE, 2, False)
    assert (info.records, info.validations, info.first_iteration, info.last_iteration) == (60, 50, 9, 599)
    assert (info.layers, info.filters, info.classes, info.images) == (5, 24, 4, 157)
    assert (info.gaps, info.findings) == (reader.gaps, reader.faults)


def test_a_crashed_run_says_why_where_it_can_and_no_other_does(reader, query):
    reader.reason = "ValueError: a batch is missing"
    assert query.info().reason == ""
    reader.state = RunStatus.CRASHED
    assert query.info().reason == "ValueError: a batch is missing"
    reader.reason = ""
    assert query.info().reason == "nobody closed it, and nothing records it any more"
    reader.state, reader.reason = RunStatus.INCOMPLETE, "updates were not seen"
    assert query.info().reason == "updates were not seen"


def test_what_is_not_finite_is_a_finding(reader, query):
    reader.layers[1, NOT_FINITE, 3, 40] = 7
    reader.layers[1, NOT_FINITE, 1:4, 41] = 7
    assert query.info().findings == (
        "gradients are NaN or Inf in 3 layers, first in layer layer1.1.conv1 at iteration 409",
    )


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({50: LOGGED_NAN}, "loss is NaN in 1 record, first at iteration 509"),
        ({50: np.inf, 52: LOGGED_NAN}, "loss is NaN or Inf in 2 records, first at iteration 509"),
        ({58: -np.inf, 59: -np.inf}, "loss is Inf from iteration 589 on"),
    ],
)
def test_a_scalar_that_is_not_finite_is_a_finding(reader, query, values, line):
    for position, value in values.items():
        reader.scalars["loss"][position] = value
    reader.scalars["loss"][:3] = np.nan  # was not logged
    assert query.info().findings == (line,)


def test_a_loss_that_is_not_finite_breaks_its_curve_off_and_is_read_out(reader, query):
    reader.scalars["loss"][40:] = LOGGED_NAN
    reader.scalars["loss"][30:40:2] = np.nan
    axis = TimeAxis(0, 600, 60)
    curves = query.curves(axis)
    assert set(curves.nonfinite) == {"loss"}
    assert np.flatnonzero(curves.nonfinite["loss"]).tolist() == list(range(40, 60))
    assert np.isfinite(curves.series["loss"][1:40]).all()
    assert np.isnan(curves.series["loss"][40:]).all()
    assert np.isnan(curves.extremes["loss"][:, 40:]).all()
    assert np.isnan(query.curves_at(420)["loss"])
    assert np.isfinite(query.curves_at(380)["loss"])


def test_what_was_between_records_is_in_the_band_of_its_curve(reader, query):
    most = np.full(reader.total, np.nan)
    most[10:] = reader.scalars["loss"][10:] + 1
    most[30], most[40:42] = 99.0, LOGGED_NAN
    reader.scalars["loss_max"], reader.scalars["update_norm_max"] = most, np.arange(reader.total) * 1.0
    axis = TimeAxis(0, 600, 60)
    curves, at = query.curves(axis), query.curves_at(309)
    assert "loss_max" not in curves.series
    assert set(at) == {"loss", "train_error", "learning_rate", "update_norm_max", "validation_error"}
    assert "update_norm_max" in curves.series
    assert set(curves.nonfinite) == {"loss"}
    assert np.flatnonzero(curves.nonfinite["loss"]).tolist() == [40, 41]
    low, high = curves.extremes["loss"]
    loss = curves.series["loss"]
    np.testing.assert_allclose(low, loss)
    np.testing.assert_allclose(high[:10], loss[:10])
    np.testing.assert_allclose(high[[*range(10, 30), *range(31, 40)]], loss[[*range(10, 30), *range(31, 40)]] + 1)
    assert high[30] == 99
    np.testing.assert_allclose(high[40:42], loss[40:42])
    assert query.info().findings == ("loss is NaN or Inf between two records, first before that of iteration 409",)
    reader.scalars["loss"][41] = LOGGED_NAN
    query.refresh()
    assert RunQuery(FakeReader.path, reader).info().findings == ("loss is NaN in 1 record, first at iteration 419",)


def test_skipped_updates_are_a_finding_with_the_records_that_tell_of_them(reader, query):
    counts = np.full(reader.total, np.nan)
    counts[10:] = 1
    counts[20:] = 4
    counts[40:] = 2  # resumed: counted anew
    reader.scalars["skipped_updates"] = counts
    assert query.info().findings == (
        "6 updates were skipped by the GradScaler for NaN or Inf gradients, told by the records of 109, 209, 409",
    )


def test_one_layer_that_is_not_finite_is_no_plural(reader, query):
    reader.layers[1, NOT_FINITE, 3, 40] = 7
    assert "in 1 layer, first" in query.info().findings[0]


def test_limits_end_one_interval_after_the_last(query):
    assert query.limits() == (9.0, 599.0 + EVERY)


def test_a_run_without_records_still_has_limits_and_answers():
    query = RunQuery(FakeReader.path, FakeReader(records=0, validations=0))
    axis = TimeAxis(*query.limits(), 10)
    assert dict(query.curves(axis).series) == {}
    assert query.curves_at(100) == {}
    assert query.stages() == ()
    assert query.clusters() == ()
    assert query.anomalies() == ()
    assert np.isnan(query.class_errors([(0,), (1, 2)], axis).values).all()
    assert np.isnan(query.heatmap(HeatmapRequest(1, "norm", axis, 0, 17, 9)).shades).all()
    rows = query.image_rows(ImagesRequest((0,), axis, 0, 99, 10, "similarity", "label"))
    assert np.isnan(rows.correct).all()
    assert (rows.wrong_label == -1).all()
    assert not rows.always_wrong.any()
    verdict = query.image_verdict(0, 50)
    assert (verdict.label, verdict.iteration, verdict.validations) == (None, None, 0)


def test_a_run_without_images_still_answers(reader):
    reader.with_images, reader.validations = False, 0
    query = RunQuery(reader.path, reader)
    assert query.image_set() is None
    assert query.info().images == 0
    assert query.anomalies() == ()
    assert "loss" in query.curves(TimeAxis(0, 100, 4)).series
    with pytest.raises(UsageError, match="image 0: the run has no images"):
        query.image_verdict(0, 10)


def test_images_that_come_later_are_counted(reader):
    reader.with_images, reader.validations = False, 0
    query = RunQuery(reader.path, reader)
    query.anomalies()
    reader.with_images = True
    reader.grow(60, 50)
    assert query.refresh()
    assert query.anomalies() == RunQuery(reader.path, FakeReader()).anomalies()


def test_curves_and_their_names(query, reader, axis):
    curves = query.curves(axis)
    assert list(curves.series) == ["validation_error", "train_error", "loss", "learning_rate"]
    records = reader.record_iterations
    logged = np.flatnonzero(~np.isnan(reader.scalars["error"][:60]))
    points = {
        "loss": (reader.scalars["loss"][:60], records, EVERY),
        "learning_rate": (reader.scalars["learning_rate"][:60], records, EVERY),
        "train_error": (reader.scalars["error"][logged], records[logged], 5 * EVERY),
        "validation_error": (
            np.array(twins.class_error(reader.labels[:, :50], reader.targets, (0, 1, 2, 3))),
            reader.validation_iterations,
            EVERY,
        ),
    }
    for name, (values, iterations, interval) in points.items():
        mean = twins.pooled(values[None], axis, iterations, interval, "mean")[0]
        np.testing.assert_allclose(curves.series[name], mean, rtol=1e-5, err_msg=name)
        for row, how in enumerate(("smallest", "largest")):
            expected = twins.pooled(values[None], axis, iterations, interval, how)[0]
            np.testing.assert_allclose(curves.extremes[name][row], expected, rtol=1e-5, err_msg=name)


def test_curves_at_the_cursor(query, reader):
    at = query.curves_at(261)
    assert at["loss"] == reader.scalars["loss"][25]
    assert at["train_error"] == reader.scalars["error"][25]
    wrong = reader.labels[:, 24] != reader.targets
    assert at["validation_error"] == pytest.approx(wrong.mean())
    assert query.curves_at(8) == {}
    assert set(query.curves_at(9)) == {"loss", "train_error", "learning_rate"}


def test_stages(query):
    assert [(stage.iteration, stage.learning_rate) for stage in query.stages()] == [(9, 0.1), (309, 0.01)]


def test_no_learning_rate_no_stages(reader, query):
    del reader.scalars["learning_rate"]
    assert query.stages() == ()


# --- anomalies


def faulty(reader: FakeReader) -> FakeReader:
    reader.labels[:] = reader.targets[:, None]
    reader.labels[0:30, 33:] = 2
    return reader


def test_anomalies_of_stored_labels(reader):
    query = RunQuery(reader.path, faulty(reader))
    found = query.anomalies()
    assert [(a.id, a.evidence.count) for a in found] == [("class-left-0-342-lost", 30), ("class-right-0-342-lost", 30)]
    assert query.anomalies(AnomalySettings(threshold=0.5)) == ()


def test_decisions_are_kept_with_their_notes(reader):
    query = RunQuery(reader.path, faulty(reader))
    query.decide("class-left-0-342-lost", "flagged", "odd")
    query.decide("class-left-0-342-lost", "dismissed")
    assert reader.decided == {"class-left-0-342-lost": ("dismissed", "odd")}
    assert [(a.status, a.note) for a in query.anomalies()] == [("dismissed", "odd"), ("new", "")]
    with pytest.raises(UsageError, match="anomaly status 'done'"):
        query.decide("class-left-0-342-lost", "done")
    with pytest.raises(UsageError, match="anomaly id"):
        query.decide("", "flagged")


def test_flips_grow_with_the_run_and_labels_are_read_once(reader):
    query = RunQuery(reader.path, faulty(reader))
    reader.grow(60, 30)
    query.refresh()
    assert query.anomalies() == ()
    reader.grow(60, 35)
    assert query.refresh()
    assert [a.evidence.rule for a in query.anomalies()] == ["left"]
    reader.grow(60, 50)
    assert query.refresh()
    assert [a.evidence.rule for a in query.anomalies()] == ["left", "right"]
    query.anomalies(AnomalySettings(window=3))
    assert [(start, stop) for what, start, stop in reader.reads if what == "labels"] == [(0, 30), (30, 35), (35, 50)]


def test_validations_that_vanish_are_forgotten(reader):
    query = RunQuery(reader.path, faulty(reader))
    assert query.anomalies()
    reader.grow(60, 30)
    assert query.refresh()
    assert query.anomalies() == ()
    assert query.image_verdict(0, 999).validations == 30


# --- life


def test_a_changed_status_is_news(reader, query):
    assert not query.refresh()
    reader.state = RunStatus.CRASHED
    assert query.refresh()
    assert not query.refresh()


def test_closing_closes_the_reader(reader):
    with RunQuery(reader.path, reader) as query:
        assert query.path == reader.path
    assert reader.reads[-1] == ("close",)


def test_plain_answers_come_from_the_reader(reader, query):
    assert query.metadata() is reader.metadata
    assert query.structure() is reader.structure
    np.testing.assert_array_equal(query.record_iterations(), reader.record_iterations)
    np.testing.assert_array_equal(query.validation_iterations(), reader.validation_iterations)
