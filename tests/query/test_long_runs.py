"""A run that is looked at through bins of records: nothing is lost, and what is near is read in full."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.downsample import ColumnRecords, pool_farthest, pool_largest
from dtui.model import FILTER_STATISTICS, RECORDS_A_BIN, HeatmapRequest, TimeAxis
from dtui.query import RunQuery
from tests.oracle import twins
from tests.query.fake_reader import EVERY, FakeReader

LAYER1 = 1
ROWS = slice(4, 21)
RECORDS = 195


@pytest.fixture(autouse=True)
def _everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.query.data.LONG", 64)
    monkeypatch.setattr("dtui.query.data.SAMPLED_AT_ONCE", 16)
    monkeypatch.setattr("dtui.query.growing.WINDOW_STEP", 16)


@pytest.fixture
def long_reader() -> FakeReader:
    return FakeReader(records=RECORDS)


@pytest.fixture
def long_query(long_reader: FakeReader) -> RunQuery:
    return RunQuery(long_reader.path, long_reader)


def values_of(reader: FakeReader, statistic: str) -> np.ndarray:
    return reader.filters[FILTER_STATISTICS.index(statistic), ROWS, : reader.records]


def widened(values: np.ndarray, axis: TimeAxis, reader: FakeReader) -> np.ndarray:
    """Return what each column shows: the value farthest from zero of every bin that it touches, the slow way."""
    columns = []
    for column in range(axis.columns):
        positions = twins.record_positions(axis, reader.record_iterations, EVERY, column)
        first, last = min(positions) // RECORDS_A_BIN, max(positions) // RECORDS_A_BIN
        held = values[:, first * RECORDS_A_BIN : (last + 1) * RECORDS_A_BIN]
        columns.append([max(row, key=lambda value: (abs(value), value)) for row in held.tolist()])
    return np.array(columns).T


@pytest.mark.parametrize("statistic", ["cosine_distance", "mean"])
@pytest.mark.parametrize("columns", [2, 5, 6])
def test_a_column_shows_every_bin_that_it_touches(long_query, long_reader, statistic, columns):
    values_of(long_reader, "mean")[:] -= 0.01
    axis = TimeAxis(*long_query.limits(), columns)
    heatmap = long_query.heatmap(HeatmapRequest(LAYER1, statistic, axis, 0, 17, 17))
    expected = widened(values_of(long_reader, statistic), axis, long_reader)
    np.testing.assert_array_equal(heatmap.values, expected.astype(np.float32))
    assert not [read for read in long_reader.reads if read[0] == "filters" and read[2] - read[1] > 16]


@pytest.mark.parametrize("record", range(0, RECORDS, 3))
def test_a_burst_is_in_its_column(long_query, long_reader, record):
    values_of(long_reader, "update_norm")[6, record] = 9
    axis = TimeAxis(*long_query.limits(), 5)
    heatmap = long_query.heatmap(HeatmapRequest(LAYER1, "update_norm", axis, 0, 17, 17))
    column = int(axis.columns_of(long_reader.record_iterations[record : record + 1])[0])
    assert heatmap.values[6, column] == 9
    assert heatmap.values[6, max(0, column - 2)] < 9 or column < 2


@pytest.mark.parametrize(
    ("first", "stop", "columns"), [(30, 400, 40), (1500, 1800, 9), (30, 1900, 190), (20, 1960, 13)]
)
def test_columns_of_few_records_are_exact(long_query, long_reader, first, stop, columns):
    axis = TimeAxis(first, stop, columns)
    heatmap = long_query.heatmap(HeatmapRequest(LAYER1, "norm", axis, 0, 17, 17))
    expected = twins.pooled(values_of(long_reader, "norm"), axis, long_reader.record_iterations, EVERY, "largest")
    np.testing.assert_allclose(heatmap.values, expected, rtol=1e-6)


def test_moving_within_what_was_read_reads_nothing(long_query, long_reader):
    long_query.heatmap(HeatmapRequest(LAYER1, "norm", TimeAxis(300, 600, 40), 0, 17, 17))
    long_reader.reads.clear()
    long_query.heatmap(HeatmapRequest(LAYER1, "norm", TimeAxis(320, 600, 40), 0, 17, 17))
    assert long_reader.reads == []
    for axis, read in ((TimeAxis(20, 600, 40), (0, 64)), (TimeAxis(320, 700, 40), (16, 80))):
        long_query.heatmap(HeatmapRequest(LAYER1, "norm", axis, 0, 17, 17))
        assert {read[1:] for read in long_reader.reads} == {read}
        long_reader.reads.clear()


def test_orders_and_peaks_are_those_of_bins(long_query, long_reader):
    raw = values_of(long_reader, "update_norm")
    raw[5, 60] = np.inf
    raw[6] = np.nan
    bins = long_reader.read_filter_bins("update_norm", ROWS, slice(0, -(-RECORDS // RECORDS_A_BIN)))
    finite = np.where(np.isfinite(bins), bins, 0)
    axis = TimeAxis(*long_query.limits(), 5)
    for sort, key in (
        ("activity", -finite.sum(axis=1)),
        ("peak", np.where(np.isfinite(bins), bins, -1).argmax(axis=1)),
    ):
        heatmap = long_query.heatmap(HeatmapRequest(LAYER1, "update_norm", axis, 0, 17, 17, sort=sort))
        assert heatmap.order.tolist() == sorted(range(17), key=key.tolist().__getitem__)
    heatmap = long_query.heatmap(HeatmapRequest(LAYER1, "update_norm", axis, 0, 17, 17, normalise="filter"))
    peaks = np.where(np.isfinite(raw), raw, 0).max(axis=1)
    expected = np.clip(heatmap.values / np.where(peaks > 0, peaks, 1)[:, None], 0, 1)
    np.testing.assert_allclose(heatmap.shades, expected, rtol=1e-6)


def test_the_scale_is_of_a_fixed_sample_for_every_window(long_query, long_reader):
    whole = long_query.heatmap(HeatmapRequest(LAYER1, "norm", TimeAxis(*long_query.limits(), 5), 0, 17, 17))
    part = long_query.heatmap(HeatmapRequest(LAYER1, "norm", TimeAxis(100, 150, 60), 0, 17, 17))
    starts = [16 * round(at * (RECORDS // 16 - 1) / 7) for at in range(8)]
    sample = np.concatenate([values_of(long_reader, "norm")[:, at : at + 16] for at in starts], axis=1)
    assert whole.scale == part.scale == pytest.approx(twins.quantile(sample.ravel().tolist(), 0.995))


def test_late_filters_are_found_in_bins_and_the_search_ends_with_the_last(long_reader):
    long_reader.filters[FILTER_STATISTICS.index("update_ratio"), 12, :60] = 1e-7
    query = RunQuery(long_reader.path, long_reader)
    heatmap = query.heatmap(HeatmapRequest(LAYER1, "norm", TimeAxis(*query.limits(), 5), 0, 17, 17))
    assert np.flatnonzero(heatmap.late).tolist() == [8]


def test_the_search_for_a_first_change_stops_when_nothing_is_left_to_find(monkeypatch):
    monkeypatch.setattr("dtui.query.layers.filter_learning.SEARCHED_FIRST", 4)
    reader = FakeReader(records=RECORDS)
    query = RunQuery(reader.path, reader)
    query.heatmap(HeatmapRequest(LAYER1, "norm", TimeAxis(*query.limits(), 5), 0, 17, 17))
    searched = [read for read in reader.reads if read[0] == "bins of update_ratio"]
    assert {(first, stop) for _, first, stop in searched} == {(0, 4)}


def test_a_long_run_that_grows_answers_as_one_opened_later():
    reader = FakeReader(records=130)
    query = RunQuery(reader.path, reader)
    for records in (133, 136, 170, 200):
        for sort in ("index", "activity"):
            request = HeatmapRequest(LAYER1, "norm", TimeAxis(*query.limits(), 3), 0, 17, 17, sort=sort)
            near = HeatmapRequest(LAYER1, "norm", TimeAxis(900, query.limits()[1], 50), 0, 17, 17)
            fresh = RunQuery(reader.path, FakeReader(records=reader.records))
            for one in (request, near):
                np.testing.assert_array_equal(query.heatmap(one).values, fresh.heatmap(one).values)
            np.testing.assert_array_equal(query.heatmap(request).order, fresh.heatmap(request).order)
        reader.grow(records, records)
        assert query.refresh()


def test_columns_that_share_bins_are_pooled_apart():
    values = np.array([[1.0, 5.0, 2.0, -7.0], [4.0, 0.0, np.nan, 3.0]])
    held = ColumnRecords(np.array([0, 10, 17, 26]), np.array([10, 17, 26, 28])).in_bins(8)
    assert list(zip(held.starts.tolist(), held.stops.tolist(), strict=True)) == [(0, 2), (1, 3), (2, 4), (3, 4)]
    np.testing.assert_array_equal(pool_largest(values, held), [[5, 5, 2, -7], [4, 0, 3, 3]])
    np.testing.assert_array_equal(pool_farthest(values, held), [[5, 5, -7, -7], [4, 0, 3, 3]])


def test_a_column_without_value_has_no_bin():
    held = ColumnRecords(np.array([0, 9]), np.array([9, 9])).in_bins(8)
    np.testing.assert_array_equal(pool_largest(np.array([[1.0, 2.0]]), held), [[2, np.nan]])
