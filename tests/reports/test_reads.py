"""What a report reads of a run: each label once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dtui.query import RunQuery
from dtui.reports import build_report
from dtui.store import RunReader

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
