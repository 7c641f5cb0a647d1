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
