"""Minutes of a live run at paper scale: does the writer ever stall, do readers ever see anything but a prefix."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from dtui.synth.events import plant_events
from dtui.synth.networks import resnet50
from dtui.synth.training import Training
from tests.bench.registry import Measurement, benchmark

SECONDS = 150.0
PAUSE = 0.1
READERS = 3


@benchmark
def live_minutes() -> list[Measurement]:
    """One writer, three readers (one with listings a second old) and compaction, for minutes; appends in ms."""
    from tests.store.living import live

    structure = resnet50()
    training = Training(structure, plant_events(structure, 1000, 1000, 0), 1000, 0)
    records = [training.record(position, 100, 0.5) for position in range(16)]
    with tempfile.TemporaryDirectory() as folder:
        life = live(Path(folder) / "run.dtui", structure, records, SECONDS, PAUSE, READERS)
    median = float(np.median(life.appends))
    rows = [
        Measurement(f"live_append_p{share}", 1e3 * value, "median append", 1e3 * median, "ms", value / median)
        for share in (50, 99, 100)
        for value in [float(np.percentile(life.appends, share))]
    ]
    count = len(life.appends)
    rows.append(Measurement("live_answers", sum(life.answers), "records", count, "", sum(life.answers) / count))
    slowest = max(life.slowest)
    rows.append(Measurement("live_slowest_look", 1e3 * slowest, "median append", 1e3 * median, "ms", slowest / median))
    return rows
