"""A run that scores decide has groups of items: no screen and no report calls them classes and images."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.query import open_run
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk

JUDGED = SAMPLES / "digits-segmentation.dtui"
SCREENS = {
    "Triage": (["g"], "labels or data of a group"),
    "anomalies": (["L"], "group zero gained 23%"),
    "Layers": (["2"], "▼ group"),
    "a filter": (["2", "tab", "enter"], "changed most: group three at 1,000"),
    "Validation": (["3"], "Items"),
    "an item": (["3", "tab", "enter"], "item"),
    "the items of a group": (["3", "i"], "wrong at"),
    "Correlation": (["4"], "by group"),
    "Cube": (["5"], "groups × layers"),
}
TRUTHS = r"--class\b|10 classes|200 classes|1,000 classes|until 711, class three|most classes 8"
"""Options, what was measured on networks with classes, and a note of somebody else."""
NOT_SAID = r"\bclass|\b[Ii]mage"


@pytest.mark.parametrize("screen", SCREENS)
def test_no_screen_says_class_or_image(screen: str) -> None:
    keys, words = SCREENS[screen]
    with open_run(JUDGED) as query:
        text = Desk(query).press(*keys).text()
    assert words in text
    assert [line for line in text.splitlines() if re.search(NOT_SAID, line)] == []


def test_no_report_says_class_or_image(tmp_path: Path) -> None:
    assert main(["report", str(JUDGED), "-o", str(tmp_path / "report.html"), "--quiet"]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "'error of each group'" in page.replace("\\u0027", "'")
    texts = re.findall(r">([^<>]+)", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL))
    assert any("A row is a group with incidents" in text for text in texts)
    assert [text for text in texts if re.search(NOT_SAID, text) and not re.search(TRUTHS, text)] == []
