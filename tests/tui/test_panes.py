"""What a pane may count on, and what the rest may count on when a pane fails."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import dtui.tui
from dtui.tui.app import DtuiApp
from dtui.tui.opening import view_of
from dtui.tui.panes.classes import Classes
from dtui.tui.panes.layers.filters import Filters
from dtui.tui.panes.layers.tree import Tree
from dtui.tui.panes.rows import ListPane
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import GROUPS
from dtui.tui.state.key_steps import STEPS
from dtui.tui.state.mouse import press as press_mouse
from dtui.tui.state.mouse import turn_wheel
from dtui.tui.state.pane import Pane, Screen, Table
from dtui.tui.state.questions import AnomaliesQuestion
from dtui.tui.state.screens.layout import LEAST_ROWS
from dtui.tui.state.session import Session
from tests.tui.driving import at, press, screen_text, until
from tests.tui.fake_query import FakeQuery

NOT_DRAWN = "This pane could not be drawn"


@dataclass(frozen=True)
class Lines(Picture):
    """Some lines, or none that can be drawn."""

    lines: tuple[str, ...] = ()
    fails: bool = False

    def draw(self, frame, iteration=None) -> Cells:
        if self.fails:
            raise OSError("no paint")
        cells = Cells(frame.width, frame.height, frame.theme)
        for y, line in enumerate(self.lines):
            cells.text(1, y, line, frame.theme.text)
        return cells


class Scribbles(ListPane):
    """A pane that knows nothing but what a pane is."""

    name = "scribbles"
    title = "Scribbles"
    is_searchable = True

    def items(self, scene) -> list[str]:
        notes = [anomaly.id for anomaly in scene.view.anomalies]
        return [note for note in notes if scene.selection.search_of(self.name) in note]

    def picture(self, scene) -> Picture:
        return Lines((self.title, *self.items(scene)))


class Failing(Scribbles):
    """Scribbles whose method of a name raises."""

    def __init__(self, method: str) -> None:
        self.method = method

    def __getattribute__(self, name):
        if name == object.__getattribute__(self, "method"):
            raise ZeroDivisionError("1/0")
        return object.__getattribute__(self, name)


class Unpaintable(Scribbles):
    """Scribbles whose picture cannot be drawn."""

    def picture(self, scene) -> Picture:
        return Lines((), fails=True)


def table_with(pane: Pane) -> Table:
    """Return the table with a pane of ours below the tree, which comes first, and on a screen of its own."""
    layers = next(screen for screen in TABLE.screens if isinstance(screen.panes[0], Tree))
    others = [screen for screen in TABLE.screens if screen is not layers]
    tree, filters = layers.panes
    screens = (replace(layers, panes=(tree, pane, filters)), *others, Screen("9", "Scribbles", (pane,)))
    return Table(screens, TABLE.above, TABLE.below, TABLE.inner)


def session_of(table: Table, size=(150, 50)) -> Session:
    query = FakeQuery()
    session = Session(table, view_of(query, 0), *size)
    answer(session, query)
    return session


def answer(session: Session, query: FakeQuery) -> None:
    """Answer what the screen asks for."""
    _, questions = session.look()
    for question in questions:
        session.answered(question, question.ask(query))


def texts(session: Session) -> dict[str, str]:
    """Return what each pane shows, as text, by its name."""
    scene, (pictures, _) = session.scene, session.look()
    frames = {pane: scene.frame_of(pane, DARK, Output()) for pane in pictures}
    cursor = session.selection.cursor
    return {pane.name: to_text(picture.draw(frames[pane], cursor)) for pane, picture in pictures.items()}


def pane_names() -> dict[str, str]:
    """Return the module that defines each pane of the table, by the pane's name."""
    return {pane.name: type(pane).__module__ for pane in TABLE.panes}


def test_no_pane_is_named_outside_its_module():
    names, root = pane_names(), Path(dtui.tui.__file__).parent
    assert len(names) > 8
    assert names["tree"] == Tree.__module__
    found = []
    for path in root.rglob("*.py"):
        module = ".".join(("dtui", "tui", *path.relative_to(root).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text())):
            is_name = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
            if is_name and names[node.value] != module:
                found.append(f"{path.relative_to(root)}:{node.lineno} {node.value!r}")
    assert found == [], "a pane is reached through the table, not by its name"


def test_every_key_has_one_meaning_and_every_step_a_key():
    keys = [key for action in TABLE.actions for key in action.keys]
    assert len(keys) == len(set(keys))
    own = {action for pane in TABLE.panes for action in pane.steps}
    assert own | set(STEPS) | set(TABLE.steps) <= TABLE.by_id.keys()
    assert {action.group for action in TABLE.actions} == set(GROUPS)


