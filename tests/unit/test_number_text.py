"""Numbers are written as people write them, and the script of a report writes the same."""

from __future__ import annotations

import math

import pytest

from dtui.number_text import NO_BREAK, number_text, unparted, with_plain_numbers

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


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("from 80 % to 100 % of 7", "from 80_% to 100_% of 7"),
        ("2.23 million images", "2.23_million images"),
        ("1.2·10⁻⁷ s, 3 MB", "1.2·10⁻⁷_s, 3_MB"),
        ("4 min 2 s", "4_min 2_s"),
        ("4 minutes of 7 bananas", "4 minutes of 7 bananas"),
        ("class % and more", "class % and more"),
    ],
)
def test_a_number_stays_on_the_line_of_its_unit(text: str, kept: str) -> None:
    assert unparted(text) == kept.replace("_", NO_BREAK)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("changed by 1e+06 times their norm", "changed by 1 million times their norm"),
        ("changed by 2.3e-04 times what it was", "changed by 0.00023 times what it was"),
        ("rose from 5e-05 % to 1.2e+06 %", "rose from 0.00005 % to 1.2 million %"),
        ("moved by 1.23e+04 standard deviations in one record", "moved by 12,300 standard deviations in one record"),
        ("its scales changed by 12345% in one record", "its scales changed by 12,345 % in one record"),
        ("35% of its scales are zero", "35 % of its scales are zero"),
        ("the error of class 1e+06 rose from 2 % to 3 %", "the error of class 1e+06 rose from 2 % to 3 %"),
        ("is 10.7 times the usual", "is 10.7 times the usual"),
        ("the weights of conv1e+06 times", "the weights of conv1e+06 times"),
    ],
)
def test_numbers_of_a_sentence_are_written_as_all_others(said: str, written: str) -> None:
    assert with_plain_numbers(said) == written
