"""What galleries, histories, confusions and the line below the images say, as text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.model.learning import LabelStretch
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import label_colour
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.classes import ClassesPicture, ClassRow
from dtui.tui.renderables.panes.validation.gallery import SIZES, GalleryPicture, grid_of
from dtui.tui.renderables.panes.validation.history import HistoryPicture, rows_of
from dtui.tui.renderables.panes.validation.matrix import MatrixPicture, table_of
from dtui.tui.renderables.panes.validation.pairs import pair_name
from dtui.tui.renderables.panes.validation.portrait import PortraitPicture
from dtui.tui.renderables.parts.words.label_letters import letter_of
from tests.unit.renderables.builders import axis_of, frame, make_errors, make_verdict
from tests.unit.renderables.validation_builders import (
    draw_gallery,
    draw_here,
    draw_history,
    draw_matrix,
    draw_pairs,
    make_gallery,
    make_history,
    make_matrix,
    make_strips,
    make_taken,
)

DIGITS = tuple("0123456789")


def lines(cells) -> list[str]:
    return to_text(cells).split("\n")


# --- the line below the images
@pytest.mark.parametrize(
    ("pairs", "classes", "right", "says"),
    [
        ({(4, 9): 98, (4, 6): 1}, (4,), 1, f" here: 9 {'▇' * 15} 98 · 6 ▏1 · right 1"),
        ({(4, 9): 98, (1, 6): 49}, (4, 1), 1, f" here: 4→9 {'▇' * 10} 98 · 1→6 ▇▇▇▇▇ 49 · right 1"),
        ({}, (4,), 7, " here: all 7 right"),
        ({}, (4,), 0, " here: no image was judged"),
    ],
)
def test_the_line_tells_what_became_of_the_images(pairs, classes, right, says) -> None:
    assert lines(draw_here(frame(150, 1), make_taken(pairs, right, classes), DIGITS)) == [says]


def test_what_has_no_room_in_the_line_is_counted() -> None:
    taken = make_taken({(4, label): 20 - label for label in range(12)}, 1_000)
    text = lines(draw_here(frame(60, 1), taken, DIGITS))[0]
    assert text.startswith(" here: 0 ▏20 · 1 ▏19")
    shown = text.count(" · ") - 1
    assert text.endswith(f"{sum(20 - label for label in range(shown, 12))} in {12 - shown} more · right 1,000")
    assert len(text) <= 60


def test_the_line_waits_and_says_that_nothing_was_validated_yet() -> None:
    assert lines(draw_here(frame(80, 1), None, DIGITS)) == [" here:"]
    before = replace(make_taken({}), iteration=None)
    assert lines(draw_here(frame(80, 1), before, DIGITS)) == [" here: not validated yet"]


# --- names of classes
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("retriever", "  retriever  49%"),
        ("grey parrot", "  grey parrot 49"),
        ("golden retriever", "  golden ret… 49"),
    ],
)
def test_a_class_name_is_cut_last(name: str, shown: str) -> None:
    where = frame(80, 6)
    rows = [ClassRow(name, (0,), False, False)]
    picture = ClassesPicture(rows, 0, -1, make_errors(rows, axis_of(where)))
    assert lines(picture.draw(where, 500))[1][:17].rstrip() == shown


def test_a_long_name_stands_above_its_error_where_a_row_has_two() -> None:
    where = frame(80, 14)
    rows = [ClassRow("golden retriever", (0,), False, False), ClassRow("cat", (1,), False, False)]
    text = lines(ClassesPicture(rows, 0, -1, make_errors(rows, axis_of(where))).draw(where, 500))
    assert [line[:17].rstrip() for line in text[1:5]] == [
        "  golden retrie…",
        "              49",
        "",
        "  cat        49%",
    ]


def test_the_header_names_cluster_and_worst_class() -> None:
    rows = [ClassRow("easy ones", (0, 1), True, True), *(ClassRow(name, (0,), False, False) for name in "abcdefgh")]
    picture = ClassesPicture(rows, 2, 3, None, title="2 clusters by mean error", worst=("class 7", 0.5))
    assert lines(picture.draw(frame(150, 6)))[0].startswith(
        " Classes  ▾ easy ones · worst here class 7: 50% · 2 clusters by mean error"
    )
    at_top = replace(picture, top=0)
    assert "easy ones ·" not in lines(at_top.draw(frame(150, 6)))[0]


# --- galleries
def test_wrong_images_are_framed_in_the_colour_of_their_label() -> None:
    cells = draw_gallery(frame(80, 18), "cat", selected=2)
    text = lines(cells)
    assert text[0] == " Gallery  cat · 5 of 12 wrong at 500                                 1–12 of 12"
    grid = grid_of(80, 18)
    corners = [(int(cells.ch[y, x]), int(cells.fg[y, x])) for x, y in map(grid.place, range(12))]
    wrong, chosen = (ord("╭"), label_colour(DARK, 1)), (ord("╔"), DARK.flag)
    assert [corner[0] for corner in corners[5:]] == [32] * 7
    assert corners[:5] == [wrong, wrong, chosen, wrong, wrong]
    assert text[grid.tile[1]].startswith(" ╰─ ✗ cat ──╯")
    assert " ✓ cat " in text[2 * grid.tile[1]]
    assert text[-1] == " ✗ cat taken for cat (87%) · wrong 12 of 40 · forgotten 2 times"


def test_in_a_list_over_all_classes_the_true_class_stands_above() -> None:
    text = lines(draw_gallery(frame(80, 18), "cat", listed="hard"))
    assert text[1].startswith(" ╭── cat ───╮╔══ cat ═══╗")
    assert "cat" not in lines(draw_gallery(frame(80, 24), "cat"))[1]


def test_images_without_pictures_take_little_room() -> None:
    gallery = make_gallery(images=30)
    bare = replace(gallery, shown=tuple(replace(one, pixels=None) for one in gallery.shown))
    picture = GalleryPicture(bare, 0, ("cat", "dog"), "cat")
    grid = picture.grid(frame(80, 24))
    assert (grid.columns, grid.rows, grid.tile) == (4, 7, (18, 3))
    text = lines(picture.draw(frame(80, 24)))
    assert text[2].startswith(" ║    image 0     ║│    image 1     │")
    assert text[3].startswith(" ╚══ ✗ dog 87% ═══╝╰── ✗ dog 87% ───╯")


def test_a_picture_that_does_not_fill_its_tile_stands_in_the_middle() -> None:
    """It stood in the upper left corner."""
    one = replace(make_gallery(1).shown[0], pixels=np.full((16, 16, 3), 200, np.uint8))
    gallery = replace(make_gallery(1), shown=(one,))
    cells = GalleryPicture(gallery, 1, ("cat", "dog"), "cat", size=SIZES.index(28)).draw(frame(80, 18))
    down, across = (cells.ch == ord("▀")).nonzero()
    assert (across.min(), across.max() + 1, down.min(), down.max() + 1) == (2 + 6, 2 + 22, 2 + 3, 2 + 11)


@pytest.mark.parametrize(("width", "height"), [(80, 18), (60, 10), (150, 35), (300, 62), (20, 4), (5, 2)])
def test_a_cell_of_the_grid_belongs_to_the_tile_that_is_drawn_there(width: int, height: int) -> None:
    for size in (None, 0, len(SIZES) - 1):
        grid = grid_of(width, height, size)
        for index in range(grid.columns * grid.rows):
            x, y = grid.place(index)
            assert grid.at(x, y) == grid.at(x + grid.tile[0] - 1, y + grid.tile[1] - 1) == index
        assert grid.at(0, 3) is None
        assert grid.at(3, 0) is None


def test_a_gallery_before_the_first_validation_and_of_nothing() -> None:
    verdict = make_verdict(None)
    gallery = replace(make_gallery(2, 0), shown=(verdict, verdict), iteration=None)
    text = to_text(GalleryPicture(gallery, 0, ("cat",), "cat").draw(frame(80, 24)))
    assert "0 of 2 wrong before the first validation" in text
    assert "is cat, not validated yet" in text
    nothing = replace(make_gallery(0, 0), shown=())
    assert "there is no such image" in to_text(GalleryPicture(nothing, 0, ("cat",), "cat").draw(frame(80, 24)))


# --- one image
def test_labels_over_time_have_their_colours() -> None:
    cells = draw_history(frame(150, 14))
    text = lines(cells)
    assert text[0].startswith(" Labels  image 17, id cat")
    assert "██ right" in text[0]
    assert [line[:20].rstrip() for line in text[1:6]] == [
        "  is cat", "  4 flips", "  confidence", "  0–100 %", " flips with it  shar",
    ]  # fmt: skip
    assert text[6].startswith("▌ 40 · cat                3 of 9")
    for y, label in ((1, 1), (2, 1), (6, 2), (7, 3), (8, 4)):
        assert int(cells.bg[y, 40]) == label_colour(DARK, label)
        assert int(cells.bg[y, 140]) == DARK.correct
    assert set(text[3][34:] + text[4][34:].rstrip()) <= {" ", "┊", "█"}  # half of two rows of confidence
    assert text[4][34:].count("█") == 116 - text[4][34:].count("┊")
    assert "█" not in text[3][34:]


def test_without_colours_a_label_is_its_letter() -> None:
    text = lines(draw_history(frame(150, 14, ColorMode.NONE)))
    assert set(text[1][34:90]) == {letter_of(1)}
    assert set(text[6][34:90]) == {letter_of(2)}
    assert set(text[1][100:]) == {"░"}


def test_a_low_pane_keeps_the_labels_and_the_likest_images() -> None:
    rows = rows_of(6, True, 8)
    assert (rows.label, rows.confidence, rows.heading, rows.partners) == (range(1, 2), range(2, 3), 3, range(4, 6))
    assert [rows.row_at(y) for y in range(6)] == [None, 0, 0, None, 1, 2]
    assert rows_of(2, True, 8).partners == range(2, 2)
    assert not len(rows_of(20, False, 8).confidence)


def test_the_legend_of_an_image_begins_with_the_labels_that_it_had_itself() -> None:
    where = frame(100, 14)
    strips = make_strips(axis_of(where), images=9)
    strips.wrong_label[1:, -30:] = np.arange(2, 10)[:, None]  # each of the others more often than its own
    classes = tuple(f"name{label}" for label in range(12))
    header = lines(HistoryPicture(make_history(8), strips, 0, classes).draw(where))[0]
    assert "name1" in header
    assert header.index("name1") < header.index("name2")


def test_a_confidence_that_was_not_recorded_takes_no_room() -> None:
    strips = make_strips(axis_of(frame(150, 14)), confidence=float("nan"))
    picture = HistoryPicture(make_history(), strips, 0, ("cat",) * 5)
    assert "confidence" not in to_text(picture.draw(frame(150, 14)))
    alone = HistoryPicture(make_history(0), strips, 0, ("cat",) * 5)
    assert "no other image flips with it" in to_text(alone.draw(frame(150, 14)))


@pytest.mark.parametrize(
    ("iteration", "here"),
    [(95, "▸    0–90  dog, 10 validations"), (100, "▸ 100–400  right, 31 validations"), (415, "▸     410  not judged")],
)
def test_the_label_at_the_crosshair_is_marked(iteration: int, here: str) -> None:
    picture = PortraitPicture(make_history(), make_verdict(1), ("cat", "dog", "emu"))
    text = to_text(picture.draw(frame(80, 18), iteration))
    assert here in text
    assert text.count("▸") == 1
    for words in (
        "✗ cat taken for dog (87%)",
        "first right at 100; wrong at the end",
        "usual wrong label dog, 10 times",
    ):
        assert words in text


def test_of_a_long_history_the_part_at_the_crosshair_is_shown() -> None:
    stretches = tuple(LabelStretch(at, at, at % 2, 1) for at in range(400))
    history = replace(make_history(), stretches=stretches)
    text = to_text(PortraitPicture(history, make_verdict(), ("cat", "dog")).draw(frame(80, 14), 200))
    assert "▸ 200  right" in text
    assert "  198  right" in text
    assert "  202  right" in text


# --- confusions
def test_pairs_tell_how_they_changed() -> None:
    text = lines(draw_pairs(frame(150, 6)))
    assert text[1].startswith("  cat → cat      5% → 50%    +45")
    assert text[2].startswith("▌ cat → cat      5% → 40%    +35")
    assert lines(draw_pairs(frame(80, 6)))[1].startswith("  cat → cat  +45")
    assert lines(draw_pairs(frame(150, 6), "goldenretrievers"))[1].startswith("  goldenretri…→goldenretrie… +45")


@pytest.mark.parametrize(
    ("names", "room", "shown"),
    [
        (("cat", "dog"), 20, "cat → dog"),
        (("cat", "dog"), 8, "cat→dog"),
        (("cat", "labrador retriever"), 14, "cat→labrador …"),
        (("labrador retriever", "cat"), 14, "labrador …→cat"),
        (("labrador retriever", "golden retriever"), 15, "labrad…→golden…"),
        (("", "dog"), 9, "0 → dog"),
        (("class 433", "class 570"), 21, "class 433 → class 570"),
        (("class 433", "class 570"), 11, "433 → 570"),
        (("class 433", "class 570"), 6, "4…→570"),
        (("class 4", "class 4 b"), 9, "4 → 4 b"),
        (("sea lion", "sea "), 8, "lion→sea"),
    ],
)
def test_both_names_of_a_pair_are_cut_alike(names, room, shown) -> None:
    assert pair_name(names, 0, 1, room) == shown


def test_a_matrix_shades_what_is_wrong_by_its_share() -> None:
    cells = draw_matrix(frame(80, 8))
    text = lines(cells)
    assert text[1].split() == ["cat", "cat", "cat"]
    assert text[2].split() == ["cat", "8", "▸", "2", "·"]
    assert text[3].split() == ["cat", "·", "8", "·"]
    table = table_of(80, 8, 18, ("cat",) * 3)
    x = table.gutter + table.cell + 2
    shade = int(cells.bg[2, x])
    assert shade not in (DARK.panel, int(cells.bg[3, x]))
    assert cells.mark[2, x] == 1
    assert table.at(x, 2) == (0, 1)
    assert table.at(3, 2) is None
    large, table = draw_matrix(frame(240, 20)), table_of(240, 20, 34, ("cat",) * 3)
    assert (table.cell, table.tall) == (16, 3)
    x = table.gutter + table.cell + 2
    assert large.bg[2:5, x].tolist() == [shade, shade, DARK.panel], "a gap below it"
    assert [table.at(x, y) for y in (2, 4, 5)] == [(0, 1), (0, 1), (1, 1)]


def test_a_matrix_says_what_it_leaves_out() -> None:
    picture = MatrixPicture(replace(make_matrix(more=5), others=np.array([4, 0, 0])), None, ("cat",) * 40)
    text = lines(picture.draw(frame(80, 8)))
    assert text[5] == " and 5 more classes with wrong images, 5 more wrong labels"
    assert text[2].endswith("+4 others")
    low = MatrixPicture(make_matrix(), None, ("digit-0", "digit-1", "digit-2")).draw(frame(36, 8))
    assert lines(low)[1].split() == ["0", "1", "2"], "what all names begin with is left out first"
    before = replace(make_matrix(), iteration=None)
    assert "not validated yet" in to_text(MatrixPicture(before, None, ("cat",)).draw(frame(80, 8)))
