"""What is on the screen, as a file."""

from __future__ import annotations

import csv
import re
import threading
from dataclasses import replace

import numpy as np
import pytest

from dtui.errors import OutputError, UsageError
from dtui.model import TimeAxis
from dtui.tui import export as exporting
from dtui.tui.export import export, first_name, heading_of, not_drawn, without_remote_fonts, wrong_name
from dtui.tui.state.numbers import Numbers, over_time, to_csv
from tests.tui.driving import press, running, screen_text, until
from tests.tui.fake_query import FakeQuery


class Drawn(str):
    """What is on the screen, drawn already."""

    def to_svg(self, title: str) -> str:
        return str(self)


@pytest.fixture(autouse=True)
def _no_heading_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = exporting.heading_of
    monkeypatch.setattr(exporting, "heading_of", lambda scene: "" if scene is None else found(scene))


async def write(app, pilot, name: str, waits: bool = True) -> None:
    """Ask for an export, type a name in place of the one that is offered, and wait until it is written."""
    await pilot.press("E")
    await until(pilot, lambda: app.screen.command_line.is_asking)
    line = app.screen.command_line.query_one("Input")
    line.value = name
    await pilot.press("enter")
    await until(pilot, lambda: not app.screen.command_line.is_asking and not (waits and len(app.workers)))


async def test_the_screen_is_written_as_a_picture_that_asks_nothing_from_the_network(tmp_path):
    async with running(screen="2") as (app, pilot, _):
        await write(app, pilot, str(tmp_path / "a.svg"))
        await until(pilot, lambda: "written:" in screen_text(app))
        svg = (tmp_path / "a.svg").read_text()
        assert svg.startswith("<svg")
        assert not re.search(r"(?:href|url)\W+https?:", svg)
        text = svg.replace("&#160;", " ")
        for words in ("block0", "fake · Layers · iterations 0 to 1,000 · at 200"):
            assert words in text
        await write(app, pilot, str(tmp_path / "a.png"))
        await until(pilot, lambda: "a.png," in screen_text(app))
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("keys", "title", "column"),
    [
        (["1"], "incidents", "sentence"),
        (["2"], "mean of weights", "block0.conv1"),
        (["2", "tab"], "of stem, sorted by index", "filter 3"),
        (["3"], "error, share of wrong images", "fish"),
    ],
)
async def test_the_numbers_of_the_pane_with_the_keyboard_are_written(tmp_path, keys, title, column):
    async with running(screen=None) as (app, pilot, _):
        await press(app, pilot, *keys)
        await write(app, pilot, str(tmp_path / "a.csv"))
        first, second, *lines = (tmp_path / "a.csv").read_text().splitlines()
    assert first.startswith("# fake · ")
    assert second.startswith("# ")
    assert second.endswith(title)
    rows = list(csv.DictReader(lines))
    assert rows
    assert column in rows[0]


@pytest.mark.parametrize(
    ("name", "said"), [("a.jpg", "must end in"), ("nowhere/at/all/a.svg", "make its folder first")]
)
async def test_a_place_that_cannot_be_written_is_said(tmp_path, name, said):
    async with running(screen="2") as (app, pilot, _):
        await pilot.press("E")
        line = app.screen.command_line.query_one("Input")
        line.value = str(tmp_path / name)
        await pilot.press("enter")
        await until(pilot, lambda: said in screen_text(app))
        await pilot.press("escape")
    assert list(tmp_path.iterdir()) == []


async def test_a_picture_that_takes_long_is_said_and_keys_work_meanwhile(tmp_path, monkeypatch):
    may_end = threading.Event()
    monkeypatch.setattr(exporting, "_png", lambda svg: may_end.wait() and b"png")
    async with running(screen="2") as (app, pilot, _):
        await write(app, pilot, str(tmp_path / "a.png"), waits=False)
        await until(pilot, lambda: "writing" in screen_text(app))
        await press(app, pilot, "3")
        assert app.session.scene.screen.name == "Validation"
        may_end.set()
        await until(pilot, lambda: "written:" in screen_text(app))


