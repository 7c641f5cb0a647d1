"""The parts of `gpu_session`, each a process: `python -m tests.bench.gpu_parts NAME DEVICE` prints JSON lines."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.record import Recorder
from dtui.record.backends.sums import Sum
from dtui.record.judging import token_loss
from dtui.record.measure.measurer import Measurer
from dtui.record.network.layers import find_layers, place
from dtui.record.recording import Recording
from dtui.store.write.background_compactor import Compactor
from tests.bench import record_gpu, record_iterations
from tests.bench.look_cost import gradient_look_cost
from tests.bench.registry import Measurement
from tests.record.networks import ResNet50

Parts = dict[str, Callable[[str], None]]
PARTS: Parts = {}


def part(function: Callable[[str], None]) -> Callable[[str], None]:
    """Register a part under its name."""
    PARTS[function.__name__] = function
    return function


def tell(name: str, value: object, unit: str = "", **more: object) -> None:
    """Print a line."""
    print(json.dumps({"name": name, "value": value, "unit": unit, **more}), flush=True)


def tell_all(rows: list[Measurement]) -> None:
    for row in rows:
        print(json.dumps(asdict(row)), flush=True)


def finish(where: str) -> None:
    """Wait for a GPU."""
    if where == "cuda":
        torch.cuda.synchronize()


class Loop:
    """A ResNet-50 in bfloat16 autocast that is bound by Python: 64 images. On a CPU a narrow one, on small images."""

    def __init__(self, where: str) -> None:
        is_gpu = where == "cuda"
        torch.manual_seed(0)
        self.where, self.count = where, 40 if is_gpu else 2
        self.model = ResNet50(width=64 if is_gpu else 2, classes=1000 if is_gpu else 10).to(where)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9)
        self.images = torch.randn(64 if is_gpu else 2, 3, *([224] * 2 if is_gpu else [32] * 2), device=where)
        self.labels = torch.randint(0, 10, (len(self.images),), device=where)
        self.log: Callable[..., object] = lambda **_: None

    def step(self) -> None:
        """Train a step; nothing in it waits for the device."""
        self.optimizer.zero_grad()
        with torch.autocast(self.where, torch.bfloat16):
            loss = functional.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.log(loss=loss.detach())
        self.optimizer.step()

    def block(self) -> float:
        """Return the milliseconds of a step, over a block."""
        finish(self.where)
        start = time.perf_counter()
        for _ in range(self.count):
            self.step()
        finish(self.where)
        return 1e3 * (time.perf_counter() - start) / self.count


@contextmanager
def recorded(loop: Loop, **options: Any) -> Iterator[Recorder]:
    """Record a loop into a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"graph": False, "thumbnails": None, **options}
        with Recorder(Path(folder) / "run", loop.model, loop.optimizer, **options) as recorder:
            loop.log = recorder.log
            yield recorder


@part
def step(where: str) -> None:
    """The step with a recorder at every iteration and without; the training thread's time for a record."""
    plain = Loop(where)
    plain.block()
    pairs = 9 if where == "cuda" else 2
    ways: dict[str, dict[str, Any]] = {"every=1": {"every": 1}, "nothing (noise)": {}, "every=10": {"every": 10}}
    for name, options in ways.items():
        other = Loop(where)
        if options:
            with recorded(other, **options), stopwatch(Recording, "record") as taken:
                compare(name, plain, other, pairs)
            tell(f"{name}, training thread's time a record", statistics.median(taken[3:] or taken), "ms", goal=0.2)
        else:
            compare(name, plain, other, pairs)


def compare(name: str, plain: Loop, other: Loop, pairs: int) -> None:
    """Tell the median ratio of neighbouring blocks."""
    other.block()
    ratios, steps = [], []
    for turn in range(pairs):
        times = {id(loop): loop.block() for loop in ((plain, other) if turn % 2 else (other, plain))}
        steps.append(times[id(plain)])
        ratios.append(times[id(other)] / times[id(plain)])
    spread = [round(one, 4) for one in sorted(ratios)]
    tell(f"step, {name}", statistics.median(ratios), "times", plain_ms=statistics.median(steps), all=spread, goal=1.01)


