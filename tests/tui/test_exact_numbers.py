"""A number at the crosshair is that of its iteration, however many records a column of the screen holds."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dtui.model import TimeAxis
from dtui.model.cube import CubeRequest
from dtui.query import RunQuery
from dtui.tui.panes.curves import ValuesQuestion
from dtui.tui.panes.layers.questions import FilterHistoryNowQuestion, HeatmapQuestion
from dtui.tui.panes.runs.comparing import CompareQuestion, begin_comparing, value_of
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


def shown_in(pane: str, name: str) -> str:
    """The value at the end of a row's gutter."""
    found = re.search(rf"^.? *{re.escape(name)} .*?([0-9.×÷%+·]+)(?: |$)", pane, re.MULTILINE)
    assert found is not None, pane
    return found[1]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("cursor", [CURSOR, 760])
def test_the_errors_and_layers_of_the_cube(faults: RunQuery, width: int, cursor: int) -> None:
    desk = Desk(faults, (width, 50)).press("5").go(cursor)
    pane, moment = desk.panes()["faces"], TimeAxis(cursor, cursor + 1, 1)
    for label in (4, 7):
        error = float(faults.class_errors(((label,),), moment).values[0, 0])
        assert shown_in(pane, f"class {label}") == f"{100 * error:.1f}%"
    shades = faults.cube(CubeRequest(moment)).shades
    for place, layer in enumerate(faults.structure().layers if width == 150 else ()):  # else it has two layers a row
        factor = f"{10 ** min(abs(shades[place, 0]), 1.0):.2g}"
        words = f"{'×' if shades[place, 0] >= 0 or factor == '1' else '÷'}{factor}"
        assert shown_in(pane, layer.name).startswith(words)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_values_of_two_runs_that_are_compared(faults: RunQuery, width: int) -> None:
    other = str(SAMPLES / "mnist-healthy.dtui")
    desk = Desk(faults, (width, 50))
    scene = desk.session.scene
    desk.session.choose(begin_comparing(scene, other))
    desk._answer()
    panes, found = desk.go(760).panes(), value_of(desk.session.scene, CompareQuestion)
    record = int(np.flatnonzero(found.classes.at_a == 760)[0])
    a = float(found.classes.a[found.classes.names.index("4"), record])
    assert shown_in(panes["compared_classes"], "4").startswith(f"{100 * a:.2g}")
    error = float(found.curves[0].a[0, int(np.flatnonzero(found.curves[0].at_a == 760)[0])])
    assert f"here A {100 * error:.2g}" in panes["comparing"]


def test_the_share_of_right_images_where_they_have_the_screen_to_themselves(faults: RunQuery) -> None:
    desk = Desk(faults, (150, 50)).press("3", "tab", "z").go(770)
    shown = re.search(r"(\d+)% of ([\d,]+) right here", desk.panes()["images"])
    assert shown is not None
    label = desk.session.scene.view.group_classes(desk.session.selection)
    error = float(faults.class_errors((label,), TimeAxis(770, 771, 1)).values[0, 0])
    assert int(shown[1]) == round(100 * (1 - error))


def test_the_values_of_curves_that_are_still_those_of_another_screen(faults: RunQuery) -> None:
    """As while the list of runs is looked for: the curves of the cube stood there with the means of its columns."""
    desk = Desk(faults, (150, 50)).press("5").go(CURSOR)
    values = desk.session.answers.get(ValuesQuestion).values
    desk.session.choose(desk.session.selection.changed(screen=0))  # its curves are not asked for yet
    shown = desk.panes()["curves"]
    assert re.search(rf"val +{100 * values['validation_error']:.1f}%", shown)
    assert re.search(rf"loss +{re.escape(number(values['loss']))} ", shown)
