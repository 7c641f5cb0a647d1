"""How numbers are written, and where ticks stand."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.tui.renderables.parts.chrome import number
from dtui.tui.renderables.parts.scale import linear_scale, logarithmic_scale, round_up, tick_step


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.1234, "0.123"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12_345, "12,345"),
        (1.2e6, "1.2e+6"),
        (1.2e-5, "1.2e-5"),
        (3e-10, "3e-10"),
        (-0.5, "−0.500"),
        (9.9996, "10.0"),
        (float("nan"), "·"),
        (float("-inf"), "−inf"),
    ],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown.replace("e+", "e")
    assert len(number(value)) <= 7


def test_scales_are_round_and_hold_their_values() -> None:
    assert [round(round_up(value), 9) for value in (0.07, 0.11, 1.0, 7.1, 83)] == [0.08, 0.15, 1.0, 8.0, 100.0]
    scale = linear_scale(np.array([0.1, 0.27, np.nan]), True)
    assert (scale.low, scale.high) == (0.0, pytest.approx(0.3))
    assert [label for _, label in scale.ticks] == ["0%", "15%", "30%"]
    assert linear_scale(np.array([-3.0, 1.0]), False).low == -3.0
    assert linear_scale(np.empty(0), False).high > 0
    decades = logarithmic_scale(np.array([0.003, 20.0, 0.0, -1.0]), False)
    assert (decades.low, decades.high) == (-3, 2)
    assert np.isnan(decades.heights(np.array([0.0])))[0]
    assert decades.heights(np.array([10.0]))[0] == 1.0


@pytest.mark.parametrize(
    ("span", "columns", "step"), [(1000, 100, 100), (8, 120, 1), (1e6, 60, 200_000), (240, 40, 100)]
)
def test_ticks_are_round_and_far_enough_apart(span: float, columns: int, step: int) -> None:
    assert tick_step(span, columns, 10) == step
