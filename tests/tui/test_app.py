"""Keys, presses and events in the running app, on a fake run."""

from __future__ import annotations

import dataclasses
import re
import shlex
import threading
from itertools import pairwise, starmap
from pathlib import Path

import pytest

from dtui.errors import RunNotFoundError, RunRemovedError
from dtui.model import RunStatus
from dtui.tui.app import DtuiApp
from dtui.tui.panes.layers.filters import FiltersOptions, HeatmapQuestion
from dtui.tui.panes.layers.tree import TreeOptions
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.panes.curves import CurvesPicture
from dtui.tui.screens import base
from dtui.tui.state.places.link import Link, copied_words
from dtui.tui.terminal.textual_patch import paint_at_once
from dtui.tui.widgets.drawn import changed_regions
from tests.tui.driving import at, is_complete, press, running, screen_text, until
from tests.tui.fake_query import FakeQuery


async def test_it_begins_on_the_strongest_incident_of_a_finished_run():
    async with running(screen=None) as (app, pilot, _):
        await until(pilot, lambda: app.session.selection.entry is not None)
        assert app.session.selection.entry == "incident-200-class-class2"
        assert app.session.selection.cursor == 200
        assert "the error of bird rose from 1 % to 60 %" in screen_text(app)


async def test_keys_move_rows_panes_and_screens():
    async with running() as (app, pilot, _):
        await press(app, pilot, "j", "j")
        assert app.session.view.tree[app.session.selection.node].name == "block0.conv0"
        await press(app, pilot, "tab", "j")
        assert (app.session.scene.pane.name, app.session.scene.pane.row(app.session.scene)) == ("filters", 1)
        await press(app, pilot, "3")
        assert app.session.scene.pane.name == "classes"
        assert "Classes" in screen_text(app)
        await press(app, pilot, "2", "g")
        assert app.session.selection.node == 0


async def test_going_to_another_screen_draws_anew_only_what_differs(monkeypatch):
    drawn = []
    monkeypatch.setattr(CurvesPicture, "draw", lambda *args, own=CurvesPicture.draw: drawn.append(args) or own(*args))
    async with running(screen="1") as (app, pilot, _):
        await press(app, pilot, "3")
        await press(app, pilot, "4")
        before = len(drawn)
        shown = [app.data_screen.board.cells]
        monkeypatch.setattr(base, "paint_at_once", lambda *args: shown.append(args[1]) or paint_at_once(*args))
        await press(app, pilot, "3")
        assert len(drawn) == before, "the curves stand on both"
        (regions,) = filter(None, starmap(changed_regions, pairwise(shown)))
        curves = app.data_screen.board.places["curves"]
        assert not any(curves.y <= region.y < curves.y + curves.frame.height for region in regions)


async def test_every_key_of_the_registry_works():
    """On one screen; `test_fuzz` presses them on all."""
    async with running() as (app, pilot, _):
        await press(app, pilot, "3")
        name = app.session.scene.screen.name
        for action in TABLE.actions:
            if action.id in ("quit", "leave"):
                continue
            for key in action.keys:
                await pilot.press(key)
                if app.data_screen.is_covered:
                    await pilot.press("escape")
                await until(pilot, lambda app=app: is_complete(app))
                assert "could not be drawn" not in screen_text(app), key
                if app.session.scene.screen.name != name:
                    await press(app, pilot, "3")


async def test_flag_dismiss_note_and_undo_reach_the_run():
    async with running() as (app, pilot, query):
        await until(pilot, lambda: app.session.selection.entry is not None)
        await press(app, pilot, "f")
        await until(pilot, lambda: query.decided)
        assert query.decided == [("incident-200-class-class2", "flagged", None)]
        await press(app, pilot, "N", "x")
        assert app.session.selection.entry == "incident-200-class-class2", "it went on to the next"
        await until(pilot, lambda: len(query.decided) == 2)
        await press(app, pilot, "u")
        await until(pilot, lambda: len(query.decided) == 3)
        assert query.decided[-1][:2] == ("incident-105-class-class1", "new")
        assert app.session.selection.cursor == 105, "undo shows what it took back"
        await pilot.press("m", *"odd", "enter")
        await until(pilot, lambda: len(query.decided) == 4)
        assert query.decided[-1] == ("incident-105-class-class1", "new", "odd")


