"""The tree, its series and the heatmap, each against the definition on a run in memory."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, HeatmapRequest, Layer, Module, Structure, TimeAxis
from dtui.query import RunQuery
from dtui.query.tree import build_tree
from tests.oracle import twins
from tests.query.fake_reader import EVERY, FakeReader

LAYER1, FC = 1, 6


def twin_pixels(values, reader, axis, rows, pixels, how):
    shown = twins.pooled(values, axis, reader.record_iterations, EVERY, how)[rows]
    return twins.mean_rows(shown, pixels)


@pytest.mark.parametrize("records", [60, 200, 0])
def test_filters_that_change_alike_lie_side_by_side(records):
    reader = FakeReader(records=records)
    reader.filters[FILTER_STATISTICS.index("update_norm"), 4:21] *= np.where(
        (np.arange(17) % 2)[:, None] == (np.arange(200) // 30 % 2), 1, -9
    )
    heatmap = RunQuery(reader.path, reader).heatmap(
        HeatmapRequest(LAYER1, "update_norm", TimeAxis(9, 800, 30), 0, 17, 17, sort="similarity")
    )
    kinds = (heatmap.order % 2).tolist()
    changes = sum(one != other for one, other in pairwise(kinds))
    assert sorted(heatmap.order.tolist()) == list(range(17))
    assert changes == 1 or not records


def test_the_tree_is_depth_first_in_layer_order(query):
    assert [(n.label, n.depth, n.parent, n.detail, n.filters, n.first_filter) for n in query.tree()] == [
        ("conv1", 0, -1, "3×3", 4, 0),
        ("layer1", 0, -1, "", 17, 4),
        ("0", 1, 1, "", 12, 4),
        ("conv1", 2, 2, "3×3", 6, 4),
        ("conv2", 2, 2, "1×1", 6, 10),
        ("1", 1, 1, "", 5, 16),
        ("conv1", 2, 5, "3×1", 5, 16),
        ("fc", 0, -1, "", 3, 21),
    ]
    assert [n.index for n in query.tree()] == list(range(8))
    assert [(n.layer, n.module) for n in query.tree()][:3] == [(0, None), (None, 1), (None, 2)]


def test_a_container_without_layers_is_left_out_and_a_bare_layer_is_named_by_its_kind():
    structure = Structure(
        (Layer(0, "", "Linear", (2, 3), 0),), (Module(0, "", "Linear", -1, (0,)), Module(1, "empty", "Block", 0, ()))
    )
    assert [(node.label, node.kind) for node in build_tree(structure)] == [("Linear", "Linear")]


def test_a_shared_layer_stands_once():
    layers = (Layer(0, "a.conv", "Conv2d", (2, 1, 3, 3), 0, aliases=("b.conv",)), Layer(1, "b.fc", "Linear", (2, 2), 2))
    modules = (Module(0, "", "Net", -1, (0, 1)), Module(1, "a", "A", 0, (0,)), Module(2, "b", "B", 0, (0, 1)))
    tree = build_tree(Structure(layers, modules))
    assert [(node.name, node.layers) for node in tree] == [
        ("a", (0,)),
        ("a.conv", (0,)),
        ("b", (1,)),
        ("b.fc", (1,)),
    ]


def test_series_are_the_values_farthest_from_zero(query, reader, axis):
    nodes = (0, 1, 7)
    series = query.node_series(nodes, "mean", "gradients", axis)
    raw = np.stack(
        [
            reader.layers[1, LAYER_STATISTICS.index("mean"), 0, :60],
            reader.modules[1, LAYER_STATISTICS.index("mean"), 1, :60],
            reader.layers[1, LAYER_STATISTICS.index("mean"), 4, :60],
        ]
    )
    expected = twins.pooled(raw, axis, reader.record_iterations, EVERY, "farthest")
    np.testing.assert_array_equal(series.values, expected)
    statistic = LAYER_STATISTICS.index("mean")
    every = [*reader.layers[1, statistic, :, :60], *reader.modules[1, statistic, 1:, :60]]
    largest = [twins.quantile(np.abs(values).tolist(), 0.99) for values in every]
    assert series.scale == pytest.approx(twins.quantile(largest, 0.9))
    assert not series.values.flags.writeable


@pytest.mark.parametrize("statistic", ["cosine_distance", "mean"])
@pytest.mark.parametrize(("first", "count", "pixels"), [(0, 99, 99), (0, 99, 5), (3, 8, 20), (16, 9, 4)])
def test_heatmap_values(query, reader, axis, statistic, first, count, pixels):
    if statistic == "mean":
        reader.filters[0] -= 0.01
    heatmap = query.heatmap(HeatmapRequest(LAYER1, statistic, axis, first, count, pixels))
    raw = reader.filters[FILTER_STATISTICS.index(statistic), 4:21, :60]
    how = "farthest" if statistic == "mean" else "largest"
    rows = list(range(17))[first : first + count]
    np.testing.assert_allclose(heatmap.values, twin_pixels(raw, reader, axis, rows, pixels, how), rtol=1e-5)
    assert (heatmap.request.first, heatmap.request.count) == (first, min(count, 17 - first))
    assert heatmap.filters == 17


def test_the_window_of_rows_is_clamped(query, axis):
    heatmap = query.heatmap(HeatmapRequest(LAYER1, "norm", axis, 500, 10, 20))
    assert (heatmap.request.first, heatmap.request.count, len(heatmap.values)) == (16, 1, 1)
    heatmap = query.heatmap(HeatmapRequest(LAYER1, "norm", axis, -5, 0, 0))
    assert (heatmap.request.first, heatmap.request.count, len(heatmap.values)) == (0, 1, 1)


@pytest.mark.parametrize("normalise", ["layer", "filter", "iteration"])
def test_heatmap_shades(query, reader, axis, normalise):
    reader.filters[FILTER_STATISTICS.index("mean")] -= 0.009
    reader.filters[FILTER_STATISTICS.index("mean"), 7] = 0
    request = HeatmapRequest(LAYER1, "mean", axis, 2, 9, 4, normalise)
    raw = reader.filters[FILTER_STATISTICS.index("mean"), 4:21, :60]
    pooled = np.abs(twins.pooled(raw, axis, reader.record_iterations, EVERY, "farthest"))
    if normalise == "layer":
        divisor = np.full((17, axis.columns), twins.quantile(np.abs(raw).ravel().tolist(), 0.995))
    elif normalise == "filter":
        divisor = np.repeat([[max(np.abs(row)) or 1.0] for row in raw], axis.columns, axis=1)
    else:
        divisor = np.repeat([[twins.quantile(column.tolist(), 0.995) for column in pooled.T]], 17, axis=0)
    shades = np.minimum(pooled / divisor, 1)[2:11]
    heatmap = query.heatmap(request)
    np.testing.assert_allclose(heatmap.shades, twins.mean_rows(shades, 4), rtol=1e-5)
    assert (heatmap.scale == pytest.approx(divisor[0, 0])) == (normalise == "layer")
    assert np.isnan(heatmap.scale) == (normalise != "layer")


def test_heatmap_orders(query, reader, axis):
    raw = reader.filters[FILTER_STATISTICS.index("update_norm"), 4:21, :60]
    raw[5, 20] = np.inf
    raw[6] = np.nan
    sums = [-sum(value for value in row if np.isfinite(value)) for row in raw.tolist()]
    peaks = [
        int(np.argmax([value if np.isfinite(value) else -1 for value in row])) if any(np.isfinite(row)) else 0
        for row in raw.tolist()
    ]
    for sort, key in (("index", range(17)), ("activity", sums), ("peak", peaks)):
        heatmap = query.heatmap(HeatmapRequest(LAYER1, "update_norm", axis, 0, 17, 17, sort=sort))
        assert heatmap.order.tolist() == sorted(range(17), key=list(key).__getitem__)
        expected = twins.pooled(raw, axis, reader.record_iterations, EVERY, "largest")[heatmap.order]
        np.testing.assert_allclose(heatmap.values, expected, rtol=1e-6)
        assert heatmap.labels.tolist() == [([1] * 6 + [2] * 6 + [3] * 5)[row] for row in heatmap.order]


def test_marks_follow_the_order(reader, axis):
    reader.filters[FILTER_STATISTICS.index("gradient_norm"), 9, 55:60] = 0
    reader.filters[FILTER_STATISTICS.index("update_ratio"), 12, :30] = 1e-7
    reader.filters[FILTER_STATISTICS.index("cosine_distance"), 9] *= 5
    query = RunQuery(reader.path, reader)
    heatmap = query.heatmap(HeatmapRequest(LAYER1, "cosine_distance", axis, 0, 17, 17, sort="activity"))
    assert heatmap.order[heatmap.dead].tolist() == [5]
    assert heatmap.order[heatmap.late].tolist() == [8]
    assert heatmap.dead[0]


def test_zooming_changes_no_colour(query, axis):
    whole = query.heatmap(HeatmapRequest(LAYER1, "norm", axis, 0, 17, 17))
    part = query.heatmap(HeatmapRequest(LAYER1, "norm", TimeAxis(100, 150, 60), 0, 17, 17))
    assert whole.scale == part.scale


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"node": 8}, "tree node 8: the run has nodes 0–7"),
        ({"node": -1}, "tree node -1"),
        ({"statistic": "q1"}, "filter statistic 'q1' is unknown; use one of mean, std"),
        ({"normalise": "row"}, "normalisation 'row'"),
        ({"sort": "size"}, "filter order 'size'"),
    ],
)
def test_what_a_heatmap_cannot_show_is_refused(query, axis, change, what):
    with pytest.raises(UsageError, match=what):
        query.heatmap(replace(HeatmapRequest(FC, "norm", axis, 0, 3, 3), **change))


@pytest.mark.parametrize(("statistic", "source"), [("kurtosis", "weights"), ("mean", "activations")])
def test_what_a_series_cannot_show_is_refused(query, axis, statistic, source):
    with pytest.raises(UsageError, match="is unknown; use one of"):
        query.node_series([0], statistic, source, axis)


def test_a_refresh_reads_only_what_is_new_and_answers_as_a_fresh_query(reader, query, axis):
    requests = [
        HeatmapRequest(LAYER1, "cosine_distance", TimeAxis(9, 800, 30), 0, 17, 6, normalise, sort)
        for normalise in ("layer", "filter", "iteration")
        for sort in ("index", "activity", "peak", "similarity")
    ]
    reader.filters[FILTER_STATISTICS.index("update_ratio"), 12, :70] = 1e-7
    for request in requests:
        query.heatmap(request)
    query.node_series([0, 1], "mean", "weights", axis)
    for records in (61, 75, 90):
        reader.reads.clear()
        reader.grow(records, 50)
        assert query.refresh()
        fresh = RunQuery(reader.path, replace_reads(reader))
        for request in requests:
            ours, theirs = query.heatmap(request), fresh.heatmap(request)
            for name in ("values", "shades", "order", "dead", "late", "labels"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
        np.testing.assert_array_equal(
            query.node_series([0, 1], "mean", "weights", axis).values,
            fresh.node_series([0, 1], "mean", "weights", axis).values,
        )
        assert min(start for what, start, _ in reader.reads if what in ("filters", "layers")) >= 57
    assert not query.refresh()


def replace_reads(reader: FakeReader) -> FakeReader:
    """A second reader of the same run, whose reads are counted apart."""
    other = FakeReader(records=reader.records, validations=reader.validations)
    other.filters, other.layers, other.modules = reader.filters, reader.layers, reader.modules
    return other


def test_what_is_not_finite_is_marked_where_it_was_counted(reader, query):
    axis = TimeAxis(9, 609, 60)
    counted = LAYER_STATISTICS.index("nonfinite")
    reader.layers[0, counted, 1, 40] = 3
    reader.modules[0, counted, 1, 40] = 3
    reader.filters[FILTER_STATISTICS.index("nonfinite"), 4 + 2, 40] = 3
    series = query.node_series((0, 1, 3), "mean", "weights", axis)
    assert np.argwhere(series.nonfinite).tolist() == [[1, 40], [2, 40]]
    heatmap = query.heatmap(HeatmapRequest(3, "cosine_distance", axis, 0, 6, 6))
    assert np.argwhere(heatmap.nonfinite).tolist() == [[2, 40]]
    pooled = query.heatmap(HeatmapRequest(3, "cosine_distance", axis, 0, 6, 2))
    assert np.argwhere(pooled.nonfinite).tolist() == [[0, 40]]


def test_a_run_without_nan_reads_no_counts_of_filters(reader, query):
    axis = TimeAxis(9, 609, 60)
    assert query.node_series((0, 1), "mean", "weights", axis).nonfinite is None
    assert query.heatmap(HeatmapRequest(3, "cosine_distance", axis, 0, 6, 6)).nonfinite is None
    alone = len([read for read in reader.reads if read[0] == "filters"])
    reader.reads.clear()
    reader.layers[0, LAYER_STATISTICS.index("nonfinite"), 0, 40] = 3
    RunQuery(reader.path, reader).heatmap(HeatmapRequest(3, "cosine_distance", axis, 0, 6, 6))
    assert len([read for read in reader.reads if read[0] == "filters"]) == alone
