"""What is wrong with a run, such as NaN, is seen at once in its report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtui.model import RunStatus
from dtui.reports import build, build_report, write_report
from dtui.reports.charts.rows.horizon import bar_path
from tests.reports.fake_query import FakeQuery


def test_nan_is_a_bar_through_the_row_over_its_columns() -> None:
    counted = np.array([False, True, True, False, False, True])
    assert bar_path(counted, 23) == "M1,9h2v5h-2ZM5,9h1v5h-1Z"
    assert bar_path(~counted & counted, 23) == ""


def test_findings_stand_at_the_head_of_page_and_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = ("weights are NaN or Inf in 2 layers, first in <b>conv1 at iteration 120",)
    monkeypatch.setattr(build, "open_run", lambda path: FakeQuery(findings=found))
    for name in ("a.html", "a.txt"):
        write_report([Path("a")], tmp_path / name)
    page, text = ((tmp_path / name).read_text(encoding="utf-8") for name in ("a.html", "a.txt"))
    assert 0 < page.index("in 2 layers, first in &lt;b&gt;conv1 at iteration 120") < page.index('id="run1-curves"')
    assert 0 < text.index(f"! {found[0]}") < text.index("changed by 14 times")
    crashed = build_report([FakeQuery(findings=found, reason="MemoryError")]).chapters[0].findings
    assert crashed == ("the training ended early: MemoryError", *found)
    unseen = FakeQuery(reason="updates were not seen", status=RunStatus.INCOMPLETE)
    chapter = build_report([unseen]).chapters[0]
    assert chapter.findings == ("not all of the training was recorded: updates were not seen",)
    assert chapter.status == "incomplete"
    many = build_report([FakeQuery(findings=tuple(f"file {k}" for k in range(20)))]).chapters[0].findings
    assert (many[0], many[-1]) == ("file 0", "12 more: dtui check lists every file")
    fired = tuple(f"flight recorder: the loss jumped at iteration {k}" for k in range(9))
    lines = build_report([FakeQuery(findings=("a file is gone", *fired))]).chapters[0].findings
    assert lines == ("a file is gone", f"{fired[0]}, and again after that; dtui anomalies lists every trigger")
    assert build_report([FakeQuery(findings=fired[:1])]).chapters[0].findings == fired[:1]


def test_where_a_training_was_resumed_is_told_where_it_was_made_and_in_the_curves() -> None:
    chapter = build_report([FakeQuery(joins=(100, 200, 300, 400))]).chapters[0]
    made = next(section for section in chapter.sections if section.id.endswith("-made")).items[0]
    assert [(fact.value, fact.detail) for fact in made.facts if fact.name == "resumed"] == [
        ("4×", "at iteration …, 200, 300, 400")
    ]
    curves = next(section for section in chapter.sections if section.id.endswith("-curves"))
    assert str(curves.items).count("resumed") == 4
    assert "resumed" not in str(build_report([FakeQuery()]))
