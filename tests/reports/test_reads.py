"""What a report reads of a run: each label once, and of a large one little that the last report read."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dtui.query import RunQuery, data, open_run
from dtui.query.classes import errors
from dtui.query.kept import pictures
from dtui.query.kept import state as kept_state
from dtui.reports import build_report
from dtui.reports.output.text import render_text
from dtui.store import RunReader
from tests.store.noting import note_reads

SAMPLES = Path(__file__).parents[2] / "sample_runs"


class CountingReader(RunReader):
    """Counts how often each label is read."""

    def read_labels(self, images: slice, validations: slice) -> np.ndarray:
        if not hasattr(self, "times"):
            self.times = np.zeros((len(self.images.targets), len(self.validation_iterations)), int)
        self.times[images, validations] += 1
        return super().read_labels(images, validations)


def test_a_report_reads_no_label_twice() -> None:
    reader = CountingReader(SAMPLES / "mnist-faults.dtui")
    with RunQuery(reader.path, reader) as query:
        report = build_report([query])
    assert {"images", "confusions"} < {part.id.removeprefix("run1-") for part in report.chapters[0].sections}
    assert reader.times.max() == reader.times.min() == 1


def test_each_section_begins_without_the_numbers_of_the_one_before() -> None:
    reader = CountingReader(SAMPLES / "mnist-faults.dtui")
    with RunQuery(reader.path, reader) as query:
        held = query._data
        bytes_held: list[int] = []
        build_report([query], progress=lambda _: bytes_held.append(held._growing._bytes + held._windows._bytes))
        assert len(bytes_held) > 8
        assert not any(bytes_held[1:])
        assert not any(held.knows(("flips", rule, 5)) for rule in ("left", "right"))


def test_the_next_report_of_a_large_run_reads_little_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(SAMPLES / "mnist-faults.dtui", tmp_path / "mnist-faults.dtui")
    for module, name in (
        (pictures, "WORTH_KEEPING"),
        (kept_state, "WORTH_KEEPING"),
        (data, "LONG"),
        (errors, "AT_ONCE"),
    ):
        monkeypatch.setattr(module, name, 1)
    counted = note_reads(monkeypatch, "read_layers", "read_modules", "read_class_errors", "read_filter_bins")
    said, read = [], []
    for _ in range(2):
        counted.clear()
        with open_run(run) as query:
            said.append(render_text(build_report([query])))
        read.append(Counter(counted))
    assert said[0] == said[1]
    assert read[0]["read_modules"] > 30
    assert read[0]["read_filter_bins"] > 20
    assert not read[1]["read_modules"]
    assert not read[1]["read_filter_bins"]
    assert read[1]["read_layers"] <= read[0]["read_layers"] - 30  # detectors that nobody kept read again