async def test_a_decision_says_what_it_was_about_and_needs_the_crosshair_on_it():
    async with running() as (app, pilot, query):
        await press(app, pilot, "f")
        assert "flagged: class bird at 200; 2 to review, u takes it back" in screen_text(app)
        await press(app, pilot, "left", "x")
        assert "the incident at 200: n goes to the next" in screen_text(app)
        await until(pilot, lambda: query.decided)
        assert len(query.decided) == 1


async def test_marked_rows_are_decided_together_and_taken_back_together():
    async with running(screen=None) as (app, pilot, query):
        await press(app, pilot, "g", "space", "space", "x")
        await until(pilot, lambda: len(query.decided) == 2)
        assert [found.status for found in app.session.view.incidents] == ["dismissed", "dismissed", "new"]
        assert "dismissed: 2 marked; 1 to review" in screen_text(app)
        await press(app, pilot, "u", "asterisk", "f")
        await until(pilot, lambda: len(query.decided) == 7)
        assert {found.status for found in app.session.view.incidents} == {"flagged"}


async def test_the_anomalies_of_the_paper_are_reviewed_in_the_same_way():
    async with running(screen=None) as (app, pilot, query):
        await press(app, pilot, "L", "g", "f")
        await until(pilot, lambda: query.decided)
        assert query.decided == [("class-left-0-100-lost", "flagged", None)]
        await press(app, pilot, "n", "n", "n")
        assert app.session.selection.entry == "class-left-2-200-lost"
        assert "no later anomalies" in screen_text(app)
        await press(app, pilot, "L")
        assert "3 incidents" in screen_text(app)


async def test_enter_on_an_incident_goes_where_it_is_seen_best():
    async with running(screen=None) as (app, pilot, _):
        await press(app, pilot, "enter")
        assert (app.session.scene.screen.name, app.session.selection.class_index) == ("Validation", 2)


async def test_a_decision_that_cannot_be_written_is_said_and_taken_back():
    async with running() as (app, pilot, query):
        await until(pilot, lambda: app.session.selection.entry is not None)
        query.decide = lambda *_: (_ for _ in ()).throw(PermissionError("triage.jsonl: no permission"))
        await press(app, pilot, "f")
        await until(pilot, lambda: "no permission" in screen_text(app))
        await until(pilot, lambda: app.session.targets()[0].status == "new")


async def test_an_answer_that_fails_is_a_line_on_the_screen():
    async with running() as (app, pilot, query):
        query.fail_with = RuntimeError("HDF5 [bold]fell[/] over\x1b[2J")
        await pilot.press("tab", "o")
        await until(pilot, lambda: "fell" in screen_text(app))
        assert "HDF5 [bold]fell[/] over" in screen_text(app)
        assert "\x1b" not in screen_text(app)
        query.fail_with = None
        await press(app, pilot, "o")
        assert app.session.answers.get(HeatmapQuestion).request.sort == "peak"


async def test_search_filters_while_typing_and_escape_takes_it_back():
    async with running() as (app, pilot, _):
        await pilot.press("slash", *"conv1")
        await until(pilot, lambda: "conv0" not in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.session.current_search == "")
        await pilot.press("slash", *"!conv", "enter")
        await until(pilot, lambda: "conv0" not in screen_text(app))
        await press(app, pilot, "escape")
        assert app.session.current_search == ""


async def test_a_bad_regex_is_said_and_hides_nothing():
    async with running() as (app, pilot, _):
        await pilot.press("slash", *"con[")
        await until(pilot, lambda: "not a regular expression" in screen_text(app))
        await pilot.press("enter")
        assert app.screen.command_line.is_asking, "Enter does not take a wrong line"
        await pilot.press("escape")
        await until(pilot, lambda: app.session.current_search == "")


