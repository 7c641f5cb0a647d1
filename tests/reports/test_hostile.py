"""A report on a run from outside whose every text is a command, a script or a template: it is text in the document."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from dtui.reports import write_report
from tests.reports.test_pdf import read, squeezed
from tests.store.hostile_folders import hostile_run


def test_hostile_text_is_text_in_the_pdf(tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    result = write_report([hostile_run(tmp_path)], out)
    assert result.problems == ()
    text = squeezed(read(out, "-raw"))
    assert "<script>alert(1)</script>{{7*7}}" in text
    assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(text)


def test_hostile_text_is_text_in_the_document(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    result = write_report([hostile_run(tmp_path)], out)
    page = out.read_text(encoding="utf-8")
    assert result.problems == ()
    assert "alert(1)" in page, "the text is there"
    assert not re.search(r"<script>\s*alert", page)
    assert "Traceback" not in page
    body = page.partition("<main>")[2].partition("<script")[0]
    assert "{{7*7}}" in body
    assert not [char for char in set(body) - set("\n\t") if unicodedata.category(char) in ("Cc", "Cf", "Cs")]
    assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(page)
