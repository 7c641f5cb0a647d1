"""What fills a large screen: what a person asks next of what is picked, where it is stored."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from dtui.query import RunQuery, open_run
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.screens.boxes import help_box
from dtui.tui.state.mouse import press
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk

LARGE, USUAL, SMALL = (300, 80), (150, 50), (80, 24)
BARS = ("top", "curves", "ribbon", "axis", "notice", "bar")


@pytest.fixture(scope="module")
def runs() -> dict[str, RunQuery]:
    return {name: RunQuery(SAMPLES / f"mnist-{name}.dtui") for name in ("faults", "batches", "healthy")}


def blank_rows(desk: Desk) -> float:
    """The share of rows below the axis on which nothing is drawn, of the screen's height."""
    scene, (pictures, _) = desk.session.scene, desk.session.look()
    blank = 0
    for pane, picture in pictures.items():
        frame = scene.frame_of(pane, DARK, Output())
        if pane.name in BARS or frame.height < 1:
            continue
        cells = picture.draw(frame, desk.session.selection.cursor)
        is_drawn = (cells.ch != 32) | ~((cells.bg == DARK.panel) | (cells.bg == DARK.background))
        blank += int((~is_drawn.any(axis=1)).sum())
    return blank / scene.size[1]


SCREENS = [
    *(("faults", (key,)) for key in "123456AiTCp"),
    ("faults", ("3", "tab", "enter")),
    ("faults", ("2", "tab", "enter")),
    ("batches", ("D",)),
    ("batches", ("2", "tab", "enter")),
]
PLACES = [(*one, size) for one in SCREENS for size in (LARGE, USUAL)] + [
    ("healthy", ("1",), size) for size in (LARGE, USUAL)
]


def _named(value: object) -> str:
    return value if isinstance(value, str) else "-".join(map(str, value))


@pytest.mark.parametrize(("run", "keys", "size"), PLACES, ids=_named)
def test_no_screen_leaves_more_than_a_third_of_its_rows_empty(runs, run, keys, size) -> None:
    assert blank_rows(Desk(runs[run], size).press(*keys)) < 1 / 3


def test_a_batch_stands_beside_those_before_it_and_over_time(runs) -> None:
    desk = Desk(runs["batches"], LARGE).press("D")
    panes = desk.panes()
    assert re.search(r"Batch of 611 +32 samples · loss 6\.02, 9\.\d+ times the median of those before it", desk.text())
    assert "lit: batches with 412" in panes["sample_times"]
    assert "8 of its 10 batches" in panes["sample_times"]


def test_enter_goes_from_one_batch_of_the_picked_sample_to_the_next(runs) -> None:
    desk = Desk(runs["batches"], SMALL).press("D")
    one = next(one for one in runs["batches"].batch(611).standouts if one.sample == 412)
    seen = []
    for _ in one.before:
        desk.press("enter")
        seen.append(desk.session.selection.cursor)
        assert re.search(rf"Batch of {seen[-1]:,}", desk.text())
        assert re.search(r"▌ +412", desk.text()), "the picked sample stays picked"
    assert sorted(seen) == sorted(one.before)
    desk.press("g")
    assert re.search(r"▌ +1973", desk.text())


def test_a_gallery_of_few_images_shows_the_picked_one_too(runs) -> None:
    desk = Desk(runs["faults"], LARGE).press("i")
    assert "image 246" in desk.panes()["picked_history"]
    assert "usual wrong label class 8" in desk.panes()["picked_portrait"]
    desk.press("l")
    assert "image 246" not in desk.panes()["picked_history"], "the other image of two"
    assert desk.press("A").panes().get("picked_history", "") == "", "a list that fills the screen has all of it"


def test_a_confusion_has_its_images_below_the_matrix(runs) -> None:
    for size in (LARGE, USUAL):
        shown = Desk(runs["faults"], size).press("g", "C").panes()["pair_images"]
        assert "Its images  class 4 taken for class 9 · 98 of 98" in shown
        assert len(re.findall("✗ 9", shown)) >= 8
    desk = Desk(runs["faults"], USUAL).press("g", "C")
    pane = desk.session.scene.screen.panes[-1]
    press(desk.session, pane, desk.session.scene.frame_of(pane, DARK, Output()), 5, 3, is_drag=False)
    assert desk.screen == "Image", "a press on one looks at it"
    small = Desk(runs["faults"], SMALL).press("g", "C")
    assert "pair_images" not in {name for name, text in small.panes().items() if text}
    assert re.search(r"▸ +98", small.text())


def test_that_no_label_is_known_is_said_once() -> None:
    with open_run(SAMPLES / "digits-segmentation.dtui") as query:
        text = Desk(query, USUAL).press("C").text()
    assert text.count("by its IoU") == 1
    assert "Matrix" not in text


def test_a_narrow_batch_leaves_out_words_and_no_answer(runs) -> None:
    text = Desk(runs["batches"], (60, 16)).press("D").text()
    assert "32 samples · loss 6.02, ×9." in text
    assert re.search(r"412  8 of 25 triggers  ← in this batch\n", text)


def test_a_run_without_incidents_says_what_was_looked_for(runs) -> None:
    text = Desk(runs["healthy"], USUAL).text()
    assert "11 of 12 checks ran" in text
    assert re.search(r"dying filters +checked, nothing found", text)
    assert re.search(r"shifts of normalisation layers +not checked: normalisation layers were not recorded", text)
    assert "Looked for" not in Desk(runs["faults"], USUAL).text()


@pytest.mark.parametrize("width", [60, 70, 80, 150])
def test_no_line_of_the_help_is_cut(runs, width) -> None:
    box = help_box(Desk(runs["faults"], (width, 400)).session.scene)
    where = Frame(width, 400, 0, None, DARK, Output())
    assert "…" not in to_text(box.draw(where))


def test_the_advisor_table_shows_which_classes_the_selected_threshold_marks_and_when(runs) -> None:
    desk = Desk(runs["faults"], USUAL).press("p")
    for keys, said in (((), "marked at 20%"), (("k", "k"), "marked at 12%"), (("G",), "marked at 60%")):
        shown = desk.press(*keys).panes()["marked_classes"]
        picture = desk.session.look()[0][
            next(one for one in desk.session.scene.stacked if one.name == "marked_classes")
        ]
        advice, threshold = desk.session.scene.screen.panes[0].picked(desk.session.scene)
        assert said in shown
        assert len(picture.anomalies) == next(one.marks for one in advice.rows if one.threshold == threshold)
        assert picture.rows[0].labels == (Counter(one.class_index for one in picture.anomalies).most_common(1)[0][0],)


def test_a_small_screen_keeps_the_advisor_table_and_its_sentences_alone(runs) -> None:
    shown = Desk(runs["faults"], SMALL).press("p").panes()
    assert "Counted are 216 validations" in shown["advisor"]
    assert "marked at" not in "".join(shown.values())


def test_a_run_without_incidents_shows_its_classes_the_worst_at_its_end_first(runs) -> None:
    shown = Desk(runs["healthy"], LARGE).panes()["classes_at_end"].splitlines()
    errors = [float(line.split("%")[0].split()[-1]) for line in shown[1:] if "%" in line]
    assert len(errors) == 10
    assert errors == sorted(errors, reverse=True)
