"""A key that changes nothing says why, and the key bar names only keys that do something here, each as it is meant."""

from __future__ import annotations

import pytest

from dtui.query import RunQuery
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.panes.key_bar import KeyBarPicture
from dtui.tui.screens.boxes import help_box
from dtui.tui.state.actions import BAR, BAR_AFTER, BAR_BETWEEN
from dtui.tui.state.pane import Pane
from dtui.tui.state.session import Session
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk
from tests.tui.test_panes import session_of

ASKED_ELSEWHERE = {"palette", "help", "search", "note", "export", "copy_link", "leave", "suspend", "draw_anew", "quit"}
"""Actions that the app answers itself; the tests of each press them."""
PANES = [pane for screen in TABLE.every_screen for pane in screen.panes]


@pytest.fixture(scope="module")
def on_every_pane() -> Session:
    return session_of(TABLE, (80, 24))


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(SAMPLES / "mnist-faults.dtui")


def bar_of(session: Session) -> tuple[str, ...]:
    """What the key bar says: keys and words."""
    picture = session.look()[0][TABLE.below[-1]]
    assert isinstance(picture, KeyBarPicture)
    return tuple(f"{key} {words}" for key, words in (*picture.keys, *picture.last))


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.name)
def test_a_key_that_changes_nothing_says_why(on_every_pane: Session, pane: Pane) -> None:
    session = on_every_pane
    session.choose(session.scene.with_pane(pane))
    session.is_missing = lambda: False  # type: ignore[method-assign]  # else it may wait for an answer
    start, silent = session.selection, []
    for action in TABLE.by_id.keys() - ASKED_ELSEWHERE - TABLE.steps.keys():
        session.selection = start
        if action == "back":
            session.go_back()
        elif session.choice(action) is None:
            session.perform(action)
        else:
            continue
        if session.selection == start and not session.message:
            silent.append(action)
    session.selection = start
    assert not silent


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.name)
def test_the_key_bar_says_what_a_pane_does_with_a_key_of_every_screen(pane: Pane) -> None:
    """The bar and the help call a key of every screen by what this pane uses it for."""
    of_every_screen = {ids for ids, _ in (*BAR, *BAR_BETWEEN, *BAR_AFTER)}
    used = {ids for ids in of_every_screen if set(ids) & pane.steps.keys()}
    assert used <= {ids for ids, _ in pane.bar}
    words = [words for _, words in pane.bar]
    assert "back" not in words, "the last key of the bar goes back"


def test_each_key_of_the_bar_stands_there_once_and_does_something(faults: RunQuery) -> None:
    healthy = Desk(RunQuery(SAMPLES / "mnist-healthy.dtui"), (300, 60))
    assert not {"f flag", "x dismiss", "n/N incident", "Enter go there"} & set(bar_of(healthy.session))
    assert "+/− zoom" in bar_of(healthy.session)
    assert "L anomalies" in bar_of(healthy.session)
    assert "n/N anomaly" in bar_of(healthy.press("L").session)
    healthy.press("L")
    healthy.press("4")
    assert "Enter go there" not in bar_of(healthy.session), "no incident, so nothing to go to"
    assert "2 shows all layers" in healthy.text()
    healthy.press("5")
    assert "Tab face" not in bar_of(healthy.session)
    healthy.press("1")
    no_batch = bar_of(healthy.press("D").session)
    assert ",/. other batch" not in no_batch, "no batch was recorded"
    batches = Desk(RunQuery(SAMPLES / "mnist-batches.dtui"), (300, 60)).press("D")
    assert ",/. other batch" in bar_of(batches.session)
    correlation = bar_of(Desk(faults, (300, 24)).press("4").session)
    assert "←/→ layer" in correlation
    assert "Tab pane" not in correlation
    assert "z maximise" in correlation, "it takes the room of the curves"
    for size in ((80, 24), (300, 60)):
        desk = Desk(faults, size).press("1", "tab")
        bar = bar_of(desk.session)
        assert "j/k select" not in bar, "Evidence has no rows"
        assert len(bar) == len(set(bar))
        assert desk.press("j").session.message == "Evidence: no rows to select"
        structure = bar_of(desk.press("T").session)
        assert structure[-1] == "q back"
        assert [words.split()[-1] for words in structure].count("back") == 1
        assert ("z maximise" in structure) is (size[1] > 24), "at 24 rows it has all of them"


def test_undo_is_named_once_there_is_something_to_take_back(faults: RunQuery) -> None:
    desk = Desk(faults, (300, 60))
    assert "u undo" not in bar_of(desk.session)
    desk.press("f")
    assert "u undo" in bar_of(desk.session)
    desk.press("u")
    assert "u undo" not in bar_of(desk.session)


def test_what_a_decision_was_about_leaves_room_for_the_key_that_takes_it_back(faults: RunQuery) -> None:
    desk = Desk(faults, (60, 16))
    desk.session.message = "flagged: model.layer2.1.conv3, 32+ filters at 640,000; u takes it back"
    assert desk.panes()["bar"].rstrip() == " flagged: …1.conv3, 32+ filters at 640,000; u takes it back"


def test_help_begins_with_what_the_pane_does_with_its_keys(faults: RunQuery) -> None:
    desk = Desk(faults, (150, 50)).press("4")
    _, explained = help_box(desk.session.scene).left[0]
    assert ("←/→", "accent", "Layer.") in explained
    assert ("Enter", "accent", "Go there.") in explained


def test_orders_and_scales_that_cannot_be_seen_are_said(faults: RunQuery) -> None:
    desk = Desk(faults, (80, 24)).press("4")
    assert desk.press("o").session.message == "rows by time"
    assert desk.press("Y").session.message == "curves on a logarithmic scale"
    segmentation = Desk(RunQuery(SAMPLES / "digits-segmentation.dtui"), (80, 24)).press("3", "o")
    assert "group" in segmentation.session.message
    assert "class" not in segmentation.session.message
