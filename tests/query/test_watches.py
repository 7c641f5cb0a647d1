"""Watches among the records: what a column shows, and what the flight recorder fired on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, HeatmapRequest, TimeAxis, Trigger
from dtui.query import RunQuery
from tests.query.fake_reader import EVERY, FakeReader

FILTER = Trigger(219, "filter", "layer1.0.conv1", (1, 4), 57.0, 12.0)
NAN = Trigger(309, "nonfinite", "fc", (2,), 5.0, math.nan)
LOSS = Trigger(219, "loss", "", (), 6.0, 8.5)


def query_of(reader: FakeReader) -> RunQuery:
    return RunQuery(Path("fake.dtui"), reader)  # type: ignore[arg-type]


@pytest.fixture
def watched() -> FakeReader:
    """Return a run in which the records 20 to 27 are watches, and those have no mean and no median."""
    reader = FakeReader(watched=tuple(range(20, 28)), triggers=(FILTER, LOSS, NAN))
    reader.filters[FILTER_STATISTICS.index("mean"), :, 20:28] = np.nan
    reader.layers[:, LAYER_STATISTICS.index("median"), :, 20:28] = np.nan
    return reader


def test_a_column_of_watches_shows_the_record_before_of_what_they_do_not_measure(watched: FakeReader) -> None:
    query = query_of(watched)
    axis = TimeAxis(9, 9 + 60 * EVERY, 60)
    layers = query.node_series([0], "median", "weights", axis).values[0]
    before = watched.layers[0, LAYER_STATISTICS.index("median"), 0]
    assert layers[19:29].tolist() == [before[19]] * 9 + [before[28]]
    norms = query.node_series([0], "norm2", "weights", axis).values[0]
    np.testing.assert_array_equal(norms[19:29], watched.layers[0, LAYER_STATISTICS.index("norm2"), 0, 19:29])
    for statistic, first in (("mean", 19), ("update_norm", 20)):
        values = query.heatmap(HeatmapRequest(0, statistic, axis, 0, 4, 4)).values
        row = watched.filters[FILTER_STATISTICS.index(statistic), 0]
        assert values[0, 20] == row[first]


def test_a_coarse_column_holds_every_record_and_watch_in_it(watched: FakeReader) -> None:
    axis = TimeAxis(9, 9 + 60 * EVERY, 6)
    medians = query_of(watched).node_series([0], "median", "weights", axis).values[0]
    row = watched.layers[0, LAYER_STATISTICS.index("median"), 0]
    for column in range(6):
        part = row[column * 10 : column * 10 + 10]
        assert abs(medians[column]) == np.nanmax(np.abs(part))


def test_the_run_tells_records_from_watches_and_lists_what_fired(watched: FakeReader) -> None:
    info = query_of(watched).info()
    assert (info.records, info.watches) == (52, 8)
    assert info.findings[-3:] == (
        "flight recorder: layer layer1.0.conv1 filter 1 and 1 more jumped to 12 times the usual at iteration 219",
        "flight recorder: the loss jumped to 8.5 times the usual at iteration 219",
        "flight recorder: layer fc filter 2 holds NaN or Inf at iteration 309",
    )
    many = query_of(replace(watched, triggers=(FILTER,) * 12)).info()
    assert many.findings[-1] == "flight recorder: 4 more; dtui anomalies lists them"


def test_triggers_are_anomalies_in_order_of_time(watched: FakeReader) -> None:
    found = query_of(watched).anomalies()
    assert [one.iteration for one in found] == sorted(one.iteration for one in found)
    mine = [one for one in found if one.kind == "watch"]
    assert [one.id for one in mine] == ["watch-filter-219", "watch-loss-219", "watch-nonfinite-309"]
    assert (mine[0].layer, mine[0].filters, mine[0].evidence.share) == ("layer1.0.conv1", (1, 4), 2 / 6)
    assert (mine[1].layer, mine[1].evidence.count, mine[1].evidence.share) == (None, None, None)
    assert {(one.evidence.direction, one.evidence.threshold) for one in mine} == {(None, None)}


def test_a_trigger_from_outside_cannot_name_what_is_not_there() -> None:
    strange = [
        Trigger(5, "filter", "\x1b[31m", (1,), math.inf, 2.0),
        Trigger(6, "filter", "fc", (2, 99, -1), 30.0, 9.0),
        Trigger(7, "nonfinite", "nowhere", (3,), 4.0, math.nan),
        Trigger(8, "nonfinite", "", (), 0.0, math.nan),
    ]
    found = query_of(FakeReader(triggers=tuple(strange))).anomalies()
    first, second, third, fourth = (one for one in found if one.kind == "watch")
    assert (first.layer, first.filters, first.evidence.share, first.score) == (None, (), None, 0.0)
    assert (second.filters, second.evidence.count) == ((2,), 1)
    said = [f"{one.shown.subject} {one.shown.verb}" for one in (first, third, fourth)]
    assert said == ["filters jumped", "network holds NaN or Inf", "loss is NaN or Inf"]
