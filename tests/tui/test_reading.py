"""What a pane says in the place of its data: that it reads, why there is nothing, and which key leads on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from dtui.errors import RunDamagedError
from dtui.model import RunStatus
from dtui.query import RunQuery
from dtui.tui.app import DtuiApp
from dtui.tui.opening import view_of
from dtui.tui.panes.images import ImagesQuestion
from dtui.tui.renderables.panes.message import MessagePicture, ReadingPicture, reading, wrap, wrap_evenly
from dtui.tui.screens import base
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk
from tests.tui.driving import is_complete, running, screen_text, until
from tests.tui.fake_query import FakeQuery
from tests.tui.test_loader import hold
from tests.tui.test_triage import frame, lines

READING = "reading the filters …"


async def test_a_pane_says_after_a_moment_that_it_is_reading() -> None:
    async with running(screen="1") as (app, pilot, query):
        _, go = hold(query, "heatmap")
        try:
            await pilot.press("2")
            await until(pilot, lambda: READING in screen_text(app))
        finally:
            go.set()
        await until(pilot, lambda: is_complete(app))
        assert READING not in screen_text(app)


@asynccontextmanager
async def filters_that_wait(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[DtuiApp, Pilot[None]]]:
    """Lend the Layers screen while it waits for its filters; no clock says that this takes long."""
    monkeypatch.setattr(base, "READING_SECONDS", 3_600)
    async with running(screen="1") as (app, pilot, query):
        began, go = hold(query, "heatmap")
        try:
            await pilot.press("2")
            await until(pilot, began.is_set)
            yield app, pilot
        finally:
            go.set()


async def test_a_fast_answer_is_not_preceded_by_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async with filters_that_wait(monkeypatch) as (app, pilot):
        assert "Filters" in screen_text(app)
        assert READING not in screen_text(app)
        app.data_screen._say_late()
        await until(pilot, lambda: READING in screen_text(app))


async def test_what_is_shown_late_starts_anew_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with filters_that_wait(monkeypatch) as (app, pilot):
        app.data_screen._say_late()
        await pilot.press("1")
        await until(pilot, lambda: "Filters" not in screen_text(app))
        await pilot.press("2")
        await until(pilot, lambda: "Filters" in screen_text(app))
        assert READING not in screen_text(app)


def test_a_pane_says_why_there_will_be_no_answer() -> None:
    desk = Desk(FakeQuery(), (150, 50))
    desk.session.perform("screen_validation")
    pictures, asked = desk.session.look()
    images = next(pane for pane in pictures if pane.name == "images")
    assert isinstance(pictures[images], ReadingPicture)
    assert any(isinstance(question, ImagesQuestion) for question in asked)
    error = RunDamagedError("parts/0-32.h5: checksum")
    desk.session.fail(str(error), ImagesQuestion.about)
    assert desk.panes()["images"].count("parts/0-32.h5: checksum") == 1
    desk._answer()
    assert "checksum" not in desk.panes()["images"]
    assert ImagesQuestion.about not in desk.session.answers.refused


def test_a_pane_that_asks_nothing_is_not_reading() -> None:
    desk = Desk(FakeQuery(classes=()), (150, 50)).press("3")
    images = {pane.name: picture for pane, picture in desk.session.look()[0].items()}["images"]
    assert type(images) is MessagePicture


def test_the_words_are_drawn_only_late() -> None:
    early = reading("the filters", "Filters")
    late = ReadingPicture(detail=early.detail, title="Filters", is_late=True)
    assert READING not in "".join(lines(early, frame(80, 9)))
    assert sum(READING in line for line in lines(late, frame(80, 9))) == 1


def test_a_key_and_its_words_never_part() -> None:
    for room in range(20, 60):
        told = wrap("no class named; 73 images turned wrong: 10 of class 4 … · i shows them", room)
        assert any("i shows them" in line for line in told), room
        assert any("D lists them" in line for line in wrap("data: 8 ids stand in 5 batches · D lists them", room)), room
    assert wrap("go on · i shows them", 6) == ["go on", "· i", "shows", "them"]
    assert wrap("it is a loss", 7) == ["it is a", "loss"]


def test_a_message_leaves_no_word_alone_on_its_last_line() -> None:
    picture = MessagePicture("", "the flight recorder was off (keep_around=0); L lists the paper's anomalies")
    shown = [line.strip() for line in lines(picture, frame(150, 9)) if line.strip()]
    assert shown == ["the flight recorder was off (keep_around=0);", "L lists the paper's anomalies"]
    for room in range(1, 90):
        said = wrap_evenly(picture.detail, room)
        assert (len(said), " ".join(said)) == (len(wrap(picture.detail, room)), " ".join(wrap(picture.detail, room)))


def test_in_a_live_run_the_first_key_selects_the_first_incident() -> None:
    query = RunQuery(SAMPLES / "mnist-faults.dtui")
    view = view_of(query, 0)
    view = replace(view, info=replace(view.info, status=RunStatus.LIVE))
    desk = Desk(query, view=view)
    assert desk.session.selection.entry is None
    assert "j selects the first incident, N the last one before the crosshair" in desk.panes()["detail"]
    for key, place in (("j", 0), ("j", 1), ("k", 0), ("k", 0)):
        assert desk.press(key).session.selection.entry == desk.session.scene.entries[place].id
    assert Desk(query, view=view).press("N").session.selection.entry == desk.session.scene.entries[-1].id
