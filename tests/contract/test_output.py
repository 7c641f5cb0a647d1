"""Text for people and JSON for scripts, with every awkward value."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from dtui.cli import table as tables
from dtui.cli.as_json import class_name, to_json
from dtui.cli.parser import parse_threshold


class Kind(StrEnum):
    ODD = "odd"


@dataclass(frozen=True, slots=True)
class Sample:
    kind: Kind
    values: tuple[float, ...]
    where: Path | None


def test_json_is_valid_whatever_it_is_given() -> None:
    hostile = "\x1b[2J</script>\u202e\udcff"
    value = [
        Sample(Kind.ODD, (math.nan, math.inf, 1.5), Path("a/b")),
        {"n": np.float32(math.nan), hostile: np.int64(3)},
    ]
    text = to_json(value)
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text) == [
        {"kind": "odd", "values": [None, None, 1.5], "where": "a/b"},
        {"n": None, "\x1b[2J</script>\u202e\ufffd": 3},
    ]


def test_a_number_of_32_bits_is_written_with_the_digits_it_has() -> None:
    singles = ["0.078", "0.034352813", "-1e-45", "1.1754944e-38", "65535.5", "0.1", "0.25"]
    held = [float(np.float32(text)) for text in singles]
    assert to_json({"n": [*held, np.float32("0.078")]}) == to_json({"n": [*map(float, singles), 0.078]})
    written = json.loads(to_json(held))
    assert [np.float32(one) for one in written] == held


@pytest.mark.parametrize("value", [1 / 3, 0.1, 1 / 4096, 123456792.0, 2.0**60 + 2.0**40, 1.7e308, 5e-324, -0.0])
def test_a_number_of_64_bits_and_a_count_keep_every_digit(value: float) -> None:
    assert to_json(value) == repr(value)


def test_json_refuses_what_has_no_place_in_it() -> None:
    with pytest.raises(TypeError, match="object has no place in JSON"):
        to_json([object()])


def test_a_label_without_a_name_is_shown_by_its_number() -> None:
    assert [class_name(("cat",), label) for label in (0, 1)] == ["cat", "class 1"]


def test_a_table_is_aligned_also_for_wide_and_hostile_names() -> None:
    shown = tables.table(["name", ">n"], [["猫", "7"], ["a\x1b[31m\nb", "1,000"]])
    assert shown.splitlines() == [
        "name          n",
        "猫            7",
        "a�[31m�b  1,000",
    ]


def test_colour_only_on_a_terminal_of_somebody_who_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert tables.paint("x", "bad") == "x"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert tables.paint("x", "bad") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert tables.paint("x", "bad") == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20%", ("share", 0.2)), ("0.2", ("share", 0.2)), ("5", ("images", 5.0)), ("1.0", ("share", 1.0))],
)
def test_thresholds_are_shares_or_images(text: str, expected: tuple[str, float]) -> None:
    assert parse_threshold(text) == expected


def test_on_a_terminal_a_long_line_of_words_ends_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "1,010  the error of class-4 rose from 1.5 to 100: labels or data"
    assert tables.sentence(said, "dim", 7) == said, "a pipe gets one line"
    monkeypatch.setattr(tables, "_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    assert tables.sentence(said, "dim", 7).splitlines() == [
        "1,010  the error of class-4 rose from",
        "       1.5 to 100: labels or data",
    ]
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert tables.pairs([("run", "a"), ("training", "batch 64 " * 5)]).splitlines() == [
        "\x1b[2mrun\x1b[0m       a",
        "\x1b[2mtraining\x1b[0m  batch 64 batch 64 batch 64",
        "          batch 64 batch 64",
    ]