@contextmanager
def stopwatch(kind: type, name: str) -> Iterator[list[float]]:
    """Measure the calls of a method, by the clock of its thread, in ms."""
    taken: list[float] = []
    original = getattr(kind, name)

    @wraps(original)
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        try:
            return original(*args, **kwargs)
        finally:
            taken.append(1e3 * (time.thread_time() - start))

    setattr(kind, name, timed)
    try:
        yield taken
    finally:
        setattr(kind, name, original)


@part
def record(where: str) -> None:
    """One record and one watch: the GPU's time, the training thread's, launches; against one read of everything."""
    if where == "cuda":
        tell_all(record_gpu.record_gpu())
    else:
        tell("record", "needs a GPU")


@part
def waits(where: str) -> None:
    """Waits for the device on the training's thread, as torch's own debug mode sees them: there must be none."""
    loop = Loop(where)
    found: list[str] = []
    training = threading.get_ident()

    def note(message: Warning | str, kind: type[Warning], file: str, line: int, *_: object) -> None:
        if "synchroniz" in str(message) and threading.get_ident() == training:
            found.append(f"{Path(file).name}:{line}: {message}")

    with recorded(loop, every=4, keep_around=4, watch_every=1) as recorder, warnings.catch_warnings():
        for _ in range(8):
            loop.step()
        warnings.simplefilter("always")
        warnings.showwarning = note  # type: ignore[assignment]
        if where == "cuda":
            torch.cuda.set_sync_debug_mode("warn")
        ids = torch.arange(len(loop.images), device=where)
        for _ in range(16):
            loop.step()
            recorder.judge(ids, loop.model(loop.images).detach()[:, 0], threshold=0.5)
        if where == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    tell("waits of the training's thread in 16 recorded steps", len(found), "", goal=0, first=found[:3])


@part
def interpreter(where: str) -> None:
    """How long the writer's thread needs the interpreter for a record."""
    del where
    tell_all(record_iterations.record_interpreter())


@part
def twin(where: str) -> None:
    """The largest relative error of norms that the device sums, against float64."""
    loop = Loop(where)
    probes = place(find_layers(loop.model))
    measurer = Measurer(loop.model, probes, True)
    loop.step()
    measurer.measure()(0, {})
    before = [probe.weight().double().clone() for probe in probes]
    loop.step()
    raw = measurer.measure()(1, {})

    def norms(tensors: list[Tensor]) -> Tensor:
        return torch.cat([one.double().flatten(1).norm(dim=1) for one in tensors]).cpu()

    weights = [probe.weight().double() for probe in probes]
    wanted = {
        Sum.WEIGHT_NORM: norms(weights),
        Sum.GRADIENT_NORM: norms([slope for probe in probes if (slope := probe.gradient()) is not None]),
        Sum.UPDATE_NORM: norms([now - then for now, then in zip(weights, before, strict=True)]),
    }
    for row, values in wanted.items():
        found = torch.from_numpy(raw.sums[row]).double()
        error = ((found - values).abs() / values.clamp_min(1e-30)).max()
        tell(f"{row.name.lower()}, largest relative error", float(error), "", goal=1e-3)


@part
def activations(where: str) -> None:
    """A validation with activations against one without."""
    loop = Loop(where)
    loop.model.eval()
    size, at_once = (512, 64) if where == "cuda" else (8, 4)
    images = torch.randn(size, *loop.images.shape[1:], device=where)
    loader = DataLoader(TensorDataset(images, torch.randint(0, 10, (size,), device=where)), at_once)
    times: dict[bool, float] = {}
    for is_on in (False, True):
        other = Loop(where)
        with recorded(other, every=1000, activations=is_on, graph=True) as recorder:
            taken = []
            for _ in range(5):
                other.step()
                finish(where)
                start = time.perf_counter()
                with recorder.validation(loader), torch.no_grad():
                    for some, _ in loader:
                        other.model(some)
                finish(where)
                taken.append(1e3 * (time.perf_counter() - start))
        times[is_on] = statistics.median(taken[2:])
    tell("validation with activations", times[True] / times[False], "times", plain_ms=times[False])


