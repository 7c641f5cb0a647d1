"""The correlation and the cube as text: counts, mini-sets, picks, words, and where a press lands."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from dtui.model.cube import Pick
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame, gutter_for
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.correlation import place_of
from dtui.tui.renderables.parts.grid.cells import NAMED, ending_of, first_line, layer_columns
from dtui.tui.renderables.parts.grid.places import Face, beside
from tests.unit.renderables.builders import frame
from tests.unit.renderables.grid_panes import GRID, LAYERS, correlation, cube, look_of


def rows_of(cells: Cells) -> list[str]:
    return to_text(cells).splitlines()


def cube_frame(width: int = 150, height: int = 40) -> Frame:
    where = frame(width, height)
    right = beside(width, len(LAYERS))
    axis = where.axis.with_columns(width - where.gutter - right)
    return Frame(width, height, gutter_for(width), axis, DARK, Output(), True, right)


# --- the correlation
def test_each_row_says_its_name_its_iterations_and_its_filters():
    rows = rows_of(correlation((1, 2)).draw(frame(150, 30)))
    tall = place_of(correlation((1, 2)), 150, 30, gutter_for(150)).tall
    for row, one in enumerate(GRID.rows):
        line = rows[2 + row * tall + (tall - 1) // 2][:34]
        assert ["cat", "dog", "class 3", "all classes", "no class"][_which(row)] in line
        assert f"{GRID.found.events[one.events[0]].iteration:,}" in line
        assert line.rstrip().endswith(f"{GRID.counts[row].sum():,}")
    assert "10 filters of largest update ratio" in rows[0]
    assert "stage0" in rows[1]
    assert "stage1" in rows[1]


def _which(row: int) -> int:
    one = GRID.rows[row]
    return {"class": one.label or 0, "all": 3, "no class": 4}[str(one.kind)]


def test_each_cell_shows_its_count_and_the_picked_layer_is_named():
    picture = correlation((1, 2))
    cells, place = picture.draw(frame(150, 30)), place_of(picture, 150, 30, gutter_for(150))
    rows = rows_of(cells)
    for row in range(len(GRID.rows)):
        for layer in range(len(LAYERS)):
            x, y = place.columns.x_of(layer), 2 + row * place.tall + (place.tall - 1) // 2
            shown = rows[y][x : x + place.columns.cell].strip()
            count = int(GRID.counts[row, layer])
            expected = (
                f"{count}{NAMED}"
                if GRID.named[row, layer] and count
                else NAMED
                if GRID.named[row, layer]
                else f"{count}"
                if count
                else "·"
            )
            assert shown == ("0" if (row, layer) == (1, 2) and not count else expected)
    pointer = next(line for line in rows if "▲" in line)
    assert LAYERS[2].name in pointer


@pytest.mark.parametrize("picked", [0, 4, 8])
def test_a_long_name_of_the_picked_layer_stays_beside_its_arrow_in_its_own_face(picked: int) -> None:
    name = "base_model.model.vit.layers.0.attention.v_proj.lora_B.default"
    look, where = replace(look_of(), layers=(name,) * len(LAYERS)), cube_frame(130)
    faces = {
        1: correlation((0, picked), look=look).draw(frame(40, 30)),
        where.width - where.right: cube(picked=(0, picked), look=look).draw(where),
    }
    for first, cells in faces.items():
        pointer = next(row[first:] for row in rows_of(cells)[2:] if "▲" in row)
        shown = pointer.replace("▲", " ").split()
        assert len(shown) == 1, "the arrow and the name, and neither on the other"
        assert shown[0].startswith("…"), "its beginning is in the same face"
        assert name.endswith(shown[0].strip("…"))


@pytest.mark.parametrize("output", [Output(ColorMode.PALETTE_16), Output(ascii=True)], ids=["16 colours", "ASCII"])
def test_the_legend_begins_and_ends_with_the_shades_that_cells_have(output: Output) -> None:
    text = to_text(correlation((1, 2)).draw(replace(frame(60, 16), output=output)), output)
    low, shades, high = text.splitlines()[0].split()[-3:]
    assert (low, high) == ("1", str(GRID.counts.max()))
    assert f"{shades[0]}{low}{shades[0]}" in text
    assert f"{shades[-1]}{high}{shades[-1]}" in text


def test_long_names_of_modules_and_layers_keep_their_ends():
    names = tuple(f"resnet.encoder.stages.{k // 4}.layers.0.layer.{k}.convolution" for k in range(len(LAYERS)))
    picked = (int(GRID.counts.astype(bool).sum(1).argmax()), 0)
    rows = rows_of(correlation(picked, look=replace(look_of(), layers=names)).draw(frame(80, 40)))
    assert all(f"stages.{stage}" in rows[1] for stage in (0, 1)), rows[1]
    also = " ".join(rows[next(at for at, line in enumerate(rows) if "also in" in line) :])
    assert len(set(re.findall(r"layer\.(\d)\.convolution:", also))) == len(re.findall(r": ?\d", also)) > 1


@pytest.mark.parametrize(
    ("error", "label"), [(0.02, "all classes  2%"), (0.27, "all classes 27%"), (1.0, "all class… 100%")]
)
def test_a_name_has_the_room_that_its_error_leaves(error: float, label: str):
    where = frame(80, 20)
    look = replace(look_of(), names=("all classes",) * len(GRID.rows))
    assert label in to_text(cube(is_tabs=True, fill=error, look=look).draw(where, 500))


def test_the_picked_cell_is_told_in_words_with_sigma_and_iterations():
    row, layer = (int(place[0]) for place in np.nonzero(GRID.counts))
    text = to_text(correlation((row, layer)).draw(frame(150, 40)))
    assert f"× {LAYERS[layer].name}  {GRID.counts[row, layer]} filter" in text
    assert "9.5σ" in text
    assert "×40" in text
    assert f"{GRID.found.events[GRID.events_of(row, layer)[0]].iteration:>9,}  filter" in text
    assert "also in" in text
    small = to_text(correlation((row, layer)).draw(frame(80, 18)))
    assert "σ" in small
    assert LAYERS[layer].name in small
    waiting = to_text(correlation((row, layer), with_cell=False).draw(frame(150, 40)))
    assert "σ" not in waiting


def test_a_pick_without_room_for_its_number_shows_none_rather_than_another():
    row, layer = (int(place[0]) for place in np.nonzero(GRID.counts))
    picture, where = correlation((row, layer)), frame(34, 18, gutter=18)
    place = place_of(picture, 34, 18, 18)
    assert place.columns.cell == 1
    cells = picture.draw(where)
    x, y = place.columns.x_of(layer), 2 + (row - place.first) * place.tall + (place.tall - 1) // 2
    assert (cells.bg[y, x], chr(cells.ch[y, x])) == (DARK.badge, " ")


def test_bars_of_sigma_are_left_out_where_they_would_be_cut():
    row, layer = (int(place[0]) for place in np.nonzero(GRID.counts))
    assert "▇" in to_text(correlation((row, layer)).draw(frame(150, 40)))
    assert "▇" not in to_text(correlation((row, layer)).draw(frame(50, 60)))


def test_a_cell_without_filters_says_where_most_are():
    row, layer = (int(place[0]) for place in np.nonzero(GRID.counts == 0))
    text = to_text(correlation((row, layer)).draw(frame(150, 40)))
    best = int(GRID.counts[row].argmax())
    assert f"none of the filters that changed most; most in {LAYERS[best].name}: {GRID.counts[row, best]}" in text


def test_in_detail_a_line_is_an_incident_and_a_bar_as_wide_as_its_filters():
    picture = correlation((0, 0), is_detailed=True)
    where = frame(150, 40)
    cells, place = picture.draw(where), place_of(picture, 150, 40, gutter_for(150))
    assert [event for _, event in place.lines] == [event for row in GRID.rows for event in row.events]
    widths = {}
    for layer, (left, width) in enumerate(place.spans):
        assert (width > 0) == bool(GRID.found.totals[layer])
        for at, (_, event) in enumerate(place.lines):
            y = 2 + (at - place.first) * place.tall
            filled = int((cells.bg[y, left : left + width] != DARK.panel).sum())
            share = GRID.filters[event, layer] / max(1, GRID.found.totals[layer])
            assert abs(filled - width * share) <= len(GRID.mini_sets_of(layer))
            widths[layer] = width
    assert widths[max(widths, key=lambda layer: GRID.found.totals[layer])] == max(widths.values())


def test_less_important_mini_sets_are_left_out_and_counted():
    most = GRID.importances[-1]
    every = correlation((0, 0), is_detailed=True).draw(frame(150, 40))
    few = correlation((0, 0), is_detailed=True, least=most).draw(frame(150, 40))
    painted = [int((cells.bg[2:12, 34:] != DARK.panel).sum()) for cells in (every, few)]
    assert 0 < painted[1] < painted[0]
    hidden = sum(one.importance < most for one in GRID.found.mini_sets)
    assert f"{hidden} less important mini-sets are hidden" in to_text(few)
    assert "hidden" not in to_text(every)


def test_a_press_finds_the_row_and_the_layer():
    for is_detailed in (False, True):
        picture = correlation((0, 0), is_detailed=is_detailed)
        place = place_of(picture, 150, 30, gutter_for(150))
        assert place.line_at(0) is place.line_at(1) is None
        assert place.line_at(2) == place.first
        assert place.lines[place.line_at(2 + place.tall)][0] in (0, 1)
        layers = [place.layer_at(x, is_detailed) for x in range(34, 150)]
        there = {layer for layer in layers if layer is not None}
        assert there == (set(np.flatnonzero(GRID.found.totals).tolist()) if is_detailed else set(range(len(LAYERS))))


@pytest.mark.parametrize(("lines", "room", "at", "first"), [(3, 5, 2, 0), (10, 4, 0, 0), (10, 4, 5, 3), (10, 4, 9, 6)])
def test_the_picked_line_is_always_shown(lines, room, at, first):
    assert first_line(lines, room, at) == first
    assert first <= at < first + room


def test_more_layers_than_columns_share_them():
    columns = layer_columns(100, 10, 30)
    assert (len(columns.groups), columns.cell, columns.width) == (30, 1, 30)
    assert columns.x_of(99) == 39
    assert columns.layer_at(39) in columns.groups[-1]
    assert columns.layer_at(40) is columns.layer_at(9) is None
    assert layer_columns(2, 0, 100).cell < 20


def test_a_long_name_keeps_its_end():
    assert ending_of("layer1.0.conv1", 8) == "…0.conv1"
    assert ending_of("fc", 8) == "fc"
    assert ending_of("字字字字", 5) == "…字字"
    assert ending_of("anything", 0) == ""


# --- the cube
def test_the_three_faces_stand_on_one_screen_and_share_the_rows_of_classes():
    where, picture = cube_frame(), cube()
    cells, place = picture.draw(where, 450), picture.place(where)
    rows = rows_of(cells)
    assert "classes × time" in rows[0]
    assert "classes × layers" in rows[0]
    assert "layers × time" in rows[place.layer_top - 1]
    assert place.columns is not None
    for row in range(len(GRID.rows)):
        y = place.top + row * place.tall
        middle = y + (place.tall - 1) // 2
        for layer in range(len(LAYERS)):
            x = place.columns.x_of(layer)
            shown = rows[middle][x : x + place.columns.cell].strip()
            count = int(GRID.counts[row, layer])
            assert shown.startswith(
                f"{count}"
                if count and not GRID.named[row, layer]
                else ("", "·", "0", NAMED)
                if not count
                else (f"{count}", NAMED)
            )
    assert "picked: cat" in to_text(cells)


def middle_of(place, layer):
    """The terminal row of a layer that has its name."""
    return place.layer_top + layer * place.layer_tall + (place.layer_tall - 1) // 2


def test_a_pick_keeps_the_colours_of_what_belongs_to_it_and_fades_the_rest():
    where = cube_frame()
    whole, one = cube().draw(where, 450), cube(pick=Pick(row=1), picked=(1, 0)).draw(where, 450)
    picture = cube(pick=Pick(row=1), picked=(1, 0))
    place, time = picture.place(where), slice(where.gutter, where.gutter + where.plot_width)
    for row in range(len(GRID.rows)):
        y = place.top + row * place.tall
        plain = ~np.isin(whole.ch[y, time], [ord("▾")]) & ~np.isin(one.ch[y, time], [ord("▾")])
        same = (whole.bg[y, time] == one.bg[y, time])[plain]
        assert same.all() if row == 1 else not same.any()
    lit = picture.lit.layers
    assert 0 < lit.sum() < len(LAYERS)
    for layer in range(len(LAYERS)):
        y = middle_of(place, layer)
        plain = np.isin(whole.ch[y, time], [ord("▀")]) & np.isin(one.ch[y, time], [ord("▀")])
        same = (whole.fg[y, time] == one.fg[y, time])[plain]
        assert same.all() if lit[layer] else same.mean() < 0.2
    text = rows_of(one)
    marks = [text[middle_of(place, layer)][time].count(NAMED) for layer in range(len(LAYERS))]
    assert marks == [
        sum(bool(GRID.filters[event, layer]) for event in GRID.rows[1].events) for layer in range(len(LAYERS))
    ]


def test_the_gutter_has_the_error_and_the_factor_at_the_cursor():
    where = cube_frame()
    picture = cube(axis=where.axis)
    place = picture.place(where)
    rows = rows_of(picture.draw(where, 450))
    column = where.axis.column_of(450)
    error = picture.cube.errors[0, column]
    assert f"{100 * error:.1f}%" in rows[place.top + (place.tall - 1) // 2][:34]
    shade = picture.cube.shades[3, column]
    sign = "×" if shade >= 0 else "÷"
    assert f"{sign}{10 ** abs(shade):.2g}" in rows[middle_of(place, 3)][:34]


def test_layers_that_do_not_fit_share_pixel_rows():
    where = cube_frame(height=16)
    picture = cube(layer_rows=6)
    place = picture.place(where)
    assert place.layers <= 6
    assert place.layer_row_at(place.layer_top, 6) == 0
    assert place.layer_row_at(place.layer_top + place.layers, 6) is None
    assert place.layer_row_at(0, 6) is None


@pytest.mark.parametrize("face", Face)
def test_on_a_narrow_screen_each_face_is_a_tab_that_keeps_the_pick(face: Face):
    where = frame(80, 18)
    rows = rows_of(cube(face, Pick(row=1), picked=(1, 0), is_tabs=True).draw(where, 450))
    titles = ("classes × time", "layers × time", "classes × layers")
    assert f"[{titles[face]}]" in rows[0]
    assert sum("[" in rows[0] for _ in [0]) == 1
    assert any("picked: cat" in row for row in rows[-4:])
    body = "\n".join(rows[1:-4])
    assert ("0.conv" in body) == (face is not Face.CLASSES)
    assert ("dog" in body) == (face is not Face.LAYERS)


def test_the_faces_are_tabs_below_110_columns():
    assert [beside(width, 22) > 0 for width in (80, 109, 110, 150, 300)] == [False, False, True, True, True]
    assert beside(150, 54) <= 60
