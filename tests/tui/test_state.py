"""Selection and navigation, without Textual."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from dtui.model import AnomalySettings, RunStatus
from dtui.tui.loader import view_of
from dtui.tui.state.anomaly_steps import next_anomaly, select_anomaly, without_anomalies
from dtui.tui.state.clamp import initial_selection, scrolled, settle
from dtui.tui.state.key_steps import STEPS
from dtui.tui.state.layout import SMALLEST, divide
from dtui.tui.state.navigate import Scene, move_columns, snapped, zoom, zoom_rows
from dtui.tui.state.selection import (
    PANES,
    Selection,
    axis_limits,
    class_rows,
    find_matches,
    initial_folds,
    time_axis,
    visible_nodes,
)
from dtui.tui.state.session import Session
from tests.anomalies import watch_anomaly
from tests.tui.fake_query import FakeQuery, make_tree


def scene_of(query: FakeQuery | None = None, size=(150, 50), **fields) -> Scene:
    query = query or FakeQuery()
    view = view_of(query, 0)
    import dataclasses

    view = dataclasses.replace(view, anomalies=query.anomalies(), clusters=query.clusters(2))
    layout = divide(*size, needed=1000)
    selection = initial_selection(view, Selection(), layout.tree_rows).changed(**fields)
    return step(Scene(selection, view, layout), lambda scene: scene.selection)


def step(scene: Scene, move) -> Scene:
    selection = move(scene)
    return Scene(settle(Scene(selection, scene.view, scene.layout)), scene.view, scene.layout)


def keys(scene: Scene, *actions: str) -> Scene:
    for action in actions:
        scene = step(scene, STEPS[action])
    return scene


def test_screen_and_pane_change_together():
    selection = Selection().with_pane("filters").with_screen("validation")
    assert (selection.screen, selection.pane) == ("validation", "images")
    assert selection.with_pane("tree").screen == "layers"


def test_another_node_begins_at_its_first_filter():
    selection = Selection(node=1, filter=7, filter_first=4, filter_count=8)
    assert selection.with_node(1) is selection
    assert selection.with_node(2) == Selection(node=2)


def test_rows_stop_at_both_ends():
    scene = scene_of()
    assert keys(scene, "first", "row_up").selection.node == 0
    assert keys(scene, "last", "row_down").selection.node == len(scene.view.tree) - 1


def test_folding_goes_to_the_parent_and_back():
    scene = keys(scene_of(), "first", "row_down", "row_down")
    assert scene.view.tree[scene.selection.node].name == "block0.conv0"
    scene = keys(scene, "fold_close")
    assert scene.view.tree[scene.selection.node].name == "block0"
    closed = keys(scene, "fold_close")
    names = [node.name for node in visible_nodes(scene.view.tree, closed.selection.folded, "")]
    assert "block0.conv0" not in names
    assert "block1.conv0" in names
    assert keys(closed, "fold_open").selection.folded == frozenset()
    assert keys(closed, "fold_open", "fold_open").selection.node == scene.selection.node + 1


def test_enter_on_a_layer_goes_to_its_filters():
    assert keys(scene_of(), "fold_toggle").selection.pane == "filters"


def test_a_row_that_is_folded_away_gives_way_to_its_parent():
    scene = keys(scene_of(), "first", "row_down", "row_down")
    folded = step(scene, lambda scene: scene.selection.changed(folded=frozenset({1})))
    assert folded.selection.node == 1


@pytest.mark.parametrize("screen", ["layers", "validation"])
def test_the_selected_row_is_always_on_screen(screen):
    scene = scene_of(FakeQuery(tree=make_tree(blocks=30)), size=(80, 24))
    scene = step(scene, lambda scene: scene.selection.with_screen(screen))
    for action in ["row_down"] * 60 + ["page_up"] * 3 + ["last", "first", "page_down"]:
        scene = keys(scene, action)
        nodes = visible_nodes(scene.view.tree, scene.selection.folded, "")
        row = [node.index for node in nodes].index(scene.selection.node)
        assert scene.selection.tree_top <= row < scene.selection.tree_top + scene.layout.tree_rows


def test_scrolled_moves_no_more_than_needed():
    assert scrolled(5, 7, 10, 100) == 5
    assert scrolled(5, 4, 10, 100) == 4
    assert scrolled(5, 15, 10, 100) == 6
    assert scrolled(95, 97, 10, 100) == 90
    assert scrolled(3, 0, 10, 4) == 0


def test_search_shows_matches_with_their_parents_and_inverts():
    tree = make_tree()
    assert [node.name for node in visible_nodes(tree, frozenset({1}), "0.conv1$")] == ["block0", "block0.conv1"]
    inverted = [node.name for node in visible_nodes(tree, frozenset(), "!block")]
    assert inverted == ["stem", "head"]
    assert find_matches("[", ["a", "b"]) == {0, 1}, "a pattern that is still being typed hides nothing"


def test_search_moves_the_selection_to_a_match():
    scene = step(scene_of(), lambda scene: scene.selection.changed(layer_search="head"))
    assert scene.view.tree[scene.selection.node].name == "head"


def test_a_column_step_lands_on_a_recorded_iteration():
    scene = scene_of(FakeQuery(records=20, every=100))
    scene = step(scene, lambda scene: scene.selection.with_cursor(500))
    axis = time_axis(scene.selection, scene.view, scene.layout.columns)
    moved = move_columns(scene, 1)
    assert axis.column_of(moved.cursor) == axis.column_of(500) + 1
    for column in range(axis.columns):
        iterations = [i for i in range(0, 2000, 100) if axis.column_of(i) == column]
        assert not iterations or snapped(scene, column) in iterations


def test_a_column_step_moves_even_when_a_column_is_narrower_than_an_iteration():
    scene = scene_of(FakeQuery(records=20, every=1), cursor=10)
    assert move_columns(scene, 1).cursor > 10
    assert move_columns(scene, -1).cursor < 10


def test_record_steps_visit_every_iteration_once():
    scene = step(scene_of(FakeQuery(records=5, every=7)), lambda scene: scene.selection.with_cursor(0))
    seen = []
    for _ in range(6):
        seen.append(scene.selection.cursor)
        scene = keys(scene, "record_after")
    assert seen == [0, 7, 14, 21, 28, 28]
    scene = step(scene, lambda scene: scene.selection.with_cursor(15))
    assert keys(scene, "record_before").selection.cursor == 14
    assert keys(scene, "record_after").selection.cursor == 21


def test_zoom_keeps_the_cursor_in_its_column_and_ends_at_the_whole_run():
    scene = step(scene_of(), lambda scene: scene.selection.with_cursor(300))
    before = time_axis(scene.selection, scene.view, 100).column_of(300)
    scene = step(scene, lambda scene: zoom(scene, 2))
    assert abs(time_axis(scene.selection, scene.view, 100).column_of(300) - before) <= 1
    assert keys(scene, "zoom_out").selection.window is None
    assert keys(scene, "zoom_in", "zoom_all").selection.window is None


def test_the_window_follows_the_cursor():
    scene = keys(step(scene_of(), lambda scene: scene.selection.with_cursor(500)), "zoom_in", "zoom_in", "zoom_in")
    for _ in range(500):
        scene = keys(scene, "column_left")
        axis = time_axis(scene.selection, scene.view, scene.layout.columns)
        assert axis.contains(scene.selection.cursor)
    assert scene.selection.cursor == 0


def test_zooming_rows_keeps_the_selected_row():
    scene = step(scene_of(), lambda scene: scene.selection.with_pane("filters").changed(filter=9))
    close = step(scene, lambda scene: zoom_rows(scene, 2))
    assert close.selection.filter_count == 8
    assert close.selection.filter_first <= 9 < close.selection.filter_first + 8
    assert step(close, lambda scene: zoom_rows(scene, 0.5)).selection.filter_count is None


def test_anomalies_link_cursor_class_and_cluster():
    scene = scene_of()
    scene = step(
        scene, lambda scene: next_anomaly(scene.__class__(scene.selection.with_cursor(0), scene.view, scene.layout), 1)
    )
    assert scene.selection.cursor == 100
    assert scene.selection.class_index == 0
    assert scene.selection.open_clusters == {0}
    seen = []
    for _ in range(4):
        seen.append(scene.selection.cursor)
        scene = keys(scene, "anomaly_next")
    assert seen == [100, 105, 200, 100]
    assert keys(scene, "anomaly_previous").selection.cursor == 100


def test_dismissed_anomalies_are_passed_over():
    query = FakeQuery()
    query.decisions["class-left-1-105-gained"] = ("dismissed", "")
    scene = step(scene_of(query), lambda scene: select_anomaly(scene, "class-left-0-100-lost"))
    assert keys(scene, "anomaly_next").selection.cursor == 200
    assert keys(scene, "anomaly_next", "anomaly_previous").selection.cursor == 100


def test_an_anomaly_outside_the_window_is_centred():
    scene = step(scene_of(), lambda scene: scene.selection.with_cursor(900).with_window((850.0, 950.0)))
    scene = step(scene, lambda scene: select_anomaly(scene, "class-left-2-200-lost"))
    first, stop = scene.selection.window
    assert first < 200 < stop
    assert abs((first + stop) / 2 - 200) < 2


def test_an_anomaly_shows_its_class_in_spite_of_a_search():
    scene = step(scene_of(), lambda scene: scene.selection.changed(class_search="fish"))
    scene = step(scene, lambda scene: select_anomaly(scene, "class-left-0-100-lost"))
    assert scene.selection.class_search == ""
    assert any(row.class_index == 0 for row in class_rows(scene.view, scene.selection))


@pytest.mark.parametrize(
    ("filters", "sort", "row"), [((3, 5), "index", 3), ((99_999,), "index", 1), ((), "index", 1), ((3,), "activity", 1)]
)
def test_a_watch_leads_to_the_first_filter_that_it_names_where_its_row_is_known(filters, sort, row):
    scene = scene_of()
    node = next(node for node in scene.view.tree if node.layer is not None and node.filters > 3)
    fired = watch_anomaly(300, "filter", node.name, filters)
    view = replace(scene.view, anomalies=(fired,))
    selection = select_anomaly(Scene(scene.selection.changed(filter_sort=sort, filter=1), view, scene.layout), fired.id)
    assert (selection.cursor, selection.node, selection.filter) == (300, node.index, row)


def test_follow_keeps_to_the_tail_until_the_cursor_moves():
    scene = scene_of(FakeQuery(live=True))
    assert scene.selection.follow
    moved = keys(scene, "column_left")
    assert not moved.selection.follow
    assert keys(moved, "last").selection.follow
    assert keys(moved, "last").selection.cursor == scene.view.last_iteration


def test_a_live_axis_has_room_to_grow_and_keeps_its_columns():
    limits = [axis_limits(scene_of(FakeQuery(live=True, records=n)).view) for n in range(100, 111)]
    assert len(set(limits)) <= 2
    assert all(stop > (n - 1) * 5 for n, (_, stop) in zip(range(100, 111), limits, strict=True))
    assert axis_limits(scene_of(FakeQuery(records=100)).view) == (0.0, 500.0)


@pytest.mark.parametrize("action", sorted(STEPS))
@pytest.mark.parametrize("records", [0, 1, 200])
def test_no_key_leads_nowhere(action, records):
    classes = () if records == 1 else ("cat", "dog")
    for pane in [pane for panes in PANES.values() for pane in panes]:
        scene = scene_of(FakeQuery(records=records, classes=classes))
        scene = step(scene, lambda scene, pane=pane: scene.selection.with_pane(pane))
        once = keys(scene, action, action)
        assert once.selection.pane in PANES[once.selection.screen]
        assert 0 <= once.selection.cursor <= max(0, scene.view.last_iteration)


def test_thresholds_stay_between_a_step_and_all():
    scene = scene_of()
    low = keys(scene, *["threshold_down"] * 30).selection.anomaly_settings.threshold
    high = keys(scene, *["threshold_up"] * 30).selection.anomaly_settings.threshold
    assert (low, high) == (0.05, 1.0)


def test_first_folds_leave_what_fits():
    tree = make_tree(blocks=30, layers=3)
    folded = initial_folds(tree, 40)
    assert len(visible_nodes(tree, folded, "")) <= 40
    assert initial_folds(make_tree(), 40) == frozenset()


@pytest.mark.parametrize("width", [60, 80, 119, 150, 300])
@pytest.mark.parametrize("height", [16, 24, 27, 28, 39, 40, 50, 80])
@pytest.mark.parametrize("maximised", [False, True])
@pytest.mark.parametrize("is_upper", [False, True])
def test_the_screen_is_divided_without_rest(width, height, maximised, is_upper):
    layout = divide(width, height, needed=1000, is_upper=is_upper, maximised=maximised)
    assert 3 + layout.curves + layout.ribbon + layout.upper + layout.lower == height
    assert layout.columns + layout.gutter == width
    assert not layout.is_too_small
    if maximised:
        assert layout.curves == 0
        assert 0 in (layout.upper, layout.lower)


def test_smaller_than_the_smallest_is_said():
    assert divide(SMALLEST[0] - 1, 50, needed=5).is_too_small
    assert divide(150, SMALLEST[1] - 1, needed=5).is_too_small
    assert divide(1, 1, needed=5).is_too_small


def test_view_counts_images_by_class():
    assert np.array_equal(view_of(FakeQuery(per_class=7), 0).class_sizes, [7, 7, 7, 7])


def test_searching_is_not_none_found_and_too_early_is_neither():
    view, settings = view_of(FakeQuery(), 0), AnomalySettings()
    assert without_anomalies(view, settings) == ("searching …",)
    searched = replace(view, searched=settings)
    assert without_anomalies(searched, settings) == ("none found",)
    assert without_anomalies(searched, replace(settings, threshold=0.1)) == ("searching …",)  # those are not yet known
    early = replace(searched, info=replace(view.info, validations=4))
    assert without_anomalies(early, settings) == ("too early: 4 of 6 validations", "too early: 4/6")
    ended, live = (replace(view.info, validations=0, status=one) for one in (RunStatus.DONE, RunStatus.LIVE))
    assert without_anomalies(replace(early, info=ended), settings)[0] == "no validations recorded"
    assert without_anomalies(replace(early, info=live), settings)[0] == "too early: 0 of 6 validations"
    assert without_anomalies(replace(early, searched=replace(settings, window=3)), replace(settings, window=3)) == (
        "none found",
    )


@pytest.mark.parametrize(
    ("is_answered", "words"), [(False, "searching …"), (True, r"\[ lowers the threshold")], ids=["before", "after"]
)
def test_a_key_that_looks_for_anomalies_says_whether_there_are_none(is_answered, words):
    session = Session(view_of(FakeQuery(), 0), 150, 50)
    if is_answered:
        session.answered("anomalies", ())
    session.perform("anomaly_next")
    assert re.fullmatch(f"no anomalies to review: {words}", session.message)
