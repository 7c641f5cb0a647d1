"""What the first screen of a run shows beside its list: the same when it is kept, and nothing read."""

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
from dtui.store import RunReader
from dtui.store.disk import sealed_builder
from dtui.store.run import anomaly_cache
from tests.query.test_kept_pictures import as_bits

READS = ("read_class_errors", "read_thumbnail")


@pytest.fixture
def run(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of which what the first screen shows is kept."""
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
    with open_run(path) as query:
        with query.keeping_first_screen() as keep:
            found = query.incident_evidence(incidents)
            images = sorted({image for one in found for image in one.wrong})
            verdicts = [query.image_verdict(image, 430) for image in images[:5]]
        keep()
        return as_bits([found, verdicts])


def test_the_next_first_screen_reads_no_error_and_no_picture(run: Path, reads: list[str]) -> None:
    with open_run(run) as query:
        query.incidents()
        of_incidents = len(reads)
    first = shown_of(run)
    assert {*reads[2 * of_incidents :]} == {*READS}
    reads.clear()
    assert shown_of(run) == first
    assert len(reads) == of_incidents


def test_a_folder_that_cannot_be_written_to_stays_as_it_is(
    run: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what writes is not even imported: it takes longer than the screen."""
    first = shown_of(run)
    (run / "findings.h5").unlink()
    monkeypatch.setattr(anomaly_cache.os, "access", lambda path, how: path != run)
    monkeypatch.setattr(sealed_builder, "SealedFileBuilder", None)
    reads.clear()
    assert shown_of(run) == first
    assert {*reads} == {*READS}
    assert not (run / "findings.h5").exists()


def test_nothing_is_written_before_there_is_time(run: Path) -> None:
    with open_run(run) as query:
        with query.keeping_first_screen() as keep:
            query.image_verdict(0, 430)
        assert not (run / "findings.h5").exists()
        keep()
        assert (run / "findings.h5").exists()


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
