"""Whole screens on the real sample run, compared as text, and what a person does there."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dtui.tui.app import DtuiApp
from dtui.tui.panes.curves import ValuesQuestion
from dtui.tui.panes.images import ImagesQuestion
from tests.tui.conftest import SAMPLES
from tests.tui.driving import is_complete, press, screen_text, until

SNAPSHOTS = Path(__file__).parent / "snapshots"
FAULTS = SAMPLES / "mnist-faults.dtui"
RESUMED = SAMPLES / "mnist-resumed.dtui"
BATCHES = SAMPLES / "mnist-batches.dtui"


@asynccontextmanager
async def opened(path: Path, size: tuple[int, int], screen: str = "1"):
    app = DtuiApp(path)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: is_complete(app) and app.session.selection.entry is not None)
        await until(pilot, lambda: is_complete(app))
        await press(app, pilot, screen)
        yield app, pilot


def assert_snapshot(name: str, text: str) -> None:
    """Compare with the stored text; DTUI_WRITE_SNAPSHOTS=1 stores it instead, to be looked at before a commit."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("DTUI_WRITE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8"), f"{path} shows another screen"


@pytest.mark.parametrize(
    ("name", "size", "keys"),
    [
        ("triage-150x50", (150, 50), []),
        ("triage-80x24", (80, 24), ["n"]),
        ("triage-60x16", (60, 16), ["L"]),
        ("layers-150x50", (150, 50), ["2", "j", "j", "j"]),
        ("layers-80x24", (80, 24), ["2", "s", "8", "tab"]),
        ("layers-statistics-80x24", (80, 24), ["2", "s"]),
        ("layers-boxes-150x50", (150, 50), ["2", "b", "b"]),
        ("layers-histograms-150x50", (150, 50), ["2", "b", "b", "b"]),
        ("filter-150x50", (150, 50), ["2", "tab", "enter"]),
        ("filter-60x16", (60, 16), ["2", "tab", "enter"]),
        ("structure-150x50", (150, 50), ["2", "T"]),
        ("layers-60x16", (60, 16), ["2"]),
        ("layers-filters-maximised-150x50", (150, 50), ["2", "tab", "z", "plus", "plus", "o"]),
        ("validation-150x50", (150, 50), ["3", "N"]),
        ("validation-80x24", (80, 24), ["3", "tab", "c"]),
    ],
)
async def test_whole_screens(name, size, keys):
    async with opened(FAULTS, size) as (app, pilot):
        for key in keys:
            await press(app, pilot, key)
        assert_snapshot(name, screen_text(app))


@pytest.mark.parametrize(
    ("name", "size", "keys"),
    [
        ("resumed-150x50", (150, 50), ["2"]),
        ("resumed-watches-150x50", (150, 50), ["2", "L", "n", *["plus"] * 6]),
        ("resumed-80x24", (80, 24), ["n", "3"]),
    ],
)
async def test_a_join_what_fired_and_the_watches_around_it(name, size, keys):
    async with opened(RESUMED, size) as (app, pilot):
        for key in keys:
            await press(app, pilot, key)
        assert_snapshot(name, screen_text(app))


async def test_reviewing_the_incidents_of_a_real_run(sample_run):
    async with opened(sample_run, (150, 50)) as (app, pilot):
        session = app.session
        await press(app, pilot, "g")
        first = session.targets()[0]
        await press(app, pilot, "enter")
        assert session.selection.class_index == first.class_index == 4
        assert session.answers.get(ImagesQuestion).request.classes == (first.class_index,)
        await press(app, pilot, "x")
        await press(app, pilot, "f")
        flagged = session.targets()[0].id
    async with opened(sample_run, (150, 50)) as (app, pilot):
        status = {incident.id: incident.status for incident in app.session.view.incidents}
        assert status[first.id] == "dismissed"
        assert status[flagged] == "flagged"
        assert app.session.selection.entry != first.id


async def test_the_readout_is_exact_at_any_width(sample_run):
    from dtui.query import open_run

    for width in (100, 150):
        async with opened(sample_run, (width, 50)) as (app, pilot):
            await press(app, pilot, "comma")
            await until(
                pilot, lambda app=app: app.session.answers.get(ValuesQuestion).iteration == app.session.selection.cursor
            )
            with open_run(sample_run) as query:
                error = query.curves_at(app.session.selection.cursor)["validation_error"]
            assert f"{error:.1%}" in screen_text(app)
