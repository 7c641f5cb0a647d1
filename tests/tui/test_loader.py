"""The loader's thread: newest first, stale never, errors as events."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from queue import Queue

import pytest

from dtui.errors import RunDamagedError
from dtui.model import AnomalySettings
from dtui.tui.loader import Answered, Decided, Failed, Loader, Opened
from dtui.tui.state.questions import (
    AnomaliesQuestion,
    ClustersQuestion,
    IncidentsNotJudgedQuestion,
    IncidentsQuestion,
    NotJudgedQuestion,
)
from dtui.tui.state.review.reviewing import Decision
from tests.tui.fake_query import FakeQuery

PATIENCE_SECONDS = 20


class Desk:
    """A loader with a query that answers only when it is let."""

    def __init__(self, query: FakeQuery):
        self.query, self.events = query, Queue()
        self.loader = Loader(Path("x.dtui"), self.events.put, lambda _: query)

    def next(self):
        return self.events.get(timeout=PATIENCE_SECONDS)


@pytest.fixture
def desk():
    desk = Desk(FakeQuery())
    desk.loader.start()
    assert isinstance(desk.next(), Opened)
    yield desk
    desk.loader.close()
    assert desk.query.closed


def hold(query: FakeQuery, name: str) -> tuple[threading.Event, threading.Event]:
    """Make a method wait: returns (it began, let it go)."""
    began, go = threading.Event(), threading.Event()
    method = getattr(query, name)

    def waiting(*arguments, **choices):
        began.set()
        assert go.wait(PATIENCE_SECONDS)
        return method(*arguments, **choices)

    setattr(query, name, waiting)
    return began, go


def test_what_answers_needed_is_freed_when_nothing_more_is_asked(desk):
    freed = threading.Event()
    desk.query.tidy = lambda: freed.set() if desk.events.qsize() else None  # behind the answer
    desk.loader.ask([ClustersQuestion(2)], 0)
    assert freed.wait(PATIENCE_SECONDS)
    assert isinstance(desk.next(), Answered)


def test_only_the_newest_of_many_requests_is_answered(desk):
    began, go = hold(desk.query, "clusters")
    for count in range(2, 9):
        desk.loader.ask([ClustersQuestion(count)], 0)
        assert count > 2 or began.wait(PATIENCE_SECONDS)
    go.set()
    answer = desk.next()
    assert answer.question == ClustersQuestion(8)
    assert [question for question in desk.query.asked if question[0] == "clusters"] == [
        ("clusters", 2),
        ("clusters", 8),
    ]
    assert desk.events.empty()


def test_answers_that_are_found_soon_after_each_other_come_together(desk, monkeypatch):
    monkeypatch.setattr("dtui.tui.events.TOGETHER_SECONDS", PATIENCE_SECONDS)
    desk.query.prepare_incidents = lambda seconds: False  # a slow one holds nothing back
    quick = [ClustersQuestion(2), IncidentsNotJudgedQuestion(), NotJudgedQuestion(AnomalySettings())]
    desk.loader.ask([*quick, IncidentsQuestion()], 0)
    assert [one.question for one in desk.next().answers] == quick


def test_that_nothing_new_comes_is_told_once_a_minute(desk):
    for seconds, told in ((0.0, []), (61.0, [61.0]), (90.0, []), (121.0, [121.0]), (122.0, [])):
        desk.query.quiet = seconds
        desk.loader.poll()
        desk.loader.ask([ClustersQuestion(int(seconds) + 2)], 0)  # answered after the look
        events = [desk.next()]
        while not isinstance(events[-1], Answered):
            events.append(desk.next())
        assert [event.seconds for event in events[:-1]] == told


def test_a_quick_question_passes_a_slow_one_that_is_at_work(desk):
    begun, done = threading.Event(), threading.Event()

    def prepare(seconds):
        begun.set()
        return done.is_set()

    desk.query.prepare_incidents = prepare
    slow = [IncidentsQuestion(), AnomaliesQuestion(AnomalySettings())]
    desk.loader.ask(slow, 0)
    assert begun.wait(PATIENCE_SECONDS)
    for count in (2, 3):
        desk.loader.ask([*slow, ClustersQuestion(count)], 0)
        assert desk.next().question == ClustersQuestion(count)
    done.set()
    assert [desk.next().question for _ in slow] == slow  # the more important one of two slow ones is finished first


def test_a_slow_question_that_nobody_asks_any_more_is_dropped(desk):
    begun = threading.Event()
    desk.query.prepare_incidents = lambda seconds: begun.set()
    desk.loader.ask([IncidentsQuestion()], 0)
    assert begun.wait(PATIENCE_SECONDS)
    desk.loader.ask([ClustersQuestion(2)], 0)
    assert desk.next().question == ClustersQuestion(2)
    desk.loader.ask([ClustersQuestion(3)], 0)
    assert desk.next().question == ClustersQuestion(3)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while desk.loader._wanted and time.monotonic() < deadline:  # it is dropped after the answer
        time.sleep(0.01)
    assert not desk.loader._wanted


def test_damage_is_told_once_when_it_is_found(desk):
    for found, more in ((1, ""), (3, " (and 1 more; dtui check lists them)")):
        desk.query.damage = tuple(f"x.dtui/parts/{n}.h5: reading failed" for n in range(found))
        for count in (2, 3):
            desk.loader.ask([ClustersQuestion(count)], found)
            assert isinstance(desk.next(), Answered)
            if count == 2:
                assert desk.next().view.is_damaged
                assert desk.next().message == f"damaged: parts/{found // 2}.h5: reading failed{more}"
    assert desk.events.empty()


def test_a_detector_that_fails_is_told_once(desk):
    desk.query.failed = ("detector odd failed and found nothing: ValueError: \x1b[2Jno",)
    for count in (2, 3):
        desk.loader.ask([ClustersQuestion(count)], count)
        assert isinstance(desk.next(), Answered)
        if count == 2:
            assert not desk.next().view.is_damaged
            message = desk.next().message
            assert message.startswith("detector odd failed and found nothing: ValueError: ")
            assert "\x1b" not in message
    assert desk.events.empty()


def test_what_was_asked_is_not_asked_again_until_the_run_changes(desk):
    for revision, expected in ((0, 1), (0, 1), (1, 2)):
        desk.loader.ask([ClustersQuestion(3)], revision)
        desk.loader.decide([Decision("barrier", "new", None)])
        while not isinstance(desk.next(), Decided):
            pass
        assert desk.query.asked.count(("clusters", 3)) == expected
    desk.loader.forget(ClustersQuestion)
    desk.loader.ask([ClustersQuestion(3)], 1)
    assert isinstance(desk.next(), Answered)
    assert desk.query.asked.count(("clusters", 3)) == 3


def test_a_slot_that_is_no_longer_wanted_is_dropped(desk):
    began, go = hold(desk.query, "clusters")
    desk.loader.ask([ClustersQuestion(2), AnomaliesQuestion(AnomalySettings())], 0)
    assert began.wait(PATIENCE_SECONDS)
    desk.loader.ask([ClustersQuestion(2)], 0)
    go.set()
    assert desk.next().question == ClustersQuestion(2)
    desk.loader.decide([Decision("barrier", "new", None)])
    assert isinstance(desk.next(), Decided)


def test_errors_are_events_and_the_thread_goes_on(desk):
    desk.query.fail_with = RunDamagedError("parts/0-32.h5: checksum\x1b[2J")
    desk.loader.ask([ClustersQuestion(2)], 0)
    failed = desk.next()
    assert isinstance(failed, Failed)
    assert failed.message == "parts/0-32.h5: checksum�[2J"
    desk.query.fail_with = ZeroDivisionError("oops")
    desk.loader.ask([ClustersQuestion(3)], 0)
    assert "ZeroDivisionError" in desk.next().message
    desk.query.fail_with = None
    desk.loader.ask([ClustersQuestion(4)], 0)
    assert isinstance(desk.next(), Answered)


def test_polls_do_not_pile_up(desk, monkeypatch):
    given = []
    monkeypatch.setattr("dtui.tui.loader.give_back", lambda: given.append(1))
    began, go = hold(desk.query, "refresh")
    for _ in range(20):
        desk.loader.poll()
    assert began.wait(PATIENCE_SECONDS)
    desk.query.changed = True
    go.set()
    assert isinstance(desk.next(), Opened)
    desk.loader.decide([Decision("barrier", "new", None)])
    assert isinstance(desk.next(), Decided)
    assert len(given) == 1, "each poll gives memory back that answers no longer need"


def test_all_work_is_done_in_one_thread(desk):
    threads = set()
    original = desk.query.clusters

    def noting(*arguments, **choices):
        threads.add(threading.current_thread())
        return original(*arguments, **choices)

    desk.query.clusters = noting
    for count in range(2, 6):
        desk.loader.ask([ClustersQuestion(count)], 0)
        desk.next()
    assert len(threads) == 1
    assert threading.main_thread() not in threads


def closing(loader: Loader) -> threading.Thread:
    thread = threading.Thread(target=loader.close, daemon=True)
    thread.start()
    return thread


def test_leaving_does_not_wait_for_a_question_without_end() -> None:
    """Ten minutes, say, about millions of records."""
    desk, begun, go = Desk(FakeQuery()), threading.Event(), threading.Event()

    def opening(_: Path) -> FakeQuery:
        begun.set()
        go.wait()
        return desk.query

    desk.loader = Loader(Path("x.dtui"), desk.events.put, opening)
    desk.loader.start()
    assert begun.wait(PATIENCE_SECONDS)
    closer = closing(desk.loader)
    closer.join(PATIENCE_SECONDS)
    assert not closer.is_alive()
    go.set()
    desk.loader._thread.join(PATIENCE_SECONDS)
    assert desk.query.closed
    assert desk.events.empty()  # nobody listens any more


def test_a_decision_is_written_down_before_the_run_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.tui.loader.PATIENCE_SECONDS", 0.01)
    desk = Desk(FakeQuery())
    desk.loader.start()
    assert isinstance(desk.next(), Opened)
    began, go = hold(desk.query, "clusters")
    desk.loader.ask([ClustersQuestion(2)], 0)
    assert began.wait(PATIENCE_SECONDS)
    desk.loader.decide([Decision("a", "flagged", "")])
    closer = closing(desk.loader)
    closer.join(0.2)
    assert closer.is_alive()
    go.set()
    closer.join(PATIENCE_SECONDS)
    assert not closer.is_alive()
    assert desk.query.decided == [("a", "flagged", "")]
    assert desk.query.closed
