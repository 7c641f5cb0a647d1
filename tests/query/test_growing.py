from __future__ import annotations

import numpy as np

from dtui.query.growing import READ_AT_ONCE, GrowingArrays, Windows

WHOLE = np.arange(3 * 20_000, dtype=np.float32).reshape(3, 20_000)


class Source:
    def __init__(self) -> None:
        self.read_columns: list[tuple[int, int]] = []

    def __call__(self, part: slice) -> np.ndarray:
        self.read_columns.append((part.start, part.stop))
        return WHOLE[:, part]


def test_only_new_columns_are_read():
    arrays, source = GrowingArrays(), Source()
    for count in (0, 5, 5, 6, 40, 41):
        got = arrays.columns("a", count, source)
        np.testing.assert_array_equal(got, WHOLE[:, :count])
        assert not got.flags.writeable
    assert source.read_columns == [(0, 0), (0, 5), (5, 6), (6, 40), (40, 41)]


def test_an_answer_given_before_stays_as_it_was():
    arrays, source = GrowingArrays(), Source()
    before = arrays.columns("a", 5, source)
    kept = before.copy()
    arrays.columns("a", 9, source)
    np.testing.assert_array_equal(before, kept)


def test_long_runs_are_read_in_parts():
    arrays, source = GrowingArrays(), Source()
    np.testing.assert_array_equal(arrays.columns("a", 20_000, source), WHOLE)
    assert max(stop - start for start, stop in source.read_columns) == READ_AT_ONCE


def test_wide_ones_are_read_in_smaller_parts():
    arrays, source = GrowingArrays(at_once=64), Source()
    np.testing.assert_array_equal(arrays.columns("a", 200, source), WHOLE[:, :200])
    assert source.read_columns == [(0, 64), (64, 128), (128, 192), (192, 200)]


def test_the_least_recently_used_goes_first():
    arrays, source = GrowingArrays(budget=2 * 3 * 10 * 4), Source()
    for key in ("a", "b", "a", "c", "a"):
        arrays.begin_answer("x")
        arrays.columns(key, 10, source)
    assert len(source.read_columns) == 3
    arrays.columns("b", 10, source)
    assert len(source.read_columns) == 4


def test_what_one_answer_uses_is_kept_beyond_the_budget_until_the_next_but_one():
    arrays, source = GrowingArrays(budget=2 * 3 * 10 * 4, most=5 * 3 * 10 * 4), Source()
    for _ in range(3):
        arrays.begin_answer("x")
        for key in "abcde":
            arrays.columns(key, 10, source)
        arrays.begin_answer("y")
        arrays.columns("a", 10, source)
    assert len(source.read_columns) == 5
    for _ in range(2):
        arrays.begin_answer("x")
        arrays.columns("e", 10, source)
    arrays.columns("a", 10, source)  # in use by the other kind
    assert len(source.read_columns) == 5
    arrays.columns("d", 10, source)
    assert len(source.read_columns) == 6


def test_however_much_one_answer_uses_there_is_an_end_to_what_is_kept():
    arrays, source = GrowingArrays(budget=0, most=2 * 3 * 10 * 4), Source()
    for key in "abcba":
        arrays.columns(key, 10, source)
    assert len(source.read_columns) == 4


def test_a_window_that_holds_what_is_wanted_is_not_read_again():
    windows, source = Windows(budget=3 * 128 * 4), Source()
    for part in (slice(70, 80), slice(64, 192), slice(100, 120), slice(60, 70)):
        windows.begin_answer("x")
        matrix, first = windows.columns("a", part, 20_000, source)
        np.testing.assert_array_equal(matrix[:, part.start - first : part.stop - first], WHOLE[:, part])
    assert source.read_columns == [(64, 128), (64, 192), (0, 128)]


def test_what_is_larger_than_the_most_is_answered_but_not_kept():
    arrays, source = GrowingArrays(most=100), Source()
    arrays.columns("small", 5, source)
    for _ in range(2):
        np.testing.assert_array_equal(arrays.columns("large", 100, source), WHOLE[:, :100])
    arrays.columns("small", 5, source)
    assert source.read_columns == [(0, 5), (0, 100), (0, 100)]


def test_a_run_that_has_shrunk_is_read_anew():
    arrays, source = GrowingArrays(), Source()
    arrays.columns("a", 10, source)
    assert arrays.columns("a", 7, source).shape == (3, 7)
    assert source.read_columns == [(0, 10), (0, 7)]
