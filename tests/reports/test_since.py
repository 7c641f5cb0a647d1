"""What changed since the last report: from a small file beside it, which may be anything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dtui.model import RunStatus
from dtui.reports import write_report
from dtui.reports.since import state_file
from tests.reports.fake_query import FakeQuery


def written(runs: dict[str, FakeQuery], query: FakeQuery, out: Path) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the title, the changes and the problems of a report."""
    runs["a"] = query
    result = write_report([Path("a")], out, sections=["made"])
    return result.runs[0].since_title, result.runs[0].since, result.problems


def test_the_first_report_of_a_run_says_so(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    assert written(runs, FakeQuery(), out) == ("First report of this run", (), ())
    assert "<h2>First report of this run</h2>" in out.read_text(encoding="utf-8")
    assert written(runs, FakeQuery(), out) == ("Since the last report, at iteration 490", ("Nothing changed.",), ())


def test_what_changed_is_told(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    out = tmp_path / "a.txt"
    young = FakeQuery(records=30, status=RunStatus.LIVE)
    young.happened = young.happened[:1]
    written(runs, young, out)
    grown = FakeQuery(records=50)
    first = grown.happened[0]
    grown.decided = {first.id: {"status": "flagged", "note": "see the disk"}}
    title, since, _ = written(runs, grown, out)
    assert title == "Since the last report, at iteration 290"
    assert since[0] == "+20 records, +20 validations"
    assert "live → done" in since
    assert any(line.startswith("validation error ") and " → " in line for line in since)
    assert "new incident at 80: the error of class dog rose from 10 % to 60 %: labels or data of class dog" in since
    assert since[-2:] == ("flagged: the incident at 40", "note on the incident at 40: see the disk")
    assert "see the disk" in out.read_text(encoding="utf-8")


def test_another_run_in_the_same_place_is_a_first_report(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    written(runs, FakeQuery(), out)
    assert written(runs, FakeQuery(name="another"), out)[0] == "First report of this run"


def broken(path: Path, how: str) -> None:
    values = json.loads(path.read_text(encoding="ascii"))
    if how == "newer":
        values["version"] = 2
    elif how == "foreign":
        values = {"what": "something else", "version": 1, "runs": []}
    elif how == "changed":
        values["runs"][0]["records"] = 7
    elif how == "list":
        values = [1, 2]
    elif how == "huge":
        path.write_bytes(b" " * ((4 << 20) + 1))
        return
    elif how == "deep":
        path.write_bytes(b"[" * 100_000)
        return
    elif how == "bytes":
        path.write_bytes(bytes(range(256)))
        return
    elif how == "pipe":
        path.unlink()
        os.mkfifo(path)
        return
    elif how == "link":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
        return
    path.write_text(json.dumps(values), encoding="ascii")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("newer", "was written by a newer dtui (version 2, this one reads 1)"),
        ("foreign", "is no state of a report"),
        ("changed", "is damaged: it fails its check"),
        ("list", "is damaged, or no state of a report"),
        ("huge", "cannot be read: it has more than 4,194,304 bytes"),
        ("deep", "is damaged, or no state of a report"),
        ("bytes", "is damaged, or no state of a report"),
        ("pipe", "cannot be read: it is no plain file"),
        ("link", "cannot be read: it is a symbolic link"),
    ],
)
def test_a_state_that_is_no_use_is_told_and_a_first_report_is_made(
    runs: dict[str, FakeQuery], tmp_path: Path, how: str, why: str
) -> None:
    out = tmp_path / "a.html"
    written(runs, FakeQuery(), out)
    broken(state_file(out), how)
    title, changes, problems = written(runs, FakeQuery(), out)
    assert (title, changes) == ("First report of this run", ())
    assert problems[0] == f"{state_file(out)}: {why}; this report compares with nothing, and replaces it"
    assert written(runs, FakeQuery(), out)[0].startswith("Since the last report")


@pytest.mark.parametrize(
    "change",
    [{"records": -1}, {"error": 7}, {"incidents": {"a": [1]}}, {"dead": True}, {"incidents": None}, {"run": [1]}],
)
def test_impossible_values_with_a_right_check_are_not_believed(
    runs: dict[str, FakeQuery], tmp_path: Path, change: dict[str, object]
) -> None:
    from dtui.reports.since import _check

    out = tmp_path / "a.html"
    written(runs, FakeQuery(), out)
    values = json.loads(state_file(out).read_text(encoding="ascii"))
    values["runs"][0] |= change
    values["check"] = _check(values["runs"])
    state_file(out).write_text(json.dumps(values), encoding="ascii")
    title, _, problems = written(runs, FakeQuery(), out)
    assert title == "First report of this run"
    assert "is damaged" in problems[0]


def test_the_state_is_replaced_after_the_report(
    runs: dict[str, FakeQuery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is stopped before the report stands compares with the same again."""
    out = tmp_path / "a.html"
    written(runs, FakeQuery(records=30), out)
    before = state_file(out).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("dtui.output.OutputTarget.write", lambda self, data: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            written(runs, FakeQuery(), out)
    assert state_file(out).read_bytes() == before
    assert written(runs, FakeQuery(), out)[1][0] == "+20 records, +20 validations"


def test_a_state_that_cannot_be_kept_is_told(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    state_file(out).mkdir()
    _, _, problems = written(runs, FakeQuery(), out)
    (told,) = problems
    assert told.endswith("cannot be read: it is a folder, remove it; this report compares with nothing")
    assert out.exists()


def test_standard_output_remembers_nothing(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"] = FakeQuery()
    result = write_report([Path("a")], "/dev/null", sections=["made"])
    assert (result.runs[0].since_title, result.problems) == ("", ())


def test_names_from_outside_in_the_state_are_text(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    query = FakeQuery()
    written(runs, query, out)
    query.decided = {query.happened[0].id: {"note": "<script>alert(1)</script>\x1b[31m \udcff"}}
    _, since, _ = written(runs, query, out)
    assert "\x1b" not in since[-1]
    assert "&lt;script&gt;alert(1)" in out.read_text(encoding="utf-8")
