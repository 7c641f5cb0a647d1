"""What recording costs: against one read of the weights, against a training step, against the peers."""

from __future__ import annotations

import copy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from dtui.record import Recorder
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.norm_statistics import NormDeriver
from dtui.record.measure.norm_values import NormValues
from dtui.record.network.layers import find_layers, place
from dtui.record.network.norm_layers import find_norms
from tests.bench.registry import Measurement, benchmark
from tests.record.networks import ResNet50

REPEATS = 9


def best_seconds(
    functions: Mapping[str, Callable[[], object]],
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.thread_time,
    before: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Return the shortest time of a call of each, in turn, after one to warm up: other work on the machine only adds.

    The clock is the processor time of the calling thread, which is the one that trains (torch has one thread here).

    Args:
        functions: By name.
        repeats: Of all of them.
        clock: In seconds.
        before: Called before each call, and not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            before()
            start = clock()
            function()
            if repeat:
                times[name].append(clock() - start)
    return {name: min(values) for name, values in times.items()}


def trained_resnet50() -> nn.Module:
    """Return a ResNet-50 of full width (27,560 filters, 25.5 million weights) with gradients."""
    torch.manual_seed(0)
    model = ResNet50(width=64, classes=1000)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter) * 1e-3
    return model


def ways() -> dict[str, bool]:
    """Return the ways of recording that this installation has, as `Recorder(fused=…)` takes them."""
    return {"torch": False} | ({"kernel": True} if find_spec("numba") is not None else {})


@benchmark
def record_resnet50() -> list[Measurement]:
    """One record of everything of a ResNet-50, against the floor: one read of weights, weights before, gradients."""
    return records_against_floor(1)


@benchmark
def record_resnet50_2threads() -> list[Measurement]:
    """The same with two threads, for the record and for the floor; by the clock, so only on a quiet machine."""
    return records_against_floor(2)


def records_against_floor(threads: int) -> list[Measurement]:
    model = trained_resnet50()
    probes = place(find_layers(model))
    weights = [probe.weight() for probe in probes]
    tensors = [*weights, *(weight.clone() for weight in weights), *(torch.randn_like(weight) for weight in weights)]

    def train() -> None:
        for weight in weights:
            weight.mul_(1.0001)

    functions: dict[str, Callable[[], object]] = {"floor": lambda: [tensor.sum() for tensor in tensors]}
    functions |= {name: Measurer(model, probes, is_fused).measure for name, is_fused in ways().items()}
    with torch_threads(threads):
        times = best_seconds(functions, clock=time.thread_time if threads == 1 else time.perf_counter, before=train)
    floor = times.pop("floor")
    reference = "one read of w, w_prev, g"
    return [
        Measurement(f"record {name}, threads: {threads}", 1e3 * value, reference, 1e3 * floor, "ms", value / floor)
        for name, value in times.items()
    ]


@benchmark
def record_norms() -> list[Measurement]:
    """What the normalisation layers of a ResNet-50 add to a record, on the training thread and on the writer's."""
    model = trained_resnet50()
    probes, norms = place(find_layers(model)), find_norms(model)
    kept = [
        tensor for norm in norms for tensor in (norm.module.weight, norm.module.running_mean, norm.module.running_var)
    ]
    read, deriver = NormValues(norms), NormDeriver([norm.channels for norm in norms])
    take = torch.no_grad()(read.take)
    values = take()()
    assert values is not None
    whole = Measurer(model, probes, any(ways().values())).measure
    functions: dict[str, Callable[[], object]] = {
        "read": lambda: [tensor.sum() for tensor in kept],
        "gather": take,
        "arrive": take(),
        "derive": lambda: deriver.derive(values),
        "record": whole,
    }
    with torch_threads(1):
        times = best_seconds(functions, repeats=40)
    record, floor = times.pop("record"), times.pop("read")
    return [
        Measurement(f"norms: {name}", 1e3 * value, "the record without them", 1e3 * record, "ms", value / record)
        for name, value in times.items()
    ] + [
        Measurement(
            "norms: gather", 1e3 * times["gather"], "one sum a tensor", 1e3 * floor, "ms", times["gather"] / floor
        )
    ]


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    yield
    torch.set_num_threads(before)


STEPS = {1: (2, 12), 10: (10, 7), 100: (100, 1)}
"""By `every`: steps of a block, and pairs of a block with the recorder and one without."""


@benchmark
def record_overhead() -> list[Measurement]:
    """A ResNet-50 training loop (batch 16, 64×64), recorded every 1, 10 and 100 iterations, against one without."""
    results = []
    with torch_threads(1):
        for name, is_fused in ways().items():
            for every, (steps, pairs) in STEPS.items():
                results += overhead(f"record_overhead {name}, every={every}", is_fused, every, steps, pairs)
    return results


