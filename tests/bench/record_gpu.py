"""What recording costs on a GPU: its own time and the training thread's, against the memory's speed and a real step."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from dtui.record import Recorder
from dtui.record.flight.norm_meter import WatchMeter
from dtui.record.measure.measurer import Measurer
from dtui.record.network.layers import find_layers, place
from tests.bench.registry import Measurement, benchmark
from tests.record.networks import ResNet50

REPEATS = 25
HEAD_START = 30_000_000
"""Cycles for which the GPU sleeps first, so that everything is queued when it begins: launching is not its time."""

WAYS = {"torch": False, "triton": True}
STEPS, PAIRS = {64: 40, 256: 12}, 7
"""Steps of a block by images of a batch, and pairs of a block with a recorder and one without."""

OPTIONS: dict[str, dict[str, Any]] = {
    "torch, every=1": {"fused": False, "every": 1},
    "triton, every=1": {"every": 1},
    "triton, every=10": {"every": 10},
    "triton, watches": {"every": 1000, "keep_around": 200},
}


def has_gpu(name: str) -> bool:
    """Whether there is a GPU; that there is none is told."""
    if not torch.cuda.is_available():
        print(f"{name}: there is no GPU", file=sys.stderr)
    return torch.cuda.is_available()


def device_milliseconds(function: Callable[[], object]) -> float:
    """Return the median time that what a function queues on its stream takes the GPU."""
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda._sleep(HEAD_START)
        start.record()
        function()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def host_milliseconds(function: Callable[[], object]) -> float:
    """Return the median time that the training thread takes to queue it."""
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def resnet50() -> nn.Module:
    """Return a ResNet-50 of full width with gradients."""
    torch.manual_seed(0)
    model = ResNet50(width=64, classes=1000).cuda()
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter) * 1e-3
    return model


@benchmark
def record_gpu() -> list[Measurement]:
    """One record, and one watch, of a ResNet-50 on a GPU, against one read of weights, weights before and gradients."""
    if not has_gpu("record_gpu"):
        return []
    model = resnet50()
    weights = sum(probe.weight().numel() for probe in place(find_layers(model)))
    memory = torch.randn(3 * weights, device="cuda")
    floor = device_milliseconds(memory.sum)
    del memory
    rows = []
    for name, is_fused in WAYS.items():
        measured: dict[str, Callable[[], object]] = {}
        measurer = Measurer(model, place(find_layers(model)), is_fused)
        measured["record"] = measurer.measure
        meter = WatchMeter(place(find_layers(model)), is_fused)
        norms, event = torch.zeros(3, len(meter.order), pin_memory=True), torch.cuda.Event()
        measured["watch"] = lambda meter=meter, norms=norms, event=event: meter.measure(norms, event)
        for what, function in measured.items():
            for _ in range(3):
                function()
            label = f"record_gpu {what}, {name}"
            device, host, launches = (
                device_milliseconds(function),
                host_milliseconds(function),
                count_launches(function),
            )
            rows += [
                Measurement(f"{label}, GPU", device, "one read of w, w_prev, g", floor, "ms", device / floor),
                Measurement(f"{label}, training thread", host, "its GPU time", device, "ms", host / device),
                Measurement(f"{label}, launches and copies", launches, "layers", 54, "", launches / 54),
            ]
    return rows


def count_launches(function: Callable[[], object]) -> int:
    """Return how many kernels and copies a function queues."""
    with torch.profiler.profile() as profiler:
        function()
        torch.cuda.synchronize()
    return sum(event.device_type == torch.autograd.DeviceType.CUDA for event in profiler.events())


class Loop:
    """A ResNet-50 in bfloat16 autocast, batches of images of 224×224, channels last."""

    def __init__(self, batch: int) -> None:
        torch.manual_seed(0)
        self.model = ResNet50(width=64, classes=1000).cuda().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9)
        images = torch.randn(batch, 3, 224, 224, device="cuda")
        self.images = images.to(memory_format=torch.channels_last)
        self.labels = torch.randint(0, 1000, (batch,), device="cuda")
        self.block = STEPS[batch]
        self.log: Callable[..., object] = lambda **_: None

    def steps(self) -> float:
        """Train a block, and return the milliseconds that a step takes."""
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(self.block):
            self.optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16):
                loss = functional.cross_entropy(self.model(self.images), self.labels)
            loss.backward()
            self.log(loss=loss)
            self.optimizer.step()
        torch.cuda.synchronize()
        return 1e3 * (time.perf_counter() - start) / self.block


@benchmark
def record_gpu_overhead() -> list[Measurement]:
    """A ResNet-50 training in bfloat16, recorded with its writer, against one without; neighbouring blocks, medians."""
    if not has_gpu("record_gpu_overhead"):
        return []
    rows = []
    for batch in STEPS:
        plain = Loop(batch)
        plain.steps()
        rows.append(pair_of_blocks(f"{batch} images, nothing (noise)", plain, Loop(batch)))
        for name, options in OPTIONS.items():
            with tempfile.TemporaryDirectory() as folder:
                loop = Loop(batch)
                with Recorder(Path(folder) / "run", loop.model, loop.optimizer, graph=False, **options) as recorder:
                    loop.log = recorder.log
                    rows.append(pair_of_blocks(f"{batch} images, {name}", plain, loop))
    return rows


def pair_of_blocks(name: str, plain: Loop, recorded: Loop) -> Measurement:
    """Return the step of a recorded loop beside one that is not; the ratio is the median of those of neighbours."""
    recorded.steps()
    ratios, steps = [], []
    for turn in range(PAIRS):
        loops = (plain, recorded) if turn % 2 else (recorded, plain)
        times = {id(loop): loop.steps() for loop in loops}
        steps.append(times[id(plain)])
        ratios.append(times[id(recorded)] / times[id(plain)])
    step, ratio = statistics.median(steps), statistics.median(ratios)
    return Measurement(f"record_gpu_overhead {name}", step * ratio, "step without", step, "ms", ratio)


@benchmark
def record_gpu_vs_peers() -> list[Measurement]:
    """What a record of the same ResNet-50 takes a GPU training: ours, wandb.watch and TensorBoard's histograms."""
    if not has_gpu("record_gpu_vs_peers"):
        return []
    model = resnet50()
    measurer = Measurer(model, place(find_layers(model)), True)
    for _ in range(3):
        measurer.measure()

    def blocking(function: Callable[[], object]) -> float:
        def run() -> None:
            function()
            torch.cuda.synchronize()

        return host_milliseconds(run)

    ours = blocking(measurer.measure)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, peer in {"TensorBoard": tensorboard_record, "wandb": wandb_record}.items():
            if find_spec(name.lower()) is None:
                print(f"record_gpu_vs_peers: {name} is not installed", file=sys.stderr)
                continue
            seconds = peer(model, Path(folder))
            rows.append(Measurement(f"record_gpu vs {name}", ours, f"{name}'s", seconds, "ms", seconds / ours))
    return rows


def tensorboard_record(model: nn.Module, folder: Path) -> float:
    """Return the milliseconds of add_histogram of weights and gradients of every layer."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))
    times = []
    for step in range(4):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                writer.add_histogram(name, parameter, step)
                writer.add_histogram(name + ".grad", parameter.grad, step)
        times.append(1e3 * (time.perf_counter() - start))
    writer.close()
    return statistics.median(times[1:])


def wandb_record(model: nn.Module, folder: Path) -> float:
    """Return the milliseconds that watch(log="all") adds to a small forward and backward pass."""
    import wandb

    images = torch.randn(2, 3, 64, 64, device="cuda")

    def step() -> None:
        model.zero_grad()
        model(images).sum().backward()

    def milliseconds(function: Callable[[], object]) -> float:
        times = []
        for _ in range(6):
            torch.cuda.synchronize()
            start = time.perf_counter()
            function()
            torch.cuda.synchronize()
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times[1:])

    plain = milliseconds(step)
    run = wandb.init(mode="offline", dir=folder, settings=wandb.Settings(silent=True))
    run.watch(model, log="all", log_freq=1)
    watched = milliseconds(lambda: (step(), run.log({})))
    run.finish()
    return watched - plain
