"""What the flight recorder costs an iteration: the training thread, and the writer beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer

from dtui.demo.network import ResNet20
from dtui.demo.training import BATCH
from dtui.model import Gap, ImageSet, Record, RunStatus, Trigger, Validation
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.record import Recorder
from dtui.record.flight.flight_recorder import JUDGED_TOGETHER, Flight
from dtui.record.flight.plan import WatchPlan
from dtui.record.network.layers import describe, find_layers, place
from dtui.record.training.skipped_updates import Skips
from dtui.record.writing.writer_thread import Job
from tests.bench.record_cost import REPEATS, best_seconds, trained_resnet50
from tests.bench.registry import Measurement, benchmark

PLAN = WatchPlan(1, 200)


class Nowhere:
    """A store that keeps nothing."""

    def set_images(self, images: ImageSet) -> None: ...
    def append_record(self, record: Record) -> None: ...
    def append_watch(self, watch: Record) -> None: ...
    def append_trigger(self, trigger: Trigger) -> None: ...

    def append_weights(self, weights: WeightsAt) -> None: ...
    def append_nonfinite(self, found: BrokenGradients | LookPlan) -> None: ...
    def append_validation(self, validation: Validation) -> None: ...
    def append_gap(self, gap: Gap) -> None: ...
    def heartbeat(self) -> None: ...
    def close(self, status: RunStatus = RunStatus.DONE, reason: str = "") -> None: ...


class LastJob:
    """Stands for the sink: keeps the job that was offered last."""

    def offer(self, job: Job, limit: int | None = None) -> bool:
        self.job = job
        return True


def shortest(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the shortest processor time of a call."""
    return best_seconds({"": function}, repeats)[""]


def watch_seconds(model: nn.Module, fused: bool = False) -> tuple[float, float]:
    """Return the processor time of one watch on the training thread, and of judging one on the writer's."""
    probes = place(find_layers(model))
    flight, sink, store = Flight(PLAN, describe(model, probes), probes, fused), LastJob(), Nowhere()
    iteration = 0

    def scalars() -> Mapping[str, float]:
        return {"loss": 1.0}

    def watch() -> None:
        nonlocal iteration
        assert flight.watch(sink, iteration, scalars, lambda: Skips(0, False))  # type: ignore[arg-type]
        iteration += 1
        flight._judged = flight._filled

    training = shortest(watch, 15)
    return training, shortest(lambda: sink.job.write(store), 15) / JUDGED_TOGETHER


def step_of(model: nn.Module, images: torch.Tensor, classes: int) -> tuple[Optimizer, Callable[[], None]]:
    """Return an optimizer, and one training step with it."""
    labels = torch.randint(0, classes, (len(images),))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return optimizer, step


def loop_seconds(model: nn.Module, images: torch.Tensor, classes: int) -> tuple[float, float]:
    """Return the processor time of the training thread a step, without a recorder and with one that watches each."""
    optimizer, step = step_of(model, images, classes)

    def steps() -> None:
        for _ in range(10):
            step()

    plain = shortest(steps, 10) / 10
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        with Recorder(path, model, optimizer, every=1000, keep_around=PLAN.keep_around, graph=False):
            steps()
            ours = shortest(steps, 10) / 10
    return plain, ours


@benchmark
def flight_overhead() -> list[Measurement]:
    """One watch of a ResNet-50, against one read of w, w_prev, g and a training step; and of the demo's ResNet-20."""
    torch.set_num_threads(1)
    model = trained_resnet50()
    weights = [probe.weight() for probe in place(find_layers(model))]
    tensors = [*weights, *(weight.clone() for weight in weights), *(torch.randn_like(weight) for weight in weights)]
    floor = shortest(lambda: [tensor.sum() for tensor in tensors])
    tensors.clear()
    step = shortest(step_of(model, torch.randn(16, 3, 64, 64), 1000)[1])
    rows = []
    for name, fused in {"torch": False, "fused": True}.items():
        if fused and find_spec("numba") is None:
            continue
        watch, judge = watch_seconds(model, fused)
        rows += [
            _row(f"ResNet-50 {name}", watch, "one read of w, w_prev, g", floor),
            _row(f"ResNet-50 {name}, of a step", step + watch, "step without", step),
            _row(f"ResNet-50 {name}, judging (writer)", judge, "step without", step),
        ]
    small = ResNet20()
    step, watched = loop_seconds(small, torch.randn(BATCH, 1, 14, 14), 10)
    watch, judge = watch_seconds(small)
    return [
        *rows,
        _row("ResNet-20 torch, of a step", step + watch, "step without", step),
        _row("ResNet-20 torch, in a loop with its writer", watched, "step without", step),
        _row("ResNet-20, judging (writer)", judge, "step without", step),
    ]


def _row(name: str, ours: float, reference: str, value: float) -> Measurement:
    return Measurement(f"flight_overhead {name}", 1e3 * ours, reference, 1e3 * value, "ms", ours / value)
