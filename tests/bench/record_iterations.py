"""What recording every iteration costs: the step of a ResNet-18, and a loop that is bound by Python.

The machine that runs this is rarely quiet. So each recorded block has a neighbour that is not recorded, each row is the
median of the ratios of neighbours, and the processor time of the training thread is given beside the clock.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional

from dtui.model import RunMetadata, Structure
from dtui.record import Recorder
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.sums import Buffers
from dtui.record.measure import compiled
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.statistics import Deriver, RawRecord
from dtui.record.network.layers import describe, find_layers, place
from dtui.record.network.norm_layers import find_norms, try_norms
from dtui.store.write.run_writer import RunWriter
from tests.bench.record_cost import best_seconds, torch_threads, trained_resnet50, ways
from tests.bench.registry import Measurement, benchmark
from tests.record.networks import ResNet18, ResNet50

STEPS, PAIRS = 4, 12
"""Steps of a block, and pairs of a block with the recorder and one without."""

Times = Mapping[str, float]


def times_of(function: Callable[[], object], count: int) -> Times:
    """Return the milliseconds that one of `count` calls takes: of this thread, and by the clock."""
    start = time.thread_time(), time.perf_counter()
    for _ in range(count):
        function()
    ends = time.thread_time(), time.perf_counter()
    return {
        name: 1e3 * (end - begin) / count
        for name, begin, end in zip(("processor time of the training thread", "clock"), start, ends, strict=True)
    }


def neighbours(
    plain: Callable[[], object], recorded: Callable[[], object], after: Callable[[], object], steps: int, pairs: int
) -> list[tuple[str, float, float]]:
    """Return for each clock its name, the median milliseconds of the plain call, and the median ratio of neighbours.

    Args:
        plain: One step.
        recorded: One step that is recorded.
        after: Called after each block, unmeasured: it waits for what the block has left to do.
        steps: Of a block.
        pairs: Of blocks.
    """
    for function in (plain, recorded, plain, recorded):
        function()
    after()
    found: list[tuple[Times, Times]] = []
    for turn in range(pairs):
        blocks: dict[bool, Times] = {}
        for is_recorded in (False, True) if turn % 2 else (True, False):
            blocks[is_recorded] = times_of(recorded if is_recorded else plain, steps)
            after()
        found.append((blocks[False], blocks[True]))
    return [
        (
            name,
            statistics.median(without[name] for without, _ in found),
            statistics.median(with_[name] / without[name] for without, with_ in found),
        )
        for name in found[0][0]
    ]


def step_of(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[torch.optim.Optimizer, Callable[..., Tensor]]:
    """Return the optimizer of a model, and one training step, which runs what it is given before the update."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def step(before: Callable[[], object] = lambda: None) -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        before()
        optimizer.step()
        return loss.detach()

    return optimizer, step


@contextmanager
def on_one_core(is_wanted: bool) -> Iterator[None]:
    """Let every thread of this process, and what it starts, run on one core only."""
    before = os.sched_getaffinity(0)
    threads = [int(name) for name in os.listdir("/proc/self/task")] if is_wanted else []
    for thread in threads:
        os.sched_setaffinity(thread, {min(before)})
    yield
    for thread in threads:
        os.sched_setaffinity(thread, before)


@benchmark
def record_resnet18_every1() -> list[Measurement]:
    """A training step of a ResNet-18 (batch 8, 48×48, one thread) with every=1, against one without; and the floor."""
    rows = []
    with torch_threads(1):
        for cores, is_one in {"": False, ", all on one core": True}.items():
            with on_one_core(is_one):
                for name, is_fused in ways().items():
                    rows += resnet18_rows(f"record_resnet18_every1 {name}{cores}", is_fused)
    return rows


def resnet18_rows(name: str, is_fused: bool) -> list[Measurement]:
    """Return the step with the recorder beside the one without, and one read of weights, weights before, gradients."""
    torch.manual_seed(0)
    images, labels = torch.randn(8, 3, 48, 48), torch.randint(0, 1000, (8,))
    plain, recorded = ResNet18(), ResNet18()
    step = step_of(plain, images, labels)[1]
    optimizer, recorded_step = step_of(recorded, images, labels)
    weights = [probe.weight() for probe in place(find_layers(plain))]
    tensors = [*weights, *(weight.clone() for weight in weights), *(torch.randn_like(weight) for weight in weights)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Recorder(Path(folder) / "run", recorded, optimizer, every=1, fused=is_fused) as recorder,
    ):

        def logged_step() -> None:
            recorder.log(loss=recorded_step())

        def wait() -> None:
            sink = recorder._recording.sink
            assert sink is not None
            sink.drain()

        found = neighbours(step, logged_step, wait, STEPS, PAIRS)
    rows = [Measurement(f"{name}, {of}", ms * ratio, "step without", ms, "ms", ratio) for of, ms, ratio in found]
    floor = 1e3 * best_seconds({"": lambda: [tensor.sum() for tensor in tensors]}, clock=time.thread_time)[""]
    alone = found[0][1]
    return [*rows, Measurement(f"{name}, floor", alone + floor, "step without", alone, "ms", (alone + floor) / alone)]


