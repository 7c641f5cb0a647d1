"""Names from outside: what is taken from them, and what stays readable."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtui.safe_text import MOST_MARKS, safe, text_columns


@pytest.mark.parametrize("name", ["नमस्ते", "हिन्दी", "ภาษาไทยที่", "ตั้งอยู่", "שָׁלוֹם", "தமிழ்", "বাংলা"])
def test_names_with_vowel_signs_and_tones_stay_as_they_are(name: str) -> None:
    assert safe(name) == unicodedata.normalize("NFC", name)


def test_a_tower_of_marks_is_cut_and_a_mark_without_a_letter_is_seen() -> None:
    tower = "Z" + "\u0335\u0336\u0337\u0338\u0339\u033a\u033b" * 20
    assert safe(f"{tower}x") == "Z\u0335\u0336\u0337\u0338x"
    assert safe("\u0335\u0336x") == "�x"
    assert safe("a \u0335x") == "a �x"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("क्\u200dष", "क्ष"),
        ("می\u200cخواهم", "میخواهم"),
        ("ca\u200dt", "ca�t"),
        ("❤\ufe0f", "❤"),
        ("\u202egpj.exe", "�gpj.exe"),
        ("1\ufe0f\u20e3", "1"),
        ("a\x1b[2J\r\nb", "a�[2J�b"),
    ],
)
def test_what_has_no_shape_of_its_own_does_not_stay(name: str, shown: str) -> None:
    assert safe(name) == shown


@given(st.text(st.one_of(st.characters(), st.sampled_from("aक\u093f\u094d\u0301\u0335\u200d\ufe0f ")), max_size=60))
def test_every_mark_follows_a_letter_and_no_letter_has_many(name: str) -> None:
    marks = MOST_MARKS
    for character in safe(name):
        category = unicodedata.category(character)
        assert category[0] != "C"
        assert category not in ("Zl", "Zp", "Me")
        marks = marks + 1 if category[0] == "M" else 0 if character not in " �" else MOST_MARKS
        assert marks <= MOST_MARKS


def test_columns() -> None:
    assert [text_columns(name) for name in ("cat", "猫", "e\u0301", "ที่", "कि", "")] == [3, 2, 1, 1, 2, 0]
