"""A viewer of a live run judges each record and validation once, and a look at nothing new reads nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.model import RunMetadata
from dtui.query import open_run
from dtui.query.incidents.walk import Incidents
from dtui.store import RunReader, RunWriter
from dtui.synth import PRESETS, _images
from dtui.synth.events import plant_events
from dtui.synth.judging import Judge
from dtui.synth.networks import resnet20
from dtui.synth.training import Training

RECORDS = 40
Step = Callable[[], None]


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[tuple[Path, list[Step]]]:
    """A live run without records, and what appends them one by one, with their validations."""
    size, structure = PRESETS["small"], resnet20()
    events, images = plant_events(structure, size.classes, RECORDS, 0), _images(size.classes)
    training, judge = Training(structure, events, RECORDS, 0), Judge(images, events, RECORDS, 0)
    metadata = RunMetadata(name="grows", created="2026-01-01T00:00:00+00:00", every=size.every)
    with RunWriter(tmp_path / "run", structure, metadata, classes=images.classes, compact=False) as writer:
        writer.set_images(images)

        def step(at: int) -> None:
            judged = judge.validation(at, size.every)
            writer.append_record(training.record(at, size.every, judge.error))
            writer.append_validation(judged)

        yield writer.path, [lambda at=at: step(at) for at in range(RECORDS)]  # type: ignore[misc]


def test_each_record_is_judged_once_and_nothing_is_read_twice(
    growing: tuple[Path, list[Step]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, steps = growing
    blocks: list[tuple[range, range]] = []
    columns: Counter[str] = Counter()
    read, filters, errors = Incidents._read, RunReader.read_filters, RunReader.read_class_errors

    def counted(walk: Incidents, window: slice, judged: slice, fired: slice) -> Any:
        blocks.append((range(window.start, window.stop), range(judged.start, judged.stop)))
        return read(walk, window, judged, fired)

    def counted_filters(reader: RunReader, name: str, rows: slice, records: slice) -> Any:
        if rows == slice(0, reader.structure.filters):
            columns[name] += records.stop - records.start
        return filters(reader, name, rows, records)

    def counted_errors(reader: RunReader, validations: slice) -> Any:
        columns["errors"] += validations.stop - validations.start
        return errors(reader, validations)

    monkeypatch.setattr(Incidents, "_read", counted)
    monkeypatch.setattr(RunReader, "read_filters", counted_filters)
    monkeypatch.setattr(RunReader, "read_class_errors", counted_errors)
    with open_run(path) as query:
        for at, step in enumerate(steps):
            step()
            assert query.refresh()
            live = query.incidents()
            if at % 10 == 9:
                before = len(blocks), columns.copy()
                query.refresh()
                assert query.incidents() == live
                assert (len(blocks), columns) == before
    for place in (0, 1):
        assert np.array_equal(np.concatenate([list(block[place]) for block in blocks]), np.arange(RECORDS))
    assert columns == {"update_ratio": RECORDS, "gradient_norm": RECORDS, "errors": RECORDS}
    with open_run(path) as query:
        assert [one.id for one in query.incidents()] == [one.id for one in live]
