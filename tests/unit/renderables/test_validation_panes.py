"""What classes and images say and how they are coloured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import label_colour, to_lab
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK, LIGHT, Theme
from dtui.tui.renderables.panes.classes import ClassesPicture, ClassRow
from dtui.tui.renderables.panes.images import place_of
from dtui.tui.renderables.parts.words.label_letters import letter_of
from tests.unit.renderables.builders import (
    anomaly,
    axis_of,
    frame,
    make_class_rows,
    make_errors,
    make_images,
    make_verdict,
)
from tests.unit.renderables.drawing import draw_classes, draw_images


def test_few_rows_make_the_classes_compact() -> None:
    where = frame(80, 4)
    rows = make_class_rows()
    text = to_text(draw_classes(where, rows, 0, 1, make_errors(rows, axis_of(where)), (anomaly(100),), iteration=500))
    assert text.split("\n")[2].startswith("▌ cat        49%  ▁▁▁▁▁▁▾▁▁▁")
    many = ClassesPicture(make_class_rows(tuple("abcdefghij")), 2, 2, None)
    assert [len(many.shown(height)) for height in (0, 4, 13)] == [0, 3, 6]


def test_classes_without_data_wait_with_empty_strips() -> None:
    where = frame(80, 6)
    cells = draw_classes(where, [ClassRow("cat", (0,), False, False)], 0, 0, None)
    assert (cells.bg[1:, 18:] == DARK.panel).all()


@pytest.mark.parametrize(("gutter", "said"), [(34, "wrong 40 of 40: always"), (18, "always wrong")])
def test_an_image_that_is_always_wrong_says_so_in_the_room_there_is(gutter: int, said: str) -> None:
    where = frame(150, 12, gutter=gutter)
    rows = make_images(axis_of(where), 12, images=10)
    verdict = replace(make_verdict(2), times_wrong=40, validations=40)
    text = to_text(draw_images(where, rows, "cat", 9, ("cat", "dog", "3"), verdict, 40, 500)).split("\n")
    assert any(line[:gutter].strip().endswith(said) for line in text)


def test_images_are_blue_where_right_and_orange_where_wrong() -> None:
    where = frame(150, 12)
    rows = make_images(axis_of(where), 12, images=10)
    cells = draw_images(where, rows, "cat", 3, ("cat", "8"), make_verdict(1), 40, 500)
    text = to_text(cells).split("\n")
    assert text[0].startswith(" Images  cat                      10 images × 40 validations   sort error")
    assert text[0].endswith("██ correct  ██ incorrect")
    assert text[1].startswith("  image 17, id val_17")
    assert text[2].startswith("  ✗ predicted class 8 87%")
    assert text[3].startswith("  is cat")
    assert text[4].startswith("  wrong 12 of 40")
    assert text[5].startswith("  50% of 10 right here")
    assert cells.fg[1, 34] == DARK.correct
    assert cells.bg[10, 34] == DARK.incorrect
    assert text[11].startswith(" here:")
    assert [line[33] for line in text[1:11]].count("×") >= 1
    assert place_of(rows, where.height).row_at(1) == 0


def test_the_legend_of_images_has_the_colours_of_the_map_in_16_colours() -> None:
    where = frame(150, 12, ColorMode.PALETTE_16)
    cells = draw_images(where, make_images(axis_of(where), 12, images=10), "cat", 3, ("cat", "8"))
    header = to_text(cells).split("\n")[0]
    painted = set(zip(cells.ch[1:, 34:].ravel().tolist(), cells.fg[1:, 34:].ravel().tolist(), strict=True))
    for word in ("correct", "incorrect"):
        x = header.index(f" {word}") - 1
        assert (int(cells.ch[0, x]), int(cells.fg[0, x])) in painted, word


def test_the_title_of_the_classes_does_not_run_into_their_legend() -> None:
    for width in range(40, 90):
        where = frame(width, 6)
        text = to_text(draw_classes(where, make_class_rows(), 0, 0, None, title="4 clusters by error")).split("\n")[0]
        assert "by error error" not in text, width
        assert "100%" in text, width


def test_images_by_wrong_class_name_the_classes() -> None:
    where = frame(150, 12)
    rows = make_images(axis_of(where), 12, images=12, colour_by="label")
    cells = draw_images(where, rows, "cat", 3, ("cat", "dog", "emu"), None, 40, 500)
    header = to_text(cells).split("\n")[0]
    for word in ("right", "cat", "dog", "emu"):
        assert f"██ {word}" in header
    used = set(cells.bg[1:-1, 34:].ravel().tolist()) | set(cells.fg[1:-1, 34:].ravel().tolist())
    assert used == {DARK.correct, *DARK.wrong_labels[:3]}


@pytest.mark.parametrize(("label", "line"), [(0, "✓ cat 87%"), (1, "✗ predicted dog 87%"), (None, "not validated yet")])
def test_the_verdict_on_an_image(label: int | None, line: str) -> None:
    where = frame(150, 12)
    rows = make_images(axis_of(where), 12)
    text = to_text(draw_images(where, rows, "cat", 3, ("cat", "dog"), make_verdict(label), 40, 500))
    assert f"  {line}  " in text


def test_a_judgement_that_is_lost_says_so() -> None:
    where = frame(150, 12)
    rows = make_images(axis_of(where), 12)
    lost = replace(make_verdict(None), iteration=500)
    unsure = replace(make_verdict(1), confidence=float("nan"))
    for verdict, line in ((lost, "lost to damage"), (unsure, "✗ predicted dog")):
        text = to_text(draw_images(where, rows, "cat", 3, ("cat", "dog"), verdict, 40, 500))
        assert f"  {line}  " in text


def test_a_thumbnail_keeps_its_proportions() -> None:
    where = frame(150, 20)
    verdict = replace(make_verdict(), pixels=np.full((14, 28, 3), 200, np.uint8))
    cells = draw_images(where, make_images(axis_of(where), 20), "cat", 3, ("cat", "dog"), verdict, 40, 500)
    drawn = cells.ch[:, 2:31] == ord("▀")
    assert (drawn.any(0).sum(), drawn.any(1).sum()) == (28, 7)
    assert (cells.fg[:, 2:31][drawn] == 0xC8C8C8).all()


@pytest.mark.parametrize("mode", [ColorMode.TRUECOLOR, ColorMode.NONE])
def test_one_wrong_image_wins_over_the_right_ones_of_its_pixel(mode: ColorMode) -> None:
    where = frame(150, 7, mode)
    rows = make_images(axis_of(where), 7, images=12, colour_by="label")
    mostly = replace(rows, correct=np.full_like(rows.correct, 0.98), wrong_label=np.ones_like(rows.wrong_label))
    cells = draw_images(where, mostly, "cat", 3, ("cat", "dog"), None, 40, None)
    if mode is ColorMode.NONE:
        assert (cells.ch[1:-1, 34:] == ord(letter_of(1))).all()
    else:
        assert (cells.fg[1:-1, 34:] == label_colour(DARK, 1)).all()


@pytest.mark.parametrize("mode", [ColorMode.TRUECOLOR, ColorMode.NONE])
def test_a_label_keeps_its_colour_whatever_else_is_shown(mode: ColorMode) -> None:
    """The more frequent label changes from picture to picture; what stands for a label must not."""
    where = frame(150, 7, mode)
    rows = make_images(axis_of(where), 7, images=12, colour_by="label")
    names = tuple(f"class {label}" for label in range(40))
    shown = []
    for frequent, rare in ((3, 25), (25, 3)):
        wrong = np.full_like(rows.wrong_label, frequent)
        wrong[:2] = rare
        picture = replace(rows, correct=np.zeros_like(rows.correct), wrong_label=wrong)
        cells = draw_images(where, picture, "cat", 3, names, None, 40, None)
        drawn = cells.ch if mode is ColorMode.NONE else cells.fg
        shown.append({"top": int(drawn[1, 60]), "bottom": int(drawn[5, 60])})
        assert f"class {frequent}" in to_text(cells).split("\n")[0]
    assert shown[0]["top"] == shown[1]["bottom"] != shown[0]["bottom"] == shown[1]["top"]


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_every_label_has_a_colour_that_is_not_the_one_for_right(theme: Theme) -> None:
    colours = [label_colour(theme, label) for label in range(1000)]
    assert len(set(colours[:100])) == 100
    distances = np.linalg.norm(to_lab(np.array(colours, np.uint32)) - to_lab(np.array([theme.correct])), axis=1)
    assert distances.min() > 20
