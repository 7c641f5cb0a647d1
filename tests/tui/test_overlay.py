"""What lies over the panes: it has the keyboard and paints its own cells; and keys that wait are painted once."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest
from textual.containers import Horizontal
from textual.events import Key
from textual.geometry import Region
from textual.widgets import Input

from dtui.heap import give_back, share_one_heap
from dtui.tui.app import DtuiApp
from dtui.tui.panes.layers.tree import TreeOptions
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.screens.base import DataScreen
from dtui.tui.widgets.board import MOST_DRAWINGS, Board
from dtui.tui.widgets.command_line import CommandLine, Line
from tests.bench.pressing import resident_mb
from tests.tui.driving import at, press, running, screen_text, until
from tests.tui.fake_query import FakeQuery


async def test_help_and_lists_paint_nothing_of_the_panes(monkeypatch):
    async with running(size=(200, 70)) as (app, pilot, _):
        screen, whole, put = app.data_screen, [], []
        monkeypatch.setattr(screen.board, "put", lambda *args: put.append(args))
        monkeypatch.setattr(screen._compositor, "render_full_update", lambda **_: whole.append(1))
        for key in ("question_mark", "s"):
            await pilot.press(key)
            await until(pilot, lambda: screen.overlay.is_open)
            await pilot.press("j", "j", "escape")
            await until(pilot, lambda: not screen.overlay.is_open)
        assert not whole
        assert len(put) <= 2, "at most one look at the panes for each key that opens"


async def test_help_is_painted_though_its_place_is_asked_for_before_it_is_laid_out(monkeypatch):
    """The focus asks where its widget is; that comes before the layout where the processor is busy."""
    async with running() as (app, pilot, _):
        compositor, overlay, painted = app.data_screen._compositor, app.data_screen.overlay, []
        render = compositor.render_update

        def note(**wishes):
            painted.extend(compositor._dirty_regions)
            return render(**wishes)

        monkeypatch.setattr(compositor, "render_update", note)
        compositor._full_map_invalidated = True  # as it is until somebody asks
        app.perform("help")
        assert overlay.region
        await until(pilot, lambda: overlay.region in painted)


async def test_under_help_no_key_reaches_the_panes():
    async with running() as (app, pilot, _):
        before = app.session.selection
        await pilot.press("question_mark")
        assert "every key" in screen_text(app)
        await pilot.press("3", "f", "n", "right", "slash", "space", "tab")
        await pilot.pause()
        assert app.session.selection == before
        assert app.data_screen.overlay.is_open
        assert not app.screen.command_line.is_asking
        await press(app, pilot, "q")
        assert not app.data_screen.is_covered
        assert not app._exit
        await press(app, pilot, "3")
        assert app.session.scene.screen.name == "Validation"


async def test_help_begins_with_the_keys_of_the_pane_that_has_the_keyboard():
    async with running(size=(80, 24)) as (app, pilot, _):
        await pilot.press("question_mark")
        text = screen_text(app).split("\n")
        assert "Layers: the pane with the keyboard" in text[1]
        assert text[2].split()[1] in ("s", "t")


@pytest.mark.parametrize("size", [(60, 16), (200, 60)])
async def test_what_lies_over_the_panes_follows_the_size_of_the_screen(size):
    async with running(size=(120, 40)) as (app, pilot, _):
        await pilot.press("question_mark")
        await pilot.resize_terminal(*size)
        await until(pilot, lambda: app.session.scene.size == size)
        await until(pilot, lambda: screen_text(app).count("Esc closes ─") == 1)
        region = app.data_screen.overlay.region
        assert region.right <= size[0]
        assert region.bottom <= size[1]


async def test_a_press_on_a_line_chooses_it_and_one_beside_the_list_closes_it():
    async with running() as (app, pilot, _):
        await pilot.press("s")
        rows = screen_text(app).split("\n")
        place = next((row.index("std"), y) for y, row in enumerate(rows) if " std" in row and "│" in row)
        await pilot.click(offset=place)
        await until(pilot, lambda: not app.data_screen.is_covered)
        assert app.session.selection.get(TreeOptions).statistic == "std"
        before = app.session.selection
        await pilot.press("s")
        await pilot.click(offset=at(app, "tree", 2, 3))
        await until(pilot, lambda: not app.data_screen.is_covered)
        assert app.session.selection == before


async def test_keys_that_wait_are_taken_before_the_next_paint(monkeypatch):
    async with running() as (app, pilot, _):
        shown, cursor = [], app.session.selection.cursor
        monkeypatch.setattr(app.data_screen, "show", lambda *_: shown.append(app.session.selection.cursor))
        for _ in range(5):
            app.perform("column_left")
        await until(pilot, lambda: shown)
        assert app.session.selection.cursor < cursor
        assert shown[0] == app.session.selection.cursor, "the last place at once"


def nodes_asked(query: FakeQuery, monkeypatch) -> list[int]:
    """Note which nodes' filters are asked for over time, from now on."""
    nodes, heatmap = [], query.heatmap

    def noting(request):
        if request.axis.columns > 1:
            nodes.append(request.node)
        return heatmap(request)

    monkeypatch.setattr(query, "heatmap", noting)
    return nodes