def overhead(name: str, is_fused: bool, every: int, steps: int, pairs: int) -> list[Measurement]:
    """Compare blocks of a recorded loop each with its neighbour of one that is not, so that noise meets both alike.

    The first row is processor time of the training thread, which is what training waits for; the second that of all
    threads, with the one that derives and writes. Both are medians over the pairs.
    """
    images, labels = torch.randn(16, 3, 64, 64), torch.randint(0, 1000, (16,))
    loops = []
    for _ in range(2):
        model = trained_resnet50()
        loops.append((model, torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)))

    def block(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> tuple[float, float]:
        start = time.thread_time(), time.process_time()
        for _ in range(count):
            optimizer.zero_grad()
            functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        return (time.thread_time() - start[0]) / count, (time.process_time() - start[1]) / count

    times: tuple[list[tuple[float, float]], ...] = ([], [])
    with (
        tempfile.TemporaryDirectory() as folder,
        Recorder(Path(folder) / "run", *loops[0], every=every, fused=is_fused) as recorder,
    ):
        for loop in loops:
            block(*loop, 2)
        for turn in range(2 * pairs):
            which = (turn + turn // 2) % 2
            times[which].append(block(*loops[which], steps))
            if recorder._recording.sink is not None:
                recorder._recording.sink.drain()
    results = []
    for column, of in enumerate(("", ", all threads")):
        ours, plain = ([block_times[column] for block_times in times[which]] for which in (0, 1))
        ratio = statistics.median(mine / other for mine, other in zip(ours, plain, strict=True))
        step = 1e3 * statistics.median(plain)
        results.append(Measurement(f"{name}{of}", step * ratio, "step without", step, "ms", ratio))
    return results


def run_bytes(folder: Path) -> int:
    """Return the size of everything below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def written_record(model: nn.Module, is_fused: bool, records: int) -> tuple[float, float, float]:
    """Return the seconds that one record takes from training, and until it is on disk; and its bytes there."""
    with tempfile.TemporaryDirectory() as folder:
        with Recorder(Path(folder) / "run", model, every=1, fused=is_fused) as recorder:
            recorder.step()

            def written() -> None:
                recorder.step()
                assert recorder._recording.sink is not None
                recorder._recording.sink.drain()

            until_written = best_seconds({"": written}, records, time.perf_counter)[""]
        size = run_bytes(Path(folder)) / (records + 2)
    training = best_seconds({"": Measurer(model, place(find_layers(model)), is_fused).measure})[""]
    return training, until_written, size


@benchmark
def record_vs_tensorboard() -> list[Measurement]:
    """The same model: our record, written, against add_histogram of every layer's weights and gradients."""
    if find_spec("tensorboard") is None:
        print("record_vs_tensorboard: tensorboard is not installed", file=sys.stderr)
        return []
    from torch.utils.tensorboard import SummaryWriter

    model = trained_resnet50()
    with torch_threads(1), tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)

        def write() -> None:
            for name, parameter in model.named_parameters():
                if parameter.dim() > 1:
                    writer.add_histogram(name, parameter, 0)
                    writer.add_histogram(name + ".grad", parameter.grad, 0)

        peer = best_seconds({"": write}, 3)[""]
        writer.close()
        return compared("record_vs_tensorboard", model, "add_histogram of w, g", peer, run_bytes(Path(folder)) / 4)


@benchmark
def record_vs_wandb() -> list[Measurement]:
    """The same model: our record, written, against wandb.watch(log="all"), offline."""
    if find_spec("wandb") is None:
        print("record_vs_wandb: wandb is not installed", file=sys.stderr)
        return []
    import wandb

    model = trained_resnet50()
    watched = copy.deepcopy(model)
    images = torch.randn(2, 3, 64, 64)

    def step(model: nn.Module) -> None:
        model.zero_grad()
        model(images).sum().backward()

    with torch_threads(1), tempfile.TemporaryDirectory() as folder:
        run = wandb.init(mode="offline", dir=folder, settings=wandb.Settings(silent=True))
        run.watch(watched, log="all", log_freq=1)
        times = best_seconds({"plain": lambda: step(model), "watched": lambda: (step(watched), run.log({}))}, 5)
        run.finish()
        size = run_bytes(Path(folder)) / 6
        return compared("record_vs_wandb", model, 'watch(log="all")', times["watched"] - times["plain"], size)


def compared(name: str, model: nn.Module, peer: str, seconds: float, peer_size: float) -> list[Measurement]:
    """Return time and bytes of one record, ours and a peer's; a ratio above 1 is in our favour.

    Args:
        name: Of the benchmark.
        model: With gradients.
        peer: What the peer did.
        seconds: That the peer took from the training thread, for it does all of its work there.
        peer_size: Bytes of the peer's.
    """
    results = []
    for way, is_fused in ways().items():
        training, written, size = written_record(model, is_fused, 5)
        for of, ours in (("training thread", training), ("until written", written)):
            label = f"{name} {way} {of}"
            results.append(Measurement(label, 1e3 * ours, peer, 1e3 * seconds, "ms", seconds / ours))
    results.append(Measurement(f"{name} bytes", size / 1e6, peer, peer_size / 1e6, "MB", peer_size / size))
    return results
