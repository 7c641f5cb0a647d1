"""A step of the cursor rewrites only the readout, and leaves what drawing anew would leave."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dtui.model import ClassErrors, TimeAxis
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.panes.classes import classes_readout_region, draw_classes, write_classes_readout
from dtui.tui.renderables.panes.curves import curves_readout_region, draw_curves, write_curves_readout
from dtui.tui.renderables.panes.filters import draw_filters, filters_readout_region, write_filters_readout
from dtui.tui.renderables.panes.images import draw_images, images_readout_region, write_images_readout
from dtui.tui.renderables.panes.tree import TreeLook, draw_tree, tree_readout_region, write_tree_readout
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

Pane = tuple[Callable[[int | None], Cells], Callable[[Cells, int | None], None], Region]


def panes(where: Frame) -> dict[str, Pane]:
    """Return how each pane is drawn, how its readout is rewritten, and where that may be."""
    axis = axis_of(where)
    rows, look = make_rows(), TreeLook("mean of weights")
    series, curves, heatmap = make_series(rows, axis), make_curves(axis), make_heatmap(axis, where.height)
    groups, images, verdict = make_class_rows(), make_images(axis, where.height), make_verdict()
    errors = make_errors(groups, axis)
    return {
        "curves": (
            lambda at: draw_curves(where, curves, (), False, at),
            lambda cells, at: write_curves_readout(cells, where, curves, at),
            curves_readout_region(where),
        ),
        "tree": (
            lambda at: draw_tree(where, rows, 0, 1, series, look, None, (), at),
            lambda cells, at: write_tree_readout(cells, where, rows, 0, 1, series, look, at),
            tree_readout_region(where),
        ),
        "filters": (
            lambda at: draw_filters(where, heatmap, 5, LOOK, at),
            lambda cells, at: write_filters_readout(cells, where, heatmap, 5, LOOK, at),
            filters_readout_region(where),
        ),
        "classes": (
            lambda at: draw_classes(where, groups, 0, 1, errors, (), None, (), at),
            lambda cells, at: write_classes_readout(cells, where, groups, 0, errors, at),
            classes_readout_region(where),
        ),
        "images": (
            lambda at: draw_images(where, images, "cat", 3, ("cat", "dog"), verdict, 40, at),
            lambda cells, at: write_images_readout(cells, where, images, 3, ("cat", "dog"), verdict, at),
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
    draw, write, _ = panes(frame(*size))[name]
    cells = draw(100)
    for at in (900, None, 10**9, 0):
        write(cells, at)
        assert same(cells, draw(at)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(150, 20), (80, 9), (60, 5)])
def test_nothing_outside_the_region_changes(name: str, size: tuple[int, int]) -> None:
    draw, write, (x, y, width, height) = panes(frame(*size))[name]
    before, after = draw(100), draw(100)
    write(after, 900)
    changed = ~same(before, after)
    changed[y : y + height, x : x + width] = False
    assert not changed.any()


@pytest.mark.parametrize("name", NAMES)
def test_the_readout_follows_the_cursor(name: str) -> None:
    draw, write, (x, y, width, height) = panes(frame(150, 20))[name]
    before, cells = draw(100), draw(100)
    write(cells, 900)
    assert not same(before, cells)[y : y + height, x : x + width].all()


def test_exact_errors_replace_those_of_the_column_at_their_iteration_only() -> None:
    where = frame(150, 20)
    groups = make_class_rows(("cat", "dog"))
    errors = make_errors(groups, axis_of(where), fill=0.75)
    now = ClassErrors(TimeAxis(500, 501, 1), errors.groups, np.full((3, 1), 0.125))
    assert to_text(draw_classes(where, groups, 0, 0, errors, iteration=500, now=now)).count("12.5%") == 3
    assert to_text(draw_classes(where, groups, 0, 0, errors, iteration=510, now=now)).count("75.0%") == 3
