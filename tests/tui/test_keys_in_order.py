"""Keys that come at once, as over a slow link or pasted: each goes to what is there when its turn comes."""

from __future__ import annotations

import pytest
from textual.events import Event, Key, MouseDown, MouseScrollDown, MouseUp, Paste

from dtui.tui.app import DtuiApp
from dtui.tui.panes.layers.tree import TreeOptions
from tests.tui.driving import at, is_complete, press, running, screen_text, until

NAMES = {"\r": "enter", "\x1b": "escape", "\t": "tab", " ": "space", "\x7f": "backspace"}
NAMES |= {":": "colon", "/": "slash", "?": "question_mark"}


def send(app: DtuiApp, *burst: str | Paste) -> None:
    """Send keys, and pastes among them, without a pause."""
    for part in burst:
        for event in [part] if isinstance(part, Paste) else [Key(NAMES.get(key, key), key) for key in part]:
            app.post_message(event)


def screen_name(app: DtuiApp) -> str:
    return app.session.scene.screen.name


@pytest.mark.parametrize(
    "burst",
    [
        *(":505\r3", ":class 1\r3", ":505\r:class 1\r3", ":nonsense\r3", ":layers\x1b3", ":50\x7f\x7fscreen\x1b3"),
        *("/1\r3", "/[\x1b3", "/[\r\x1b3", "mnote\x1b3", "Ea.svg\x1b3"),
        *("?\x1b3", "?q3", "?jj?3", "?fx\x1b:505\r3", "s\x1b3", "sj\r3", "s13", "s1:505\r3", "tj\x1b3"),
    ],
)
async def test_what_follows_enter_or_esc_belongs_to_the_screen(burst: str) -> None:
    async with running(size=(80, 24)) as (app, pilot, query):
        send(app, burst)
        await until(pilot, lambda: screen_name(app) == "Validation")
        assert not app.data_screen.is_covered
        assert not query.decided


async def test_each_key_of_a_burst_does_its_own() -> None:
    async with running() as (app, pilot, query):
        await press(app, pilot, "n")
        send(app, "mnoted\rj:505\r3:300\r2", "s2j", "?\x1b\t", ":", Paste("41\nf"), "0\r4")
        await until(pilot, lambda: screen_name(app) == "Correlation")
        selection = app.session.selection
        assert selection.cursor == 410
        assert selection.get(TreeOptions).statistic == "min"
        assert [note for _, _, note in query.decided] == ["noted"]


@pytest.mark.parametrize(
    "burst",
    [
        ("press filters", "right"),
        ("press filters", "up"),
        ("press tree", "enter"),
        ("press tree", "press tree", "down", "right"),
        ("press tree", "s", "down", "enter"),
        ("wheel tree", "down", "enter"),
        ("wheel filters", "right", "press tree", "left"),
        ("s", "…", "wheel list", "enter"),
        ("s", "…", "press list", "right"),
        ("slash", "press filters", "b", "enter", "right"),
        ("press Validation", "j"),
    ],
)
async def test_the_mouse_and_keys_are_taken_in_their_order(burst: tuple[str, ...]) -> None:
    """All at once comes to the same as one after the other."""
    async with running() as (app, pilot, _):
        await press(app, pilot, "3", "2", "down", "right")
        before, after = app.session.selection, []
        for is_burst in (False, True):
            app.session.choose(before)
            app.paint()
            await pilot.pause()
            for what in burst:
                for event in happening(app, what):
                    app.post_message(event)
                if not is_burst or what == "…":
                    await pilot.pause()
            await until(pilot, lambda: is_complete(app) and not app.data_screen.is_covered)
            after.append(app.session.selection)
        assert after[0] == after[1]
        assert after[0] != before


def happening(app: DtuiApp, what: str) -> list[Event]:
    """What the terminal tells of a key, or of a press or a turn of the wheel somewhere."""
    how, _, where = what.partition(" ")
    if what == "…":
        return []
    if not where:
        return [Key(how, how if len(how) == 1 else None)]
    if where == "list":
        x, y = app.size.width // 2, app.size.height // 2
    elif where == "Validation":
        x, y = screen_text(app).index(where), 0
    else:
        x, y = at(app, where, 100, 4)
    kinds = [MouseScrollDown] if how == "wheel" else [MouseDown, MouseUp]
    return [kind(None, x, y, 0, 0, 1, False, False, False, x, y) for kind in kinds]
