"""The same training with others beside it: what each takes from a step, for how many numbers, and in how many bytes.

All of them record at every iteration what they record of a layer: dtui of every filter too, wandb and TensorBoard a
histogram of each weight and gradient, trainscope its table of layers and activations, ormas-monitor its checks. What
they keep is counted in their own files. A rival that is not installed is left out, with a line that says so. Where they
would choose another torch they are installed with `pip install --no-deps`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dtui.model import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    NORM_STATISTICS,
    SOURCES,
)
from dtui.model.statistics import FILTERS
from dtui.record import Recorder
from dtui.store import find_past
from tests.bench.peers import is_installed
from tests.bench.record_cost import run_bytes, torch_threads
from tests.bench.record_iterations import neighbours, step_of
from tests.bench.registry import Measurement, benchmark
from tests.record.networks import ResNet18

STEPS, PAIRS = 2, 8
RECORDED = 2 + STEPS * PAIRS
"""Steps of the recorded training, with those that warm it up."""

Train = Callable[[Callable[[], None]], Tensor]
"""One step; what it is given runs between the backward pass and the update. Returns the loss."""
Watching = Callable[[nn.Module, torch.optim.Optimizer, Path], AbstractContextManager[Callable[[Train], object]]]
Counting = Callable[[Path], int]


def nothing() -> None:
    """Run between the backward pass and the update."""


@contextmanager
def with_dtui(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Iterator[Callable[[Train], object]]:
    with Recorder(folder / "run", model, optimizer, every=1) as recorder:
        yield lambda train: recorder.log(loss=train(nothing))


def count_dtui(folder: Path) -> int:
    structure = find_past(folder / "run.dtui").structure
    nodes = len(structure.layers) + len(structure.modules)
    of_layers = len(structure.layers) * (HISTOGRAM_BINS + len(CHANGE_RATIO_EDGES))
    of_norms = len(NORM_STATISTICS) * len(structure.norms)
    stored = [name for name in FILTER_STATISTICS if not FILTERS[name].norm_of]  # the others follow from them
    each = len(stored) * structure.filters + len(SOURCES) * len(LAYER_STATISTICS) * nodes + of_layers + of_norms
    return RECORDED * each


@contextmanager
def with_wandb(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Iterator[Callable[[Train], object]]:
    import wandb

    run = wandb.init(mode="offline", dir=folder, settings=wandb.Settings(silent=True))
    run.watch(model, log="all", log_freq=1)
    yield lambda train: run.log({"loss": float(train(nothing))})
    run.finish()


def count_wandb(folder: Path) -> int:
    parameters = sum(1 for _ in ResNet18().parameters())
    return RECORDED * 2 * parameters * (64 + 2)  # 64 counts of a histogram, and its two ends


@contextmanager
def with_tensorboard(
    model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path
) -> Iterator[Callable[[Train], object]]:
    from torch.utils.tensorboard import SummaryWriter

    writer, at = SummaryWriter(str(folder)), 0

    def step(train: Train) -> None:
        nonlocal at
        writer.add_scalar("loss", train(nothing), at)
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                writer.add_histogram(name, parameter, at)
                writer.add_histogram(f"{name}.grad", parameter.grad, at)
        at += 1

    yield step
    writer.close()


def count_tensorboard(folder: Path) -> int:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = 0
    for path in folder.rglob("events.out.*"):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found += value.tensor.tensor_shape.dim[0].size if value.tensor.tensor_shape.dim else 1
    return found


@contextmanager
def with_trainscope(
    model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path
) -> Iterator[Callable[[Train], object]]:
    from trainscope import TrainScope
    from trainscope.core.config import TrainScopeConfig

    every = {"histogram_every_n_steps": 1, "activation_metrics_every_n_steps": 1, "trace_every_n_steps": 1}
    scope = TrainScope(model, optimizer, config=TrainScopeConfig(run_dir=str(folder), run_name="run", **every)).attach()
    loss = torch.zeros(())

    def step(train: Train) -> None:
        nonlocal loss
        loss = train(lambda: scope.step(float(loss)))

    yield step
    scope.detach()


def count_trainscope(folder: Path) -> int:
    import pyarrow as arrow
    from pyarrow import ipc

    found = 0
    for path in folder.rglob("*.arrow"):
        with arrow.memory_map(str(path)) as file:
            try:
                table = ipc.open_stream(file).read_all()
            except arrow.ArrowInvalid:
                table = ipc.open_file(file).read_all()
        for column in table.columns:
            while arrow.types.is_list(column.type) or arrow.types.is_large_list(column.type):
                column = column.combine_chunks().flatten()
            if not arrow.types.is_string(column.type):
                found += len(column) - column.null_count
    return found


@contextmanager
def with_ormas(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Iterator[Callable[[Train], object]]:
    from ormas_monitor import Monitor

    monitor = Monitor(model, optimizer, out=folder / "run", check_every=1, verbose=False)
    loss = torch.zeros(())

    def step(train: Train) -> None:
        nonlocal loss
        loss = train(lambda: monitor.step(loss))

    yield step
    monitor.close()


def count_ormas(folder: Path) -> int:
    def numbers(value: Any) -> int:
        if isinstance(value, dict | list):
            return sum(map(numbers, value.values() if isinstance(value, dict) else value))
        return isinstance(value, int | float) and not isinstance(value, bool)

    lines = (line for path in folder.rglob("*.jsonl") for line in path.read_text().splitlines())
    return sum(numbers(json.loads(line)) for line in lines)


RIVALS: dict[str, tuple[str, Watching, Counting]] = {
    "dtui": ("torch", with_dtui, count_dtui),
    "ormas-monitor": ("ormas_monitor", with_ormas, count_ormas),
    "trainscope": ("trainscope", with_trainscope, count_trainscope),
    "wandb.watch": ("wandb", with_wandb, count_wandb),
    "TensorBoard": ("tensorboard", with_tensorboard, count_tensorboard),
}


@benchmark
def record_rivals() -> list[Measurement]:
    """A ResNet-18 recorded at every iteration by dtui and by others: the step, a recorded number, and its bytes."""
    rows: list[Measurement] = []
    ours: tuple[float, float] | None = None
    with torch_threads(1):
        for name, (package, watching, counting) in RIVALS.items():
            if not is_installed(package):
                continue
            step, ratio, numbers, size = measured(watching, counting)
            each, bytes_each = 1e6 * step * (ratio - 1) / numbers, size / numbers
            ours = ours or (each, bytes_each)
            label = f"record_rivals {name}"
            rows += [
                Measurement(f"{label}, step", step * ratio, "step without", step, "ms", ratio),
                Measurement(
                    f"{label}, a number, of {numbers:,.0f} a step", each, "dtui's", ours[0], "ns", each / ours[0]
                ),
                Measurement(f"{label}, a number", bytes_each, "dtui's", ours[1], "bytes", bytes_each / ours[1]),
            ]
    return rows


def measured(watching: Watching, counting: Counting) -> tuple[float, float, float, float]:
    """Return the milliseconds of a plain step, the ratio of one with a rival, and its numbers and bytes a step.

    The ratio is of the processor time of the training thread.
    """
    torch.manual_seed(0)
    images, labels = torch.randn(8, 3, 48, 48), torch.randint(0, 1000, (8,))
    step = step_of(ResNet18(), images, labels)[1]
    model = ResNet18()
    optimizer, recorded = step_of(model, images, labels)
    with tempfile.TemporaryDirectory() as folder:
        with watching(model, optimizer, Path(folder)) as watch:
            found = neighbours(step, lambda: watch(recorded), nothing, STEPS, PAIRS)
        return found[0][1], found[0][2], counting(Path(folder)) / RECORDED, run_bytes(Path(folder)) / RECORDED
