"""Numbers are written as people write them, and the script of a report writes the same."""

from __future__ import annotations

import math

import pytest

from dtui.number_text import number_text

WRITTEN = (
    (13_612.0, "13,600"),
    (2.3e-05, "0.000023"),
    (2_230_000.0, "2.23 million"),
    (1.2e-07, "1.2·10⁻⁷"),
    (999_999.0, "1 million"),
    (123_456_789.0, "123 million"),
    (4.2e9, "4.2 billion"),
    (7e12, "7 trillion"),
    (1e15, "1·10¹⁵"),
    (-3.456e-04, "−0.000346"),
    (1e-05, "0.00001"),
    (0.0, "0"),
    (1.0, "1"),
    (0.1, "0.1"),
    (999.9, "1,000"),
    (3e-300, "3·10⁻³⁰⁰"),
)


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_a_number_is_written_as_people_write_it(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_says_so(value: float) -> None:
    assert number_text(value) == "NaN or Inf"


def test_digits_are_as_many_as_asked_for() -> None:
    assert [number_text(1234.5678, digits) for digits in (1, 2, 6)] == ["1,000", "1,200", "1,234.57"]