@part
def judge(where: str) -> None:
    """What a call of `judge` with tensors on the device takes the training's thread."""
    loop = Loop(where)
    tokens = torch.randint(0, 50, (64, 32), device=where)
    ids = torch.arange(64, device=where)
    taken = []
    with recorded(loop, every=1000) as recorder:
        for _ in range(12):
            loop.step()
            scores = token_loss(torch.randn(64, 32, 50, device=where), tokens)
            finish(where)
            start = time.perf_counter()
            recorder.judge(ids, scores, better="lower", name="loss")
            taken.append(1e3 * (time.perf_counter() - start))
    tell("judge, tensors on the device", statistics.median(taken[2:]), "ms")


@part
def look(where: str) -> None:
    """The look at gradients before an update."""
    del where
    tell_all(gradient_look_cost())


@part
def graphs(where: str) -> None:
    """Graphs and graph breaks that torch.compile makes of a model, with a recorder and without: the same."""
    from torch._dynamo.utils import counters

    found = {}
    for is_recorded in (False, True):
        torch._dynamo.reset()
        counters.clear()
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10)
        loop = Loop.__new__(Loop)
        inner = nn.Sequential(*layers).to(where)
        loop.where, loop.count, loop.log = where, 1, lambda **_: None
        loop.model = torch.compile(inner, backend="aot_eager")  # type: ignore[assignment]
        loop.optimizer = torch.optim.SGD(inner.parameters(), lr=0.1)
        loop.images = torch.randn(4, 3, 8, 8, device=where)
        loop.labels = torch.randint(0, 10, (4,), device=where)
        if is_recorded:
            with recorded(loop, every=1, graph=True):
                for _ in range(5):
                    loop.step()
        else:
            for _ in range(5):
                loop.step()
        breaks = sum(counters["graph_break"].values())
        found[is_recorded] = {"graphs": counters["stats"]["unique_graphs"], "breaks": breaks}
    tell("graphs of torch.compile", found[True], "", without=found[False], same=found[True] == found[False])


@part
def fsdp(where: str) -> None:
    """FSDP2 on one device: recorded, and the norms are those of the weights."""
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard

    from dtui.query import open_run

    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29547", "RANK": "0", "WORLD_SIZE": "1"})
    dist.init_process_group("nccl" if where == "cuda" else "gloo")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10)).to(where)
    fully_shard(model, mesh=dist.init_device_mesh(where, (1,)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    with tempfile.TemporaryDirectory() as folder:
        with Recorder(Path(folder) / "run", model, optimizer, every=1) as recorder:
            for _ in range(10):
                optimizer.zero_grad()
                model(torch.randn(8, 32, device=where)).square().mean().backward()
                optimizer.step()
        wanted = model[0].weight.full_tensor().norm(dim=1).cpu()  # type: ignore[operator, union-attr]
        with open_run(recorder.path) as query:
            info, reader = query.info(), query._data.reader
            last = reader.read_filters("norm", slice(0, 64), slice(info.records - 1, info.records))[:, 0]
        error = float((torch.from_numpy(last) - wanted).abs().max() / wanted.max())
    tell("FSDP2 on one device", {"records": info.records, "gaps": len(info.gaps), "error": error}, "", goal=2e-3)
    dist.destroy_process_group()


def main(words: list[str]) -> int:
    """Run a part."""
    name, where = words
    Compactor._spawn = lambda self, *options: None  # type: ignore[method-assign]
    if where == "cpu":
        torch.set_num_threads(1)
    PARTS[name](where)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