async def test_the_settings_stand_in_the_file():
    async with running(screen="3") as (app, pilot, _):
        assert heading_of(app.session.scene).endswith(
            "· anomalies: either rule, window automatic, at least 20% of a class"
        )
        await press(app, pilot, "]")
        assert heading_of(app.session.scene).endswith("at least 25% of a class")
        await press(app, pilot, "2")
        app.session.search("conv[12]")
        assert heading_of(app.session.scene).endswith("at 200 · /conv[12]")


async def test_a_file_that_was_there_is_replaced_and_said(tmp_path):
    async with running(screen="2") as (app, pilot, _):
        for said in ("bytes", "bytes in place of the file that was there"):
            await write(app, pilot, str(tmp_path / "a.csv"))
            assert app.session.message.endswith(said)


async def test_a_screen_without_numbers_says_so(tmp_path):
    async with running(FakeQuery(records=0), screen=None) as (app, _, _query):
        with pytest.raises(UsageError, match=r"no pane of this screen has numbers|iteration"):
            export(str(tmp_path / "a.csv"), replace_table(app.session.scene), Drawn("<svg/>"))


def replace_table(scene):
    """Return the scene on a screen whose panes have no numbers."""
    from dtui.tui.state.pane import Pane, Screen, Table

    class Empty(Pane):
        name = "empty"

    return replace(scene, table=Table((Screen("1", "Empty", (Empty(),)),), (), ()))


def test_names_are_data_in_a_table():
    numbers = Numbers("a\ntitle", ("=1+1", "b"), [("@SUM(A1)", float("nan")), ('fine, "quoted"', 2.5), (None, -1)])
    lines = to_csv(numbers, "run\r\n# evil").splitlines()
    assert lines[:2] == ["# run # evil", "# a title"]
    assert list(csv.reader(lines[2:])) == [["'=1+1", "b"], ["'@SUM(A1)", ""], ['fine, "quoted"', "2.5"], ["", "-1"]]


def test_a_series_has_a_row_for_each_column_that_holds_a_number():
    axis = TimeAxis(0, 100, 4)
    numbers = over_time(
        "t", axis, ("a", "b"), (np.array([1.0, np.nan, np.nan, 4.0]), np.array([np.nan, np.nan, 3.0, 4.0]))
    )
    assert numbers.columns == ("iteration from", "a", "b")
    assert [row[0] for row in numbers.rows] == [0, 50, 75]


def test_names_of_files_come_from_the_run_and_hold_nothing_strange():
    assert wrong_name("a.SVG") == ""
    assert ".csv" in wrong_name("a")


async def test_the_name_that_is_offered_is_harmless():
    async with running(screen="2") as (app, _, _query):
        scene = app.session.scene
        strange = replace(scene, view=replace(scene.view, info=replace(scene.view.info, run="../../etc/\x1b[2J pass")))
        assert first_name(strange) == "etc-2J-pass-layers-200.svg"


def test_fonts_of_the_network_are_taken_out():
    given = '@font-face { src: local("F"),\n url("https://x.example/f.woff2") format("woff2"); }'
    assert "http" not in without_remote_fonts(given)


def test_a_picture_that_cannot_be_drawn_is_one_line(tmp_path, monkeypatch):
    import vl_convert

    def fail(*_):
        raise ValueError("no svg")

    monkeypatch.setattr(vl_convert, "svg_to_png", fail)
    with pytest.raises(OutputError, match="the picture could not be made: no svg"):
        export(str(tmp_path / "a.png"), None, Drawn("<svg/>"))  # type: ignore[arg-type]


def test_a_character_that_no_font_has_is_found_before_the_picture_is_read():
    """Private use, which nobody draws; letters, lines and what a font has are not named."""
    svg = "<svg><text>a é │ █ ⣿ \ue123</text><style>.a{}</style><text>&#xE124; &lt;</text></svg>"
    assert not_drawn(svg.replace("\ue123", "").replace("&#xE124;", "")) == ""
    assert not_drawn(svg) == "\ue123\ue124"


def test_what_is_missing_in_a_png_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(exporting, "not_drawn", lambda svg: "猫犬鳥魚")
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
    said = export(str(tmp_path / "a.png"), None, Drawn(svg))
    assert said.endswith(
        "; no font here has 猫 U+732B 犬 U+72AC 鳥 U+9CE5 and 1 more: install one that has, such as Noto Sans CJK, "
        "or write .svg"
    )
    assert "no font" not in export(str(tmp_path / "a.svg"), None, Drawn(svg))
