"""The grid of incidents × layers, its cells, and the cube: on planted trouble, and on the run with five faults."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError, UsageError
from dtui.model import FILTER_STATISTICS, Cause, Incident, TimeAxis
from dtui.model.cube import CubeRequest, Pick, RowKind, any_of, group_of
from dtui.model.relations import FilterChoice
from dtui.query import RunQuery, open_run
from dtui.query.relations.cube import grid_events, incident_grid, light
from tests.oracle.relations import twins
from tests.query.troubled_reader import DEATH, DROP, JUMP, SPIKE, troubled_reader

RATIO = FILTER_STATISTICS.index("update_ratio")


def at(record: int) -> int:
    return record * 10 + 9


@pytest.fixture(scope="module")
def faults(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        yield query


def rows_of(grid) -> list[tuple[str, int | None, list[str]]]:
    return [
        (str(row.kind), row.label, [grid.found.events[event].id.split("-")[2] for event in row.events])
        for row in grid.rows
    ]


def test_a_bad_step_of_the_whole_network_is_one_row_and_so_are_incidents_of_no_class(faults):
    grid = faults.incident_grid()
    assert rows_of(grid) == [
        ("class", 4, ["class"]),
        ("class", 7, ["class"]),
        ("all", None, ["update"]),
        ("no class", None, ["dead", "filter"]),
    ]
    names = [layer.name for layer in faults.structure().layers]
    assert [(row, names[layer]) for row, layer in zip(*np.nonzero(grid.named), strict=True)] == [
        (3, "layer2.1.conv1"),
        (3, "layer3.0.conv1"),
    ]


def test_the_grid_counts_the_filters_that_changed_most_at_the_incidents(faults):
    grid = faults.incident_grid(FilterChoice(count=7))
    answers = faults.anomaly_filters(grid.found.events, FilterChoice(count=7))
    layers = faults.structure().layers
    for event, answer in enumerate(answers):
        own = [
            int(((answer.filters >= one.filter_rows.start) & (answer.filters < one.filter_rows.stop)).sum())
            for one in layers
        ]
        assert grid.filters[event].tolist() == own
    for row, one in enumerate(grid.rows):
        distinct = set().union(*(answers[event].filters.tolist() for event in one.events))
        assert grid.counts[row].sum() == len(distinct) > 0


def test_the_classes_come_in_the_order_that_is_asked_for_and_the_others_last(faults):
    made = [Incident(f"i-1-{k}", Cause.CLASS, first, first, (), (), (label,), (), "", 1.0)
            for k, (first, label) in enumerate([(1650, 2), (430, 5), (430, 5), (750, 1)])]  # fmt: skip
    made.append(Incident("n-1-n", Cause.NETWORK, 430, 430, (), (), (1, 2), (), "", 1.0))
    correlate = lambda events: faults.correlation(events)  # noqa: E731
    for order, labels in (("class", [1, 2, 5, None]), ("time", [5, 1, 2, None])):
        assert [row.label for row in incident_grid(faults._data, made, correlate, order).rows] == labels
    grid = incident_grid(faults._data, made, correlate, "count")
    totals = grid.counts.sum(axis=1)[:3].tolist()
    assert totals == sorted(totals, reverse=True)
    assert grid.rows[3].kind is RowKind.ALL
    with pytest.raises(UsageError, match="order of classes 'size' is unknown; use one of class, time, count"):
        faults.incident_grid(order="size")


def test_a_dismissed_incident_is_no_event():
    query = RunQuery(Path("x"), troubled_reader())
    found = query.incidents()
    assert [event.iteration for event in grid_events(found)] == [one.first for one in found]
    query.decide(found[1].id, "dismissed")
    assert found[1].id not in {event.id for event in query.incident_grid().found.events}
    assert len(grid_events([replace(found[0], status="dismissed")])) == 0


def test_a_run_without_incidents_has_an_empty_grid_and_a_cube_without_classes():
    query = RunQuery(Path("x"), troubled_reader(calm=True))
    assert query.incident_grid().rows == ()
    cube = query.cube(CubeRequest(TimeAxis(*query.limits(), 20)))
    assert cube.errors.shape == cube.events.shape == (0, 20)
    assert cube.counts.shape == (0, 5)
    assert cube.shades.shape == (5, 20)
    assert light(cube.grid, Pick(layer=2)).layers.tolist() == [False, False, True, False, False]


# --- a cell
def test_a_cell_names_its_filters_and_how_unusual_they_are():
    reader = troubled_reader()
    query = RunQuery(Path("x"), reader)
    grid = query.incident_grid()
    (event,) = [place for place, one in enumerate(grid.found.events) if one.iteration == at(JUMP)]
    row, layer = int(grid.row_of[event]), int(grid.filters[event].argmax())
    (found,) = [one for one in query.grid_cell(grid, row, layer).events if one.event == event]
    assert (found.iteration, found.record, found.id) == (at(JUMP), at(JUMP), grid.found.events[event].id)
    assert len(found.filters) == grid.filters[event, layer]
    assert [one.change for one in found.filters] == sorted((one.change for one in found.filters), reverse=True)
    first = reader.structure.layers[layer].first_filter
    for one in found.filters:
        values = reader.filters[RATIO, first + one.filter]
        before, now = np.log(values[JUMP - 20 : JUMP].astype(float)), math.log(values[JUMP])
        middle = float(np.median(before))
        spread = 1.4826 * float(np.median(np.abs(before - middle)))
        assert one.change == values[JUMP]
        assert one.sigma == pytest.approx((now - middle) / (spread + 0.15), rel=1e-4)
        assert one.times == pytest.approx(values[JUMP] / np.median(values[JUMP - 20 : JUMP]), rel=1e-4)


def test_the_strongest_of_a_cell_is_the_filter_that_jumped(faults):
    grid = faults.incident_grid()
    layer = [layer.name for layer in faults.structure().layers].index("layer3.0.conv1")
    event, filter = faults.grid_cell(grid, 3, layer).strongest
    assert (event.iteration, filter.filter) == (1360, 17)
    assert filter.sigma > 12
    assert filter.times > 1000
    assert faults.grid_cell(grid, 0, 1).strongest is None
    for row, layer, said in ((9, 0, "row 9 of the grid: it has 4 rows"), (0, 99, "layer 99: the run has layers 0–21")):
        with pytest.raises(UsageError, match=said):
            faults.grid_cell(grid, row, layer)


def test_a_cell_over_time_is_the_error_of_its_class_and_the_change_of_its_filters(faults):
    axis = TimeAxis(*faults.limits(), 60)
    found = faults.cell_courses(7, 20, (26, 7), "update_ratio", axis)
    assert found.error is not None
    expected = faults.class_errors([(7,), range(10)], axis).values
    np.testing.assert_array_equal([found.error.values, found.error.median], expected)
    for filter_, course in zip((26, 7), found.moved, strict=True):
        twin = next(one for one in faults.filter_history(20, filter_, axis).courses if one.statistic == "update_ratio")
        for part in ("values", "median", "low", "high", "ranks"):
            np.testing.assert_array_equal(getattr(course, part), getattr(twin, part))
    every = faults.cell_courses(None, 20, (), "update_ratio", axis)
    assert every.moved == ()
    np.testing.assert_array_equal(every.courses[0].values, expected[1])
    with pytest.raises(UsageError):
        faults.cell_courses(7, 20, (99,), "update_ratio", axis)


def test_the_first_record_has_nothing_before_it():
    query = RunQuery(Path("x"), troubled_reader())
    made = [Incident("i-1-1", Cause.CLASS, 9, 9, (), (), (1,), (), "", 1.0)]
    grid = incident_grid(query._data, made, lambda events: query.correlation(events), "class")
    (event,) = query.grid_cell(grid, 0, int(grid.counts[0].argmax())).events
    assert all(math.isnan(one.sigma) and math.isnan(one.times) for one in event.filters)


# --- the cube
@pytest.mark.parametrize(("columns", "class_rows", "layer_rows", "layer_columns"), [(240, 9, 99, 99), (37, 2, 5, 4)])
def test_each_face_shows_the_strongest_of_what_shares_a_place(faults, columns, class_rows, layer_rows, layer_columns):
    axis = TimeAxis(*faults.limits(), columns)
    cube = faults.cube(CubeRequest(axis, "norm2", "weights", class_rows, layer_rows, layer_columns))
    grid, layers = cube.grid, range(22)
    assert [len(cube.class_groups), len(cube.layer_groups), len(cube.column_groups)] == [
        min(4, class_rows), min(22, layer_rows), min(22, layer_columns),
    ]  # fmt: skip
    for groups, whole in ((cube.class_groups, range(4)), (cube.layer_groups, layers), (cube.column_groups, layers)):
        assert [place for group in groups for place in group] == list(whole)
    labels = [(4,), (7,), tuple(range(10)), ()]
    errors = faults.class_errors(labels, axis).values
    for place, group in enumerate(cube.class_groups):
        np.testing.assert_array_equal(cube.errors[place], np.fmax.reduce(errors[list(group)]))
        for column in range(columns):
            inside = [
                e
                for row in group
                for e in grid.rows[row].events
                if axis.column_of(grid.found.events[e].iteration) == column
            ]
            assert cube.events[place, column] == len(inside)
        for at_, some in enumerate(cube.column_groups):
            assert cube.counts[place, at_] == max(grid.counts[row, list(some)].sum() for row in group)
    tree = {node.layer: node.index for node in faults.tree() if node.layer is not None}
    values = faults.node_series([tree[layer] for layer in layers], "norm2", "weights", axis).values
    for place, group in enumerate(cube.layer_groups):
        np.testing.assert_array_equal(cube.values[place], values[list(group)].max(axis=0))
    for event, one in enumerate(grid.found.events):
        column = axis.column_of(one.iteration)
        for place, group in enumerate(cube.layer_groups):
            assert cube.moved[place, column] >= grid.filters[event, list(group)].sum()
    assert cube.moved.sum() == grid.filters.sum()


def test_a_jump_stands_out_against_the_usual_and_a_pick_finds_it(faults):
    axis = TimeAxis(*faults.limits(), 240)
    cube = faults.cube(CubeRequest(axis))
    column = axis.column_of(1360)
    layer = [layer.name for layer in faults.structure().layers].index("layer3.0.conv1")
    assert cube.shades[layer, column] == 1.0
    assert np.nanmedian(np.abs(cube.shades)) < 0.3
    lit = light(cube.grid, Pick(layer=layer, span=(axis.iteration_of(column) - 5, axis.iteration_of(column) + 5)))
    assert np.flatnonzero(cube.columns_of(lit)).tolist() == [column]
    assert lit.rows.tolist() == [False, False, False, True]
    assert any_of(lit.layers, cube.layer_groups).tolist() == lit.layers.tolist()
    assert group_of(cube.column_groups, layer) == layer
    assert group_of(cube.column_groups, 99) is None


def test_a_layer_that_only_the_incident_names_belongs_to_it(faults):
    """As where filters died that had never changed much: none of them stands in a mini-set."""
    grid = faults.incident_grid()
    grid = replace(grid, filters=np.zeros_like(grid.filters))
    layer = [layer.name for layer in faults.structure().layers].index("layer2.1.conv1")
    event = [one.iteration for one in grid.found.events].index(1010)
    assert np.flatnonzero(light(grid, Pick(span=(1000, 1020))).layers).tolist() == [layer]
    assert np.flatnonzero(light(grid, Pick(layer=layer)).events).tolist() == [event]


def test_a_record_is_compared_with_records_and_a_watch_with_watches(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-batches.dtui") as query:
        records, is_watch = query._data.records, query._data.is_watch
        first, last = records[is_watch][[0, -1]].tolist()
        axis = TimeAxis(first, last, last - first + 1)
        cube = query.cube(CubeRequest(axis, layer_rows=99))
        values, shown = query._data.layers(cube.request.source, cube.request.statistic), axis.columns_of(records)
        for layer in range(len(values)):
            for kind in (is_watch, ~is_watch):
                expected = twins.against_usual(np.abs(values[layer, kind]).tolist())
                inside = [place for place, column in enumerate(shown[kind]) if 0 <= column < axis.columns]
                found = cube.shades[layer, shown[kind][inside]]
                np.testing.assert_allclose(found, np.array(expected)[inside], atol=1e-5)
        grid = query.incident_grid()
        watched = set(records[is_watch].tolist())
        cells = [query.grid_cell(grid, row, layer) for row in range(len(grid.rows)) for layer in range(len(values))]
        moved = [one for cell in cells for event in cell.events if event.record in watched for one in event.filters]
        assert len(moved) > 10
        assert np.median([one.times for one in moved]) > 1, "what changed most did not change less than usual"


def test_events_at_one_record_share_their_filters_once():
    query = RunQuery(Path("x"), troubled_reader())
    grid = query.incident_grid()
    assert {one.iteration for one in grid.found.events} == {at(JUMP), at(DEATH), at(SPIKE), at(DROP) + 3}
    made = [Incident("i-1-1", Cause.CLASS, at(50), at(50), (), (), (0, 1), (), "", 1.0)]
    both = incident_grid(query._data, made, lambda events: query.correlation(events), "class")
    assert len(both.found.events) == 2
    from dtui.query.relations.cube import cube

    found = cube(query._data, both, CubeRequest(TimeAxis(*query.limits(), 30)))
    assert found.moved.sum() == both.filters[0].sum() > 0
    assert found.events.sum() == 2


def test_a_cube_that_makes_no_sense_is_refused(faults):
    axis = TimeAxis(*faults.limits(), 10)
    for request, said in (
        (CubeRequest(axis, class_rows=0), "cube: 0 rows of classes; use at least 1"),
        (CubeRequest(axis, layer_rows=0), "cube: 0 rows of layers; use at least 1"),
        (CubeRequest(axis, layer_columns=-1), "cube: -1 columns of layers; use at least 1"),
        (CubeRequest(axis, order="size"), "order of classes 'size' is unknown"),
    ):
        with pytest.raises(UsageError, match=said):
            faults.cube(request)
    with pytest.raises((UsageError, NotRecordedError), match="nonsense"):
        faults.cube(CubeRequest(axis, statistic="nonsense"))
