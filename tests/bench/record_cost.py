"""What recording costs: against one read of the weights, against a training step, against the peers."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from dtui.record import Recorder
from dtui.record.layers import find_layers, place
from dtui.record.measure import Measurer
from tests.bench.registry import Measurement, benchmark
from tests.record.networks import ResNet50

REPEATS = 7


def best_seconds(
    function: Callable[[], object], repeats: int = REPEATS, clock: Callable[[], float] = time.thread_time
) -> float:
    """Return the shortest time of a call, after one call to warm up: other work on the machine only adds.

    The clock is the processor time of the calling thread, which is the one that trains (torch has one thread here).
    """
    function()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


def trained_resnet50() -> nn.Module:
    """Return a ResNet-50 of full width (27,560 filters, 25.5 million weights) with gradients."""
    torch.manual_seed(0)
    model = ResNet50(width=64, classes=1000)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter) * 1e-3
    return model


def one_record(model: nn.Module, fused: bool = False) -> float:
    """Return the seconds that one record takes from the training thread."""
    probes = place(find_layers(model))
    measurer = Measurer(model, probes, fused)
    measurer.measure()
    return best_seconds(measurer.measure)


@benchmark
def record_resnet50() -> list[Measurement]:
    """One record of everything of a ResNet-50, against the floor: one read of weights, weights before, gradients."""
    torch.set_num_threads(1)
    model = trained_resnet50()
    ours = one_record(model)
    weights = [probe.weight() for probe in place(find_layers(model))]
    tensors = [*weights, *(weight.clone() for weight in weights), *(torch.randn_like(weight) for weight in weights)]
    floor = best_seconds(lambda: [tensor.sum() for tensor in tensors])
    times = {"torch": ours}
    if find_spec("numba") is not None:
        times["fused"] = one_record(model, fused=True)
    reference = "one read of w, w_prev, g"
    return [
        Measurement(f"record_resnet50 {name}", 1e3 * value, reference, 1e3 * floor, "ms", value / floor)
        for name, value in times.items()
    ]


@benchmark
def record_overhead() -> list[Measurement]:
    """A ResNet-50 training step (batch 16, 64×64) with a record every 1, 10 and 100 iterations, against none."""
    torch.set_num_threads(1)
    images, labels = torch.randn(16, 3, 64, 64), torch.randint(0, 1000, (16,))
    model = trained_resnet50()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    plain = best_seconds(step)
    one = one_record(model)
    results = []
    for every in (1, 10, 100):
        ours = plain + one / every
        results.append(
            Measurement(f"record_overhead every={every}", 1e3 * ours, "step without", 1e3 * plain, "ms", ours / plain)
        )
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder) / "run", model, optimizer, every=1):
        ours = best_seconds(step)
    results.append(
        Measurement(
            "record_overhead every=1, with its writer", 1e3 * ours, "step without", 1e3 * plain, "ms", ours / plain
        )
    )
    return results


def run_bytes(folder: Path) -> int:
    """Return the size of everything below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ours_with_bytes(model: nn.Module, records: int) -> tuple[float, float]:
    """Return the seconds of one record, and its bytes on disk once the run is closed."""
    with tempfile.TemporaryDirectory() as folder:
        with Recorder(Path(folder) / "run", model, every=1) as recorder:
            recorder.step()
            ours = best_seconds(
                lambda: (recorder.step(), recorder._sink and recorder._sink.drain()), records, time.perf_counter
            )
        size = run_bytes(Path(folder)) / (records + 2)
    return ours, size


@benchmark
def record_vs_tensorboard() -> list[Measurement]:
    """The same model: our record, written, against add_histogram of every layer's weights and gradients."""
    if find_spec("tensorboard") is None:
        print("record_vs_tensorboard: tensorboard is not installed", file=sys.stderr)
        return []
    from torch.utils.tensorboard import SummaryWriter

    torch.set_num_threads(1)
    model = trained_resnet50()
    ours, size = ours_with_bytes(model, 3)
    with tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)

        def write() -> None:
            for name, parameter in model.named_parameters():
                if parameter.dim() > 1:
                    writer.add_histogram(name, parameter, 0)
                    writer.add_histogram(name + ".grad", parameter.grad, 0)

        peer = best_seconds(write, 3)
        writer.close()
        peer_size = run_bytes(Path(folder)) / 4
    return compared("record_vs_tensorboard", one_record(model), ours, size, "add_histogram of w, g", peer, peer_size)


@benchmark
def record_vs_wandb() -> list[Measurement]:
    """The same model: our record, written, against wandb.watch(log="all"), offline."""
    if find_spec("wandb") is None:
        print("record_vs_wandb: wandb is not installed", file=sys.stderr)
        return []
    import wandb

    torch.set_num_threads(1)
    model = trained_resnet50()
    ours, size = ours_with_bytes(model, 3)
    images = torch.randn(2, 3, 64, 64)

    def step() -> None:
        model.zero_grad()
        model(images).sum().backward()

    plain = best_seconds(step, 3)
    with tempfile.TemporaryDirectory() as folder:
        run = wandb.init(mode="offline", dir=folder, settings=wandb.Settings(silent=True))
        run.watch(model, log="all", log_freq=1)

        def watched() -> None:
            step()
            run.log({})

        peer = best_seconds(watched, 3) - plain
        run.finish()
        peer_size = run_bytes(Path(folder)) / 4
    return compared("record_vs_wandb", one_record(model), ours, size, 'watch(log="all")', peer, peer_size)


def compared(
    name: str, training: float, written: float, size: float, peer: str, seconds: float, peer_size: float
) -> list[Measurement]:
    """Return time and bytes of one record, ours and a peer's; a ratio above 1 is in our favour.

    Args:
        name: Of the benchmark.
        training: Seconds that ours takes from the training thread; a peer takes all of its time from it.
        written: Seconds until ours is on disk.
        size: Bytes of ours.
        peer: What the peer did.
        seconds: That the peer took.
        peer_size: Bytes of the peer's.
    """
    return [
        Measurement(f"{name} training thread", 1e3 * training, peer, 1e3 * seconds, "ms", seconds / training),
        Measurement(f"{name} until written", 1e3 * written, peer, 1e3 * seconds, "ms", seconds / written),
        Measurement(f"{name} bytes", size / 1e6, peer, peer_size / 1e6, "MB", peer_size / size),
    ]
