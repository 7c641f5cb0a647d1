"""What the first screen of a run with many labels shows beside its list: the same when it is kept, and nothing read."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.query import class_table, open_run
from dtui.query.incidents import walk
from dtui.query.kept import pictures
from dtui.query.labels import kept_learning
from dtui.store import RunReader
from tests.query.test_kept_pictures import as_bits

READS = ("read_class_errors", "read_thumbnail")


@pytest.fixture
def run(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of which what the first screen shows is kept."""
    monkeypatch.setattr(kept_learning, "WORTH_KEEPING", 1)
    for by_the_clock in (class_table, walk):
        monkeypatch.setattr(by_the_clock, "WORTH_KEEPING_SECONDS", math.inf)
    left_out = shutil.ignore_patterns("findings.h5")
    return shutil.copytree(repository / "sample_runs" / "mnist-faults.dtui", tmp_path / "run.dtui", ignore=left_out)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read of errors and pictures."""
    seen: list[str] = []
    for name in READS:
        whole = getattr(RunReader, name)

        def noted(reader: RunReader, *asked: Any, name: str = name, whole: Callable[..., Any] = whole) -> Any:
            seen.append(name)
            return whole(reader, *asked)

        monkeypatch.setattr(RunReader, name, noted)
    return seen


def shown_of(path: Path) -> Any:
    """What the list and the detail below it show of the incidents, as bits."""
    with open_run(path) as query:
        incidents = query.incidents()
    with open_run(path) as query, query.keeping_first_screen():
        found = query.incident_evidence(incidents)
        images = sorted({image for one in found for image in one.wrong})
        return as_bits([found, [query.image_verdict(image, 430) for image in images[:5]]])


def test_the_next_first_screen_reads_no_error_and_no_picture(
    run: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_run(run) as query:
        query.incidents()
        of_incidents = len(reads)
    first = shown_of(run)
    assert {*reads[2 * of_incidents :]} == {*READS}
    reads.clear()
    assert shown_of(run) == first
    assert len(reads) == of_incidents
    monkeypatch.setattr(kept_learning, "WORTH_KEEPING", 10**9)
    assert shown_of(run) == first, "what has a cache keeps it"
    assert len(reads) == 2 * of_incidents
    (run / "findings.h5").unlink()
    for _ in range(2):
        reads.clear()
        assert shown_of(run) == first, "of a small run it is found again"
        assert {*reads[of_incidents:]} == {*READS}
    assert not (run / "findings.h5").exists()


LIES = {
    "more often right than judged": ("i", lambda times: times.put([0, 1], [3, 4])),
    "judged more often than there were validations": ("i", lambda times: times.put([0, 1], [10**6, 4])),
    "a picture without colours": ("u", lambda pixels: pixels.resize((28, 28, 1), refcheck=False)),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_so_is_not_believed(run: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    expected = shown_of(run)
    kind, tell = LIES[lie]
    told = []

    def lying(words: np.ndarray, whole: Callable[..., Any] = pictures._decoded) -> Any:
        found = tuple(one.copy() for one in whole(words))
        if found[0].dtype.kind == kind:
            told.append(tell(found[0]))
        return found

    monkeypatch.setattr(pictures, "_decoded", lying)
    assert shown_of(run) == expected
    assert told
