"""The Layers screen and the screens inside it: what their keys do, on a fake run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.model import Incident
from dtui.model.findings.incidents import Cause
from dtui.model.findings.review import of_incident
from dtui.model.layers import UPDATE_RATIO
from dtui.model.statistics import NORM_STATISTICS
from dtui.tui.panes.layers.filter_inspector import acts_words
from dtui.tui.panes.layers.filters import FiltersOptions
from dtui.tui.panes.layers.inspected import InspectedFilter
from dtui.tui.panes.layers.questions import (
    BoxesQuestion,
    HeatmapQuestion,
    HistogramsQuestion,
    NormsQuestion,
    ParametersQuestion,
    RatiosQuestion,
    SeriesQuestion,
)
from dtui.tui.panes.layers.tree import TreeOptions
from dtui.tui.panes.layers.tree_rows import LEAST_FOLDED_ROWS, ordered_layers
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.layers.tree import ChartKind, info_rows
from dtui.tui.state.choice import KEYS
from dtui.tui.state.session import Session
from tests.tui.driving import press, running, screen_text
from tests.tui.fake_query import FakeQuery, make_tree


def session_of(query: FakeQuery, size: tuple[int, int] = (150, 50)) -> Session:
    """Return a session on the Layers screen with every answer at hand."""
    from dtui.tui.opening import view_of

    session = Session(TABLE, view_of(query, 0), *size)
    session.perform("screen_layers")
    answer(session, query)
    return session


def answer(session: Session, query: FakeQuery) -> None:
    """Answer until nothing new is asked."""
    asked: list[object] = []
    for _ in range(5):
        new = [question for question in session.look()[1] if question not in asked]
        for question in new:
            session.answered(question, question.ask(query))
        asked += new


def do(session: Session, query: FakeQuery, *actions: str) -> None:
    for action in actions:
        session.perform(action)
        answer(session, query)


def texts(session: Session) -> list[str]:
    """Return what the panes of the screen show."""
    scene, (pictures, _) = session.scene, session.look()
    cursor = session.selection.cursor
    return [to_text(pictures[pane].draw(scene.frame_of(pane, DARK, Output()), cursor)) for pane in scene.screen.panes]


def questions(session: Session) -> list[type]:
    return [type(question) for question in session.look()[1]]


# --- the tree


@pytest.mark.parametrize(
    ("chart", "kind", "words"),
    [
        (ChartKind.HORIZON, SeriesQuestion, "mean of weights"),
        (ChartKind.LINE, SeriesQuestion, "own scale"),
        (ChartKind.BOX, BoxesQuestion, "box plots of weights"),
        (ChartKind.HISTOGRAM, HistogramsQuestion, "histograms of weights"),
    ],
)
def test_each_chart_asks_for_its_own_numbers_and_says_what_they_are(chart, kind, words):
    query = FakeQuery()
    session = session_of(query)
    do(session, query, *["chart"] * list(ChartKind).index(chart))
    asked = questions(session)
    assert kind in asked
    assert len({SeriesQuestion, BoxesQuestion, HistogramsQuestion} & set(asked)) == 1
    assert RatiosQuestion in asked, "the column of update ratios"
    assert words in texts(session)[0]
    tree = session.scene.screen.panes[0]
    assert tree.tall(session.scene) == chart.tall
    do(session, query, "other_view")
    assert tree.tall(session.scene) == 2 * chart.tall


def test_an_update_ratio_is_a_statistic_like_others_and_a_source_leaves_it():
    query = FakeQuery()
    session = session_of(query)
    choice = session.choice("statistic")
    place = next(place for place, option in enumerate(choice.options) if option.words == "update ratio")
    session.take_option(choice.options[place])
    answer(session, query)
    assert session.selection.get(TreeOptions).statistic == UPDATE_RATIO
    assert "update ratio, per update" in texts(session)[0]
    assert SeriesQuestion not in questions(session)
    do(session, query, "source")
    options = session.selection.get(TreeOptions)
    assert (options.source, options.statistic == UPDATE_RATIO) == ("gradients", False)


def test_a_statistic_from_the_list_leaves_charts_that_show_others():
    query = FakeQuery()
    session = session_of(query)
    do(session, query, "chart", "chart")
    choice = session.choice("statistic")
    session.take_option(choice.options[0])
    assert session.selection.get(TreeOptions).chart is ChartKind.HORIZON
    assert session.selection.get(TreeOptions).statistic == session.view.layer_statistics[0]
    assert len(choice.options) <= len(KEYS), "a key for each"


def test_a_statistic_that_was_not_recorded_is_not_offered():
    query = FakeQuery()
    query.recorded = lambda rows: ("mean", "std")
    session = session_of(query)
    assert [option.words for option in session.choice("statistic").options] == ["mean", "std"]
    assert RatiosQuestion not in questions(session)


def test_normalisation_layers_get_rows_when_one_of_their_statistics_is_chosen():
    query = FakeQuery().with_norms()
    session = session_of(query)
    assert "≈" not in texts(session)[0]
    assert NormsQuestion not in questions(session)
    choice = session.choice("statistic")
    place = next(place for place, option in enumerate(choice.options) if option.words == "shift of the running mean")
    session.take_option(choice.options[place])
    answer(session, query)
    text = texts(session)[0]
    assert "≈ conv0_bn BatchNorm2d" in text
    assert "≈ shift of the running mean" in text.split("\n")[0]
    assert NORM_STATISTICS[0] == session.selection.get(TreeOptions).norm_statistic
    lines = text.split("\n")
    layer = next(index for index, line in enumerate(lines) if "■ conv0" in line)
    assert "≈ conv0_bn" in lines[layer + 1], "behind the layer that it follows"
    node = session.selection.node
    while session.selection.get(TreeOptions).norm is None:
        do(session, query, "row_down")
    assert session.selection.node >= node
    assert session.view.tree[session.selection.node].layer is not None, "its layer is selected for the other panes"
    assert "(BatchNorm2d, 16 channels) at" in texts(session)[0]
    hide = session.choice("statistic").options[-1]
    session.take_option(hide)
    answer(session, query)
    assert "≈" not in texts(session)[0]
    assert session.selection.get(TreeOptions).norm is None


def test_parameters_outside_the_layers_get_rows_of_their_own_beside_those_of_norms():
    query = FakeQuery().with_norms().with_parameters()
    session = session_of(query)
    assert "▫" not in texts(session)[0]
    assert ParametersQuestion not in questions(session)
    group = [option for option in session.choice("statistic").options if option.group.startswith("Other parameters")]
    assert [option.words for option in group] == [
        *("norm", "update norm", "gradient norm", "NaN and Inf", "update ratio", "without their rows")
    ]
    norms = [option for option in session.choice("statistic").options if option.group.startswith("Normalisation")]
    session.take_option(group[0])
    session.take_option(norms[0])
    answer(session, query)
    text = texts(session)[0]
    lines = text.split("\n")
    assert "≈ shift of the running mean · ▫ norm" in lines[0]
    layer = next(index for index, line in enumerate(lines) if "■ conv0" in line)
    assert "≈ conv0_bn" in lines[layer + 1]
    assert "▫ conv0.bias" in lines[layer + 2]
    assert next(line for line in lines if "▫" in line and "■" not in line), "what follows no layer comes first"
    assert "7.5" in lines[layer + 2]
    assert "0.003" in lines[layer + 2]
    while (norm := session.selection.get(TreeOptions).norm) is None or norm < len(session.view.norms):
        do(session, query, "row_down")
    assert "elements) at" in texts(session)[0]
    session.take_option(group[4])
    answer(session, query)
    assert "▫ update ratio" in texts(session)[0].split("\n")[0]
    session.take_option(group[5])
    answer(session, query)
    assert "▫" not in texts(session)[0]
    assert "≈ conv0_bn" in texts(session)[0]
    assert session.selection.get(TreeOptions).norm is None


def test_rows_are_unfolded_while_there_is_room_and_spare_ones_go_to_the_filters():
    query = FakeQuery(tree=make_tree(blocks=12, layers=3))
    rows = {}
    for height in (24, 30, 50, 70, 150):
        session = session_of(query, (150, height))
        tree, filters = session.scene.screen.panes
        shown = len(tree.items(session.scene))
        rows[height] = shown
        assert shown <= max(tree.shown(session.scene), LEAST_FOLDED_ROWS, 14)
        given = tree.height(session.scene)
        assert given <= max(6, sum(info_rows(given)) + shown), "it asks for no empty row"
        assert filters.height(session.scene) >= min(filters.needed(session.scene), given - 1), "each filter is seen"
    assert rows[150] == len(session.view.tree) > rows[70] > rows[24]


def test_a_larger_screen_unfolds_more_until_a_person_has_folded_something():
    query = FakeQuery(tree=make_tree(blocks=12, layers=3))
    session = session_of(query, (150, 50))
    tree = session.scene.screen.panes[0]
    before = len(tree.items(session.scene))
    session.resized(150, 120)
    after = len(tree.items(session.scene))
    assert after > before
    module = next(node.index for node in session.view.tree if node.name == "block0")
    session.choose(session.selection.changed(node=module))
    do(session, query, "fold_close")
    folded = len(tree.items(session.scene))
    assert folded < after
    session.resized(150, 150)
    assert len(tree.items(session.scene)) == folded


def test_layers_by_incident_and_by_their_values_at_the_crosshair():
    query = FakeQuery()
    query.incidents = lambda: (
        Incident("one", Cause.DEAD, 100, 100, ("block2.conv0",), (3,), (), (), "3 filters died", 9.0),
    )
    session = session_of(query)
    do(session, query, "sort")
    tree = session.scene.screen.panes[0]
    names = [item.node.name for item in tree.items(session.scene)]
    assert names[0] == "block2.conv0"
    assert names[1:4] == ["stem", "block0.conv0", "block0.conv1"]
    assert session.message == "layers named by the incident first"
    do(session, query, "sort")
    names = [item.node.index for item in tree.items(session.scene)]
    series = session.answers.get(SeriesQuestion)
    column = series.axis.column_of(session.selection.cursor)
    values = dict(zip(series.nodes, np.abs(series.values[:, column]).tolist(), strict=True))
    assert [values[node] for node in names] == sorted((values[node] for node in names), reverse=True)
    do(session, query, "sort")
    assert session.selection.get(TreeOptions).order == "depth"


def test_the_selected_incident_comes_before_stronger_ones():
    tree = make_tree()
    layers = [node for node in tree if node.layer is not None]
    weak, strong = (
        of_incident(Incident(name, Cause.LAYER, 1, 1, (name,), (), (), (), "it jumped", score))
        for name, score in (("block1.conv1", 1.0), ("head", 5.0))
    )
    names = [node.name for node in ordered_layers(tree, "incident", (weak, strong), weak, {})]
    assert names[:2] == ["block1.conv1", "head"]
    assert sorted(names) == sorted(node.name for node in layers)


def test_a_search_stands_on_the_first_match():
    query = FakeQuery()
    session = session_of(query)
    session.search("block2.conv1")
    assert session.view.tree[session.selection.node].name == "block2.conv1"
    assert "block2.conv1 at" in texts(session)[0]


def test_what_stands_out_is_said_once_for_the_network_and_once_for_the_row():
    query = FakeQuery()
    session = session_of(query)
    node = next(node.index for node in session.view.tree if node.name == "block0.conv1")
    session.choose(session.selection.changed(node=node))
    answer(session, query)
    tree, filters = texts(session)
    assert "2 of 122 filters dead: block0.conv1 1 4 · 1 of 122 filters still moving: block0.conv1 9" in tree
    assert "block0.conv1 at 995: update ratio" in tree
    assert "2 of 16 dead · 1 still moving" in tree
    assert filters.split("\n")[-1].startswith(
        " block0.conv1 3×3: filters 1 4 dead since 50 · filter 9 still moving since 400"
    )


# --- the filters


def test_filters_that_an_incident_names_come_first():
    query = FakeQuery()
    query.incidents = lambda: (
        Incident("one", Cause.DEAD, 100, 100, ("block1.conv0",), (5, 11), (), (), "2 filters died", 9.0),
    )
    session = session_of(query)
    do(session, query, "entry_previous")
    assert session.selection.entry == "one"
    assert session.scene.screen.panes[1].row(session.scene) == 5
    do(session, query, "pane", "sort", "sort", "sort")
    assert session.selection.get(FiltersOptions).sort == "lead"
    request = next(question for question in session.look()[1] if isinstance(question, HeatmapQuestion)).request
    assert request.lead == (5, 11)


# --- the inspector of a filter


def test_enter_on_a_filter_looks_into_it_and_back():
    query = FakeQuery()
    session = session_of(query)
    do(session, query, "pane", "row_down", "row_down", "row_down", "fold_toggle")
    assert session.scene.screen.name == "filter"
    chosen = session.selection.get(InspectedFilter)
    assert chosen.filter == 3
    (text,) = texts(session)
    assert "Filter 3 of stem 3×3 · Conv2d · 16 filters" in text
    for title in ("norm", "update ratio", "gradient norm", "cosine distance"):
        assert title in text
    assert "13th of 16" in text
    assert "among the 10 that changed most: incident at 100 · class cat at 105 · class dog at 200" in text
    do(session, query, "row_down")
    assert session.selection.get(InspectedFilter).filter == 4
    assert "never among the 10 filters that changed most" in texts(session)[0]
    do(session, query, *["row_down"] * 30)
    assert session.selection.get(InspectedFilter).filter == 15
    assert session.go_back()
    assert session.scene.screen.name == "Layers"
    assert session.scene.pane is session.scene.screen.panes[1]


def test_a_filter_of_a_module_is_looked_for_in_its_layer():
    query = FakeQuery()
    module = next(node for node in query.tree_ if node.name == "block1")
    plain = query.heatmap
    query.heatmap = lambda request: replace(plain(request), labels=np.repeat(np.array(module.layers), 16))
    session = session_of(query)
    session.choose(session.selection.changed(node=module.index))
    answer(session, query)
    do(session, query, "pane", *["row_down"] * 20, "fold_toggle")
    assert session.selection.get(InspectedFilter) == InspectedFilter(module.layers[1], 4)


def test_where_a_filter_acts_is_said_by_class_and_gets_shorter():
    from dtui.model.relations import Event

    events = tuple(Event(label, 10 * at, "x") for label in (None, 0, 1, 2) for at in range(6, 0, -1))
    lines = acts_words(events, ("cat", "dog"))
    assert lines[0].startswith(
        "among the 10 that changed most: incident at 10, 20, 30, 40 and 2 more · class cat at 10"
    )
    assert lines[0].endswith("class 2 at 10, 20, 30, 40 and 2 more")
    assert lines[-1] == "most changed: incident at 10, 20, 30, 40 and 2 more · 3 more classes"


# --- the structure


def test_the_structure_and_the_tree_select_the_same():
    query = FakeQuery()
    session = session_of(query)
    node = next(node.index for node in session.view.tree if node.name == "block0.conv1")
    session.choose(session.selection.changed(node=node))
    do(session, query, "structure")
    assert session.scene.screen.name == "structure"
    (text,) = texts(session)
    selected = next(line for line in text.split("\n")[1:] if line.startswith("▌"))
    assert "block0.conv1" in selected
    assert "×2" in selected
    assert "8 layers, 2 branches, 2 junctions" in text.split("\n")[0]
    assert "⊕" in text
    do(session, query, "row_down")
    assert session.selection.node == node, "a junction is no node of the tree"
    do(session, query, "row_down")
    assert session.view.tree[session.selection.node].name == "block1.conv0"
    do(session, query, "fold_toggle")
    assert session.scene.screen.name == "Layers"
    assert session.view.tree[session.selection.node].name == "block1.conv0"


def test_a_search_in_the_structure_finds_junctions_too():
    query = FakeQuery()
    session = session_of(query)
    do(session, query, "structure")
    session.search("add")
    (text,) = texts(session)
    assert "block0/add" in text
    assert "stem" not in text


async def test_a_line_of_the_list_is_chosen_by_its_key_or_by_enter():
    async with running() as (app, pilot, _):
        await pilot.press("s")
        assert "Statistic of the tree" in screen_text(app)
        await press(app, pilot, "j", "j", "enter")
        chosen = app.session.selection.get(TreeOptions).statistic
        assert chosen == app.session.view.layer_statistics[app.session.view.layer_statistics.index("mean") + 2]
        await press(app, pilot, "s", "1")
        assert app.session.selection.get(TreeOptions).statistic == app.session.view.layer_statistics[0]
        await press(app, pilot, "s", "q")
        assert not app.data_screen.is_covered, "q closes the list, and nothing else"


def test_what_takes_long_is_asked_last():
    session = session_of(FakeQuery())
    asked = session.look()[1]
    slow = [question.is_slow for question in asked]
    assert any(slow)
    assert slow == sorted(slow)
