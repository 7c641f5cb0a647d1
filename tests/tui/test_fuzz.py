"""Random keys, presses, wheels, lines and sizes on every screen: nothing raises, and only four keys decide anything."""

from __future__ import annotations

import random

import pytest

from dtui.errors import DtuiError
from dtui.model import Incident
from dtui.tui.opening import view_of
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.state.mouse import press, turn_wheel
from dtui.tui.state.questions import Question
from dtui.tui.state.session import Session
from tests.tui.fake_query import FakeQuery

STEPS = 100
SIZES = ((10, 3), (59, 15), (60, 16), (80, 24), (100, 30), (150, 50), (300, 80), (500, 120))
OF_THE_APP = {
    "palette",
    "search",
    "note",
    "export",
    "copy_link",
    "help",
    "back",
    "quit",
    "leave",
    "suspend",
    "draw_anew",
}
DECIDING = {"flag", "dismiss", "undo"}
LINES = ("", "505", "conv1", "class", "f3", "[", "nonsense", "\x1b[31m", "!b", "screen", "9" * 30)
HOSTILE = ("cat", "\x1b]0;x\x07dog", "[b]bird[/]", "=1+1", "fi‮sh")


def answer(session: Session, query: FakeQuery, dice: random.Random) -> None:
    """Answer some of what the screen asks for, as the loader would: late, in any order, or not at all."""
    _, questions = session.look()
    dice.shuffle(questions)
    for question in questions[: dice.randint(0, len(questions))]:
        try:
            session.answered(question, _asked(question, query))
        except DtuiError as error:
            session.fail(str(error))


def _asked(question: Question, query: FakeQuery) -> object:
    return question.ask(query)


def draw(session: Session) -> None:
    scene, (pictures, _) = session.scene, session.look()
    for pane, picture in pictures.items():
        frame = scene.frame_of(pane, DARK, Output())
        if frame.height > 0 and frame.width > 0:
            picture.draw(frame, session.selection.cursor)


def statuses(session: Session) -> list[tuple[str, str, str]]:
    found: tuple[Incident, ...] = session.view.incidents
    return [(one.id, one.status, one.note) for one in found]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("query", [FakeQuery(), FakeQuery(classes=HOSTILE), FakeQuery(records=0), FakeQuery(live=True)])
def test_nothing_raises_and_only_decisions_decide(seed, query, caplog):
    dice = random.Random(seed)
    session = Session(TABLE, view_of(query, 0), 150, 50)
    actions = [action.id for action in TABLE.actions if action.id not in OF_THE_APP]
    for _ in range(STEPS):
        before, what = statuses(session), dice.random()
        if what < 0.6:
            action = dice.choice(actions)
            session.perform(action)
            decides = action in DECIDING
        else:
            decides = False
            _do_something_else(session, dice)
        if not decides:
            assert statuses(session) == before
        answer(session, query, dice)
        if dice.random() < 0.5:
            draw(session)
        assert session._failed == {}
        assert 0 <= session.selection.pane < len(session.scene.screen.panes)
    assert "failed" not in caplog.text


def _do_something_else(session: Session, dice: random.Random) -> None:
    kind = dice.choice(("press", "wheel", "size", "search", "go", "back"))
    scene = session.scene
    if kind in ("press", "wheel"):
        pane = dice.choice((*scene.screen.panes, *TABLE.above))
        frame = scene.frame_of(pane, DARK, Output())
        if kind == "press":
            x, y = dice.randrange(max(1, frame.width)), dice.randrange(max(1, frame.height))
            press(session, pane, frame, x, y, is_drag=dice.random() < 0.3)
        else:
            turn_wheel(session, pane, dice.choice((-1, 1)), with_control=dice.random() < 0.3)
    elif kind == "size":
        session.resized(*dice.choice(SIZES))
    elif kind == "search":
        session.search(dice.choice(LINES))
    elif kind == "go":
        session.go(dice.choice(LINES), dice.randint(-1, 3))
    else:
        session.go_back()
