"""One of a kind is never called several: "1 filter", on every screen, on the command line and in a report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dtui.cli import main
from dtui.model import ImageSet, Layer, Module, Structure
from dtui.number_text import counted
from dtui.query import open_run
from dtui.store import RunWriter
from dtui.tui.renderables.parts.grid.words import _of_filters
from tests.store.builders import METADATA, make_record, make_validation
from tests.tui.desk import Desk

THINGS = (
    "anomalies|batches|branches|checks|classes|clusters|columns|files|filters|flips|images|incidents|items|iterations|junctions|"
    "layers|lines|mini-sets|others|pairs|parts|records|rows|runs|samples|triggers|validations|values|watches|weights"
)
WRONG = re.compile(rf"(?<![\d,.–·/])\b1 ((?:more|new|other) )?({THINGS})\b(?! (?:of|to) )")

WALK = (
    *("1", "L", "left_square_bracket", "2", "T", "escape", "tab", "enter", "escape", "3", "i", "enter", "escape"),
    *("C", "4", "5", "6"),
)


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one of each: a layer, an image, a record in an iteration, a validation."""
    structure = Structure((Layer(0, "fc", "Linear", (2, 2), 0),), (Module(0, "", "Net", -1, (0,)),))
    images = ImageSet(("cat",), np.array([0], np.uint16), ("img",))
    folder = tmp_path_factory.mktemp("one") / "one"
    writer = RunWriter(folder, structure, METADATA, classes=images.classes, compact=False)
    writer.set_images(images)
    writer.append_record(make_record(0, 1, structure=structure))
    writer.append_validation(make_validation(0, 1, images))
    writer.close()
    return folder


def test_one_is_one_and_others_are_several() -> None:
    assert [counted(many, "filter") for many in (0, 1, 1024)] == ["0 filters", "1 filter", "1,024 filters"]
    assert [counted(many, "class", "classes") for many in (1, 2)] == ["1 class", "2 classes"]
    assert [words.split()[-1] for words, _ in _of_filters([(3, 0), (1, 1)])] == ["3", "filter"]


@pytest.mark.parametrize("size", [(80, 24), (150, 50)])
def test_no_screen_calls_one_several(smallest: Path, size: tuple[int, int]) -> None:
    with open_run(smallest) as query:
        desk, shown = Desk(query, size), ""
        for key in WALK:
            shown += desk.press(key).text()
    assert "1 layer" in shown
    assert [match[0] for match in WRONG.finditer(shown)] == []


@pytest.mark.parametrize("command", ["info", "incidents", "state", "anomalies", "check", "compact", "report"])
def test_no_command_calls_one_several(smallest: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, str(smallest), *(("-o", "-") if command == "report" else ())])
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert [match[0] for match in WRONG.finditer(re.sub(r"<[^>]*>", "", printed.out + printed.err))] == []
