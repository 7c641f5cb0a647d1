"""Whether the validations show that anything was learned: compared with a guess, and with the first of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dtui.model import Column, ImageSet, Level, RunStatus, Validation
from dtui.model.judging import BY_LABEL, BY_TENTH, BY_THRESHOLD, SCORE, Judging
from dtui.query import open_run
from dtui.query.incidents import walk
from dtui.store import RunWriter
from tests.query.fake_reader import FakeReader
from tests.query.test_verdict import everything, judged
from tests.query.troubled_reader import troubled_reader
from tests.store.builders import METADATA, STRUCTURE

TARGETS = np.array([0] * 60 + [1] * 40, np.uint16)
NOTHING = np.uint16(65_535)


def said(
    folder: Path, wrong: Sequence[int], *, missing: int = 0, judging: Judging | None = None, means: Sequence[float] = ()
) -> str:
    """Return what is said of a run in whose validations so many of 100 images are wrong."""
    classes = ("a", "b") if judging is None else ("a", "b", "not right")
    with RunWriter(folder / "run", STRUCTURE, METADATA, compact=False) as writer:
        columns = (Column(SCORE, "<f4"),) if judging is not None and judging.has_scores else ()
        ids = tuple(map(str, range(100)))
        writer.set_images(ImageSet(classes, TARGETS, ids, columns=columns, judging=judging))
        for position, count in enumerate(wrong):
            labels = np.where(np.arange(100) < count, 1 - TARGETS if judging is None else 2, TARGETS)
            labels[100 - missing :] = NOTHING
            scores = {column.name: np.zeros(100, column.dtype) for column in columns}
            judged_now = Validation(position * 10, labels.astype(np.uint16), np.zeros(100, np.uint8), scores)
            writer.append_validation(judged_now)
            if len(means):
                writer.append_logged(position * 10, {"IoU_mean": means[position]})
    with open_run(writer.path) as query:
        return query.info().not_learned


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            [50, 40],
            "the network is no better than chance: 40 % of 100 images are wrong at 10, where guessing gets 40 % wrong",
        ),
        (
            [50, 31],
            "the network is no better than chance: 31 % of 100 images are wrong at 10, where guessing gets 40 % wrong, "
            "with luck 30.2 %",
        ),
        ([50, 30], ""),
        ([50], ""),
        ([0, 0], ""),
    ],
    ids=["chance", "luck", "better", "one validation", "nothing is wrong"],
)
def test_a_network_that_guesses_is_told(wrong: list[int], expected: str, tmp_path: Path) -> None:
    """Guessing names the commonest class, which 60 of 100 images have; two standard errors of that are 9.8 %."""
    assert said(tmp_path, wrong) == expected


def test_a_part_of_the_images_is_not_compared_with_a_guess_for_all(tmp_path: Path) -> None:
    assert said(tmp_path, [50, 50], missing=1) == ""


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ([20, 25, 20, 21, 22], "20 %"),
        ([20, 25, 19, 21, 22], ""),
        ([20, 25, 20, 21], ""),
        ([0, 5, 5, 5, 5], ""),
    ],
    ids=["never below", "below once", "too few", "nothing can fall"],
)
def test_an_error_that_never_falls_is_told(wrong: list[int], expected: str, tmp_path: Path) -> None:
    line = f"the validation error has not fallen below that of the first validation, {expected}"
    assert said(tmp_path, wrong) == (line if expected else "")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (BY_LABEL, "the network is no better than chance: 90 % of 100 items"),
        (
            BY_THRESHOLD,
            "the share of items that are not right has not fallen below that of the first validation, 90 % (right is a "
            "score of at least 0.5)",
        ),
    ],
)
def test_where_scores_decide_nobody_knows_what_a_guess_gets(rule: str, expected: str, tmp_path: Path) -> None:
    threshold = 0.5 if rule == BY_THRESHOLD else None
    judging = Judging("IoU", "higher", rule, threshold, 2, has_scores=rule != BY_LABEL)
    assert said(tmp_path, [90] * 5, judging=judging).startswith(expected)


def test_scores_that_rise_below_the_threshold_are_told(tmp_path: Path) -> None:
    judging = Judging("IoU", "higher", BY_THRESHOLD, 0.5, 2, has_scores=True)
    assert said(tmp_path, [100] * 5, judging=judging, means=[0.11, 0.2, np.nan, 0.4, 0.43]) == (
        "no item was right at any validation (right is a score of at least 0.5; the mean score went from 0.11 to 0.43)"
    )


def test_the_tenth_rule_follows_the_scores_so_that_its_error_tells_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, [10] * 5, judging=Judging("loss", "lower", BY_TENTH, None, 2)) == ""


# --- the verdict


def guessing(status: RunStatus) -> FakeReader:
    reader = everything(troubled_reader(calm=True))
    reader.state = status
    reader.labels[:] = 0
    return reader


@pytest.fixture
def with_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk.Held, "has_norms", True)


@pytest.mark.usefixtures("with_norms")
def test_a_run_that_learned_nothing_must_be_looked_at() -> None:
    found = judged(guessing(RunStatus.DONE))
    assert found.level is Level.LOOK
    assert re.match(
        r"Look at this: no incident in \d+ records and \d+ validations, but the network is no", found.headline
    )
    assert not any("chance" in remark for remark in found.remarks), "it is said once"


@pytest.mark.usefixtures("with_norms")
def test_a_training_that_has_just_begun_need_not_be_looked_at() -> None:
    found = judged(guessing(RunStatus.LIVE))
    assert found.level is Level.FINE
    assert found.remarks[0].startswith("The network is no better than chance: ")


@pytest.mark.usefixtures("with_norms")
def test_why_it_ended_comes_first() -> None:
    reader = guessing(RunStatus.CRASHED)
    reader.reason = "ValueError"
    found = judged(reader)
    assert found.headline.endswith(" validations, but the training ended early.")
    assert found.remarks[1].startswith("The network is no better than chance: ")
