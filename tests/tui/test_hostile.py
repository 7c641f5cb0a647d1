"""A run from outside whose every text is a command to a terminal, on the screen: it is shown, and nothing happens."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path

import pytest

from dtui.safe_text import text_columns
from dtui.tui.app import DtuiApp
from dtui.tui.panes.table import TABLE
from tests.store.hostile_folders import hostile_run
from tests.tui.driving import is_complete, press, screen_text, until
from tests.tui.strange_names import NAMES, strange_run
from tests.tui.terminal import Terminal


async def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path) -> None:
    app = DtuiApp(hostile_run(tmp_path))
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: is_complete(app))
        shown = []
        for keys in (
            ["2"],
            ["g"],
            ["j"],
            ["tab"],
            ["N"],
            ["n"],
            ["3"],
            ["tab"],
            ["j"],
            ["4"],
            ["5"],
            ["6"],
            ["question_mark"],
            ["escape"],
        ):
            await press(app, pilot, *keys)
            shown.append(screen_text(app))
        assert app.error is None
        assert app.is_running
    text = "\n".join(shown)
    assert "[@click=app.quit]" in text, "markup is text"
    assert not [char for char in set(text) - {"\n"} if unicodedata.category(char) in ("Cc", "Cf", "Cs")]


WALK = (
    *(
        "3",
        "tab",
        "enter",
        "escape",
        "1",
        "J",
        "L",
        "J",
        "J",
        "n",
        "question_mark",
        "escape",
        "L",
        "m",
        "escape",
        "s",
        "escape",
    ),
    *("2", "J", "J", "J", "J", "s", "escape", "o", "b", "b", "b", "enter", "escape", "tab", "J", "enter", "escape"),
    *("T", "J", "J", "J", "escape", "3", "J", "J", "J", "i", "J", "escape", "C", "J"),
    *(
        "tab",
        "J",
        "escape",
        "4",
        "J",
        "s",
        "escape",
        "5",
        "J",
        "v",
        "tab",
        "6",
        "j",
        "k",
        "equals_sign",
        "J",
        "tab",
        "J",
    ),
    *(
        "escape",
        "1",
        "colon",
        "c",
        "l",
        "a",
        "s",
        "s",
        "down",
        "escape",
        "colon",
        "[",
        "escape",
        "E",
        "escape",
        "y",
        "2",
    ),
    *("slash", "[", "escape", "slash", "x", "enter", "n", "escape", "colon", "l", "i", "n", "k", "enter"),
)
"""Every screen that such a run has, every box and every prompt."""
WALK_OF_MORE = (
    *("2", "tab", "J", "enter", "j", "b", "tab", "J", "l", "enter", "J", "escape", "escape", "escape"),
    *(
        "D",
        "comma",
        "comma",
        "full_stop",
        "slash",
        "x",
        "escape",
        "E",
        "escape",
        "y",
        "L",
        "D",
        "escape",
        "p",
        "j",
        "E",
        "escape",
        "escape",
    ),
)
"""The screens of activations and of batches."""
TYPED = {
    "escape": "\x1b",
    "enter": "\r",
    "tab": "\t",
    "down": "\x1b[B",
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
}
TYPED |= {"equals_sign": "=", "comma": ",", "full_stop": "."}
HARMFUL = ("Cc", "Cf", "Cs", "Co", "Cn")
_SEQUENCE = re.compile(r"\x1b(\[[0-9;:?<>=]*[ -/]*[@-~]|\].*?(?:\x07|\x1b\\)|.)", re.DOTALL)
_OURS = re.compile(
    r"\[[0-9;]*[mHC]|\[\?\d+[hl]|\[[<>]?\d*u|\[\?2026\$p"
    r"|\]11;\?\x1b\\|\]22;[a-z-]*\x07|\]52;c;[A-Za-z0-9+/=]*\x07"
)
"""Colours, places, modes, and questions; the background's colour, the pointer's shape, a copied link."""


@pytest.fixture(scope="module")
def strange_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strange")
    for name in ("one", "other"):
        strange_run(folder, name)
    strange_run(folder, "more", has_more=True)
    return folder


async def screens_of_walk(path: Path, walk: tuple[str, ...]) -> set[str]:
    """Walk, look at every line that is shown, and return the names of the screens."""
    app, visited, checked = DtuiApp(path), set(), set()
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: is_complete(app))
        for key in walk:
            await press(app, pilot, key)
            visited.add(app.session.scene.screen.name)
            assert app.session._failed == {}, key
            lines = {"".join(segment.text for segment in line) for line in app.screen._compositor.render_strips()}
            for text in lines - checked:
                assert text_columns(text) == 150, (key, text)
                assert not [char for char in set(text) if unicodedata.category(char) in HARMFUL], (key, text)
            checked |= lines
        assert app.is_running
    return visited


async def test_five_hundred_names_stay_in_their_cells_wherever_they_are_shown(strange_folder: Path) -> None:
    assert len(set(NAMES)) >= 500
    visited = await screens_of_walk(strange_folder / "one.dtui", WALK)
    visited |= await screens_of_walk(strange_folder / "more.dtui", WALK_OF_MORE)
    assert visited == {screen.name for screen in (*TABLE.screens, *TABLE.inner)}


@pytest.mark.parametrize(("name", "walk"), [("one", WALK), ("more", WALK_OF_MORE)])
def test_a_terminal_gets_no_command_out_of_a_name(strange_folder: Path, name: str, walk: tuple[str, ...]) -> None:
    with Terminal([sys.executable, "-m", "dtui", str(strange_folder / f"{name}.dtui")], 150, 50) as terminal:
        terminal.until("to review")
        for key in walk:
            terminal.send(TYPED.get(key, key))
            while terminal._read(0.15 if key == "escape" else 0.02):
                pass
        terminal.until_quiet()
        text = terminal.written.decode()  # raises where a character was cut
    commands = {match[1] for match in _SEQUENCE.finditer(text)}
    assert [command for command in commands if not _OURS.fullmatch(command)] == []
    rest = _SEQUENCE.sub("", text)
    assert not [char for char in set(rest) - set("\r\n") if unicodedata.category(char) in HARMFUL]
