"""Driving the app in a test: wait for a condition, never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from dtui.tui.app import DtuiApp
from dtui.tui.state.questions import AnomaliesQuestion, ClustersQuestion, IncidentsQuestion
from tests.tui.fake_query import FakeQuery

PATIENCE_SECONDS = 20


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the app run until something is so."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not condition():
        assert getattr(pilot.app, "error", None) is None, pilot.app.error
        assert asyncio.get_running_loop().time() < deadline, "it never became so"
        await pilot.pause(0.01)
    await pilot.pause()


def is_complete(app: DtuiApp) -> bool:
    """Whether everything that the screen asks for has been answered and painted."""
    session = app.session
    if session is None or app.waiting or app.screen is not app.data_screen:
        return False
    if session.view.is_empty or session.scene.layout.is_too_small:
        return True
    with app.loader._lock:
        waiting = app.loader._wanted or app.loader._draining
    _, questions = session.look()
    fetched = (AnomaliesQuestion, ClustersQuestion, IncidentsQuestion)  # those the view keeps
    missing = [q for q in questions if not isinstance(q, fetched) and session.answers.get(type(q)) is None]
    return not waiting and not missing


@asynccontextmanager
async def running(query: FakeQuery | None = None, size=(150, 50), screen="2", **wishes):
    """The app on a fake run, complete on the screen; on Layers, unless another screen's key is given, or None."""
    query = query or FakeQuery()
    app = DtuiApp(Path("fake.dtui"), open_=lambda _: query, **wishes)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: is_complete(app))
        if screen is not None:
            await press(app, pilot, screen)
        yield app, pilot, query


async def press(app: DtuiApp, pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait for everything that they ask for."""
    await pilot.press(*keys)
    await pilot.pause()
    if app.screen is app.data_screen:
        await until(pilot, lambda: is_complete(app))


def screen_text(app: DtuiApp) -> str:
    """What the screen shows, as text, rows stripped on the right."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def at(app: DtuiApp, pane: str, x: int, y: int) -> tuple[int, int]:
    """The place on the screen of a place in a pane."""
    return (x, y + app.data_screen.board.places[pane].y)