async def test_the_cursor_repaints_columns_not_panes():
    async with running() as (app, pilot, _):
        await press(app, pilot, "right")
        before = len(app.loader._asked)
        board, filters = app.data_screen.board, app.data_screen.board.places["filters"]
        before_ = board.cells
        await press(app, pilot, "right")
        assert len(app.loader._asked) == before
        differs = (board.cells.bg != before_.bg)[filters.y + 1 : filters.y + filters.frame.height - 1]
        assert differs[:, : filters.frame.gutter].any(), "the readout"
        assert not differs[:, filters.frame.gutter :].any()


async def test_mouse_moves_crosshair_selects_folds_and_scrolls():
    async with running() as (app, pilot, _):
        await pilot.mouse_down(offset=at(app, "filters", 100, 5))
        await pilot.mouse_up(offset=at(app, "filters", 100, 5))
        await until(pilot, lambda: app.session.scene.pane.name == "filters")
        axis_column = app.session.selection.cursor
        assert abs(axis_column - (100 - 54 + 0.5) / 96 * 1000) < 10
        await pilot.click(offset=at(app, "tree", 10, 3))
        await until(pilot, lambda: app.session.view.tree[app.session.selection.node].name == "block0")
        await pilot.click(offset=at(app, "tree", 10, 3))
        await until(pilot, lambda: app.session.selection.node in app.session.selection.get(TreeOptions).folded)
        await pilot.click(offset=(screen_text(app).index("Validation"), 0))
        await until(pilot, lambda: app.session.scene.screen.name == "Validation")


async def test_a_press_on_a_key_of_the_bar_is_that_key_unless_it_decides_or_leaves():
    async with running() as (app, pilot, _):

        async def press_on(words: str, further: int = 0) -> None:
            await pilot.click(offset=(screen_text(app).splitlines()[-1].index(words) + further, 49))
            await pilot.pause()

        await pilot.press("T")
        await until(pilot, lambda: app.session.scene.screen.name == "structure")
        await press_on("q back", 3)
        await until(pilot, lambda: app.session.scene.screen.name == "Layers")
        row = app.session.scene.pane.row(app.session.scene)
        await press_on("j/k select")
        await until(pilot, lambda: app.session.scene.pane.row(app.session.scene) == row + 1)
        await press_on("j/k select", 2)
        await until(pilot, lambda: app.session.scene.pane.row(app.session.scene) == row)
        await press_on("q quit")
        await until(pilot, lambda: "q leaves" in screen_text(app))
        await pilot.press("right")
        await press_on("? help")
        await until(pilot, lambda: app.data_screen.overlay.is_open)


async def test_a_press_decides_nothing():
    async with running(screen=None) as (app, pilot, _):
        await press(app, pilot, "n")
        assert app.session.selection.entry is not None
        before = app.session.view.find_entry(app.session.selection.entry).status
        for words, key in (("f flag", "f"), ("x dismiss", "x")):
            await press(app, pilot, "right", "left")
            await pilot.click(offset=(screen_text(app).splitlines()[-1].index(words), 49))
            await until(pilot, lambda key=key: f"press {key}: what is decided is decided by key" in screen_text(app))
        assert app.session.view.find_entry(app.session.selection.entry).status == before


async def test_names_from_outside_are_harmless():
    names = ("[@click=app.bell]x[/]", "\x1b]0;title\x07red\x1b[31m", "a‮b\u200bc", "[/nope]")
    tree = tuple(
        dataclasses.replace(node, name=name, label=name)
        for node, name in zip(FakeQuery().tree_, names * 3, strict=False)
    )
    query = FakeQuery(classes=names, tree=tree)
    async with running(query) as (app, pilot, _):
        for keys in (["3"], ["l"], ["j"], ["n"], ["c"], ["2"]):
            await press(app, pilot, *keys)
            text = screen_text(app)
            assert not set(text) & {"\x1b", "\x07", "‮", "\u200b"}
        await press(app, pilot, "3", "N", "N")
        assert "[@click=app.bell]x[/]" in screen_text(app)
        await pilot.press("ctrl+p", *"click")
        await until(pilot, lambda: "class [@click=app.bell]x[/]" in screen_text(app))
        await pilot.press("escape")