RECORDS = 30


class Stopwatch:
    """Adds up the processor time that a thread spends in functions that free the interpreter while they run."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments)
            finally:
                self.seconds += time.thread_time() - start

        return timed


@benchmark
def record_interpreter() -> list[Measurement]:
    """What a record of a ResNet-50 keeps the writer's thread busy, and for how long of it the interpreter is needed."""
    model = trained_resnet50()
    probes = place(find_layers(model))
    structure = describe(model, probes)
    norms, described = try_norms(model, structure.layers)
    structure = replace(structure, norms=described)
    raw = Measurer(model, probes, False, norms).measure()(0, {"loss": 1.0})
    rows = []
    for name, is_fused in ways().items():
        whole, free = written_seconds(structure, raw, is_fused)
        label = f"record_interpreter {name}"
        rows.append(Measurement(label, 1e3 * (whole - free), "writer's thread", 1e3 * whole, "ms", 1 - free / whole))
    return rows


def written_seconds(structure: Structure, raw: RawRecord, is_fused: bool) -> tuple[float, float]:
    """Return the median processor time of deriving and appending a record, and that without the interpreter.

    NumPy frees it too, but only within each of its many calls, so that there is nothing to add up.
    """
    deriver, free = Deriver(structure, is_fused), Stopwatch()
    metadata = RunMetadata("bench", "2026-01-01T00:00:00+00:00", 1)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        store = stack.enter_context(RunWriter(Path(folder) / "run", structure, metadata, compact=False))
        if deriver._compiled is not None:
            kernels = SimpleNamespace(**vars(deriver._compiled._kernel))
            kernels.take_sums, kernels.describe = free.around(kernels.take_sums), free.around(kernels.describe)
            deriver._compiled._kernel = kernels
            norms = SimpleNamespace(**vars(deriver._norms._kernel))
            norms.derive = free.around(norms.derive)
            deriver._norms._kernel = norms
            stack.enter_context(patch("dtui.record.measure.compiled.sort_rows", free.around(compiled.sort_rows)))
            stack.enter_context(patch("dtui.store.write.journal_writer.zlib.crc32", free.around(zlib.crc32)))
            stack.enter_context(patch("dtui.store.write.journal_writer.os.writev", free.around(os.writev)))
        found = []
        for iteration in range(RECORDS):
            free.seconds, start = 0.0, time.thread_time()
            store.append_record(deriver.derive(replace(raw, iteration=iteration)))
            found.append((time.thread_time() - start, free.seconds))
    whole, without = zip(*found, strict=True)
    return statistics.median(whole), statistics.median(without)


class Unread:
    """A backend that reads nothing, so that what is left is the Python of a record."""

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Do nothing."""


@benchmark
def record_thread() -> list[Measurement]:
    """What a record of a ResNet-50 takes the training thread beside its kernel: to find weights, gradients, norms."""
    model = trained_resnet50()
    probes = place(find_layers(model))
    with patch("dtui.record.measure.measurer.summing_on", lambda *_, **__: Unread()):
        measure = Measurer(model, probes, False, find_norms(model)).measure
        python = 1e3 * best_seconds({"": measure}, 100)[""]
    return [Measurement("record_thread", python, "wanted of a whole record on a GPU", 0.2, "ms", python / 0.2)]


@benchmark
def record_python() -> list[Measurement]:
    """A step that Python bounds: a ResNet-50's 161 parameters, a channel wide, every=1; a record of the same thread.

    What the thread does for a record is nearly all Python here, that of the kernel's call included; a GPU adds
    launches.
    """
    rows = []
    with torch_threads(1):
        for name, is_fused in ways().items():
            torch.manual_seed(0)
            images, labels = torch.randn(2, 3, 32, 32), torch.randint(0, 10, (2,))
            plain, recorded = ResNet50(width=1), ResNet50(width=1)
            step = step_of(plain, images, labels)[1]
            optimizer, recorded_step = step_of(recorded, images, labels)
            with (
                tempfile.TemporaryDirectory() as folder,
                Recorder(Path(folder) / "run", recorded, optimizer, every=1, fused=is_fused) as recorder,
            ):

                def logged_step(recorder: Recorder = recorder, step: Callable[[], Tensor] = recorded_step) -> None:
                    recorder.log(loss=step())

                def wait(recorder: Recorder = recorder) -> None:
                    sink = recorder._recording.sink
                    assert sink is not None
                    sink.drain()

                found = neighbours(step, logged_step, wait, 3 * STEPS, 2 * PAIRS)
            label = f"record_python {name}"
            rows += [
                Measurement(f"{label}, {of}", ms * ratio, "step without", ms, "ms", ratio) for of, ms, ratio in found
            ]
            _, ms, ratio = found[0]
            record = ms * (ratio - 1)
            rows.append(Measurement(f"{label}, a record", record, "wanted on a GPU", 0.2, "ms", record / 0.2))
    return rows
