from __future__ import annotations

import json

import pytest

from dtui.store.disk import json_lines
from tests.store.conftest import Recording


def test_the_latest_decision_counts(recording: Recording) -> None:
    reader = recording.reader()
    assert reader.decisions() == {}
    reader.append_decisions([("class-left-3-1200-lost", "flagged", "look at [b]this[/b]\n")])
    reader.append_decisions([("other", "dismissed", "")])
    recording.reader().append_decisions([("class-left-3-1200-lost", "dismissed", "noise")])
    assert reader.decisions() == {"class-left-3-1200-lost": ("dismissed", "noise"), "other": ("dismissed", "")}


def test_who_and_when_are_kept(recording: Recording) -> None:
    recording.reader().append_decisions([("a", "flagged", "")])
    line = json.loads((recording.path / "triage.jsonl").read_text())
    assert line["who"]
    assert line["when"][:2] == "20"


def test_a_half_written_line_is_ignored_and_the_next_one_is_not_lost(recording: Recording) -> None:
    reader = recording.reader()
    reader.append_decisions([("a", "flagged", "")])
    path = recording.path / "triage.jsonl"
    path.write_bytes(path.read_bytes() + b'{"what": "b", "sta')
    assert reader.decisions() == {"a": ("flagged", "")}
    reader.append_decisions([("c", "flagged", "")])
    assert reader.decisions() == {"a": ("flagged", ""), "c": ("flagged", "")}


def test_a_changed_line_is_not_believed(recording: Recording) -> None:
    reader = recording.reader()
    reader.append_decisions([("a", "flagged", "")])
    path = recording.path / "triage.jsonl"
    path.write_text(path.read_text().replace("flagged", "blagged"))
    assert reader.decisions() == {}


def test_a_decision_is_a_change(recording: Recording) -> None:
    reader = recording.reader()
    recording.reader().append_decisions([("a", "flagged", "")])
    assert reader.refresh() is True


def test_decisions_on_all_are_one_write(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, written = recording.reader(), []
    write = json_lines.os.write
    monkeypatch.setattr(json_lines.os, "write", lambda *what: (written.append(1), write(*what))[1])
    reader.append_decisions([(f"anomaly {place}", "flagged", "") for place in range(500)])
    assert len(written) == 1
    assert len(reader.decisions()) == 500
