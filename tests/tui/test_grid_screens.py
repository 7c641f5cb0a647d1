"""The Correlation and Cube screens: what keys and presses pick, and that all panes follow."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dtui.model.cube import RowKind
from dtui.query import open_run
from dtui.tui.opening import view_of
from dtui.tui.panes.cell_course import CellCourse
from dtui.tui.panes.correlation import Correlation
from dtui.tui.panes.cube import CELL, LAYER, ROW, TIME, Cube, CubeOptions, CubeQuestion
from dtui.tui.panes.grid import CellQuestion, GridOptions, GridQuestion
from dtui.tui.panes.layers.filters import Filters
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.correlation import CorrelationPicture, place_of
from dtui.tui.renderables.panes.cube import CubePicture
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.grid.places import Face
from dtui.tui.state.mouse import press
from dtui.tui.state.session import Session
from tests.tui.driving import running, screen_text
from tests.tui.fake_query import FakeQuery, make_tree


class Desk:
    """A session whose questions are answered at once."""

    def __init__(self, query, width=150, height=50):
        self.query = query
        self.session = Session(TABLE, view_of(query, 0), width, height)
        self.answer()

    def answer(self):
        asked = None
        while asked != (asked := self.session.look()[1]):
            for question in asked:
                self.session.answered(question, question.ask(self.query))

    def do(self, *actions):
        for action in actions:
            self.session.perform(action)
            self.answer()
        return self.session.selection

    @property
    def pane(self):
        return self.session.scene.pane

    @property
    def grid(self):
        return self.pane.grid(self.session.scene)

    @property
    def picture(self):
        return self.session.look()[0][self.pane]

    @property
    def frame(self):
        return self.session.scene.frame_of(self.pane, DARK, Output())

    def press(self, x, y):
        press(self.session, self.pane, self.frame, x, y, is_drag=False)
        self.answer()
        return self.session.selection

    @property
    def text(self):
        return to_text(self.picture.draw(self.frame, self.session.selection.cursor))

    def picked_in(self, kind):
        pane = pane_of(kind)
        return pane.grid_row(self.session.scene), pane.layer(self.session.scene)

    @property
    def picked(self):
        return self.pane.grid_row(self.session.scene), self.pane.layer(self.session.scene)


def pane_of(kind):
    return next(pane for pane in TABLE.panes if isinstance(pane, kind))


@pytest.fixture
def desk() -> Desk:
    desk = Desk(FakeQuery(tree=make_tree(4, 3)))
    desk.do("screen_correlation")
    return desk


def test_in_a_large_terminal_rows_are_higher_and_a_press_finds_them():
    desk = Desk(FakeQuery(tree=make_tree(4, 3)), 300, 80)
    desk.do("screen_correlation")
    place = place_of(desk.picture, desk.frame.width, desk.frame.height, desk.frame.gutter)
    assert place.tall == 6
    assert place.columns.width > desk.frame.plot_width * 3 // 4
    desk.press(place.columns.x_of(3), 2 + 2 * place.tall + 4)
    assert desk.picked == (2, 3)
    desk.do("screen_cube")
    place, layers = desk.picture.place(desk.frame), len(desk.picture.cube.layer_groups)
    assert (place.tall, place.layer_tall, place.layers) == (5, 3, 3 * layers)
    for layer in range(layers):
        desk.press(2, place.layer_top + 3 * layer + 2)
        assert desk.picked[1] == layer
    name = desk.text.splitlines()[place.layer_top + 3 * (layers - 1) + 1]
    assert desk.picture.look.layers[layers - 1] in name, "in the middle of its rows"


# --- the correlation
def test_keys_pick_a_class_and_a_layer_and_the_selection_follows(desk: Desk):
    grid = desk.grid
    assert [row.label for row in grid.rows] == [0, 1, 2]
    desk.do("first")
    selection = desk.do("row_down")
    event = grid.found.events[grid.rows[1].events[0]]
    assert (selection.class_index, selection.cursor, selection.entry) == (1, event.iteration, event.id)
    layer = desk.picked[1]
    assert desk.do("column_left" if layer else "column_right").node != selection.node
    assert abs(desk.picked[1] - layer) == 1
    assert desk.session.view.tree[desk.session.selection.node].layer == desk.picked[1]
    assert desk.do("column_right_ten").node != 0
    assert desk.do("column_right_ten", "column_right_ten") == desk.do("column_right")  # the last layer
    assert desk.picked[1] == grid.counts.shape[1] - 1
    assert desk.do("last").class_index == 2


def test_the_picked_cell_is_asked_for_and_told(desk: Desk):
    row, layer = (int(place[0]) for place in np.nonzero(desk.grid.counts))
    desk.session.choose(desk.pane.picked(desk.session.scene, row, layer))
    desk.answer()
    cell = desk.session.answers.get(CellQuestion)
    assert (cell.row, cell.layer) == desk.picked == (row, layer)
    assert "9.5σ" in desk.text
    assert "the error of cat rose from 1 %" in desk.text


def test_below_the_grid_the_cell_is_shown_over_time_where_there_is_room(desk: Desk):
    row, layer = (int(place[0]) for place in np.nonzero(desk.grid.counts))
    desk.session.choose(desk.pane.picked(desk.session.scene, row, layer))
    desk.answer()
    desk.do("pane")
    assert isinstance(desk.pane, CellCourse)
    assert "Over time  cat, and filters of stem" in desk.text.splitlines()[0]
    assert "error" in desk.text
    assert "update ratio" in desk.text
    before = desk.picked_in(Correlation)
    desk.do("row_down", "column_right")
    assert desk.picked_in(Correlation) != before, "its keys are those of the grid"
    asked = [one for one in desk.query.asked if one[0] == "cell courses"]
    assert asked[-1][1:3] == (desk.session.selection.class_index, desk.picked_in(Correlation)[1])
    none = np.argwhere(pane_of(Correlation).grid(desk.session.scene).counts == 0)[0]
    desk.session.choose(pane_of(Correlation).picked(desk.session.scene, *map(int, none)))
    desk.answer()
    assert "; no filter of " in desk.text.splitlines()[0]
    desk.session.resized(80, 24)
    desk.do("pane")
    assert isinstance(desk.pane, Correlation), "no room"


def test_the_next_incident_is_picked_with_its_class_and_the_layer_of_most_of_its_filters(desk: Desk):
    entries = desk.session.scene.entries
    desk.session.choose(desk.session.selection.with_cursor(0).changed(entry=None))
    for entry in entries:
        selection = desk.do("entry_next")
        assert selection.entry == entry.id
        row, layer = desk.picked
        assert desk.grid.rows[row].label == entry.class_index == selection.class_index
        assert desk.grid.filters[desk.grid.rows[row].events[0], layer] > 0


def test_a_class_that_is_selected_elsewhere_is_picked_here(desk: Desk):
    desk.do("first")
    desk.session.choose(desk.session.selection.changed(class_index=2))
    assert desk.picked[0] == 2
    desk.session.choose(desk.session.selection.changed(class_index=3))
    assert desk.picked[0] == 0, "class 3 has no row: the row that was picked stays"


def test_enter_goes_to_the_strongest_filter_of_the_cell(desk: Desk):
    row, layer = (int(place[-1]) for place in np.nonzero(desk.grid.counts))
    desk.session.choose(desk.pane.picked(desk.session.scene, row, layer))
    desk.answer()
    event, filter = desk.session.answers.get(CellQuestion).strongest
    selection = desk.do("fold_toggle")
    scene = desk.session.scene
    assert isinstance(scene.pane, Filters)
    assert scene.view.tree[selection.node].layer == layer
    assert selection.cursor == event.iteration
    assert scene.pane.row(scene) == filter.filter


def test_a_press_picks_the_cell_under_it(desk: Desk):
    picture, frame = desk.picture, desk.frame
    place = place_of(picture, frame.width, frame.height, frame.gutter)
    for row, layer in ((2, 5), (0, 1)):
        desk.press(place.columns.x_of(layer), 2 + row * place.tall)
        assert desk.picked == (row, layer)
    desk.press(3, 2 + place.tall)
    assert desk.picked == (1, 1), "on the gutter only the row"
    before = desk.session.selection
    assert desk.press(60, 0) == before
    assert desk.press(60, frame.height - 1) == before


def test_the_least_importance_goes_through_those_there_are(desk: Desk):
    importances = desk.grid.importances
    assert len(importances) > 1
    higher = [one for one in importances if one > 1]
    assert desk.do("least_higher").get(GridOptions).least == higher[0]
    assert f"importance {higher[0]} and more" in desk.session.message
    for _ in importances:
        desk.do("least_higher")
    assert desk.session.selection.get(GridOptions).least == higher[-1]
    for _ in importances:
        desk.do("least_lower")
    assert desk.session.selection.get(GridOptions).least == 1


def test_detail_order_and_choice_are_by_key(desk: Desk):
    assert not desk.picture.is_detailed
    desk.do("chart")
    assert desk.picture.is_detailed
    desk.do("sort")
    assert "by time" in desk.text
    desk.do("statistic")
    assert "cosine" in desk.text
    assert desk.session.answers.get(GridQuestion).found.choice.statistic == "cosine_distance"
    desk.do("rows_more")
    assert desk.grid.found.choice.count == 20
    assert desk.session.message == "20 filters at each incident"
    desk.do("rows_fewer", "rows_fewer")
    assert desk.grid.found.choice.count == 5


def test_a_dismissed_incident_leaves_the_grid(desk: Desk):
    desk.do("first")
    decision = desk.session.perform("dismiss")
    for one in decision if isinstance(decision, (list, tuple)) else [decision]:
        desk.query.decisions[getattr(one, "anomaly", None) or one.entry] = ("dismissed", "")
    desk.answer()
    asked = [question for question in desk.session.look()[1] if isinstance(question, GridQuestion)]
    assert asked[0].dismissed


def test_without_incidents_it_says_so_and_before_them_that_it_looks():
    desk = Desk(FakeQuery(records=20))
    desk.do("screen_correlation")
    assert isinstance(desk.picture, MessagePicture)
    assert "No incident" in desk.text
    desk.do("row_down", "column_right", "fold_toggle", "chart", "least_higher", "column_left")
    desk.do("screen_cube")
    assert "No incident" in desk.text
    desk.do("row_down", "column_right", "pane", "column_right", "mark", "other_view", "fold_toggle", "statistic")
    waiting = Session(TABLE, view_of(FakeQuery(), 0), 150, 50)
    waiting.perform("screen_cube")
    pictures, questions = waiting.look()
    assert "Looking for incidents" in to_text(
        pictures[waiting.scene.pane].draw(waiting.scene.frame_of(waiting.scene.pane, DARK, Output()))
    )
    assert not any(isinstance(question, (GridQuestion, CubeQuestion)) for question in questions)


# --- the cube
@pytest.fixture
def cube(desk: Desk) -> Desk:
    desk.do("screen_cube", "first")
    return desk


def options(desk: Desk) -> CubeOptions:
    return desk.session.selection.get(CubeOptions)


def test_both_faces_with_time_use_the_axis_of_the_screen(cube: Desk):
    scene = cube.session.scene
    assert scene.layout.right == 45
    assert scene.axis.columns == 150 - 34 - 45
    found = cube.session.answers.get(CubeQuestion)
    assert found.request.axis == scene.axis
    assert found.errors.shape[1] == found.shades.shape[1] == scene.axis.columns
    curves = next(pane for pane in TABLE.above if pane.name == "curves")
    assert scene.frame_of(curves, DARK, Output()).plot_width == scene.axis.columns
    cube.do("screen_layers")
    assert cube.session.scene.layout.right == 0


def test_what_the_keys_move_is_what_is_picked(cube: Desk):
    assert options(cube) == CubeOptions(Face.CLASSES, ROW)
    assert cube.do("row_down").class_index == 1
    assert cube.picture.lit.rows.tolist() == [False, True, False]
    assert cube.picture.lit.layers.any()
    cube.do("column_right")
    assert options(cube).pick == TIME
    cube.do("pane")
    assert options(cube).face is Face.LAYERS
    layer = cube.picked[1]
    cube.do("row_down")
    assert options(cube).pick == LAYER
    assert cube.picked[1] == layer + 1
    expected = {cube.grid.row_of[event] for event in np.flatnonzero(cube.grid.filters[:, layer + 1])}
    assert set(np.flatnonzero(cube.picture.lit.rows).tolist()) == expected
    cube.do("pane", "column_left")
    assert options(cube) == CubeOptions(Face.GRID, CELL)
    assert cube.picked[1] == layer
    cube.do("pane")
    assert options(cube).face is Face.CLASSES


def test_an_iteration_lights_the_classes_and_layers_of_its_incidents(cube: Desk):
    cube.session.choose(cube.session.selection.with_cursor(100))
    cube.do("record_after", "record_before")
    assert cube.session.selection.cursor == 100
    lit = cube.picture.lit
    events = np.flatnonzero(lit.events)
    assert {cube.grid.found.events[event].iteration for event in events} >= {100}
    assert set(np.flatnonzero(lit.layers)) == set(np.flatnonzero(cube.grid.filters[events].any(axis=0)))


def test_what_is_on_the_screen_is_there_as_a_table(cube: Desk):
    found = cube.pane.numbers(cube.session.scene)
    assert found.columns == ("iteration from", "cat", "dog", "bird")
    assert len(found.rows) == cube.session.scene.axis.columns
    cube.do("pane")
    assert cube.pane.numbers(cube.session.scene).title == "norm of updates"
    for action in ("pane", "screen_correlation"):
        cube.do(action)
        found = cube.pane.numbers(cube.session.scene)
        assert [list(row[1:]) for row in found.rows] == cube.grid.counts.tolist()
        assert found.columns[1] == "stem"


@pytest.mark.parametrize("screen", ["screen_correlation", "screen_cube"])
def test_a_look_at_the_same_gives_an_equal_picture(desk: Desk, screen: str):
    desk.do(screen)
    assert desk.picture == desk.picture
    before = desk.picture
    desk.do("row_down")
    assert desk.picture != before


def test_where_nothing_happened_nothing_is_faded(cube: Desk):
    cube.session.choose(cube.session.selection.with_cursor(600))
    cube.do("record_after")
    assert options(cube).pick == TIME
    assert cube.picture.lit.rows.all()
    assert cube.picture.lit.layers.all()
    assert f"picked: at {cube.session.selection.cursor:,}: no incident here" in cube.text
    cube.do("mark")
    assert options(cube).pick == CELL
    assert cube.picture.lit.rows.tolist() == [True, False, False], "a class whose incidents are elsewhere"


def test_space_goes_from_the_row_to_the_cell(cube: Desk):
    assert options(cube).pick == ROW
    kinds = []
    for _ in range(3):
        cube.do("mark")
        kinds.append(options(cube).pick)
    assert kinds == [TIME, CELL, ROW]
    assert "picked: class" not in cube.text
    assert "picked: cat" in cube.text


def test_v_flips_between_the_whole_run_and_the_time_around_the_incident(cube: Desk):
    cube.do("entry_next", "other_view")
    selection, entry = cube.session.selection, cube.session.scene.entries
    at = next(one.iteration for one in entry if one.id == selection.entry)
    first, stop = selection.window
    assert first <= at < stop
    assert stop - first <= 2 * 20 * cube.query.every
    assert cube.do("other_view").window is None


def test_a_press_in_each_face_picks_there(cube: Desk):
    frame, place = cube.frame, cube.picture.place(cube.frame)
    cube.press(frame.gutter + 10, place.top + 2 * place.tall)
    assert (options(cube), cube.picked[0]) == (CubeOptions(Face.CLASSES, CELL), 2)
    assert cube.session.scene.axis.column_of(cube.session.selection.cursor) == 10
    cube.press(2, place.layer_top + 3)
    assert (options(cube), cube.picked[1]) == (CubeOptions(Face.LAYERS, LAYER), 3)
    cube.press(frame.gutter + 20, place.layer_top + 5)
    assert (options(cube), cube.picked[1]) == (CubeOptions(Face.LAYERS, CELL), 5)
    cube.press(place.columns.x_of(7), place.top)
    assert (options(cube), cube.picked) == (CubeOptions(Face.GRID, CELL), (0, 7))
    before = cube.session.selection
    assert cube.press(frame.width - 1, frame.height - 1) == before


def test_a_drag_beside_the_time_moves_no_crosshair(cube: Desk):
    before = cube.session.selection.cursor
    press(cube.session, cube.pane, cube.frame, cube.frame.width - 2, 5, is_drag=True)
    assert cube.session.selection.cursor == before


def test_the_tabs_of_a_narrow_screen_keep_the_pick():
    desk = Desk(FakeQuery(tree=make_tree(4, 3)), 80, 24)
    desk.do("screen_cube", "first", "row_down")
    assert isinstance(desk.picture, CubePicture)
    assert desk.picture.is_tabs
    assert desk.session.scene.layout.right == 0
    picked = []
    for _ in Face:
        picked.append((desk.picked, desk.picture.lit.rows.tolist()))
        desk.do("pane")
    assert len({str(one) for one in picked}) == 1
    assert "[classes × time]" in desk.text


def test_another_statistic_is_shown_against_its_usual(cube: Desk):
    cube.do("statistic")
    assert "norm of gradients" in cube.text
    assert cube.session.answers.get(CubeQuestion).request.source == "gradients"
    assert cube.session.message == "layers × time: norm of gradients against its usual"


def test_bad_steps_of_the_network_and_incidents_of_no_class_can_be_picked(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        desk = Desk(query)
        desk.do("screen_correlation", "first", "row_down", "row_down")
        assert desk.grid.rows[desk.picked[0]].kind is RowKind.ALL
        assert desk.session.selection.cursor == 750
        selection = desk.do("row_down")
        assert desk.grid.rows[desk.picked[0]].kind is RowKind.NO_CLASS
        assert selection.class_index == 7 or selection.class_index == 4 or selection.class_index is not None
        desk.do("screen_cube")
        assert desk.picked[0] == 3, "the screens share the pick"


def test_the_filter_that_jumped_is_three_keys_away(repository: Path):
    """From the start: 4, and the strongest incident is picked already: its filter, sigma and iteration are there."""
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        for size in ((150, 50), (80, 24)):
            desk = Desk(query, *size)
            desk.do("screen_correlation")
            assert "no class × layer3.0.conv1" in desk.text
            assert "1,360" in desk.text
            assert "14.9σ" in desk.text
            desk.do("fold_toggle")
            assert isinstance(desk.pane, Filters)
            assert (desk.pane.row(desk.session.scene), desk.session.selection.cursor) == (17, 1360)


def test_enter_prefers_the_filters_that_the_incident_names(repository: Path):
    """Filters that died hardly change any more: they are not among those that changed most."""
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        desk = Desk(query)
        desk.do("screen_correlation", "entry_previous")
        assert desk.session.selection.cursor == 1010
        desk.do("fold_toggle")
        assert (desk.pane.row(desk.session.scene), desk.session.selection.cursor) == (1, 1010)


async def test_both_screens_are_there_by_key():
    async with running(screen="4") as (app, pilot, _):
        assert "filters of largest update ratio" in screen_text(app)
        await pilot.press("5")
        assert isinstance(app.session.scene.pane, Cube)
        await pilot.press("4", "b", "greater_than_sign")
        assert isinstance(app.session.scene.pane, Correlation)
        assert app.session.selection.get(GridOptions).is_detailed
        assert isinstance(app.session.look()[0][app.session.scene.pane], CorrelationPicture)


def test_the_last_module_is_named_where_its_name_just_fits(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        desk = Desk(query, 150, 50)
        desk.do("screen_cube")
        assert re.search(r"layer3 ─+╮fc *$", desk.text, re.MULTILINE)