@pytest.mark.parametrize("size", [(20, 5), (59, 16), (60, 15), (1, 1)])
async def test_too_small_is_said_and_recovers(size):
    async with running() as (app, pilot, _):
        before = screen_text(app)
        await pilot.resize_terminal(*size)
        await until(pilot, lambda: app.session.scene.layout.is_too_small)
        if size[0] >= 20:
            assert "too small" in screen_text(app)
        await pilot.press("j", "right", "3", "2", "k")
        await pilot.resize_terminal(150, 50)
        await until(pilot, lambda: is_complete(app) and "Layers" in screen_text(app))
        assert screen_text(app).splitlines()[0] == before.splitlines()[0]


async def test_an_empty_live_run_waits_and_fills_in_by_itself():
    query = FakeQuery(records=0, live=True)
    async with running(query) as (app, pilot, _):
        assert "Waiting for the first record" in screen_text(app)
        await pilot.press("j", "n", "f", "right", "3", "plus", "z", "2", "z")
        query.records, query.changed = 60, True
        await until(pilot, lambda: is_complete(app) and "Filters" in screen_text(app))
        assert app.session.selection.follow
        assert app.session.selection.cursor == query.last


async def test_a_live_run_grows_under_a_selection_that_stays_and_ends():
    query = FakeQuery(records=100, live=True)
    async with running(query) as (app, pilot, _):
        await press(app, pilot, "j", "j", "left")
        selection = app.session.selection
        query.records, query.changed = 103, True
        await until(pilot, lambda: app.session.view.info.records == 103)
        assert app.session.selection == selection
        assert "live" in screen_text(app).splitlines()[0]
        await press(app, pilot, "G")
        query.records, query.changed = 104, True
        await until(pilot, lambda: app.session.selection.cursor == query.last)
        query.live = False
        await until(pilot, lambda: app.session.view.info.status == RunStatus.DONE)
        assert "done" in screen_text(app).splitlines()[0]


@pytest.mark.parametrize("has_bell", [False, True])
async def test_a_new_incident_of_a_live_run_is_told_in_place_and_rings_where_asked(has_bell):
    query = FakeQuery(records=51, live=True)
    query.found = 1
    async with running(query, screen=None, bell=has_bell) as (app, pilot, _):
        rung = []
        app.bell = lambda: rung.append(1)
        await press(app, pilot, "k")
        selection = app.session.selection
        query.found, query.records, query.changed = 3, 52, True
        await until(pilot, lambda: len(app.session.view.incidents) == 3)
        assert "new: ▼ class bird at 200 and 1 more" in screen_text(app)
        assert app.session.selection.entry == selection.entry, "nobody's selection is moved"
        assert len(rung) == has_bell


async def test_a_live_run_that_goes_on_from_a_checkpoint_is_shorter_for_a_while():
    query = FakeQuery(records=100, live=True)
    async with running(query) as (app, pilot, _):
        await press(app, pilot, "G")
        query.records, query.joins, query.changed = 61, (60 * query.every,), True
        await until(pilot, lambda: app.session.view.info.records == 61 and is_complete(app))
        assert app.session.selection.cursor == query.last
        assert "resumed here" in screen_text(app)
        await press(app, pilot, "left")
        assert "resumed here" not in screen_text(app)
        assert "»" in screen_text(app)


async def test_without_validations_it_says_what_to_add():
    async with running(FakeQuery(classes=())) as (app, pilot, _):
        await press(app, pilot, "3")
        assert "recorder.validation(loader)" in screen_text(app)


async def test_a_run_that_cannot_be_opened_ends_the_app_with_its_error():
    def fail(path):
        raise RunNotFoundError(f"{path}: no run here")

    from pathlib import Path

    app = DtuiApp(Path("nothing"), open_=fail)
    async with app.run_test() as pilot:
        while app.error is None:
            await pilot.pause(0.01)
    assert isinstance(app.error, RunNotFoundError)


async def test_quit_goes_back_step_by_step_and_closes_the_run():
    async with running() as (app, pilot, query):
        await press(app, pilot, "tab", "plus", "z")
        await press(app, pilot, "q")
        assert not app.session.selection.maximised
        await press(app, pilot, "q")
        assert app.session.selection.window is None
        await press(app, pilot, "q")
        assert app.session.scene.pane.name == "tree"
        await pilot.press("q")
        await until(pilot, lambda: app._exit)
    assert query.closed


