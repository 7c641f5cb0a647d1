"""Selection and navigation, without Textual."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.model import AnomalySettings, Missing
from dtui.model.findings.review import of_anomalies
from dtui.tui.opening import view_of
from dtui.tui.panes.classes import Classes, ClassesOptions
from dtui.tui.panes.images import Images
from dtui.tui.panes.layers.filters import Filters, FiltersOptions
from dtui.tui.panes.layers.tree import Tree, TreeOptions, initial_folds, visible_nodes
from dtui.tui.panes.rows import scrolled
from dtui.tui.panes.table import TABLE
from dtui.tui.state.key_steps import STEPS
from dtui.tui.state.navigate import move_columns, snapped, zoom
from dtui.tui.state.pane import Pane, Scene, Screen, Table
from dtui.tui.state.places.search import find_matches
from dtui.tui.state.questions import AnomaliesQuestion, Answers, IncidentsQuestion, NotJudgedQuestion
from dtui.tui.state.review.entry_steps import next_entry, select_entry, without_entries
from dtui.tui.state.run_view import axis_limits, time_axis
from dtui.tui.state.screens.layout import RIBBON_ROWS, SMALLEST, divide
from dtui.tui.state.selection import RowWindow, Selection
from dtui.tui.state.session import Session
from dtui.tui.state.settle import begin, settle
from tests.anomalies import watch_anomaly
from tests.tui.fake_query import FakeQuery, make_tree

EVERY_STEP = sorted({*STEPS, *TABLE.steps, *(action for pane in TABLE.panes for action in pane.steps)})


def pane_of(kind: type[Pane]) -> Pane:
    """Return the pane of a class that stands in the table."""
    return next(pane for pane in TABLE.panes if isinstance(pane, kind))


TREE, FILTERS, CLASSES, IMAGES = map(pane_of, (Tree, Filters, Classes, Images))


def scene_of(query: FakeQuery | None = None, size=(150, 50), **fields) -> Scene:
    query = query or FakeQuery()
    view = view_of(query, 0).with_incidents(IncidentsQuestion().ask(query))
    view = replace(
        view.with_anomalies(AnomaliesQuestion(AnomalySettings()).ask(query), AnomalySettings()),
        clusters=query.clusters(2),
    )
    scene = Scene(TABLE, Selection(), view, Answers(), size)
    scene = scene.at(begin(scene).changed(**fields))
    return step(scene, lambda scene: scene.with_pane(TREE))


def step(scene: Scene, move) -> Scene:
    return scene.at(settle(scene.at(move(scene))))


@pytest.mark.parametrize("screen", range(len(TABLE.every_screen)))
def test_only_panes_on_the_screen_settle(monkeypatch: pytest.MonkeyPatch, screen: int) -> None:
    """Those of other screens do when they are shown: a key costs what is seen."""
    settled: list[str] = []

    def noting(kind: type[Pane]) -> None:
        settles = kind.settle
        monkeypatch.setattr(kind, "settle", lambda self, scene: (settled.append(self.name), settles(self, scene))[1])

    scene = scene_of(screen=screen, class_index=3)
    for kind in {next(one for one in type(pane).__mro__ if "settle" in vars(one)) for pane in TABLE.panes}:
        noting(kind)
    keys(scene, "column_left")
    assert dict.fromkeys(settled) == dict.fromkeys(pane.name for pane in scene.stacked)


def keys(scene: Scene, *actions: str) -> Scene:
    for action in actions:
        found = scene.step_of(action) or STEPS.get(action) or TABLE.steps.get(action)
        scene = step(scene, found) if found else scene
    return scene


def test_a_screen_key_leads_to_the_first_pane_from_wherever_it_is_pressed():
    scene = scene_of()
    for screen in TABLE.screens:
        first, action = screen.panes[0], screen.action.id
        for pane in dict.fromkeys(TABLE.panes):
            there = keys(scene.at(scene.with_pane(pane)), action)
            assert (there.screen.panes[0], there.pane, there.selection.came_from) == (first, first, ()), pane.name


def test_screen_and_pane_change_together():
    scene = scene_of()
    scene = scene.at(scene.with_pane(TREE))
    assert (scene.screen.name, scene.pane) == ("Layers", TREE)
    assert keys(scene, "pane").pane is FILTERS
    assert keys(scene, "pane", "pane").pane is TREE


def test_another_node_begins_at_its_first_filter():
    seen = RowWindow(7, 4, 8, of=1)
    selection = Selection(node=1).with_rows("filters", seen)
    assert FILTERS.window(selection) == seen
    assert FILTERS.window(selection.changed(node=2)) == RowWindow(of=2)


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
    names = [node.name for node in visible_nodes(scene.view.tree, closed.selection.get(TreeOptions).folded, "")]
    assert "block0.conv0" not in names
    assert "block1.conv0" in names
    assert keys(closed, "fold_open").selection.get(TreeOptions).folded == frozenset()
    assert keys(closed, "fold_open", "fold_open").selection.node == scene.selection.node + 1


def test_enter_on_a_layer_goes_to_its_filters():
    assert keys(scene_of(), "fold_toggle").pane is FILTERS


def test_a_row_that_is_selected_elsewhere_is_unfolded():
    scene = keys(scene_of(), "first", "row_down", "row_down")
    chosen = scene.selection.node
    elsewhere = step(scene, lambda scene: scene.selection.put(TreeOptions(folded=frozenset({1}), fitted=None)))
    assert elsewhere.selection.node == chosen
    assert elsewhere.selection.get(TreeOptions).folded == frozenset()


@pytest.mark.parametrize("pane", [TREE, CLASSES], ids=["tree", "classes"])
def test_the_selected_row_is_always_on_screen(pane):
    classes = tuple(f"class {label}" for label in range(40))
    scene = scene_of(FakeQuery(tree=make_tree(blocks=30), classes=classes), size=(80, 24))
    scene = step(scene, lambda scene: scene.with_pane(pane).put(ClassesOptions(opened=frozenset({0, 1}))))
    assert pane.rows(scene) > 2 * pane.shown(scene)
    for action in ["row_down"] * 60 + ["page_up"] * 3 + ["last", "first", "page_down"]:
        scene = keys(scene, action)
        assert pane.place(scene, pane.items(scene)) == pane.row(scene)
        window = pane.window(scene.selection)
        assert window.first <= window.row < window.first + pane.shown(scene)


def test_a_pane_that_is_hidden_stays_where_it_was_scrolled():
    scene = keys(scene_of(FakeQuery(tree=make_tree(blocks=30)), size=(80, 24)), *["row_down"] * 20, "row_up")
    before = TREE.window(scene.selection)
    hidden = keys(scene, "pane", "maximise")
    assert TREE.height(hidden) == 0
    assert TREE.window(keys(hidden, "maximise", "pane").selection) == before
    assert TREE.window(keys(scene, "screen_validation", "screen_layers").selection) == before


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
    scene = step(scene_of(), lambda scene: scene.selection.with_search("tree", "head"))
    assert scene.view.tree[scene.selection.node].name == "head"


def test_a_search_leaves_the_panes_as_high_as_they_are():
    scene = scene_of(size=(150, 30))
    found = step(scene, lambda scene: scene.selection.with_search("tree", "head"))
    assert len(TREE.items(found)) < len(TREE.items(scene))
    assert found.layout == scene.layout


def test_rows_are_listed_once_until_something_changes(monkeypatch):
    listed = []
    monkeypatch.setattr(
        "dtui.tui.panes.layers.tree.visible_nodes", lambda *found: listed.append(1) or visible_nodes(*found)
    )
    session = Session(TABLE, view_of(FakeQuery(), 0), 150, 50)
    session.choose(session.scene.with_pane(TREE))
    listed.clear()
    session.look()
    session.look()
    assert len(listed) <= 1
    session.perform("column_left")
    session.look()
    assert 1 <= len(listed) <= 3


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
    scene = step(scene_of(), lambda scene: FILTERS.select(scene.at(scene.with_pane(FILTERS)), 9))
    close = keys(scene, "rows_fewer")
    window = FILTERS.window(close.selection)
    assert window.count == 8
    assert window.first <= 9 < window.first + 8
    assert FILTERS.window(keys(close, "rows_more").selection).count is None


def test_entries_link_cursor_class_and_cluster():
    scene = scene_of()
    scene = step(scene, lambda scene: next_entry(scene.at(scene.selection.with_cursor(0)), 1))
    assert scene.selection.cursor == 100
    assert scene.selection.class_index == 0
    assert scene.selection.get(ClassesOptions).opened == {0}
    seen = []
    for _ in range(4):
        seen.append(scene.selection.cursor)
        scene = keys(scene, "entry_next")
    assert seen == [100, 105, 200, 200], "at the end it stays"
    assert keys(scene, "entry_previous").selection.cursor == 105


def test_dismissed_entries_are_passed_over():
    query = FakeQuery()
    query.decisions["incident-105-class-class1"] = ("dismissed", "")
    scene = step(scene_of(query), lambda scene: select_entry(scene, "incident-100-class-class0"))
    assert keys(scene, "entry_next").selection.cursor == 200
    assert keys(scene, "entry_next", "entry_previous").selection.cursor == 100


def test_an_entry_outside_the_window_is_centred():
    scene = step(scene_of(), lambda scene: scene.selection.with_cursor(900).changed(window=(850.0, 950.0)))
    scene = step(scene, lambda scene: select_entry(scene, "incident-200-class-class2"))
    first, stop = scene.selection.window
    assert first < 200 < stop
    assert abs((first + stop) / 2 - 200) < 2


def test_an_entry_shows_its_class_in_spite_of_a_search():
    scene = step(scene_of(), lambda scene: scene.selection.with_search("classes", "fish"))
    scene = step(scene, lambda scene: select_entry(scene, "incident-100-class-class0"))
    assert scene.selection.search_of("classes") == ""
    assert any(row.class_index == 0 for row in CLASSES.items(scene))


@pytest.mark.parametrize(
    ("filters", "sort", "row"), [((3, 5), "index", 3), ((99_999,), "index", 1), ((), "index", 1), ((3,), "activity", 3)]
)
def test_a_watch_leads_to_the_first_filter_that_it_names(filters, sort, row):
    scene = scene_of()
    node = next(node for node in scene.view.tree if node.layer is not None and node.filters > 3)
    fired = watch_anomaly(300, "filter", node.name, filters)
    scene = replace(scene, view=scene.view.with_anomalies(of_anomalies([fired]), AnomalySettings()))
    scene = scene.at(FILTERS.select(scene, 1).changed(node=node.index).put(FiltersOptions(sort=sort)))
    scene = scene.at(FILTERS.select(scene, 1))
    scene = scene.at(select_entry(scene, fired.id))
    assert (scene.selection.cursor, scene.selection.node, FILTERS.row(scene)) == (300, node.index, row)


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


@pytest.mark.parametrize("action", EVERY_STEP)
@pytest.mark.parametrize("records", [0, 1, 200])
def test_no_key_leads_nowhere(action, records):
    classes = () if records == 1 else ("cat", "dog")
    for pane in (TREE, FILTERS, CLASSES, IMAGES):
        scene = scene_of(FakeQuery(records=records, classes=classes))
        scene = step(scene, lambda scene, pane=pane: scene.with_pane(pane))
        once = keys(scene, action, action)
        assert once.pane is once.screen.panes[once.selection.pane]
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
@pytest.mark.parametrize("maximised", [None, 0])
@pytest.mark.parametrize("needed", [(1000,), (1000, 1000), (3, 1000), (30, 4, 1000)])
def test_the_screen_is_divided_without_rest(width, height, maximised, needed):
    layout = divide(width, height, needed, maximised)
    assert 3 + layout.curves + RIBBON_ROWS + sum(layout.panes) == height
    assert layout.columns + layout.gutter == width
    assert not layout.is_too_small
    if maximised is not None:
        assert layout.curves == 0
        assert [rows > 0 for rows in layout.panes] == [place == maximised for place in range(len(needed))]
    else:
        assert all(rows <= max(need, 6) for rows, need in zip(layout.panes[:-1], needed, strict=False))


def test_rows_that_the_last_pane_cannot_fill_go_to_those_above_it():
    assert divide(150, 50, [1000, 1000]).panes == (17, 18)
    assert divide(150, 50, [1000, 10]).panes == (25, 10)
    assert divide(150, 50, [20, 10]).panes == (20, 15)
    assert divide(150, 50, [1000, 1]).panes == (29, 6)
    assert divide(60, 16, [1000, 0]).panes == (10, 0), "one that has nothing to show is hidden"
    assert divide(60, 16, [0, 5, 0]).panes == (0, 10, 0)


def test_a_pane_without_a_share_gets_what_the_others_leave_or_is_hidden():
    assert divide(150, 50, [20, 1000], fewest=[0, 8]).panes == (20, 15)
    assert divide(150, 50, [27, 1000], fewest=[0, 8]).panes == (27, 8)
    assert divide(150, 50, [28, 1000], fewest=[0, 8]).panes == (35, 0)
    assert divide(150, 50, [1000, 1000], 1, fewest=[0, 8]).panes == (0, 44)


def test_smaller_than_the_smallest_is_said():
    assert divide(SMALLEST[0] - 1, 50, [5, 5]).is_too_small
    assert divide(150, SMALLEST[1] - 1, [5, 5]).is_too_small
    assert divide(1, 1, [5, 5]).is_too_small


def test_view_counts_images_by_class():
    assert np.array_equal(view_of(FakeQuery(per_class=7), 0).class_sizes, [7, 7, 7, 7])


def test_searching_is_not_none_found_and_what_detectors_lack_is_neither():
    settings = AnomalySettings()
    scene = scene_of(listing="anomalies")
    scene = replace(scene, view=replace(scene.view, searched=None))
    assert without_entries(scene) == ("searching …",)
    searched = replace(scene, view=replace(scene.view, searched=settings))
    assert without_entries(searched) == ("none found",)
    lower = searched.selection.changed(anomaly_settings=replace(settings, threshold=0.1))
    assert without_entries(searched.at(lower)) == ("searching …",)  # those are not yet known
    for lacking, words in (
        ([], ("none found",)),
        (["a: no b"], ("a: no b",)),
        (["a: no b", "c: no d", "e: no f"], ("a: no b; c: no d; e: no f", "a: no b (and 2 more)", "a: no b")),
    ):
        answers = Answers().having(NotJudgedQuestion(settings), tuple(map(Missing, lacking)))
        assert without_entries(replace(searched, answers=answers)) == words


@pytest.mark.parametrize(("pane", "filters"), [(FILTERS, 2000), (IMAGES, 2000)], ids=["filters", "images"])
def test_a_page_of_pixels_is_half_of_what_is_shown(pane: Pane, filters: int):
    """Also where many rows share a pixel, and where a few are magnified."""
    query = FakeQuery(tree=make_tree(filters=filters), per_class=filters)
    scene = scene_of(query, node=0, class_index=0)
    scene = step(scene.at(scene.with_pane(pane)), lambda scene: scene.selection)
    total = pane.rows(scene)
    assert total == filters
    assert pane.step(scene) > 10
    assert total / 2 - pane.step(scene) <= pane.row(keys(scene, "page_down")) <= total / 2
    assert pane.row(keys(scene, "page_down", "page_up")) == 0
    few = keys(scene, *["rows_fewer"] * 6)
    shown = pane.window(few.selection).count
    assert pane.row(keys(few, "page_down")) == shown // 2


@pytest.mark.parametrize("recorded", [("std", "min"), ("norm",), ()])
def test_it_begins_on_a_statistic_that_the_run_has(recorded: tuple[str, ...]):
    view = replace(view_of(FakeQuery(), 0), filter_statistics=recorded, layer_statistics=recorded)
    selection = begin(Scene(TABLE, Selection(), view, Answers(), (150, 50)))
    for kind in (FiltersOptions, TreeOptions):
        assert selection.get(kind).statistic == (recorded[0] if recorded else kind().statistic)


@pytest.mark.parametrize(("records", "size"), [(0, (80, 24)), (0, (150, 50)), (100, (20, 6))])
def test_a_notice_leaves_the_bars_on_the_screen(records: int, size: tuple[int, int]):
    scene = Scene(TABLE, Selection(), view_of(FakeQuery(records=records), 0), Answers(), size)
    shown = [pane for pane in (*TABLE.above, *TABLE.below) if pane.is_shown(scene)]
    assert sum(pane.height(scene) for pane in shown) == size[1]


@pytest.mark.parametrize("is_answered", [False, True])
@pytest.mark.parametrize(
    ("listing", "hint"), [("incidents", "L lists the anomalies"), ("anomalies", "[ lowers the threshold")]
)
def test_a_key_that_looks_for_entries_says_whether_there_are_none(is_answered, listing, hint):
    session = Session(TABLE, view_of(FakeQuery(), 0), 150, 50)
    if listing == "anomalies":
        session.perform("listing")
    if is_answered:
        session.answered(AnomaliesQuestion(AnomalySettings()), ())
        session.answered(IncidentsQuestion(), ())
    session.perform("entry_next")
    assert session.message == f"no {listing} to review: {hint if is_answered else 'searching …'}"


def test_in_a_search_the_same_keys_go_through_the_matches():
    scene = step(scene_of(), lambda scene: scene.selection.with_search("tree", "conv0$"))
    names = []
    for _ in range(4):
        names.append(scene.view.tree[scene.selection.node].name)
        scene = keys(scene, "entry_next")
    assert names[:2] == ["block0.conv0", "block1"]


def test_an_inner_screen_goes_back_to_where_it_was_opened():
    scribbles = next(pane for pane in TABLE.panes if pane is FILTERS)
    table = Table(
        TABLE.screens[:1] + TABLE.screens[2:], TABLE.above, TABLE.below, (Screen("", "Inside", (scribbles,)),)
    )
    session = Session(table, view_of(FakeQuery(), 0), 150, 50)
    session.perform("screen_validation")
    session.choose(session.scene.opened("Inside"))
    assert session.scene.screen.name == "Inside"
    assert session.go_back()
    assert session.scene.screen.name == "Validation"
    session.choose(session.scene.with_pane(scribbles))
    assert session.scene.screen.name == "Inside", "it is opened by whoever looks for its pane"
    session.perform("screen_triage")
    assert not session.go_back()
