"""The first screen: what is answered before it is shown, and what is not waited for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
from textual.events import Key
from textual.widgets import Input

from dtui.errors import NotRecordedError
from dtui.tui import app as app_module
from dtui.tui import first_look
from dtui.tui.app import DtuiApp
from dtui.tui.events import Answered, Failed, Opened
from dtui.tui.loader import Loader
from dtui.tui.panes.curves import CurvesQuestion
from dtui.tui.panes.table import TABLE
from dtui.tui.state.questions import IncidentsQuestion
from dtui.tui.state.run_view import RunView
from dtui.tui.state.session import Session
from dtui.tui.terminal import pace
from dtui.tui.terminal.textual_patch import is_painted
from dtui.tui.terminal.themes import theme_for
from dtui.tui.widgets.command_line import CommandLine
from tests.tui.driving import running, until
from tests.tui.fake_query import FakeQuery

PATIENCE_SECONDS = 20


class Opening:
    """A loader that makes the first session, of a run that answers at once."""

    def __init__(self, query: FakeQuery) -> None:
        self.events: Queue = Queue()
        self.loader = Loader(Path("x.dtui"), self.events.put, lambda _: query, begin=self._begin)
        self.loader.start()

    def _begin(self, view: RunView) -> Session:
        return Session(TABLE, view, 150, 50)

    def session(self) -> Session:
        event = self.events.get(timeout=PATIENCE_SECONDS)
        assert isinstance(event, Opened)
        assert event.session is not None
        return event.session


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be given up because the machine is busy."""
    monkeypatch.setattr(first_look, "PATIENCE_SECONDS", PATIENCE_SECONDS)


def test_the_first_screen_is_full_before_it_is_shown(patient: None) -> None:
    opening = Opening(FakeQuery())
    session = opening.session()
    assert session.view.knows_incidents
    assert session.selection.entry is not None, "it begins on the strongest incident"
    assert session.answers.get(CurvesQuestion) is not None
    opening.loader.ask(session.look()[1], session.view.revision)
    opening.loader.close()
    assert opening.events.empty(), "nothing is asked twice"


def test_what_fails_is_told_once_the_screen_is_there(patient: None) -> None:
    query = FakeQuery()

    def fail(_: object) -> None:
        raise NotRecordedError("x.dtui: no curves")

    query.curves = fail
    opening = Opening(query)
    session = opening.session()
    assert not session.view.knows_incidents, "what comes behind it is asked again as well"
    opening.loader.ask(session.look()[1], session.view.revision)
    events = [opening.events.get(timeout=PATIENCE_SECONDS) for _ in range(2)]
    assert [event.message for event in events if isinstance(event, Failed)] == ["no curves"]
    opening.loader.close()


def test_what_takes_long_is_answered_behind_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_look, "PATIENCE_SECONDS", 0.0)
    opening = Opening(FakeQuery())
    session = opening.session()
    assert not session.view.knows_incidents
    opening.loader.ask([IncidentsQuestion()], session.view.revision)
    event = opening.events.get(timeout=PATIENCE_SECONDS)
    assert isinstance(event, Answered)
    assert event.question == IncidentsQuestion()
    opening.loader.close()


class Keeping(FakeQuery):
    """A run that notes when incidents are asked for, and when its first screen is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []
        self.is_kept = Event()

    def prepare_incidents(self, seconds: float) -> bool:
        self.noted.append("asked")
        return True

    def keeping_first_screen(self) -> AbstractContextManager[Callable[[], None]]:
        return nullcontext(self._keep)

    def _keep(self) -> None:
        self.noted.append("kept")
        self.is_kept.set()


def test_the_first_screen_is_kept_once_behind_all_questions(patient: None) -> None:
    query, goes_on = Keeping(), Event()
    opening = Opening(query)
    session = opening.session()
    query.noted.clear()
    opening.loader._jobs.put(lambda: goes_on.wait(PATIENCE_SECONDS) and None)
    for _ in range(2):
        opening.loader.settle(lambda: None)
    opening.loader.ask([IncidentsQuestion()], session.view.revision + 1)
    goes_on.set()
    assert query.is_kept.wait(PATIENCE_SECONDS)
    opening.loader.close()
    assert query.noted == ["asked", "kept"]


async def test_the_app_has_its_first_screen_kept() -> None:
    async with running(Keeping()) as (_, pilot, query):
        await until(pilot, query.is_kept.is_set)


async def test_garbage_and_turns_wait_until_the_first_screen_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "POLL_SECONDS", 0.01)
    goes_on = Event()

    def open_late(_: Path) -> FakeQuery:
        goes_on.wait(PATIENCE_SECONDS)
        return FakeQuery()

    app = DtuiApp(Path("x.dtui"), open_=open_late)
    turn = sys.getswitchinterval()
    with pace.of_a_start():
        async with app.run_test() as pilot:
            await until(pilot, lambda: app._polls > 2)
            assert (gc.isenabled(), sys.getswitchinterval()) == (False, turn)
            goes_on.set()
            await until(pilot, gc.isenabled)
            assert app.session is not None
            assert sys.getswitchinterval() == pytest.approx(pace.TURN_SECONDS), "keys are answered amid an answer"
    gc.unfreeze()
    assert (gc.isenabled(), sys.getswitchinterval()) == (True, turn)


async def test_what_is_painted_is_not_painted_again() -> None:
    async with running() as (app, _, _):
        screen, painted = app.screen, []
        app._display = lambda *what: painted.append(what[1])
        for says_so in (False, True):
            screen.refresh()
            if says_so:
                is_painted(screen)
            painted.clear()
            screen._on_timer_update()
            assert bool(painted) != says_so


@pytest.mark.parametrize("is_first", [False, True])
async def test_a_line_asked_for_at_once_takes_every_key(monkeypatch: pytest.MonkeyPatch, is_first: bool) -> None:
    """What is typed into is made when the panes have come, or when somebody asks before that."""
    if is_first:
        monkeypatch.setattr(CommandLine, "on_mount", lambda _: None)
    async with running() as (app, pilot, _):
        line = app.screen.command_line
        assert not line.query(Input)
        if not is_first:
            await until(pilot, lambda: bool(line.query(Input)))
        for key in ("slash", "c", "o"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: line.query(Input) and line.query_one(Input).value == "co")


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_the_first_theme_is_there_at_once_and_a_later_one_follows(
    monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    styled: list[str] = []
    refresh = DtuiApp.refresh_css
    monkeypatch.setattr(DtuiApp, "refresh_css", lambda app, **kind: styled.append(app.theme) or refresh(app, **kind))
    app = DtuiApp(Path("fake.dtui"), theme_name=theme, open_=lambda _: FakeQuery())
    other = "light" if theme == "dark" else "dark"
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.data_screen is not None)
        assert styled == ([] if theme == "dark" else ["dtui-light"]), "Textual begins in the dark"
        for name in (theme, other):
            if name == other:
                app.take_theme(theme_for(name))
                await until(pilot, lambda: bool(app.screen.styles.background) and app.theme == f"dtui-{other}")
            colours = theme_for(name)
            assert app.stylesheet._variables["background"].lower() == f"#{colours.background:06x}"
            assert (app.has_class("-dark-mode"), app.has_class("-light-mode")) == (name == "dark", name == "light")
