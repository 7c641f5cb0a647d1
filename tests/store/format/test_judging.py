"""How items are judged stands with them; what is malformed there is refused, an unknown rule passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.errors import RunDamagedError
from dtui.model import Column, ImageSet
from dtui.model.judging import Judging
from dtui.store.format.documents import decode_document, images_document, parse_images_document

TARGETS = np.array([0, 1], dtype=np.uint16)
JUDGING = Judging("IoU", "higher", "threshold", 0.5, other=2)
IMAGES = ImageSet(
    ("sky", "street", "not right"), TARGETS, ("a", "b"), columns=(Column("score", "<f4"),), judging=JUDGING
)


def parsed(data: np.ndarray) -> tuple[str, ImageSet]:
    path = Path("images.h5")
    return parse_images_document(decode_document(data, path), TARGETS, path)


def changed(**fields: Any) -> np.ndarray:
    document = json.loads(images_document("run", IMAGES).tobytes())
    document["judging"] = {name: one for name, one in {**document["judging"], **fields}.items() if one != "gone"}
    return np.frombuffer(json.dumps(document).encode(), np.uint8)


@pytest.mark.parametrize("judging", [JUDGING, Judging("loss", "lower", "tenth", None, 2), None])
def test_what_was_written_is_read(judging: Judging | None) -> None:
    images = ImageSet(IMAGES.classes, TARGETS, IMAGES.ids, columns=IMAGES.columns, judging=judging)
    run, found = parsed(images_document("run", images))
    assert (run, found.judging, found.columns) == ("run", judging, images.columns)


def test_a_rule_of_a_later_dtui_is_passed_over() -> None:
    _, found = parsed(changed(rule="moon"))
    assert found.judging is None
    assert found.classes == IMAGES.classes


@pytest.mark.parametrize(
    "fields",
    [
        {"better": "more"},
        {"threshold": None},
        {"threshold": float("nan")},
        {"threshold": "0.5"},
        {"threshold": True},
        {"rule": "tenth"},
        {"other": 3},
        {"other": -1},
        {"other": 1.0},
        {"score": ""},
        {"score": "x" * 65},
        {"has_scores": 1},
        {"better": "gone"},
    ],
)
def test_what_makes_no_sense_is_damage(fields: dict[str, Any]) -> None:
    with pytest.raises(RunDamagedError, match=r"images\.h5: does not describe images"):
        parsed(changed(**fields))


def test_something_else_than_a_rule_is_damage() -> None:
    document = json.loads(images_document("run", IMAGES).tobytes())
    for judging in ([], "x", 3, {}):
        data = np.frombuffer(json.dumps({**document, "judging": judging}).encode(), np.uint8)
        with pytest.raises(RunDamagedError):
            parsed(data)
