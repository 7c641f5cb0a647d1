"""A store in memory for the tests of the recorder, and small networks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dtui.model import Column, Gap, ImageSet, Record, RunStatus, Structure, Trigger, Validation
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.record import Recorder

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read where the kernels are defined


@pytest.fixture
def folding() -> None:
    """Asked for by a test of which the runs are to be folded when they are closed."""


@pytest.fixture(autouse=True)
def _no_folding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folding has its own tests, and the start of its process takes a second a run."""
    if "folding" not in request.fixturenames:
        monkeypatch.setattr("dtui.store.write.background_compactor.Compactor._spawn", lambda self, *options: None)


class MemoryStore:
    """What a RunWriter is to the recorder, kept in lists."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.columns: Sequence[Column] = ()
        self.records: list[Record] = []
        self.validations: list[Validation] = []
        self.watches: list[Record] = []
        self.triggers: list[Trigger] = []
        self.weights: list[WeightsAt] = []
        self.nonfinite: list[BrokenGradients | LookPlan] = []
        self.gaps: list[Gap] = []
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.images: ImageSet | None = None
        self.status: RunStatus | None = None
        self.reason = ""
        self.beats = 0
        self.on_record: Callable[[Record], None] = lambda record: None

    def set_images(self, images: ImageSet) -> None:
        assert self.images is None
        self.images = images

    def append_record(self, record: Record) -> None:
        self.on_record(record)
        self.records.append(record)

    def append_watch(self, watch: Record) -> None:
        self.watches.append(watch)

    def append_trigger(self, trigger: Trigger) -> None:
        self.triggers.append(trigger)

    def append_weights(self, weights: WeightsAt) -> None:
        self.weights.append(weights)

    def append_nonfinite(self, found: BrokenGradients | LookPlan) -> None:
        self.nonfinite.append(found)

    def append_validation(self, validation: Validation) -> None:
        assert self.images is not None
        self.validations.append(validation)

    def append_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def append_logged(self, iteration: int, values: Mapping[str, float]) -> None:
        self.logged.append((iteration, dict(values)))

    def supersede(self) -> None:
        raise AssertionError("a new run has nothing to supersede")

    def note_reason(self, reason: str) -> None:
        self.noted = reason

    def heartbeat(self) -> None:
        self.beats += 1

    @property
    def is_complete(self) -> bool:
        return self.status is not None

    def close(self, status: RunStatus = RunStatus.DONE, reason: str = "") -> None:
        self.status, self.reason = status, reason


class RecorderUnderTest(Recorder):
    """A recorder that writes into `store` instead of a directory."""

    store: MemoryStore
    prepare: Callable[[MemoryStore], None] = staticmethod(lambda store: None)

    def _opener(self, *_: object) -> Any:
        def create(structure: Structure, columns: Sequence[Column] = ()) -> MemoryStore:
            self.store = MemoryStore(structure)
            self.store.columns = columns
            self.prepare(self.store)
            return self.store

        return create


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[..., RecorderUnderTest]]:
    """Return a function that makes recorders; they are closed when the test ends."""
    made: list[RecorderUnderTest] = []

    def make(
        model: nn.Module,
        optimizer: Any = None,
        *,
        prepare: Callable[[MemoryStore], None] = lambda store: None,
        **options: Any,
    ) -> RecorderUnderTest:
        RecorderUnderTest.prepare = staticmethod(prepare)
        made.append(RecorderUnderTest(tmp_path / f"run{len(made)}", model, optimizer, **options))
        return made[-1]

    yield make
    for recorder in made:
        recorder.close()


def small_net(classes: int = 3) -> nn.Sequential:
    """Return a network for images of 1×8×8."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.Flatten(), nn.Linear(54, classes)
    )
