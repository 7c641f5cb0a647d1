"""The list of entries, and one of them in full, as text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.model import Cause, Evidence, ImageVerdict, Incident, TimeAxis
from dtui.model.findings.incident_evidence import IncidentEvidence, LayerMove
from dtui.model.findings.review import of_anomalies, of_incident
from dtui.model.findings.telling import Telling
from dtui.model.judging import BY_THRESHOLD, HIGHER, Judging
from dtui.model.learning import Confused
from dtui.query.incidents.evidence import rule_words
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.entry_detail import EntryDetailPicture
from dtui.tui.renderables.panes.incident_ribbon import IncidentRibbonPicture, entry_at, marks_of, words_of
from dtui.tui.renderables.panes.key_bar import KeyBarPicture
from dtui.tui.renderables.panes.triage import TriagePicture
from dtui.tui.renderables.parts.column_chart import draw_columns, heights
from dtui.tui.renderables.parts.sparkline import sparkline
from tests.anomalies import class_anomaly

CLASSES = ("cat", "dog", "8")


def incident(first: int, cause=Cause.CLASS, last=None, **fields) -> Incident:
    given = {"layers": (), "filters": (), "classes": (0,), "evidence": (), "score": 1.0} | fields
    sentence = given.pop("sentence", f"it happened at {first}")
    return Incident(f"i{first}", cause, first, last or first, sentence=sentence, **given)


def frame(width=120, height=20, gutter=34) -> Frame:
    return Frame(width, height, gutter, TimeAxis(0, 860, max(1, width - gutter)), DARK, Output(), True)


def lines(picture, where: Frame, cursor: int | None = None) -> list[str]:
    return to_text(picture.draw(where, cursor)).split("\n")


def test_a_row_says_status_time_and_what_happened():
    entries = (
        of_incident(incident(430, sentence="the error of cat rose")),
        of_incident(incident(750, Cause.NETWORK, 760, status="flagged", note="look at \x1b[31mthis", classes=())),
        *of_anomalies([class_anomaly(900, "lost", 0.4, 1)]),
    )
    shown = lines(TriagePicture(entries, 0, 0, frozenset({"i750"}), CLASSES, title="3"), frame(100, 8))
    assert shown[0].startswith("▌Triage  3")
    assert shown[1].split("  ")[0].startswith("▌ ▼ new")
    assert "430  the error of cat rose" in shown[1]
    assert shown[2].startswith(" •≋ flagged")
    assert "750–760  it happened at 750" in shown[2]
    assert "✎ look at" in shown[2]
    assert "\x1b" not in shown[2]
    assert "900  class dog lost 40%" in shown[3]


def test_the_evidence_has_a_column_where_there_is_room():
    entry = of_incident(incident(430))
    values = Telling("class", "error", "share", np.arange(21), np.r_[np.zeros(10), 1.0, np.zeros(10)])
    wide = lines(TriagePicture((entry,), 0, 0, frozenset(), CLASSES, {"i430": values}), frame(120, 4))
    assert "▁▁▁▁▁▁▁▁▁▁▇▁▁▁▁▁▁▁▁▁▁" in wide[1]
    narrow = lines(TriagePicture((entry,), 0, 0, frozenset(), CLASSES, {"i430": values}), frame(80, 4))
    assert "▁" not in narrow[1]


def test_a_sparkline_shows_a_single_strange_value_of_many_and_what_is_no_number():
    assert sparkline(np.zeros(0), 5) == ""
    assert sparkline(np.full(3, np.nan), 5) == "···"
    assert sparkline(np.array([0, 0, np.nan, 1.0]), 4) == "▁▁·▇"
    many = np.zeros(400)
    many[117] = -3.0
    assert sparkline(many, 20) == "▇" * 5 + "▁" + "▇" * 14
    assert set(sparkline(many, 20, is_ascii=True)) <= set("_.-=+*#@")


def test_heights_are_of_the_finite_values_and_logarithmic_where_asked():
    assert heights(np.array([1.0, np.nan, 3.0, np.inf]), False).tolist()[::2] == [0.0, 1.0]
    assert np.isnan(heights(np.array([1.0, np.nan, 3.0, np.inf]), False)[1::2]).all()
    assert heights(np.array([1.0, 10.0, 100.0]), True).tolist() == pytest.approx([0, 0.5, 1])
    assert heights(np.array([0.0, 10.0, 100.0]), True).tolist() == pytest.approx([0, 0, 1])
    assert heights(np.array([2.0, 2.0]), False).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("wide", "seen"), [(1, ["abc×e█ghi", "  ▄  █", "▁ █  █"]), (2, ["abcdef××i", "    ▄▄", "▁▁  ██"])]
)
def test_columns_are_as_high_as_their_values_and_cut_at_the_edge(wide: int, seen: list[str]) -> None:
    cells, values = Cells(9, 3, DARK), np.array([0.0, np.nan, 1.5, np.inf, np.nan, 3.0])
    cells.text(0, 0, "abcdefghi", DARK.text, bold=True)
    draw_columns(cells, frame(9, 3, 0), 0, 0, 3, values, np.arange(6) == 2, wide)
    assert to_text(cells).split("\n") == seen
    assert cells.fg[2, [0, 2 * wide]].tolist() == [DARK.train, DARK.flag]
    assert cells.bold[0].tolist() == [glyph != "█" for glyph in seen[0]]


def evidence(**fields) -> IncidentEvidence:
    iterations = np.arange(23, 64) * 10
    series = Telling("class", "error of class cat", "share", iterations, np.where(iterations == 430, 1.0, 0.02))
    given = {
        "series": (series,),
        "label": 0,
        "moment": 430,
        "became": (Confused(0, 1, 98, 0.98), Confused(0, 2, 1, 0.01)),
        "judged": 100,
        "moved": (LayerMove("layer3.\x1b[2Jconv2", 6.1),),
    }
    return IncidentEvidence("i430", **(given | fields))


def test_an_entry_in_full_says_what_it_became_and_what_moved():
    entry = of_incident(incident(430, sentence="the error of cat rose from 2 % to 100 %", persists=True))
    for width, height in ((150, 24), (80, 14)):
        text = "\n".join(lines(EntryDetailPicture(entry, CLASSES, evidence()), frame(width, height)))
        for said in (
            "the error of cat rose from 2 % to 100 %",
            "iteration 430 · labels or data of a class · new",
            "still so at the end",
            "next: look at its training samples up to 430",
            "conv2 ×6.10",
            "cat was taken for at 430, of 100 images:",
            "dog     ▇",
            "class 8 ▇ 1",
        ):
            assert said in text, (width, said)
        assert "\x1b" not in text
    dismissed = replace(entry, status="dismissed")
    assert "next: " not in "\n".join(lines(EntryDetailPicture(dismissed, CLASSES, evidence()), frame(150, 24)))
    assert "error of class cat" in "\n".join(lines(EntryDetailPicture(entry, CLASSES, evidence()), frame(150, 24)))


def test_an_entry_says_which_rule_found_it_and_what_is_usual():
    drop = Evidence(
        "class", 430, classes=(0,), strength=1.3, amount=0.98, usual=0.015, concentration=0.9, frequency=0.0
    )
    entry = of_incident(found := incident(430, evidence=(drop, replace(drop, rule="stays"))))
    text = lines(EntryDetailPicture(entry, CLASSES, evidence(rule=rule_words(found))), frame(80, 14))
    became, step, first = (
        next(place for place, line in enumerate(text) if said in line) for said in ("class 8 ▇ 1", "next: ", "rule: ")
    )
    assert became < step < first, "what the class became comes first"
    assert text[first].strip() == "rule: error against the 10 validations before: usually 1.5 %, here 100 % ·"
    assert text[first + 1].strip().startswith("90 % of the rise of all classes · never as much before · stayed as")
    seldom = replace(drop, frequency=0.0125)
    assert "90 % of the rise of all classes · never as much before" in rule_words(replace(found, evidence=(drop,)))
    assert rule_words(replace(found, evidence=(seldom,))).endswith("as much at 1.25 % of the validations before")
    missing = rule_words(replace(found, evidence=(replace(drop, rule="missing"),)))
    assert missing == "rule: a class that fails for long and is not taught: its error was usually 1.5 %, here 100 %"
    assert rule_words(incident(430)) == ""


def test_what_an_error_stayed_at_and_its_peak_are_told_apart():
    rose = "stayed at 86 % or more (peak 96 % at 440)"
    course = Telling(
        "class", "error of cat", "share", np.array([420, 430, 440]), np.array([0.27, 0.86, 0.96]), rose=rose
    )
    found = incident(430, evidence=(Evidence("class", 430, classes=(0,), amount=0.59, usual=0.27),))
    assert rule_words(found, course).endswith(f"usually 27 %, here it {rose}")
    assert rule_words(found, replace(course, rose="")).endswith("usually 27 %, here 86 %")
    shown = lines(EntryDetailPicture(of_incident(found), CLASSES, evidence(series=(course,))), frame(150, 24))
    assert f"error of cat · {rose}" in "\n".join(shown), "the picture shows the peak, its title says both"


def test_the_chart_marks_where_the_entry_begins():
    shown = lines(EntryDetailPicture(of_incident(incident(430)), CLASSES, evidence()), frame(150, 24))
    (row,) = [line for line in shown if "▲ 430" in line]
    assert row.split()[-3:] == ["▲", "430", "630"]
    at = row.index("▲")
    top = next(line for line in shown if "100%" in line)
    assert top[at] == "█"
    assert top.count("█") == 1


@pytest.mark.parametrize("begin", [0, 3, 48, 150, 175])
@pytest.mark.parametrize("width", [80, 150])
def test_where_the_entry_begins_is_on_a_chart_with_room_for_a_part_of_it(width: int, begin: int):
    """With records at every iteration for a while, there are more of them on one side than on the other."""
    iterations = 775 + np.arange(176)
    values = np.where(iterations == iterations[begin], 24.0, 1.0)
    series = Telling("gradient", "norm of all gradients", "number", iterations, values)
    entry = of_incident(incident(int(iterations[begin]), Cause.GRADIENT, last=1_149))
    shown = lines(EntryDetailPicture(entry, CLASSES, evidence(series=(series,), label=None)), frame(width, 24))
    top = next(line for line in shown if "24.0" in line)
    assert top.count("█") in (1, 2), "the column of its beginning, one or two cells wide"
    marked = [line for line in shown if "▲" in line]
    assert all(f"▲ {iterations[begin]:,}" in line and line.index("▲") == top.index("█") for line in marked)
    assert marked or begin != 48


def test_images_stand_below_with_their_labels():
    pixels = np.full((14, 14, 3), 200, np.uint8)
    images = tuple(ImageVerdict(n, f"img{n}", 0, 1, 0.9, 430, 3, 10, pixels) for n in range(3))
    text = "\n".join(lines(EntryDetailPicture(of_incident(incident(430)), CLASSES, evidence(), images), frame(150, 24)))
    assert text.count("→ dog") == 3


def test_a_label_stands_at_its_image_and_an_item_without_one_is_named() -> None:
    entry, judging = of_incident(incident(430)), Judging("IoU", HIGHER, BY_THRESHOLD, 0.3, 2)
    pixels = np.full((8, 8, 3), 200, np.uint8)
    small = (ImageVerdict(0, "img0", 0, 1, 0.9, 430, 3, 10, pixels),)
    shown = lines(EntryDetailPicture(entry, CLASSES, evidence(), small), frame(150, 40))
    (heading,) = [row for row, line in enumerate(shown) if "images that turned wrong" in line]
    (label,) = [row for row, line in enumerate(shown) if "→ dog" in line]
    assert label - heading == 1 + 24 // 2, "three times as large, and its label below its last row"
    bare = tuple(replace(small[0], id=f"text {n}", pixels=None, judging=judging, score=0.25) for n in range(2))
    text = "\n".join(lines(EntryDetailPicture(entry, CLASSES, evidence(), bare), frame(150, 40)))
    assert "item text 0: IoU 0.25" in text
    assert "item text 1: IoU 0.25" in text


def test_what_stands_before_its_kind_is_not_said_twice() -> None:
    entry = of_incident(incident(430, Cause.NETWORK, classes=(), sentence="word " * 60))
    assert words_of(entry, CLASSES, 60) == "≋ whole network: data or labels @430"


@pytest.mark.parametrize("width", [20, 60, 80, 110, 300])
@pytest.mark.parametrize("height", [1, 2, 5, 9, 40])
def test_any_size_can_be_drawn(width, height):
    entry = of_incident(incident(430, note="a note", sentence="word " * 60))
    shown = replace(entry, status="dismissed")
    for series in (evidence(), evidence(series=()), evidence(moment=None, became=()), None):
        EntryDetailPicture(entry, CLASSES, series).draw(frame(width, height, 8))
    TriagePicture((entry, shown), 0, 1, frozenset(), CLASSES, {}, footer=("a", "b")).draw(frame(width, height, 8))


def test_neighbouring_marks_become_one_with_a_number():
    entries = tuple(map(of_incident, (incident(100), incident(105, Cause.FILTER, score=9.0), incident(500))))
    where = frame()
    assert [(mark.text, mark.count) for mark in marks_of(where, entries, None)] == [("◆2", 2), ("▼", 1)]
    assert [mark.text for mark in marks_of(where, entries, "i100")] == ["▼2", "▼"]
    assert entry_at(where, entries, where.column_of(500) + 1) == "i500"
    assert entry_at(where, entries, where.column_of(300)) is None
    gone = tuple(replace(entry, status="dismissed") for entry in entries)
    assert marks_of(where, gone, None) == []


def test_the_ribbon_says_the_selected_entry_in_words_that_fit():
    entry = of_incident(incident(430, Cause.FILTER, 600, layers=("layer3.0.conv1",), filters=(17,), classes=()))
    wide = lines(IncidentRibbonPicture((entry,), "i430", CLASSES), frame(150, 3))
    assert "◆ it happened at 430 @430" in wide[0]
    assert "─" in wide[2]
    narrow = lines(IncidentRibbonPicture((entry,), "i430", CLASSES), frame(60, 3, 17))
    assert "@430" in narrow[0]
    none = lines(IncidentRibbonPicture((), None, CLASSES, nothing=("much too long " * 20, "none")), frame(60, 3, 17))
    assert none[1].strip() == "none"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_key_bar_ends_with_help_and_quit_at_every_width(width):
    keys = tuple((letter, "a word") for letter in "abcdefghijkl")
    (shown,) = lines(KeyBarPicture(keys, "", (("?", "help"), ("q", "quit"))), frame(width, 1))
    assert shown.rstrip().endswith("? help  q quit")