async def test_while_a_key_is_held_the_panes_beside_wait_for_the_last_row(monkeypatch):
    monkeypatch.setattr("dtui.tui.asking.HELD_RESTS_SECONDS", 1000)
    async with running() as (app, pilot, query):
        monkeypatch.setattr("dtui.tui.asking.HELD_SECONDS", 1000)
        nodes = nodes_asked(query, monkeypatch)
        for _ in range(3):
            await pilot.press("j")
        await until(pilot, lambda: not app.loader._draining)
        assert not nodes
        app._rest_hand()
        await until(pilot, lambda: nodes)
        assert nodes == [app.session.selection.node]


async def test_while_a_name_is_typed_names_are_found_and_nothing_is_asked(monkeypatch):
    monkeypatch.setattr("dtui.tui.asking.TYPED_RESTS_SECONDS", 1000)
    async with running() as (app, pilot, query):
        nodes = nodes_asked(query, monkeypatch)
        await pilot.press("slash", *"head")
        await until(pilot, lambda: app.session.current_search == "head")
        await until(pilot, lambda: not app.loader._draining)
        assert not nodes
        await pilot.press("enter")
        await until(pilot, lambda: nodes)
        assert nodes == [app.session.selection.node]


async def test_a_box_is_written_once_when_it_opens(monkeypatch):
    async with running(size=(200, 70)) as (app, pilot, _):
        overlay, drawn = app.data_screen.overlay, []
        render = overlay.render_lines
        monkeypatch.setattr(overlay, "render_lines", lambda crop: drawn.append(crop) or render(crop))
        await pilot.press("question_mark")
        await until(pilot, lambda: drawn)
        await pilot.pause()
        assert drawn == [Region(0, 0, *overlay.size)]


@pytest.mark.parametrize(("first", "opened"), [("colon", "line"), ("slash", "line"), ("question_mark", "help")])
async def test_keys_that_come_at_once_go_to_what_the_first_one_opens(first, opened):
    """As over a slow link, or pasted: none of them may flag, dismiss or leave."""
    async with running() as (app, pilot, query):
        before = app.session.selection
        for key in (first, "x", "f", "3", "n"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        screen = app.data_screen
        await until(pilot, lambda: screen.is_covered)
        await pilot.pause()
        if opened == "line":
            await until(pilot, lambda: screen.command_line.query_one(Input).value == "xf3n")
        assert app.session.scene.screen.name == "Layers"
        assert app.session.selection.cursor == before.cursor
        assert not query.decided


@pytest.mark.parametrize("part", [DataScreen, CommandLine, Horizontal, Line])
async def test_a_line_that_is_typed_before_its_rows_are_there_loses_nothing(part, monkeypatch):
    posted = []

    def type_at_once(app):
        if not posted:
            posted.extend(("colon", "5", "0", "5"))
            for key in posted:
                app.post_message(Key(key, ":" if key == "colon" else key))

    composed = part.compose

    def compose(self):
        if part is not Horizontal or isinstance(self.parent, CommandLine):
            type_at_once(self.app)
        return composed(self)

    monkeypatch.setattr(part, "compose", compose)
    app = DtuiApp(Path("fake.dtui"), open_=lambda _: FakeQuery())
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: posted and app.data_screen is not None and app.data_screen.command_line.is_asking)
        await until(pilot, lambda: app.data_screen.command_line.query_one(Input).value == "505")


async def test_an_app_that_is_left_at_its_first_paint_is_left_quietly(monkeypatch):
    app = DtuiApp(Path("fake.dtui"), open_=lambda _: FakeQuery())
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: app.data_screen is not None and app.data_screen.is_mounted)
        row = app.data_screen.command_line.query_one(Horizontal)
        await row.remove_children()
        monkeypatch.setattr(Horizontal, "is_attached", property(lambda _: False))
        app.data_screen.command_line._fill()
        monkeypatch.undo()
        assert not row.children


def test_a_python_without_ctypes_shows_runs_all_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)
    share_one_heap()
    give_back()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in its own way")
def test_what_is_free_between_what_is_in_use_is_given_back():
    kept = [b"x" * 100_000 for _ in range(300)]
    del kept[::2]
    before = resident_mb(os.getpid())
    give_back()
    assert resident_mb(os.getpid()) < before - 10


def test_the_board_keeps_no_drawing_of_another_size_and_few_of_this_one():
    board = Board(lambda _: None)
    for width in (80, 100, 120):
        for gutter in range(60):
            where = Frame(width, 3, gutter, None, DARK, Output())
            board.show({"a": (MessagePicture("x"), where)}, (width, 3), None)
            assert len(board._drawings) <= MOST_DRAWINGS
            assert {drawing.frame.width for drawing in board._drawings.values()} == {width}


async def test_keys_that_arrive_at_once_are_taken_in_order():
    """As over a slow link, or while the app is busy: Textual ran what is bound to a key after the letters behind it."""
    async with running() as (app, pilot, _):
        await pilot.press("colon")
        line = app.screen.command_line.query_one(Input)
        for key in ("a", "b", "backspace", "c", "left", "x", "ctrl+e", "y", "ctrl+u", "l", "a", "y", "down", "down"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: app.screen.command_line._chosen == 2)
        assert line.value == "lay"
        for key in ("backspace", "home", "x", "enter"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: not app.screen.command_line.is_asking)
        assert line.value == "xla"
