"""Minutes of a live run at paper scale: does anybody ever wait, do readers ever see anything but a prefix.

Beside the run another process only sleeps and writes as many bytes with a plain write: what it meets in the same
minutes is what this machine's scheduler and disk do to anybody, and is the reference.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from dtui.synth.events import plant_events
from dtui.synth.networks import resnet50
from dtui.synth.training import Training
from tests.bench.registry import Measurement, benchmark

PAUSE = 0.1
READERS = 3
WATCHED_SECONDS = 75.0
PRESSED_SECONDS = 20.0
LOOK = 1.0
"""Seconds between two looks of a viewer."""


@benchmark
def live_minutes() -> list[Measurement]:
    """One run, compaction, three readers (one with old listings): as viewers look, then as often as they can; ms."""
    return [*lived("live", WATCHED_SECONDS, LOOK), *lived("pressed", PRESSED_SECONDS, 0.0)]


def lived(name: str, seconds: float, look: float) -> list[Measurement]:
    """Let a run live, and tell what waited: the training, its thread that writes, and its readers."""
    from tests.store.living import live

    structure = resnet50()
    training = Training(structure, plant_events(structure, 1000, 1000, 0), 1000, 0)
    records = [training.record(position, 100, 0.5) for position in range(16)]
    with tempfile.TemporaryDirectory() as folder:
        life = live(Path(folder) / "run.dtui", structure, records, seconds, PAUSE, READERS, look=look)
    rows = []
    for what, ours, reference, theirs in (
        ("training_waits", life.waits, "a plain write", life.plain_writes),
        ("append", life.appends, "a plain write", life.plain_writes),
        ("append_processor", life.busy, "a plain write", life.plain_writes),
        ("training_wakes_late", life.late, "who only sleeps", life.plain_late),
    ):
        for share in (50, 99, 100):
            mine, other = (1e3 * float(np.percentile(times, share)) for times in (ours, theirs))
            rows.append(
                Measurement(f"{name}_{what}_p{share}", mine, f"{reference}, p{share}", other, "ms", mine / other)
            )
    count = len(life.appends)
    rows.append(Measurement(f"{name}_answers", sum(life.answers), "records", count, "", sum(life.answers) / count))
    slowest, append = 1e3 * max(life.slowest), 1e3 * float(np.median(life.appends))
    rows.append(Measurement(f"{name}_slowest_look", slowest, "median append", append, "ms", slowest / append))
    return rows
