"""What the flight recorder kept, on the screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dtui.model import Trigger
from dtui.store import RunWriter
from dtui.tui.app import DtuiApp
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.tui.driving import is_complete, press, screen_text, until


@pytest.fixture
def watched_run(tmp_path: Path) -> Path:
    """A run with records every 100 iterations, and watches around the iteration 1,234 at which a filter jumped."""
    with RunWriter(tmp_path / "watched", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(30):
            writer.append_record(make_record(position, 100))
        for iteration in range(1229, 1240):
            writer.append_watch(replace(make_record(7), iteration=iteration))
        writer.append_trigger(Trigger(1234, "filter", "fc", (2,), 57.0, 12.0))
    return writer.path


async def test_n_goes_to_what_fired_and_the_keys_of_time_from_watch_to_watch(watched_run: Path) -> None:
    app = DtuiApp(watched_run)
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: is_complete(app))
        await press(app, pilot, "2", "L", "n")
        session = app.session
        assert session is not None
        assert session.selection.cursor == 1234
        assert session.view.tree[session.selection.node].name == "fc"
        _, filters = session.scene.screen.panes
        assert filters.row(session.scene) == 2
        assert "◆ fc filter 2 jumped @1,234" in screen_text(app)
        for key, iteration in (("full_stop", 1235), ("full_stop", 1236), ("comma", 1235)):
            await press(app, pilot, key)
            assert session.selection.cursor == iteration
        await press(app, pilot, "comma", "x")
        assert session.view.anomalies[0].status == "dismissed"