TYPED = {" ": "space", ":": "colon", ".": "full_stop", ",": "comma", "/": "slash"}


async def go(app, pilot, line: str) -> None:
    """Type a line behind the colon, and take the first suggestion."""
    await pilot.press("colon", *[TYPED.get(letter, letter) for letter in line])
    await pilot.press("enter")
    await until(pilot, lambda: not app.screen.command_line.is_asking)


async def test_the_colon_goes_to_places_statistics_and_actions():
    async with running() as (app, pilot, _):
        for words, check in (
            ("layers: norm2", lambda selection: selection.get(TreeOptions).statistic == "norm2"),
            ("filters: update ratio", lambda selection: selection.get(FiltersOptions).statistic == "update_ratio"),
            ("block2.conv1", lambda selection: selection.node == 9),
            (
                "f7",
                lambda _: (
                    app.session.scene.pane.name == "filters" and app.session.scene.pane.row(app.session.scene) == 7
                ),
            ),
            ("class fish", lambda selection: selection.class_index == 3 and selection.screen == 2),
            ("505", lambda selection: selection.cursor == 505),
            ("1,004", lambda selection: selection.cursor == 995),
            ("maximise", lambda selection: selection.maximised),
        ):
            await go(app, pilot, words)
            assert check(app.session.selection), words


async def test_a_line_that_means_nothing_says_so_and_loses_nothing():
    async with running() as (app, pilot, _):
        before = app.session.selection
        await go(app, pilot, "nonsense")
        assert "nonsense: no iteration, layer, class or action is called so" in screen_text(app)
        assert app.session.selection == before
        await pilot.press("colon", *"505")
        await until(pilot, lambda: "iteration 505" in screen_text(app))
        await press(app, pilot, "escape")
        assert app.session.selection == before


async def test_suggestions_show_the_key_and_are_chosen_with_the_arrows():
    async with running() as (app, pilot, _):
        await pilot.press("colon", *"screen")
        await pilot.press("escape")
        await pilot.press("colon", *"conv1")
        await until(pilot, lambda: "block0.conv1" in screen_text(app))
        assert "block2.conv1" in screen_text(app)
        await pilot.press("down", "down", "enter")
        assert app.session.view.tree[app.session.selection.node].name == "block2.conv1"
        await pilot.press("colon", *"log")
        await until(pilot, lambda: re.search("log scale +Y +Curves on a logarithmic scale", screen_text(app)))
        await pilot.press("escape")


async def test_a_link_is_copied_and_opens_the_same_place():
    async with running() as (app, pilot, _):
        copied = []
        app.copy_to_clipboard = copied.append
        await go(app, pilot, "505")
        await go(app, pilot, "block2.conv1")
        await press(app, pilot, "y")
        run = Path("fake.dtui").absolute()
        assert copied == [shlex.join(["dtui", str(run), "--at", "505", "--layer", "block2.conv1"])]
        assert f"copied: {copied[0]}" in screen_text(app)
        await press(app, pilot, "3", "N", "y")
        assert copied[1] == shlex.join(["dtui", str(run), "--at", "200", "--class", "bird"])
        app.path = deep = Path("/scratch/of somebody", "deep" * 40, "a.dtui")
        await press(app, pilot, "y")
        assert copied[2] == shlex.join(["dtui", str(deep), "--at", "200", "--class", "bird"])
        shown = screen_text(app).splitlines()[-1].rstrip()
        assert shown.startswith(" copied: dtui '/scratch/of somebody/deep")
        assert shown.endswith("a.dtui' --at 200 --class bird")
        run, place = (
            Path("/runs/a.dtui"),
            f"--layer {'encoder.' * 9}end --incident incident-200-{'x' * 40} --screen cube",
        )
        shown = copied_words(f"dtui {run} --at 200 {place}", run, 78)
        assert re.fullmatch(r"copied: dtui … --at 200 --layer en\S+end --incident inc\S+xx --screen cube", shown)
        assert len(shown) <= 78
    link = Link(at=505, layer="block2.conv1", filter=3)
    async with running(screen=None, link=link) as (app, pilot, _):
        assert (app.session.selection.cursor, app.session.selection.node) == (505, 9)
        assert app.session.scene.pane.name == "filters"
        assert app.session.scene.pane.row(app.session.scene) == 3


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (Link(at=507), "nothing was recorded at 507; this is the nearest"),
        (Link(layer="block2.conv7"), "there is no layer block2.conv7: this is block2"),
        (Link(layer="nothing"), "there is no layer nothing"),
        (Link(class_name="[b]x\x1b"), "there is no class [b]x"),
        (Link(layer="stem", filter=99), "there is no filter 99: the layer has 16"),
    ],
)
async def test_a_link_to_what_is_not_there_opens_the_nearest_and_says_so(link, said):
    async with running(screen=None, link=link) as (app, _, _query):
        assert said in screen_text(app)
        assert "\x1b" not in screen_text(app)


