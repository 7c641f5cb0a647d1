"""Keys that come at once, as over a slow link or pasted: each goes to what is there when its turn comes."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste

from dtui.tui.app import DtuiApp
from dtui.tui.panes.layers.tree import TreeOptions
from tests.tui.driving import press, running, until

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
