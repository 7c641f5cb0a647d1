from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dtui.analysis.downsample import mean_rows
from dtui.tui.renderables.parts.pixel_rows import PixelRows


@st.composite
def places(draw: st.DrawFn) -> PixelRows:
    height = draw(st.integers(2, 40))
    count = draw(st.integers(1, 300))
    made = min(count, 2 * (height - 1))
    return PixelRows(draw(st.integers(0, 50)), count, made, height)


@given(places())
def test_every_row_is_somewhere_and_a_click_there_finds_a_row_of_that_place(place: PixelRows) -> None:
    for row in range(place.first, place.first + place.count):
        y = place.y_of(row)
        assert y is not None
        assert 1 <= y < place.height
        assert row in place.rows_in(y)
        found = place.row_at(y)
        assert found is not None
        assert place.y_of(found) == y


@given(places())
def test_every_terminal_row_shows_something(place: PixelRows) -> None:
    for y in range(1, place.height):
        assert len(place.rows_in(y)) >= 1
        assert place.row_at(y) in place.rows_in(y)


@given(places())
def test_rows_stand_in_order(place: PixelRows) -> None:
    ys = [place.y_of(row) or 0 for row in range(place.first, place.first + place.count)]
    assert ys == sorted(ys)


@given(places())
def test_pixels_fill_the_pane_in_order(place: PixelRows) -> None:
    expanded = place.expand(np.arange(place.made)[:, None])[:, 0]
    assert len(expanded) == place.pixels
    assert (np.diff(expanded) >= 0).all()
    assert set(expanded.tolist()) == set(range(place.made))


def test_outside_there_is_nothing() -> None:
    place = PixelRows(10, 5, 5, 8)
    assert place.y_of(9) is None
    assert place.y_of(15) is None
    assert place.row_at(0) is None
    assert place.row_at(8) is None
    assert PixelRows(0, 0, 0, 8).row_at(3) is None
    assert PixelRows(0, 3, 3, 1).y_of(1) is None


def test_the_profile_is_the_mean_of_a_cells_pixels() -> None:
    place = PixelRows(0, 4, 4, 3)
    profile = place.profile(np.array([1.0, 3.0, np.nan, 5.0]))
    assert profile.tolist() == [2.0, 5.0]
    assert np.isnan(place.profile(np.full(4, np.nan))).all()


def test_a_row_stands_where_its_values_are_drawn() -> None:
    """Rows that share pixels unevenly: the pixel of a row is the one that its values were averaged into."""
    for count in (5, 17, 32, 33, 100):
        for made in range(1, min(count, 40) + 1):
            place = PixelRows(7, count, made, 2 + made // 2)
            for row in range(count):
                values = np.zeros((count, 1))
                values[row] = 1.0
                (pixel,) = np.flatnonzero(mean_rows(values, made)[:, 0])
                assert place.made_of(7 + row) == pixel
