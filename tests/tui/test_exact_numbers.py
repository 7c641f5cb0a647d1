"""A number at the crosshair is that of its iteration, however many records a column of the screen holds."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dtui.query import RunQuery
from dtui.tui.panes.layers.questions import FilterHistoryNowQuestion, HeatmapQuestion
from dtui.tui.renderables.parts.chrome import number
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk

WIDTHS = (150, 110)
CURSOR = 1120


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(SAMPLES / "mnist-faults.dtui")


def exact(query: RunQuery, statistic: str, layer: int, filter: int) -> float:
    """The value of one filter at CURSOR, read alone."""
    data = query._data
    record = int(np.flatnonzero(data.records == CURSOR)[0])
    rows = data.structure.layers[layer].filter_rows
    return float(data.reader.read_filters(statistic, rows, slice(record, record + 1))[filter, 0])


@pytest.mark.parametrize("width", WIDTHS)
def test_the_value_of_a_filter(faults: RunQuery, width: int) -> None:
    desk = Desk(faults, (width, 50)).press("2", "tab", "s")
    desk.go(CURSOR)
    node = desk.session.view.tree[desk.session.selection.node]
    shown = re.search(r" value +(\S+)", desk.panes()["filters"])
    assert shown is not None
    assert node.layer is not None
    statistic = desk.session.answers.get(HeatmapQuestion).request.statistic
    assert shown[1] == number(exact(faults, statistic, node.layer, 17))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_update_ratio_of_a_layer_and_what_else_its_row_says(faults: RunQuery, width: int) -> None:
    desk = Desk(faults, (width, 50)).press("2").go(CURSOR)
    node = desk.session.view.tree[desk.session.selection.node]
    record = int(np.flatnonzero(faults._data.records == CURSOR)[0])
    ratio, mean = (
        float(values[node.layer, record])
        for values in (faults.layer_update_ratios(), faults._data.layers("weights", "mean"))
    )
    words = desk.panes()["tree"].splitlines()[-1]
    assert f"update ratio {number(ratio)}" in words
    assert f"mean of weights {number(mean)}" in words


@pytest.mark.parametrize("width", WIDTHS)
def test_the_courses_of_an_inspected_filter(faults: RunQuery, width: int) -> None:
    desk = Desk(faults, (width, 50)).press("2", "tab", "enter").go(CURSOR)
    found = desk.session.answers.get(FilterHistoryNowQuestion)
    shown = desk.panes()["filter_course"]
    values = {course.statistic: float(course.values[0]) for course in found.courses}
    assert values["norm"] == pytest.approx(exact(faults, "norm", found.layer, found.filter))
    for value in values.values():
        assert not np.isfinite(value) or re.search(rf"^ *{re.escape(number(value))} ", shown, re.MULTILINE)


def test_layers_are_ordered_by_their_values_at_the_crosshair(faults: RunQuery) -> None:
    orders = []
    for width in WIDTHS:
        desk = Desk(faults, (width, 50)).press("2", "o", "o").go(CURSOR)
        orders.append(
            [
                row.node.name
                for row in next(picture for pane, picture in desk.session.look()[0].items() if pane.name == "tree").rows
            ]
        )
    means = faults._data.layers("weights", "mean")[:, int(np.flatnonzero(faults._data.records == CURSOR)[0])]
    names = [layer.name for layer in faults.structure().layers]
    expected = [names[place] for place in np.argsort(-np.abs(means), kind="stable")]
    first = expected.index(orders[0][0])
    assert orders[0] == orders[1] == expected[first : first + len(orders[0])]
