"""A step of the cursor rewrites only the readout, and leaves what drawing anew would leave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.model import ClassErrors, TimeAxis
from dtui.model.cube import Pick
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.panes.classes import ClassesPicture
from dtui.tui.renderables.panes.curves import CurvesPicture, curves_readout_region
from dtui.tui.renderables.panes.images import ImagesPicture, images_readout_region
from dtui.tui.renderables.panes.layers.filters import FiltersPicture, filters_readout_region
from dtui.tui.renderables.panes.layers.tree import TreeLook, TreePicture, info_rows
from dtui.tui.renderables.parts.grid.places import Face
from dtui.tui.renderables.parts.picture import Picture
from tests.unit.renderables.builders import (
    LOOK,
    axis_of,
    frame,
    make_class_rows,
    make_curves,
    make_errors,
    make_heatmap,
    make_images,
    make_rows,
    make_series,
    make_verdict,
)
from tests.unit.renderables.drawing import draw_classes
from tests.unit.renderables.grid_panes import cube

Pane = tuple[Picture, Region]


def panes(where: Frame) -> dict[str, Pane]:
    """Return the picture of each pane, and where its readout may be rewritten."""
    axis = axis_of(where)
    rows, groups, look = make_rows(), make_class_rows(), TreeLook("mean of weights")
    below_header = (1, 1, max(0, min(where.gutter - 2, where.width - 1)), max(0, where.height - 1))
    images, heatmap = make_images(axis, where.height), make_heatmap(axis, where.height)
    return {
        "curves": (CurvesPicture(make_curves(axis)), curves_readout_region(where)),
        "tree": (TreePicture(rows, 0, 1, make_series(rows, axis), look), (0, 1, where.gutter, where.height)),
        "filters": (FiltersPicture(heatmap, 5, LOOK), filters_readout_region(where)),
        "classes": (ClassesPicture(groups, 0, 1, make_errors(groups, axis)), below_header),
        "images": (
            ImagesPicture(images, "cat", 3, ("cat", "dog"), 40, make_verdict()),
            images_readout_region(where),
        ),
    }


NAMES = ("curves", "tree", "filters", "classes", "images")


def same(one: Cells, other: Cells) -> np.ndarray:
    """Where two grids show the same; the colour of a blank does not count."""
    blank = (one.ch == 32) & (other.ch == 32)
    equal = (one.ch == other.ch) & (one.bg == other.bg) & (one.mark == other.mark)
    return equal & (blank | ((one.fg == other.fg) & (one.bold == other.bold)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(150, 20), (110, 12), (80, 9), (60, 5), (20, 3)])
def test_rewriting_leaves_what_drawing_anew_would(name: str, size: tuple[int, int]) -> None:
    where = frame(*size)
    picture, _ = panes(where)[name]
    cells = picture.draw(where, 100)
    for at in (900, None, 10**9, 0):
        picture.write_readout(cells, where, at)
        assert same(cells, picture.draw(where, at)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(150, 20), (80, 9), (60, 5)])
def test_nothing_outside_the_region_changes(name: str, size: tuple[int, int]) -> None:
    where = frame(*size)
    picture, (x, y, width, height) = panes(where)[name]
    before, after = picture.draw(where, 100), picture.draw(where, 100)
    picture.write_readout(after, where, 900)
    changed = ~same(before, after)
    changed[y : y + height, x : x + width] = False
    if name == "tree" and info_rows(where.height)[1]:
        changed[-1] = False  # the selected row in words
    assert not changed.any()


@pytest.mark.parametrize("name", NAMES)
def test_the_readout_follows_the_cursor(name: str) -> None:
    where = frame(150, 20)
    picture, (x, y, width, height) = panes(where)[name]
    before, cells = picture.draw(where, 100), picture.draw(where, 100)
    picture.write_readout(cells, where, 900)
    assert not same(before, cells)[y : y + height, x : x + width].all()


@pytest.mark.parametrize("face", [None, *Face])
@pytest.mark.parametrize("size", [(150, 40), (110, 24), (80, 16), (60, 5), (20, 3)])
def test_a_step_over_the_cube_leaves_its_faces_and_what_drawing_anew_would(face: Face | None, size) -> None:
    where = replace(frame(*size), right=0 if face is not None else max(0, size[0] // 3 - 10))
    picture = cube(face or Face.CLASSES, is_tabs=face is not None)
    cells = picture.draw(where, 100)
    for at in (900, None, 10**9, 0):
        said = f"picked: at {at}, and words that need more room than there is in one row of the pane"
        picture = replace(picture, said=said if at else "")
        picture.write_readout(cells, where, at)
        assert same(cells, picture.draw(where, at)).all()


def test_the_cube_is_drawn_anew_only_where_something_else_is_lit() -> None:
    before = cube(pick=Pick(row=0))
    assert replace(before, said="elsewhere") == before
    assert replace(before, said="elsewhere").readout_of != before.readout_of
    assert cube(pick=Pick(row=1)) != before


def test_exact_errors_replace_those_of_the_column_at_their_iteration_only() -> None:
    where = frame(150, 20)
    groups = make_class_rows(("cat", "dog"))
    errors = make_errors(groups, axis_of(where), fill=0.75)
    now = ClassErrors(TimeAxis(500, 501, 1), errors.groups, np.full((3, 1), 0.125))
    assert to_text(draw_classes(where, groups, 0, 0, errors, iteration=500, now=now)).count("12.5%") == 3
    assert to_text(draw_classes(where, groups, 0, 0, errors, iteration=510, now=now)).count("75.0%") == 3


def test_the_places_and_marks_of_filters_are_found_once_while_the_cursor_moves(monkeypatch) -> None:
    where, found = frame(150, 20), []
    picture, _ = panes(where)["filters"]
    cells = picture.draw(where, 100)
    for name in ("unique", "isin"):
        monkeypatch.setattr(np, name, lambda *values, name=name: found.append(name))
    picture.write_readout(cells, where, 900)
    assert not found