@pytest.mark.parametrize("pane", [p for screen in TABLE.screens for p in screen.panes], ids=lambda pane: pane.name)
def test_the_key_bar_names_keys_that_exist(pane):
    session = session_of(TABLE)
    session.choose(session.scene.with_pane(pane))
    pictures, _ = session.look()
    bar = pictures[TABLE.below[-1]]
    keys = dict(bar.keys)
    assert [key for key, _ in bar.last] == ["?", "q"]
    assert all(words in keys.values() for _, words in pane.keys(session.scene))
    assert ("/" in keys) == pane.is_searchable


def test_a_screen_is_a_line_of_the_table():
    session = session_of(
        Table((*TABLE.screens, Screen("9", "Scribbles", (Scribbles(),))), TABLE.above, TABLE.below, TABLE.inner)
    )
    assert session.table.by_id["screen_scribbles"].keys == ("9",)
    session.perform("screen_scribbles")
    answer(session, FakeQuery())
    pictures, questions = session.look()
    (notes,) = session.scene.screen.panes
    assert pictures[notes].lines[:2] == ("Scribbles", "class-left-0-100-lost")
    assert {type(question) for question in questions} >= {AnomaliesQuestion}
    assert notes.height(session.scene) == 50 - 6 - session.scene.layout.curves, "it has the room to itself"
    tabs = next(picture for pane, picture in pictures.items() if pane is TABLE.above[0]).tabs
    assert [tab[1] for tab in tabs] == [*(screen.name for screen in TABLE.screens), "Scribbles"]
    for action, row in (("row_down", 1), ("last", 2), ("row_down", 2), ("first", 0), ("pane", 0), ("page_down", 2)):
        session.perform(action)
        assert notes.row(session.scene) == row, action
    assert session.searched is notes
    session.search("gained")
    assert (notes.items(session.scene), notes.row(session.scene)) == (["class-left-1-105-gained"], 0)
    assert session.go_back()
    for action in ("normalise", "source"):
        session.perform(action)
        assert session.message.split(": ")[1].startswith("not here, but on 2 Layers")
    session.perform("log_scale")
    assert session.message == "curves on a logarithmic scale"


def test_a_row_is_found_under_a_point():
    session = session_of(TABLE)
    session.perform("screen_layers")
    answer(session, FakeQuery())
    tree, filters = session.scene.screen.panes
    assert [tree.row_at(session.scene, y) for y in range(5)] == [None, None, 0, 1, 2], "words, then the tree"
    assert tree.row_at(session.scene, tree.height(session.scene) - 1) is None, "the selected row in words"
    session.perform("other_view")
    assert [tree.row_at(session.scene, y) for y in range(5)] == [None, None, 0, 0, 1]
    first = tree.window(session.scene.selection)
    scrolled = session.scene.at(session.selection.with_rows(tree.name, replace(first, first=7)))
    assert [tree.row_at(scrolled, y) for y in range(5)] == [None, None, 7, 7, 8]
    rows = [filters.row_at(session.scene, y) for y in range(filters.height(session.scene))]
    assert rows[0] is None
    assert [row for row in rows[1:-1] if row is not None] == sorted(rows[1:-1])
    assert {0, 14} <= set(rows[1:-1]) <= set(range(16))
    assert rows[-1] is None, "what stands out, in words"


def test_an_action_reaches_the_first_screen_that_understands_it():
    session = session_of(TABLE)
    session.reach("clusters")
    assert any(isinstance(pane, Classes) for pane in session.scene.screen.panes)
    session.reach("chart")
    assert any(isinstance(pane, Tree) for pane in session.scene.screen.panes)
    session.reach("zoom_in")
    assert any(isinstance(pane, Tree) for pane in session.scene.screen.panes), "which works everywhere"


@pytest.mark.parametrize(
    ("method", "is_told"),
    [
        *((name, True) for name in ("settle", "items", "window", "wanted", "picture", "is_shown", "steps")),
        *(
            (name, False) for name in ("begin", "show", "answered", "said")
        ),  # it is told, and works again with the next key
    ],
)
def test_a_pane_that_raises_is_told_and_the_others_go_on(method, is_told, caplog):
    session, plain = session_of(table_with(Failing(method))), session_of(table_with(Scribbles()))
    failing, notes = session.scene.screen.panes[1], plain.scene.screen.panes[1]
    for one in (session, plain):
        for action in ("row_down", "statistic", "chart", "entry_next", "entry_next", "zoom_in", "page_down"):
            one.perform(action)
        answer(one, FakeQuery())
        one.perform("column_left")
    assert session.selection.node == plain.selection.node > 1
    assert session.selection.cursor == plain.selection.cursor
    shown, expected = texts(session), texts(plain)
    assert "the pane 'scribbles' failed" in caplog.text, "with its traceback"
    for name in expected.keys() - {failing.name, "bar"}:
        assert shown[name] == expected[name], name
    if is_told:
        assert NOT_DRAWN in shown[failing.name]
        assert "ZeroDivisionError; details are in the log" in shown[failing.name]
    else:
        assert shown[failing.name] == expected[notes.name]


