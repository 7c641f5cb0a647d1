"""A number and its unit stand on one line in every format of a report."""

from __future__ import annotations

import re
from html import unescape

import pytest

from dtui.number_text import NO_BREAK
from dtui.reports.document import Chapter, Fact, Facts, Opening, Paragraph, Report, Row, Said, Section, Table
from dtui.reports.output.html import render_html
from dtui.reports.output.mail import render_mail
from dtui.reports.output.markdown import render_markdown
from dtui.reports.output.pdf import document_data, pieces
from dtui.reports.output.text import render_text, wrapped

SAID = "the error of class 4 of layer3.0.conv1.weights rose from 1.5 % to 80 %, 2.23 million times in 1,234,567 s"
PARTED = re.compile(r"\d (?:%|million|s\b)")
COMMAND = "dtui a --class '80 %'"
REPORT = Report(
    "a",
    (
        Chapter(
            "run1",
            "a",
            "done",
            False,
            (Fact("error", "80 %", "best 2.4 %"),),
            (
                Section(
                    "s",
                    "What happened",
                    SAID,
                    (
                        Paragraph(SAID),
                        Facts((Fact("size", "3 MB"),)),
                        Table(("share", "what"), (True, False), (Row(("80 %", SAID)),), SAID),
                    ),
                    command=COMMAND,
                ),
            ),
            (SAID,),
            Opening("look", SAID, (Said(SAID),), (SAID,), (SAID,), SAID),
        ),
    ),
)


def test_a_page_parts_none_and_commands_stay_as_they_are() -> None:
    page = render_html(REPORT, {}, {}, "")
    shown = unescape(re.sub(r"<(style|script)[^>]*>.*?</\1>", "", page, flags=re.DOTALL))
    words = re.sub(r"<code>.*?</code>", "", shown).replace("<wbr>", "")
    assert PARTED.findall(words) == []
    assert words.count(f"1.5{NO_BREAK}%") == 10
    assert NO_BREAK not in "".join(re.findall(r"<code>.*?</code>", shown))
    assert not re.search(r"\d[.,]<wbr>\d", shown), "a long number does not part either"


def test_markdown_parts_none() -> None:
    text = render_markdown(REPORT)
    assert PARTED.findall(text.replace(COMMAND, "")) == []
    assert COMMAND in text


@pytest.mark.parametrize("room", range(30, 110))
def test_lines_of_text_part_none_and_hold_plain_spaces(room: int) -> None:
    lines = wrapped(SAID, "  ", room)
    assert all(not re.match(r"\s*(?:%|million|s$)", line) for line in lines)
    assert " ".join(line.strip() for line in lines) == SAID
    assert len(lines) == 1 or max(map(len, lines)) <= room


def test_text_for_mail_holds_plain_spaces() -> None:
    assert NO_BREAK not in render_mail(REPORT) + render_text(REPORT)


def test_paper_parts_none() -> None:
    shown = pieces(SAID)
    assert "".join(shown).replace(NO_BREAK, " ") == SAID
    assert len(shown) > 1
    assert not any(re.match(r"\s*(?:%|million|s$)", piece) for piece in shown)
    assert f"1.5{NO_BREAK}%" in shown
    assert PARTED.findall(str(document_data(REPORT, {}, {})["chapters"][0]["facts"])) == []
