"""nonfinite.jsonl: read back as written, what does not fit is passed over, and it goes where the run goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.query import open_run
from dtui.store import check_run, pack_run
from dtui.store.disk.json_lines import append_line
from dtui.store.format import nonfinite_lines as lines
from dtui.store.format.nonfinite_lines import nonfinite_lines, parse_nonfinite
from tests.store.conftest import Recording
from tests.store.resuming import die, resume

BROKEN = BrokenGradients(41, ("conv1", "\x1b[31m"), ("fc",), ("conv1",), ("bn1",), ("bn0",), False)
PLAN = LookPlan(16, 0, 0.0029)


def held(path: Path) -> tuple[list[BrokenGradients], LookPlan | None]:
    with open_run(path) as query:
        return query._data.reader.broken_gradients()


def test_what_was_noted_is_read_back_live_and_packed(recording: Recording, tmp_path: Path) -> None:
    recording.append(5)
    with open_run(recording.path) as query:
        assert query._data.reader.broken_gradients() == ([], None)
        recording.writer.append_nonfinite(PLAN)
        recording.writer.append_nonfinite(BROKEN)
        assert query.refresh()
        assert query._data.reader.broken_gradients() == ([BROKEN], PLAN)
        assert query.info().looks == PLAN
    recording.writer.close()
    assert check_run(recording.path).is_fine
    pack_run(recording.path, tmp_path / "one.h5")
    assert held(tmp_path / "one.h5") == ([BROKEN], PLAN)


def test_what_came_after_a_checkpoint_does_not_count(recording: Recording) -> None:
    recording.append(30)
    recording.writer.append_nonfinite(BrokenGradients(150, ("conv1",)))
    recording.writer.append_nonfinite(BrokenGradients(250, ("conv1",)))
    die(recording.writer)
    writer = resume(recording.path, 200)
    writer.append_nonfinite(BrokenGradients(260, ("fc",)))
    assert [one.iteration for one in held(recording.path)[0]] == [150, 260]
    writer.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"iteration": -1},
        {"iteration": True},
        {"iteration": 1 << 70},
        {"broken": "conv1"},
        {"broken": [3]},
        {"broken": ["x" * 2000]},
        {"finite": ["x"] * 5000},
        {"broken": [], "weights": []},
        {"statistics": None},
        {"share": "no"},
        {"share": float("nan"), "layers": 3},
        {"share": -1.0, "layers": 3},
        {"share": True, "layers": 3},
        {"share": 0.1, "layers": -3},
        {"share": 0.1, "layers": 0.5},
    ],
)
def test_a_line_that_cannot_be_is_passed_over(recording: Recording, wrong: dict[str, object]) -> None:
    recording.append(5)
    recording.writer.append_nonfinite(BROKEN)
    (line,) = nonfinite_lines(recording.path / "none", BROKEN)
    assert parse_nonfinite(line) == BROKEN
    assert parse_nonfinite({**line, **wrong}) is None
    append_line(recording.path / "nonfinite.jsonl", {**line, **wrong})
    assert held(recording.path) == ([BROKEN], None)
    with open_run(recording.path) as query:
        query.info()
        query.incidents()


def test_the_file_does_not_grow_without_end(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LARGEST_NONFINITE", 1)
    recording.append(5)
    for _ in range(3):
        recording.writer.append_nonfinite(BROKEN)
    assert held(recording.path)[0] == [BROKEN]
