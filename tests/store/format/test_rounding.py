from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dtui.store.format.rounding import round_mantissa
from tests.store.twin import rounded

BITS = st.sampled_from([7, 10, 12, 23])


@given(arrays.arrays(np.float32, 20, elements=st.floats(width=32)), BITS)
def test_rounding_is_close_and_settles(values: np.ndarray, kept: int) -> None:
    once = round_mantissa(values, kept)
    np.testing.assert_array_equal(round_mantissa(once, kept), once)
    np.testing.assert_array_equal(np.isnan(once), np.isnan(values))
    np.testing.assert_array_equal(np.isinf(once), np.isinf(values))
    normal = np.isfinite(values) & (np.abs(values) >= np.finfo(np.float32).tiny)
    with np.errstate(over="ignore"):
        assert np.all(np.abs(once[normal].astype(float) / values[normal].astype(float) - 1) <= 2.0**-kept)


@given(arrays.arrays(np.float32, 20, elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)), BITS)
def test_rounding_is_to_the_nearest(values: np.ndarray, kept: int) -> None:
    np.testing.assert_array_equal(round_mantissa(values, kept), rounded(values, kept))


@pytest.mark.parametrize("bits", [0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF, 0xFFC00000])
def test_every_nan_stays_one(bits: int) -> None:
    assert np.isnan(round_mantissa(np.array([bits], np.uint32).view(np.float32), 7))[0]


def test_the_largest_number_does_not_become_infinite() -> None:
    largest = np.finfo(np.float32).max
    assert np.isfinite(round_mantissa(np.array([largest, -largest], np.float32), 7)).all()


def test_the_argument_is_not_changed() -> None:
    values = np.array([1.23456789], np.float32)
    round_mantissa(values, 7)
    assert values[0] == np.float32(1.23456789)
