"""A run with thousands of entries to review: what is done on the thread that takes keys, counted, for time is noisy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dtui.model import Anomaly
from dtui.model.findings import review
from dtui.model.findings.review import Entry
from tests.anomalies import class_anomaly
from tests.tui.desk import Desk
from tests.tui.driving import press, running
from tests.tui.fake_query import FakeQuery


class ManyAnomalies(FakeQuery):
    """A run with so many anomalies, a few at each iteration."""

    def __init__(self, count: int) -> None:
        super().__init__(records=2 + count // 4, every=1)
        self.many = count

    def anomalies(self, settings: object = None) -> tuple[Anomaly, ...]:
        found = [class_anomaly(place // 4, label=place % 4) for place in range(self.many)]
        told = ((one, *self.decisions.get(one.id, (one.status, one.note))) for one in found)
        return tuple(Anomaly(one.id, one.kind, one.evidence, one.shown, status, note) for one, status, note in told)


async def test_entries_are_made_in_the_thread_of_the_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()
    for name in ("_of_event", "of_incident"):
        make = getattr(review, name)

        def noting(*what: object, make=make) -> Entry:
            threads.add(threading.current_thread())
            return make(*what)

        monkeypatch.setattr(review, name, noting)
        monkeypatch.setattr(f"dtui.tui.state.questions.{name}", noting, raising=False)
    async with running(ManyAnomalies(400), screen="1") as (app, pilot, _):
        await press(app, pilot, "L", "[", "w", "L")
        assert app.session.view.anomalies
        assert app.session.view.incidents
    assert threads
    assert threading.main_thread() not in threads


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often entries are looked through."""
    ids, count = Entry.ids.fget, [0]

    def counted(entry: Entry) -> tuple[str, ...]:
        count[0] += 1
        return ids(entry)

    with monkeypatch.context() as patch:
        patch.setattr(Entry, "ids", property(counted))
        yield count


@pytest.mark.parametrize("keys", ["f", "x", "fu"])
def test_a_decision_on_all_takes_a_few_passes_and_not_one_an_entry(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    desk, many = Desk(ManyAnomalies(800)), 800
    desk.press("1", "L", "asterisk")
    assert len(desk.session.selection.marked) == many
    with counting(monkeypatch) as count:
        desk.press(*keys)
    assert {one.status for one in desk.session.view.anomalies} == {{"f": "flagged", "x": "dismissed"}.get(keys, "new")}
    assert count[0] < 12 * many * len(keys)


async def test_decisions_on_all_are_one_job_of_the_loader() -> None:
    query, given = ManyAnomalies(60), []
    decide = query.decide_all
    query.decide_all = lambda decisions: (given.append(len(decisions)), decide(decisions))
    async with running(query, screen="1") as (app, pilot, _):
        await press(app, pilot, "L", "g", "asterisk", "f")
    assert given == [60]
    assert len(query.decided) == 60
