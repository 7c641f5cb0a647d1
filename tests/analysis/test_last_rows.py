"""Rows that are kept in one place, against rows that are put behind each other anew each time."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.rises.last_rows import ROOM, LastRows


@pytest.mark.parametrize("length", [0, 1, ROOM, 3 * ROOM + 1])
def test_rows_in_pieces_of_every_size_are_those_put_behind_each_other(length):
    random = np.random.default_rng(length)
    rows, kept = LastRows(length, 3), np.full((length, 3), np.nan)
    for count in random.choice([0, 1, 1, 2, ROOM, ROOM + 1, 5 * ROOM], 60).tolist():
        new = random.normal(size=(count, 3))
        expected = np.concatenate([kept, new])
        np.testing.assert_array_equal(rows.extend(new), expected)
        kept = expected[count:]


def test_what_is_given_is_copied():
    rows, new = LastRows(2, 1), np.ones((1, 1))
    rows.extend(new)
    new[:] = 5.0
    assert rows.extend(new)[1] == 1.0
