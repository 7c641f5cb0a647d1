"""The course of single filters, against the heatmap of the whole layer and a run whose fault is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import HeatmapRequest, TimeAxis
from dtui.query import RunQuery, open_run
from dtui.reports.charts.rows.filter_maps import NORMALISATIONS, shades

RUN = Path(__file__).parents[2] / "sample_runs" / "mnist-faults.dtui"
AXIS = TimeAxis(0, 2400, 60)


@pytest.fixture(scope="module")
def query() -> Iterator[RunQuery]:
    with open_run(RUN) as opened:
        yield opened


def layer_named(query: RunQuery, name: str) -> int:
    return next(layer.index for layer in query.structure().layers if layer.name == name)


@pytest.mark.parametrize("statistic", ["update_ratio", "mean"])
def test_values_and_shades_are_those_of_the_heatmap(query: RunQuery, statistic: str) -> None:
    layer = layer_named(query, "layer2.1.conv1")
    node = next(node for node in query.tree() if node.layer == layer)
    courses = query.filter_courses(layer, statistic, AXIS, 10)
    for normalise in NORMALISATIONS:
        request = HeatmapRequest(node.index, statistic, AXIS, 0, node.filters, node.filters, normalise, "index")
        heatmap = query.heatmap(request)
        np.testing.assert_allclose(courses.values, heatmap.values[courses.filters], rtol=1e-6)
        np.testing.assert_allclose(shades(courses, normalise), heatmap.shades[courses.filters], rtol=1e-5, atol=1e-6)


def test_the_filter_that_a_bit_flip_hit_stands_out_most(query: RunQuery) -> None:
    courses = query.filter_courses(layer_named(query, "layer3.0.conv1"), "update_ratio", AXIS, 5)
    assert courses.filters[0] == 17
    assert courses.times[0] > 1000 > courses.times[1]
    assert (np.diff(courses.times) <= 0).all()
    assert courses.values.shape == (5, 60)


def test_filters_asked_for_come_first_and_no_filter_twice(query: RunQuery) -> None:
    layer = layer_named(query, "layer3.0.conv1")
    assert query.filter_courses(layer, "norm", AXIS, 3, (9, 2, 9, 4000, -1)).filters[:2].tolist() == [9, 2]
    every = query.filter_courses(layer, "norm", AXIS, 500, (9,)).filters
    assert sorted(every.tolist()) == list(range(query.structure().layers[layer].filters))


def test_an_unknown_layer_is_refused(query: RunQuery) -> None:
    with pytest.raises(UsageError, match=r"layer 99: the run has layers 0–21"):
        query.filter_courses(99, "norm", AXIS, 3)