def test_a_pane_whose_height_raises_is_not_hidden():
    session = session_of(table_with(Failing("needed")))
    failing = session.scene.screen.panes[1]
    assert failing.height(session.scene) >= LEAST_ROWS
    assert NOT_DRAWN in texts(session)[failing.name]


@pytest.mark.parametrize("method", ["begin", "show", "answered"])
def test_what_fails_once_is_told_until_something_else_happens(method):
    session = session_of(table_with(Failing(method)))
    if method == "begin":
        session = Session(session.table, session.view, 150, 50)
    elif method == "show":
        session.perform("entry_previous")
    assert NOT_DRAWN in texts(session)["scribbles"]
    assert session.message == "Scribbles: ZeroDivisionError; details are in the log"
    session.perform("column_left")
    assert NOT_DRAWN not in texts(session)["scribbles"]
    assert session.message == ""


def test_a_key_whose_step_raises_selects_nothing_and_says_so():
    session = session_of(table_with(Failing("select")))
    failing = session.scene.screen.panes[1]
    session.choose(session.scene.with_pane(failing))
    before = session.selection
    session.perform("row_down")
    assert session.selection == before
    assert session.message == "Scribbles: ZeroDivisionError; details are in the log"
    session.perform("pane")
    assert isinstance(session.scene.pane, Filters)
    assert session.message == ""


@pytest.mark.parametrize("method", ["row_at", "row", "select", "press", "rows"])
def test_a_press_and_the_wheel_on_a_pane_that_raises_move_the_crosshair_or_nothing(method):
    session = session_of(table_with(Failing(method)))
    failing, scene = session.scene.screen.panes[1], session.scene
    for x, y in ((3, 2), (100, 2)):
        press_mouse(session, failing, scene.frame_of(failing, DARK, Output()), x, y, is_drag=False)
    assert session.scene.axis.column_of(session.selection.cursor) == 100 - scene.layout.gutter
    turn_wheel(session, failing, 1, with_control=False)
    session.perform("row_down")
    assert session.message in ("", "Scribbles: ZeroDivisionError; details are in the log")
    press_mouse(
        session, session.table.screens[0].panes[0], scene.frame_of(failing, DARK, Output()), 3, 3, is_drag=False
    )
    assert isinstance(session.scene.pane, Tree)
    assert session.selection.node == 1


@pytest.mark.parametrize("pane", [Failing("settle"), Failing("picture"), Failing("wanted"), Unpaintable()])
async def test_the_app_goes_on_without_a_pane_that_raises(pane):
    app = DtuiApp(Path("fake.dtui"), open_=lambda _: FakeQuery(), table=table_with(pane))
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: app.session is not None and "Filters" in screen_text(app))
        assert screen_text(app).count(NOT_DRAWN) == 1
        await press(app, pilot, "j", "tab", "tab", "j")
        assert screen_text(app).count(NOT_DRAWN) == 1
        assert "mean of weights" in screen_text(app)
        filters = app.session.scene.pane
        assert isinstance(filters, Filters)
        assert filters.row(app.session.scene) == filters.step(app.session.scene)
        for place in (30, 35, 40):
            await pilot.click(offset=at(app, "scribbles", 3, 1))
            await pilot.click(offset=at(app, "tree", place, 2))
        await press(app, pilot, "3")
        assert NOT_DRAWN not in screen_text(app)
        assert "Classes" in screen_text(app)


@pytest.mark.parametrize(
    ("screens", "twice"),
    [
        ((Screen("1", "One", (Scribbles(),)), Screen("2", "Two", (Scribbles(),))), "scribbles"),
        ((Screen("1", "One", (Scribbles(),)), Screen("j", "Two", (Tree(),))), "j"),
    ],
)
def test_a_name_means_one_pane_and_a_key_one_action(screens, twice):
    with pytest.raises(ValueError, match=f"in the table of screens twice: {twice}$"):
        Table(screens, (), ())
    shared = Scribbles()
    assert Table((Screen("1", "One", (shared,)), Screen("2", "Two", (shared,))), (), ()).panes == (shared,)
