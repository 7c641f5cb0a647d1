"""The TUI beside a run that grows for hours, and beside a search that takes seconds; hours are shortened.

Both without a terminal: a loader and a session as the app has them, so that memory is that of what they keep.
"""

from __future__ import annotations

import gc
import queue
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from dtui.model import ImageSet, RunMetadata, Validation
from dtui.store import RunWriter
from dtui.synth.events import plant_events
from dtui.synth.networks import resnet20
from dtui.synth.training import Training
from dtui.tui.events import Answered, Event, Opened, Several
from dtui.tui.loader import Loader
from dtui.tui.panes.table import TABLE
from dtui.tui.state.session import Session
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented

RECORDS, AT_ONCE, BEFORE = 4_000, 100, 1_000
IMAGES, CLASSES = 1_000, 10
IDLE_SECONDS = 0.15
"""Without an event for so long everything is answered."""


class Viewer:
    """A loader and a session, and what the app does between them."""

    def __init__(self, path: Path) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.session: Session | None = None
        self.answered: dict[str, float] = {}
        self.loader = Loader(path, self.events.put)
        self.loader.start()

    def close(self) -> None:
        self.loader.close()

    def show(self, screen: int) -> None:
        """Go to a screen, and ask what it asks."""
        assert self.session is not None
        self.session.perform(TABLE.screens[screen].action.id)
        self._ask()

    def until(self, is_done: Callable[[], bool], seconds: float = 120.0) -> None:
        """Take events until something is so."""
        end = time.monotonic() + seconds
        while not is_done() and time.monotonic() < end:
            self.take()

    def settle(self) -> None:
        """Take events until none comes any more."""
        while self.take():
            pass

    def take(self) -> bool:
        try:
            event = self.events.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return False
        if isinstance(event, Opened) and self.session is None:
            self.session = Session(TABLE, event.view, 150, 50)
        elif isinstance(event, Opened) and self.session is not None:
            self.session.opened(event.view)
        elif isinstance(event, Answered | Several) and self.session is not None:
            for one in event.answers if isinstance(event, Several) else (event,):
                self.answered[type(one.question).__name__] = time.perf_counter()
                self.session.answered(one.question, one.value)
        self._ask()
        return True

    def _ask(self) -> None:
        if self.session is not None:
            self.loader.ask(self.session.look()[1], self.session.view.revision)


def resident() -> float:
    """Return this process' memory, MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@benchmark
def tui_hours() -> list[Measurement]:
    """Memory of the TUI after 4,000 appended records on every screen, beside that after the first thousand; MB."""
    structure = resnet20()
    training = Training(structure, plant_events(structure, 1000, 1000, 0), 1000, 0)
    records = [training.record(position, 100, 0.5) for position in range(8)]
    targets, rng = np.repeat(np.arange(CLASSES, dtype=np.uint16), IMAGES // CLASSES), np.random.default_rng(0)
    names = tuple(map(str, range(CLASSES)))
    with tempfile.TemporaryDirectory() as folder:
        writer = RunWriter(Path(folder) / "run", structure, RunMetadata("live", "2026-01-01T00:00:00+00:00", 1))
        writer.set_images(ImageSet(names, targets, tuple(map(str, range(IMAGES)))))
        viewer, sizes, begin = None, [], resident()
        for count in range(RECORDS):
            scalars = {"loss": float(rng.random()), "learning_rate": 0.1}
            writer.append_record(replace(records[count % 8], iteration=count, scalars=scalars))
            if count % 5 == 0:
                labels = np.where(rng.random(IMAGES) < 0.9, targets, 3).astype(np.uint16)
                writer.append_validation(Validation(count, labels, np.full(IMAGES, 200, np.uint8)))
            if (count + 1) % AT_ONCE:
                continue
            viewer = viewer or Viewer(writer.path)
            viewer.loader.poll()
            viewer.settle()
            viewer.show((count // AT_ONCE) % (len(TABLE.screens) - 1))
            viewer.settle()
            if (count + 1) % BEFORE == 0:
                sizes.append(resident())
        assert viewer is not None
        viewer.close()
        writer.close()
    growth = (sizes[-1] - sizes[0]) / (len(sizes) - 1)
    return [
        Measurement(
            f"TUI after {RECORDS:,} records", sizes[-1], f"after {BEFORE:,}", sizes[0], "MB", sizes[-1] / sizes[0]
        ),
        Measurement("TUI and its writer", sizes[-1], "before the first record", begin, "MB", sizes[-1] / begin),
        Measurement("TUI growth in 1,000 records", growth, f"after {BEFORE:,}", sizes[0], "MB", growth / sizes[0]),
    ]


@benchmark
def tui_waits() -> list[Measurement]:
    """Time to a heatmap that is asked for while incidents are looked for, at the paper's scale, and the search; s."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "paper.dtui"
        shutil.copytree(invented("paper"), path)
        (path / "findings.h5").unlink(missing_ok=True)
        begun = time.perf_counter()
        with closing(Viewer(path)) as viewer:
            viewer.until(lambda: "CurvesQuestion" in viewer.answered)
            asked = time.perf_counter()
            viewer.show(1)
            viewer.until(lambda: {"HeatmapQuestion", "IncidentsQuestion"} <= viewer.answered.keys())
            waited = viewer.answered["HeatmapQuestion"] - asked
            search = viewer.answered["IncidentsQuestion"] - begun
    return [
        Measurement("TUI heatmap during the search", waited, "the search for incidents", search, "s", waited / search)
    ]
