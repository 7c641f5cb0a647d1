"""Makes invented runs for benchmarks, with planted and listed anomalies. Their metadata marks them as invented.

Owns the presets.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from dtui.errors import UsageError
from dtui.model import ImageSet, RunMetadata
from dtui.store import RunWriter, compact_run
from dtui.synth.events import plant_events
from dtui.synth.judging import Judge
from dtui.synth.networks import resnet20, resnet50
from dtui.synth.training import Training

IMAGES_A_CLASS = 50
FOLDED_TOGETHER = 1_024
"""Records of a long run that are folded at once, while the next are made: an invented run has no viewer that would be
served by smaller parts, and waits where folding is slower, so that never more than twice as many are in journals."""


@dataclass(frozen=True, slots=True)
class Preset:
    """The size of an invented run.

    Attributes:
        network: "resnet50" or "resnet20".
        classes: Number of classes, of 50 images each.
        records: Records, and as many validations.
        every: Iterations from one record to the next.
    """

    network: str
    classes: int
    records: int
    every: int


PRESETS = {
    "paper": Preset("resnet50", 1000, 1000, 1600),
    "tenfold": Preset("resnet50", 1000, 10_000, 160),
    "small": Preset("resnet20", 10, 200, 20),
}


def synthesise(
    path: str | Path,
    preset: str,
    records: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    *,
    compact: bool = True,
) -> Path:
    """Write an invented run through the real writer.

    The learning rate drops at 30, 60 and 90 % of the run. What is planted (classes that are lost and gained, bursts of
    filters, dead filters, a learning-rate spike) is listed in the metadata's notes with iteration and kind.

    Args:
        path: Where the run is written; `.dtui` is added if it is missing.
        preset: "paper" (ResNet-50, 27,560 filters, 1,000 classes × 50 images, 1,000 records), "tenfold" (the same
            with 10,000 records) or "small" (a ResNet of 8 layers, 10 classes, 200 records).
        records: Another number of records and validations, >= 1.
        seed: Seed of all random numbers: the same seed gives the same numbers.
        progress: Called with records done and records in all.
        compact: Fold the run into parts, as a recorder would.

    Returns:
        The run's directory.

    Raises:
        UsageError: There is no such preset, or `records` is below 1.
        RunExistsError: Something is there already.
        OSError: It cannot be written.

    Source: dtui; the sizes are those of DeepTracker (ACM TIST 2018).
    """
    if preset not in PRESETS:
        raise UsageError(f"preset {preset!r}: not known; give one of {', '.join(PRESETS)}")
    size = PRESETS[preset]
    count = size.records if records is None else records
    if count < 1:
        raise UsageError(f"{count} records: give at least 1")
    structure = resnet50() if size.network == "resnet50" else resnet20()
    events = plant_events(structure, size.classes, count, seed)
    images = _images(size.classes)
    metadata = RunMetadata(
        name=f"invented {preset}",
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        every=size.every,
        invented=True,
        versions=_versions(),
        hyperparameters={"network": size.network, "seed": str(seed), "optimizer": "none: invented"},
        notes=tuple(event.note(size.every, structure, images.classes) for event in events),
    )
    training = Training(structure, events, count, seed)
    judge = Judge(images, events, count, seed)
    is_long = compact and count > FOLDED_TOGETHER
    writer = RunWriter(path, structure, metadata, classes=images.classes, compact=compact and not is_long)
    with ThreadPoolExecutor(1) as folding, writer:
        writer.set_images(images)
        fold: Future[object] = folding.submit(lambda: None)
        for position in range(count):
            judged = judge.validation(position, size.every)
            writer.append_record(training.record(position, size.every, judge.error))
            writer.append_validation(judged)
            if progress is not None:
                progress(position + 1, count)
            if is_long and (position + 1) % FOLDED_TOGETHER == 0:
                fold.result()
                fold = folding.submit(compact_run, writer.path)
        fold.result()
    if is_long:
        compact_run(writer.path)
    return writer.path


def _images(classes: int) -> ImageSet:
    names = tuple(f"class {label:03d}" for label in range(classes))
    targets = np.repeat(np.arange(classes, dtype=np.uint16), IMAGES_A_CLASS)
    return ImageSet(names, targets, tuple(f"invented-{number:05d}" for number in range(len(targets))))


def _versions() -> dict[str, str]:
    try:
        return {"dtui": version("dtui"), "numpy": np.__version__}
    except PackageNotFoundError:
        return {"numpy": np.__version__}
