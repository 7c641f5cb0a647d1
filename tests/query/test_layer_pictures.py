"""Box plots, histograms, normalisation layers, one filter and update ratios by column, each against a slow twin."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest

from dtui.errors import NotRecordedError, UsageError
from dtui.model import CHANGE_RATIO_EDGES, FILTER_STATISTICS, HISTOGRAM_BINS, LAYER_STATISTICS, SOURCES, TimeAxis
from dtui.model.layers import BOX_STATISTICS, INSPECTED
from dtui.query import RunQuery
from tests.query.fake_reader import FakeReader

LAYER, MODULE = 2, 1
"""Nodes of the fake tree: conv1, layer1, layer1.0, layer1.0.conv1, …"""


def columns_of(query: RunQuery, axis: TimeAxis) -> list[list[int]]:
    """The records that each column shows, one at a time: its own, or else the one before."""
    iterations = query.record_iterations().tolist()
    found = []
    for column in range(axis.columns):
        own = [at for at, iteration in enumerate(iterations) if axis.column_of(iteration) == column]
        middle = math.floor(axis.first + (column + 0.5) * axis.column_span)
        before = [at for at, iteration in enumerate(iterations) if iteration <= middle]
        is_over = middle >= iterations[-1] + 10
        found.append(own or ([] if is_over else before[-1:]))
    return found


def test_boxes_hold_the_extremes_and_the_mean_quartiles_of_a_column(query, reader, axis) -> None:
    nodes = (0, 1, 3)
    boxes = query.node_boxes(nodes, "gradients", axis)
    stored = {
        name: (reader.layers, reader.modules)[is_module][SOURCES.index("gradients"), LAYER_STATISTICS.index(name), row]
        for name in BOX_STATISTICS
        for is_module, row in ((0, 0),)
    }
    pools = dict(zip(BOX_STATISTICS, (min, None, None, None, max), strict=True))
    for column, records in enumerate(columns_of(query, axis)):
        for place, name in enumerate(BOX_STATISTICS):
            values = [float(stored[name][record]) for record in records]
            pool = pools[name] or (lambda values: sum(values) / len(values))
            expected = pool(values) if values else math.nan
            np.testing.assert_allclose(boxes.values[place, 0, column], expected, rtol=1e-6)
    assert boxes.values.shape == (5, 3, axis.columns)
    assert not boxes.values.flags.writeable


def test_the_scale_of_boxes_is_logarithmic_where_three_decades_lie_between(reader, axis) -> None:
    for place, name in enumerate(BOX_STATISTICS):
        reader.layers[0, LAYER_STATISTICS.index(name)] = (place - 2) * 0.1
    near = RunQuery(reader.path, reader).node_boxes((0,), "weights", axis)
    assert (near.low, near.high, near.linear) == pytest.approx((-0.2, 0.2, 0.0))
    reader.layers[0, LAYER_STATISTICS.index("max"), 1, 30] = 500.0
    far = RunQuery(reader.path, reader).node_boxes((0,), "weights", axis)
    assert (far.low, far.high) == pytest.approx((-0.2, 500.0))
    assert far.linear == pytest.approx(0.1)


class WithHistograms(FakeReader):
    """A reader with weights in known bins, and gradients in known decades; both say which records were read."""

    def read_histograms(self, layer: int, records: slice) -> np.ndarray:
        self.reads.append(("histograms", layer, records.start, records.stop))
        counts = np.zeros((HISTOGRAM_BINS, self.total), np.int64)
        counts[np.arange(self.total) % HISTOGRAM_BINS, np.arange(self.total)] = 10 * (layer + 1)
        return counts[:, records]

    def read_change_ratios(self, layer: int, records: slice) -> np.ndarray:
        upto = np.tile(np.linspace(0.1, 0.7, len(CHANGE_RATIO_EDGES), dtype=np.float32)[:, None], self.total)
        upto[:, 5] = np.nan
        return upto[:, records]


def with_histograms() -> tuple[RunQuery, WithHistograms]:
    reader = WithHistograms()
    for name, value in zip(BOX_STATISTICS, (-1.0, -0.25, 0.0, 0.25, 1.0), strict=True):
        for values in (reader.layers, reader.modules):
            values[0, LAYER_STATISTICS.index(name)] = value
    return RunQuery(reader.path, reader), reader


def test_histograms_show_the_last_record_of_a_column() -> None:
    query, reader = with_histograms()
    axis = TimeAxis(*query.limits(), 20)
    found = query.node_histograms((0,), "weights", axis, bins=8)
    np.testing.assert_allclose(found.edges[0], np.linspace(-1, 1, 9))
    for column, records in enumerate(columns_of(query, axis)):
        if not records:
            assert np.isnan(found.shares[0, :, column]).all()
            continue
        expected = [float(bin_ == records[-1] % HISTOGRAM_BINS // 8) for bin_ in range(8)]
        np.testing.assert_allclose(found.shares[0, :, column], expected, atol=1e-9)
    late = TimeAxis(500, 520, 4)
    reader.reads.clear()
    query.node_histograms((0,), "weights", late, bins=8)
    read = [what for what in reader.reads if what[0] == "histograms"]
    assert all(stop - start <= 4 for _, _, start, stop in read), "it reads what it shows"


def test_a_module_is_the_mean_of_its_layers_by_their_elements() -> None:
    query, _ = with_histograms()
    axis = TimeAxis(*query.limits(), 20)
    tree = query.tree()
    module = next(node for node in tree if node.module is not None and len(node.layers) > 1)
    found = query.node_histograms((module.index,), "gradients", axis)
    np.testing.assert_allclose(found.shares[0, :, -1], [0.1] * 7 + [0.3], atol=1e-6)
    assert found.edges.shape == (1, 9)


def test_gradients_without_a_value_are_unknown() -> None:
    query, _ = with_histograms()
    axis = TimeAxis(49, 79, 3)
    found = query.node_histograms((0,), "gradients", axis)
    assert np.isnan(found.shares[0]).all(0).tolist() == [False, True, False]


def test_histograms_of_updates_are_refused(query, axis) -> None:
    with pytest.raises(UsageError, match="histograms of updates"):
        query.node_histograms((0,), "updates", axis)
    with pytest.raises(UsageError, match="at least 1"):
        query.node_histograms((0,), "weights", axis, bins=0)


def test_update_ratios_of_nodes_are_the_largest_of_a_column(query, axis) -> None:
    tree = query.tree()
    nodes = tuple(node.index for node in tree)
    found = query.node_update_ratios(nodes, axis)
    layers, modules = query.layer_update_ratios(), query.module_update_ratios()
    for row, node in enumerate(tree):
        every = layers[node.layer] if node.layer is not None else modules[node.module]
        for column, records in enumerate(columns_of(query, axis)):
            values = [value for value in every[records].tolist() if not math.isnan(value)]
            np.testing.assert_allclose(found.values[row, column], max(values) if values else math.nan)
    assert found.statistic == "update_ratio"


def test_a_filter_is_shown_beside_its_layer(query, reader, axis) -> None:
    layer = query.structure().layers[1]
    found = query.filter_history(1, 4, axis)
    assert [course.statistic for course in found.courses] == list(INSPECTED)
    assert (found.layer, found.filter, found.of) == (1, 4, layer.filters)
    course = found.courses[2]
    stored = reader.filters[FILTER_STATISTICS.index("gradient_norm"), layer.filter_rows]
    for column, records in enumerate(columns_of(query, axis)):
        values = [max((float(row[record]) for record in records), default=math.nan) for row in stored]
        if not records:
            assert math.isnan(course.values[column])
            assert course.ranks[column] == 0
            continue
        assert course.values[column] == pytest.approx(values[4])
        assert course.median[column] == pytest.approx(median(values))
        ordered = sorted(values)
        assert course.low[column] == pytest.approx(ordered[0])
        assert course.high[column] == pytest.approx(ordered[5])
        assert course.ranks[column] == 1 + sum(value > values[4] for value in values)


@pytest.mark.parametrize(("layer", "filter"), [(9, 0), (-1, 0), (1, 6), (1, -1)])
def test_a_filter_that_is_not_there_is_refused(query, axis, layer, filter) -> None:
    with pytest.raises(UsageError, match=r"the (run has layers|layer has filters) 0–"):
        query.filter_history(layer, filter, axis)


def test_norms_that_were_not_recorded_are_refused(query, axis) -> None:
    with pytest.raises((NotRecordedError, UsageError)):
        query.norm_series((0,), "mean_shift", axis)


def test_without_a_graph_the_layers_stand_in_order(query) -> None:
    graph = query.network_graph()
    assert not graph.is_recorded
    assert [row.name for row in graph.rows] == [layer.name for layer in query.structure().layers]
