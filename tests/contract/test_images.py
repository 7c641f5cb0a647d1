"""`dtui images` and `dtui confusion`: what they print, their JSON, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.cli import main
from dtui.model import ImageSet, Validation
from dtui.store import RunWriter
from tests.store.builders import METADATA, STRUCTURE, make_record

EVIL = "\x1b]0;renamed\x07[red]{name}"
IMAGES = ImageSet((EVIL, "dog"), np.repeat([0, 1], 3).astype(np.uint16), tuple(f"{EVIL}{n}" for n in range(6)))
LABELS = (
    (0, 0, 1, 1, 0, 1),
    (0, 1, 1, 1, 0, 1),
    (0, 0, 1, 1, 0, 0),
    (0, 0, 1, 1, 0, 0),
)


def write(path: Path, labels: tuple[tuple[int, ...], ...] = LABELS) -> Path:
    with RunWriter(path, STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(IMAGES)
        for position in range(6):
            writer.append_record(make_record(position))
        for position, given in enumerate(labels):
            writer.append_validation(Validation(position * 10, np.array(given, np.uint16), np.zeros(6, np.uint8)))
    return writer.path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(tmp_path / "small")


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main([*words, "--json"]) == 0
    output = capsys.readouterr()
    assert output.out.isascii()
    return json.loads(output.out)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("always-wrong", [2, 4]), ("hard", [5, 1, 2, 4]), ("easy", [0, 3]), ("never-learned", [2, 4]), ("forgotten", [5])],
)
def test_images_as_json(name: str, numbers: list[int], run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(["images", str(run), "--list", name], capsys)
    assert (found["list"], found["total"]) == (name, len(numbers))
    assert [image["image"] for image in found["images"]] == numbers
    assert list(found) == ["list", "total", "images"]
    some = answer(["images", str(run), "--list", name, "--top", "1", "--class", "dog"], capsys)
    of_dog = [number for number in numbers if number > 2]
    assert (some["total"], [image["image"] for image in some["images"]]) == (len(of_dog), of_dog[:1])


def test_an_image_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (image,) = answer(["images", str(run), "--list", "forgotten"], capsys)["images"]
    assert image == {
        "image": 5,
        "id": f"{EVIL}5",
        "class": "dog",
        "judged": 4,
        "wrong": 2,
        "forgotten": 1,
        "first_right": 0,
        "right_at_last": False,
        "taken_for": EVIL,
        "taken_for_times": 2,
    }
    first = answer(["images", str(run), "--list", "easy"], capsys)["images"][0]
    assert (first["taken_for"], first["taken_for_times"], first["wrong"]) == (None, 0, 0)


def test_confusion_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(["confusion", str(run), "--at", "25"], capsys)
    assert (found["iteration"], found["before"], found["after"]) == (20, [10], [20])
    assert found["confusions"] == [
        {"class": "dog", "taken_for": EVIL, "count": 2, "share": pytest.approx(2 / 3)},
        {"class": EVIL, "taken_for": "dog", "count": 1, "share": pytest.approx(1 / 3)},
    ]
    (grown,) = found["grown"]
    assert list(grown) == ["class", "taken_for", "before", "after", "count", "score"]
    assert (grown["class"], grown["before"], grown["after"]) == ("dog", pytest.approx(1 / 3), pytest.approx(2 / 3))
    of_evil = answer(["confusion", str(run), "--at", "20", "--class", EVIL, "--window", "2"], capsys)
    assert (of_evil["before"], of_evil["after"]) == ([0, 10], [20, 30])
    assert ([pair["class"] for pair in of_evil["confusions"]], of_evil["grown"]) == ([EVIL], [])


def test_text_shows_names_from_outside_as_data(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["images", str(run), "--list", "hard"], ["confusion", str(run), "--at", "10"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        assert "�]0;renamed�[red]{name}" in shown


def test_images_as_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["images", str(run), "--list", "hard", "--class", "dog", "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = ["�]0;renamed�[red]{name}5", "dog", "2", "of", "4", "1", "0", "wrong", "�]0;renamed�[red]{name}", "×2"]
    assert lines[1].split() == row
    assert lines[-1].endswith("share of wrong judgements; 1 of 2")
    assert main(["images", str(run), "--list", "easy", "--class", "dog"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("first to be right first; 1")
    assert main(["images", str(run), "--list", "forgotten", "--class", EVIL]) == 0
    assert capsys.readouterr().out.startswith("no image is in the list forgotten: learned, and wrong at the last")


def test_confusion_as_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["confusion", str(run), "--at", "20", "--class", "dog"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["dog", "�]0;renamed�[red]{name}", "2", "67%"]
    assert lines[2] == "at the validation of iteration 20"
    assert lines[5].split() == ["dog", "�]0;renamed�[red]{name}", "33%", "67%", "+1"]
    assert lines[6] == "grown from 10 to 20"
    assert main(["confusion", str(run), "--at", "0"]) == 0
    assert capsys.readouterr().out.endswith("it is the first validation, so nothing is known of what grew\n")
    assert main(["confusion", str(run), "--at", "30", "--window", "2"]) == 0
    assert "grown from 10–20 to 30" in capsys.readouterr().out
    assert main(["confusion", str(run), "--at", "30"]) == 0
    assert "no confusion grew since 20" in capsys.readouterr().out


def test_a_run_without_validations_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write(tmp_path / "unjudged", ())
    assert main(["images", str(run), "--list", "hard", "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out) == {"list": "hard", "total": 0, "images": []}
    assert output.err == f"dtui: {run}: no validations were recorded, so nothing is known of images\n"
    assert main(["confusion", str(run), "--at", "10"]) == 2
    assert "no validations were recorded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["images", "--list", "nice"],
            "'nice' is unknown; use one of always-wrong, hard, easy, never-learned, forg",
        ),
        (["images"], "--list"),
        (["images", "--list", "hard", "--class", "cat"], "no class 'cat'; its classes are .*dog"),
        (["images", "--list", "hard", "--top", "0"], "'0' is not a whole number of at least 1"),
        (["confusion"], "--at"),
        (["confusion", "--at", "-1"], "iteration -1: the run has validations from 0 to 30"),
        (["confusion", "--at", "51"], "iteration 51: the run has validations from 0 to 30 and ends at 50"),
        (["confusion", "--at", "10", "--window", "101"], "use 1 to 100"),
        (["confusion", "--at", "10", "--class", "cat"], "no class 'cat'"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    words: list[str], says: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([words[0], str(run), *words[1:]]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert re.fullmatch(f"dtui: .*{says}.*\n", output.err), output.err


def test_a_run_that_scores_decide_has_no_confusions(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(repository / "sample_runs" / "digits-segmentation")
    nothing = f"{run}: no confusions: the IoU decides what is right; see dtui images\n"
    assert main(["confusion", run, "--at", "1000"]) == 0
    assert capsys.readouterr() == (nothing, "")
    assert main(["confusion", run, "--at", "1000", "--json"]) == 0
    output = capsys.readouterr()
    assert [json.loads(output.out)[key] for key in ("iteration", "confusions", "grown")] == [1000, [], []]
    assert output.err == f"dtui: {nothing}"
