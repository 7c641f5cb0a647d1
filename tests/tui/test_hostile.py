"""A run from outside whose every text is a command to a terminal, on the screen: it is shown, and nothing happens."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from dtui.tui.app import DtuiApp
from tests.store.hostile_folders import hostile_run
from tests.tui.driving import is_complete, press, screen_text, until


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
