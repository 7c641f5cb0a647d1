"""Incidents are told of once, however they grow."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dtui.model import (
    Cause,
    Incident,
)
from dtui.query import open_run
from dtui.query.watching.events import EventKind, Severity, Wanted
from dtui.query.watching.watcher import Watcher
from tests.query.watching.live import SAMPLES, Live


def test_incidents_of_a_run_are_told_once_by_severity_and_not_where_they_were_dismissed(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(SAMPLES / "mnist-faults.dtui", path)

    def told(severity: Severity) -> list[int | None]:
        watcher = Watcher(path, Wanted(frozenset({EventKind.INCIDENT}), severity))
        first, second = watcher.look(), watcher.look()
        assert second.events == ()
        watcher.close()
        return [event.iteration for event in first.events]

    assert told(Severity.ANY) == [430, 750, 1010, 1360, 1650]
    assert told(Severity.STRONG) == [750, 1010, 1360, 1650]
    assert told(Severity.LASTING) == [1010, 1360]
    with open_run(path) as query:
        query.decide("incident-1360-filter-layer3.0.conv1", "dismissed")
    assert told(Severity.LASTING) == [1010]


def incidents_of_the_sample() -> list[Incident]:
    watcher = Watcher(SAMPLES / "mnist-faults.dtui", Wanted(frozenset({EventKind.INCIDENT})))
    found = [event.incident for event in watcher.look().events]
    watcher.close()
    return [one for one in found if one is not None]


def test_an_incident_that_gets_more_evidence_is_not_told_again(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = incidents_of_the_sample()[:2]
    shown = [replace(first, evidence=first.evidence[:1])]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: tuple(shown))
    assert len(live.look()) == 1
    shown[0] = replace(first, id="grown", evidence=(*first.evidence[:1], *other.evidence[:1]))
    live.append()
    assert live.look() == []


@pytest.mark.parametrize("kinds_wanted", [{EventKind.INCIDENT}, {EventKind.INCIDENT, EventKind.NONFINITE}])
def test_an_incident_of_nan_is_told_where_nan_itself_is_not_watched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds_wanted: set[EventKind]
) -> None:
    one = replace(incidents_of_the_sample()[0], cause=Cause.NONFINITE)
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: (one,))
    live = Live(tmp_path / "run", Wanted(frozenset(kinds_wanted)))
    assert len(live.look()) == (EventKind.NONFINITE not in kinds_wanted)
    live.close()


def test_an_incident_is_known_again_by_any_of_its_evidence(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = incidents_of_the_sample()[:2]
    both = (first.evidence[0], other.evidence[0])
    shown = [replace(first, evidence=both)]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: tuple(shown))
    assert len(live.look()) == 1
    shown[0] = replace(first, id="shrunk", evidence=both[1:])
    live.append()
    assert live.look() == []


@pytest.mark.parametrize(
    "another", [{"detector": "x"}, {"rule": "x"}, {"iteration": 99}, {"layer": "x"}, {"classes": (7, 8)}]
)
def test_evidence_of_another_time_or_place_is_another_incident(
    live: Live, monkeypatch: pytest.MonkeyPatch, another: dict[str, Any]
) -> None:
    one = incidents_of_the_sample()[0]
    shown = [replace(one, evidence=one.evidence[:1])]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: tuple(shown))
    assert len(live.look()) == 1
    shown[0] = replace(one, id="another", evidence=(replace(one.evidence[0], **another),))
    live.append()
    assert len(live.look()) == 1


def test_an_incident_is_strong_from_a_score_of_one_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = incidents_of_the_sample()[0]
    live = Live(tmp_path / "run", Wanted(frozenset({EventKind.INCIDENT}), Severity.STRONG))
    for score, found in ((0.999, 0), (1.0, 1)):
        monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query, at=score: (replace(one, score=at),))
        live.append()
        assert len(live.look()) == found
    live.close()


def test_an_incident_that_gets_another_name_while_it_grows_is_told_once(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    incidents = incidents_of_the_sample()
    shown = [()] + [(replace(incidents[0], id=f"incident-{n}-gradient-network", first=n),) for n in (430, 440)]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: shown[min(live.count - 2, 2)])
    for expected in (0, 1, 0):
        live.append()
        assert len(live.look()) == expected
    shown[2] += (replace(incidents[1]),)
    live.append()
    assert [event.iteration for event in live.look()] == [750]
