"""What a person finds on the Validation screen and inside it: keys pressed on the sample run, answers read in words."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model.learning import TURNED_WRONG, GalleryRequest
from dtui.query import RunQuery, open_run
from dtui.tui.panes.table import TABLE
from dtui.tui.panes.validation.classes_here import labels_here
from dtui.tui.panes.validation.confusion import MatrixQuestion, SharesQuestion
from dtui.tui.panes.validation.inside import TurnedOf, TurnedQuestion
from dtui.tui.renderables.canvas.cells import text_width
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.state.mouse import press
from dtui.tui.state.review.entry_steps import select_entry
from tests.query.fake_reader import FakeReader
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk
from tests.unit.renderables.builders import HOSTILE

SMALL = (80, 24)


@pytest.fixture(scope="module")
def faults():
    """The sample run with faults; nothing is decided here."""
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        yield query


def fake_desk(size=(150, 50), **fields) -> Desk:
    """A desk on a run in memory of four classes whose third image is always wrong."""
    reader = FakeReader(**fields)
    reader.labels[3] = 1
    return Desk(RunQuery(reader.path, reader), size)


# --- jobs: at most three keys from the first screen, in words at 80×24
def test_job_which_class_broke_at_430_and_what_it_became(faults):
    desk = Desk(faults, SMALL).press("g", "3")
    panes = desk.panes()
    assert "worst here class 4: 100%" in panes["classes"]
    assert re.search(r"here: 9 ▇+ 98 · 2 ▏1 · 6 ▏1 · right 0", panes["images"])
    assert re.search(r"4 → 9 +\+93 ", desk.press("C").panes()["pairs"])


def test_job_which_images_are_always_wrong(faults):
    assert "none is always wrong; forgotten most often" in Desk(faults, SMALL).press("3", "A").text()
    text = fake_desk(SMALL).press("3", "A").panes()["tiles"]
    assert "always wrong · 1 of 1 wrong at" in text
    assert "class 0 taken for class 1" in text
    assert "always wrong · forgotten 0 times" in text


def test_job_the_images_of_the_strongest_incident(faults):
    desk = Desk(faults, SMALL)
    assert desk.session.selection.cursor == 1360
    text = desk.press("3", "i").panes()["tiles"]
    turned = len(faults.gallery(GalleryRequest(1360, 0, 1, listed=TURNED_WRONG)).order)
    assert f"turned wrong here · {turned} of {turned} wrong at 1,360 " in text


# --- classes
def test_only_classes_with_an_incident_here(faults):
    desk = Desk(faults).press("g", "3", "a")
    classes = desk.panes()["classes"]
    assert re.findall(r"^[▌ ] {2}(\d) ", classes, re.MULTILINE) == ["4"]
    assert labels_here(desk.session.scene) == {4}
    assert "no class has an incident here: a shows all classes" in desk.go(500).panes()["classes"]
    assert len(labels_here(desk.go(750).session.scene)) == 9  # the whole network, and class 2 a record later
    assert len(re.findall(r"^[▌ ] {2}(\d) ", desk.press("a").panes()["classes"], re.MULTILINE)) >= 3


def test_orders_and_clusters_by_key(faults):
    desk = Desk(faults).press("g", "3")
    assert "4 clusters by mean error" in desk.panes()["classes"]
    assert "by error here" in desk.press("o").panes()["classes"]
    rows = re.findall(r"^[▌ ] {2}(\d) +([\d.]+)%$", cut(desk.panes()["classes"], 32), re.MULTILINE)
    assert rows[0] == ("4", "100.0")
    desk.press(*"ooo")
    desk.press(*"cccccc")  # 5, 6, 8, 10, 12, none
    assert desk.session.message == "classes without clusters"
    assert re.findall(r"^[▌ ] {2}(\d) ", desk.panes()["classes"], re.MULTILINE)[:3] == ["0", "1", "2"]
    assert desk.press("c", "c", "c", "v").session.message == "4 clusters, average linkage"


def cut(text: str, columns: int) -> str:
    return "\n".join(line[:columns].rstrip() for line in text.split("\n"))


def test_the_name_of_the_cluster_stays_in_view_when_it_is_scrolled_away():
    desk = fake_desk((80, 24), per_class=(9,) * 40)
    desk.press("3", "c", "c", "c", "c", "c", "c", "c")  # one above another
    cluster = desk.session.view.clusters[0]
    desk.session.choose(desk.session.selection.changed(class_index=cluster.classes[-1]))
    header, *rows = desk.panes()["classes"].split("\n")
    assert f"▾ {cluster.label} ·" in header
    assert f"▾ {cluster.label}" not in "\n".join(rows)


# --- galleries
def test_a_gallery_moves_with_the_crosshair_and_goes_back(faults):
    desk = Desk(faults).press("g", "3", "enter")
    assert desk.screen == "Gallery"
    assert "class 4 · 100 of 100 wrong at 430" in desk.panes()["tiles"]
    assert desk.panes()["tiles"].count("✗ 9 ") > 20
    assert "class 4 · 4 of 100 wrong at 500" in desk.go(500).panes()["tiles"]
    assert desk.panes()["tiles"].count("✓ 4 ") > 15
    assert desk.press("escape").screen == "Validation"
    assert desk.session.selection.class_index == 4


def test_keys_move_over_the_grid_and_scroll_it(faults):
    desk = Desk(faults, SMALL).press("g", "3", "i")
    grid = next(pane for pane in TABLE.panes if pane.name == "tiles").grid(desk.session.scene)
    rows = []
    for key in ("l", "j", "h", "G"):
        desk.press(key)
        rows.append(desk.session.scene.pane.row(desk.session.scene))
    assert rows == [1, 1 + grid.columns, grid.columns, 99]
    assert "–100 of 100" in desk.panes()["tiles"]
    desk.press("g")
    assert " 1–" in desk.panes()["tiles"]


def test_larger_pictures_are_fewer(faults):
    desk = Desk(faults).press("g", "3", "i")
    few = re.search(r"1–(\d+) of 100", desk.press("right_curly_bracket").panes()["tiles"])
    many = re.search(r"1–(\d+) of 100", desk.press(*["left_curly_bracket"] * 3).panes()["tiles"])
    assert int(few[1]) < int(many[1])


def test_lists_follow_each_other(faults):
    desk = Desk(faults).press("3", "A")
    titles = [desk.panes()["tiles"].split("\n")[0]]
    titles += [desk.press("o").panes()["tiles"].split("\n")[0] for _ in range(4)]
    for title, words in zip(
        titles, ("forgotten most often", "turned wrong here", "never learned", "learned, and", "for good"), strict=True
    ):
        assert words in title


def test_a_press_selects_an_image_and_a_second_one_looks_at_it(faults):
    desk = Desk(faults).press("g", "3", "i")
    session, pane = desk.session, desk.session.scene.pane
    frame = session.scene.frame_of(pane, DARK, Output())
    x, y = pane.grid(session.scene).place(2)
    press(session, pane, frame, x + 3, y + 3, False)
    assert pane.row(session.scene) == 2
    press(session, pane, frame, x + 3, y + 3, False)
    assert session.scene.screen.name == "Image"


# --- one image
def test_an_image_tells_its_labels_in_words_and_what_flips_with_it(faults):
    desk = Desk(faults).press("g", "3", "A", "enter")
    panes, history = desk.panes(), faults.image_history(715)
    assert "image 715, id 279" in panes["history"]
    assert re.search(rf"{history.partners[0]} · class 7 +27 of 57", panes["history"])
    assert "✗ class 7 taken for class 9 (99%)" in panes["portrait"]
    assert "wrong 162 of 240" in panes["portrait"]
    assert "first right at 40; wrong at the end" in panes["portrait"]
    assert "▸ 420–430  class 9, 2 validations" in panes["portrait"]
    assert "▸ 440–450  right, 2 validations" in desk.go(445).panes()["portrait"]
    desk.press("j", "j", "enter")
    assert f"image {history.partners[1]}, id " in desk.panes()["history"]
    assert [desk.press("escape").screen for _ in range(2)] == ["Gallery", "Validation"]


def test_enter_on_a_row_of_images_looks_at_it(faults):
    desk = Desk(faults).press("g", "3", "tab", "j", "enter")
    assert desk.screen == "Image"
    assert "is class 4" in desk.panes()["history"]
    assert desk.press("escape").screen == "Validation"
    assert desk.session.scene.pane.name == "images"


# --- confusion
def test_a_picked_confusion_selects_its_class(faults):
    desk = Desk(faults).press("g", "3", "C")
    assert (
        desk.panes()["pairs"]
        .split("\n")[0]
        .startswith(
            "▌Confusion  what changed most from validation 420 to 430 · true → taken for, images more or fewer "
        )
    )
    assert re.search(r"4 → 9 +5% → 98% +\+93", desk.panes()["pairs"])
    desk.press("j")
    assert desk.session.selection.class_index == 1
    assert "1 → 6" in desk.panes()["pairs"].split("\n")[2]
    assert "▸" in next(line for line in desk.panes()["matrix"].split("\n") if line.startswith("  1 "))
    desk.press("enter")
    assert "class 1" in desk.panes()["tiles"].split("\n")[0]


def test_a_step_asks_for_confusions_and_their_course_at_once(faults):
    """So the screen is drawn anew once, and no row is without its course in between."""
    session = Desk(faults).press("g", "3", "C").session
    session.perform("column_right")
    asked = session.look()[1]
    assert {MatrixQuestion, SharesQuestion} <= {type(question) for question in asked}
    session.answered_all((question, question.ask(faults)) for question in asked)
    assert set(session.look()[1]) <= set(asked), "nothing more to ask for"
    pairs = next(picture for pane, picture in session.look()[0].items() if pane.name == "pairs")
    shown = pairs.changed[pairs.top : pairs.top + len(pairs.shares.pairs)]
    assert [(one.target, one.label) for one in shown] == list(pairs.shares.pairs) != []


def test_a_link_from_inside_names_the_class(faults):
    desk = Desk(faults).press("g", "3", "i")
    place = "dtui x.dtui --at 430 --class 4 --incident incident-430-class-class4 --screen"
    assert desk.session.link(Path("x.dtui")) == f"{place} gallery"
    assert desk.press("C").session.link(Path("x.dtui")) == f"{place} confusion"


def test_the_matrix_moves_with_the_crosshair_and_counts_from_before_the_incident(faults):
    desk = Desk(faults).press("G", "3", "C").go(1660)
    assert "from validation 1,640 to 1,660" in desk.panes()["pairs"]
    assert "images at 1,660" in desk.panes()["matrix"]
    assert "from validation 490 to 500" in desk.go(500).panes()["pairs"]


def test_a_press_on_a_cell_selects_its_class(faults):
    desk = Desk(faults).press("g", "3", "C")
    session, pane = desk.session, TABLE.panes[[pane.name for pane in TABLE.panes].index("matrix")]
    table = pane.table(session.scene)
    frame = session.scene.frame_of(pane, DARK, Output())
    press(session, pane, frame, table.gutter + 3 * table.cell + 1, 2 + 7, False)
    assert session.selection.class_index == 7
    assert session.scene.pane is pane
    assert "▸" in desk.panes()["matrix"].split("\n")[9]


def test_of_many_classes_the_matrix_shows_those_that_matter():
    desk = fake_desk((80, 24), per_class=(5,) * 60).press("3", "C").go(200)
    text = desk.panes()["matrix"]
    assert re.search(r"and \d+ more classes with wrong images, \d+ more wrong labels", text)
    assert len(text.split("\n")) <= 9


def test_a_live_run_is_followed_on_every_inner_screen():
    reader = FakeReader()
    desk = Desk(RunQuery(reader.path, reader)).press("3", "C")
    assert "to 502" in desk.panes()["pairs"].split("\n")[0]
    reader.grow(80, 80)
    assert "to 802" in desk.refresh(1).panes()["pairs"].split("\n")[0]
    assert "wrong at 802" in desk.press("i").panes()["tiles"]
    reader.grow(90, 90)
    assert "wrong at 902" in desk.refresh(2).panes()["tiles"]
    assert "at 902" in desk.press("enter").panes()["portrait"].split("\n")[0]


# --- whatever there is
@pytest.mark.parametrize("size", [(10, 3), (60, 16), (61, 17), (99, 28), (120, 33), (500, 120)])
def test_every_inner_screen_at_every_size(faults, size):
    desk = Desk(faults, size)
    for keys in (("g", "3", "i", "l", "j", "enter", "j", "tab"), ("C", "j", "tab", "j"), ("A", "o", "o")):
        desk.press(*keys)
        desk.text()
        desk.press("escape", "escape", "escape", "3")


@pytest.mark.parametrize(
    "fields", [{"validations": 0}, {"with_images": False, "validations": 0}, {"per_class": (0, 0)}, {"per_class": (1,)}]
)
def test_runs_without_images_validations_or_classes(fields):
    desk = fake_desk_or_none(fields)
    for key in "CAi":
        desk.press("3", key)
        assert desk.text()
        desk.press("j", "enter", "l", "o", "escape", "escape")


def fake_desk_or_none(fields) -> Desk:
    reader = FakeReader(**fields)
    return Desk(RunQuery(reader.path, reader))


@pytest.mark.parametrize("size", [(80, 24), (150, 50)])
def test_names_from_outside_stay_text_on_every_inner_screen(size):
    reader = FakeReader(per_class=(9,) * len(HOSTILE))
    reader.classes = HOSTILE
    ids = tuple(HOSTILE[image % len(HOSTILE)] for image in range(len(reader.targets)))
    reader.all_images = replace(reader.all_images, classes=HOSTILE, ids=ids)
    reader.labels[:] = np.random.default_rng(1).integers(0, len(HOSTILE), reader.labels.shape)
    desk = Desk(RunQuery(reader.path, reader), size)
    for keys in (("3",), ("i",), ("A",), ("j", "enter"), ("C",)):
        text = desk.press(*keys).text()
        assert not any(ord(glyph) < 32 and glyph != "\n" for glyph in text), keys
        assert not any(glyph in text for glyph in "\u202e\u200b\x9b\ud800"), keys
        assert {text_width(line) <= size[0] for line in text.split("\n")} == {True}


def test_where_no_image_turned_wrong_i_shows_those_of_the_class(faults: RunQuery) -> None:
    """It led to an empty list."""
    desk = Desk(faults).press("1")
    entry = next(one for one in desk.session.scene.entries if not one.classes)
    desk.session.choose(select_entry(desk.session.scene, entry.id))
    desk._answer()
    turned = desk.session.answers.get(TurnedQuestion)
    none = TurnedOf(entry.id, replace(turned.found, count=0, images=(), classes=()))
    desk.press("3")
    desk.session.answered(TurnedQuestion(entry.id), none)
    shown = desk.press("i").text()
    assert "Gallery" in shown
    assert "turned wrong here" not in shown