async def test_help_shows_every_action():
    async with running(size=(150, 90)) as (app, pilot, _):
        await pilot.press("question_mark")
        await until(pilot, lambda: app.data_screen.is_covered)
        text = screen_text(app)
        assert all(action.help in text for action in TABLE.actions)
        await pilot.press("escape")
        await until(pilot, lambda: not app.data_screen.is_covered)


async def test_q_and_ctrl_c_leave_while_the_run_is_opening():
    for key in ("q", "ctrl+c"):
        is_opened = threading.Event()
        app = DtuiApp(Path("slow.dtui"), open_=lambda _, wait=is_opened.wait: wait() and FakeQuery())
        async with app.run_test() as pilot:
            await pilot.press(key)
            is_opened.set()
            assert app._exit


async def test_ctrl_c_closes_what_lies_over_the_data():
    async with running() as (app, pilot, query):
        await until(pilot, lambda: app.session.selection.entry is not None)
        for key in ("m", "slash", "question_mark", "ctrl+p"):
            await pilot.press(key)
            await until(pilot, lambda app=app: app.data_screen.is_covered)
            await pilot.press("ctrl+c")
            await until(pilot, lambda app=app: is_complete(app))
        assert not query.decided
        assert not app._exit
        await pilot.press("ctrl+c")
        assert app._exit


async def test_where_detectors_cannot_judge_yet_their_sentence_is_shown(growing_run):
    growing_run.grow(4)
    app = DtuiApp(growing_run.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "4 records, the detectors need 12; nothing is judged yet" in screen_text(app))
        await press(app, pilot, "n")
        assert "no later incidents" in screen_text(app), "NaN is seen at once"
        await press(app, pilot, "L")
        await until(pilot, lambda: "4 validations, the rules need 6; flips are not judged" in screen_text(app))
        await press(app, pilot, "n")
        assert "no anomalies to review: 4 validations, the rules need 6" in screen_text(app)
        growing_run.grow(4)
        await until(pilot, lambda: "to review" in screen_text(app))


async def test_a_screen_that_is_asked_for_while_the_run_is_opening_is_shown_then():
    is_opened = threading.Event()
    app = DtuiApp(Path("slow.dtui"), open_=lambda _: is_opened.wait() and FakeQuery())
    async with app.run_test() as pilot:
        await pilot.press("x", "3")
        is_opened.set()
        await until(pilot, lambda: is_complete(app))
        assert app.session.scene.screen.name == "Validation"


async def test_a_run_that_is_gone_is_said_until_it_is_back():
    async with running() as (app, pilot, query):
        kept, gone = query.refresh, RunRemovedError("fake.dtui: the run was removed while it was read; open another")

        def refresh():
            raise gone

        query.refresh = refresh
        app.loader.poll()
        await until(
            pilot, lambda: "the run was removed; one that comes back in its place opens here" in screen_text(app)
        )
        await press(app, pilot, "j")
        assert "✗ gone" in screen_text(app)
        assert "the run was removed" not in screen_text(app)
        query.refresh = kept
        app.loader.poll()
        await until(pilot, lambda: "gone" not in screen_text(app))
