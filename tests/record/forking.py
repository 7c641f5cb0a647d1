"""Trainings that fork while they are recorded; each runs in a process of its own, started by test_forks."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import importlib.abc
import io
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import dtui
from dtui import fork_gate
from dtui.record import Thumbnails
from dtui.store.write.background_compactor import Compactor

PATIENCE = 60
"""Seconds after which what hangs tells its stack and ends."""


class Slow(importlib.abc.MetaPathFinder):
    """A file system on which an import takes its time."""

    def __init__(self, *names: str, seconds: float) -> None:
        self.names, self.seconds = names, seconds

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.startswith(self.names):
            time.sleep(self.seconds)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


def update(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


def validate(recorder: dtui.Recorder, model: nn.Module, batches: Any) -> None:
    with recorder.validation(batches), torch.no_grad():
        for images, _ in batches:
            model(images)


# --- what our threads do


def watch_threads(file: Path) -> None:
    """Write down, a line each, what our threads import, and what else they do while a fork would not wait for them."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        thread = threading.current_thread()
        if not thread.name.startswith("dtui") or event.startswith(("object.", "sys._getframe", "signal.", "os.kill")):
            return
        gate = getattr(fork_gate._mine, "gate", None)
        is_held = gate is not None and gate._worker == thread.ident
        if event == "import" or not is_held:
            os.write(descriptor, f"{thread.name} {event} {arguments!r:.80}\n".encode())

    sys.addaudithook(watch)


def work(folder: Path) -> None:
    """Do what makes our threads work: records, watches, triggers, pictures, folding, failures, a resume, SIGTERM."""
    watch_threads(folder / "seen")
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for side in (28, 64):  # kept as PNG and as JPEG
        images, labels = torch.rand(8, 3, side, side), torch.arange(8)
        recorder = dtui.Recorder(
            folder / str(side), model, optimizer, every=2, keep_around=4, thumbnails=Thumbnails(side)
        )
        for iteration in range(160):
            recorder.log(loss=float("nan") if iteration == 120 else update(model, optimizer, images, labels))
            if iteration % 50 == 0:
                validate(recorder, model, [(images, labels)])
        sink = recorder._recording.sink
        assert sink is not None
        assert sink.drain(PATIENCE)
        store: Any = sink._store
        append, store.append_record = store.append_record, lambda record: os.stat(folder / "missing")
        for _ in range(2):
            update(model, optimizer, images, labels)
        assert sink.drain(PATIENCE)
        store.append_record = append
        recorder.close()
    recorder = dtui.Recorder(folder / "64", model, optimizer, every=2, resume=True, iteration=100)
    update(model, optimizer, images, labels)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(PATIENCE)


# --- many forks


class Pictures:
    """Makes pictures on the writer's thread as a person's code may: it imports modules, logs, warns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        sys.path.insert(0, str(folder))

    def __call__(self, identity: str) -> Image.Image:
        self.count += 1
        name = f"fresh{self.count}"
        (self.folder / f"{name}.py").write_text("import json\n")
        importlib.invalidate_caches()
        importlib.import_module(name)
        logging.getLogger("pictures").warning("made %s", identity)
        warnings.warn(f"made {identity}", UserWarning, stacklevel=1)
        return Image.new("RGB", (8, 8))

    def newest(self) -> Iterator[str]:
        """The modules that a thread may be importing."""
        return (f"fresh{number}" for number in range(max(1, self.count - 1), self.count + 1))


def child(recorder: dtui.Recorder, pictures: Pictures, exits: bool) -> None:
    """Be a data loader's worker: import, log, warn, make pictures, use HDF5, and what there is of the recorder."""
    signal.alarm(PATIENCE)
    for name in pictures.newest():
        if (pictures.folder / f"{name}.py").exists():
            importlib.import_module(name)
    logging.getLogger("child").warning("lives")
    warnings.warn("lives", UserWarning, stacklevel=1)
    Image.fromarray(np.zeros((64, 64), np.uint8)).convert("RGB").save(io.BytesIO(), "JPEG")
    import tables

    with tables.open_file("own", "w", driver="H5FD_CORE", driver_core_backing_store=0) as file:
        file.create_array("/", "a", obj=np.arange(64))
    recorder.log(loss=1.0)
    recorder.step()
    recorder._boundary.miss("records", 3, "not of this process")
    with recorder.validation([]):
        pass
    recorder.close()
    if exits:
        del recorder
        gc.collect()
        sys.exit(0)
    os._exit(0)


def storm(folder: Path) -> None:
    """Fork FORKS children while runs are recorded; each has to end."""
    forks, runs = int(sys.argv[3]), 4
    Compactor.finish = lambda self: None  # type: ignore[method-assign]  # has its tests, and takes a second a run
    modules = folder / "modules"
    modules.mkdir()
    pictures = Pictures(modules)
    sys.meta_path.insert(0, Slow("fresh", "PIL.", seconds=0.005))
    images, labels = torch.rand(64, 3, 12, 12), torch.arange(64) % 10
    children: list[int] = []
    longest = 0.0
    gc.freeze()  # what PyTorch has made is nothing to go through in each child
    for number in range(runs):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        recorder = dtui.Recorder(
            folder / f"run{number}", model, optimizer, every=1, fused=False, thumbnails=Thumbnails(picture=pictures)
        )
        for fork in range(forks // runs):
            update(model, optimizer, images, labels)
            if fork % 8 == 0:
                validate(recorder, model, [(images, labels)])
            begun = time.perf_counter()
            made = os.fork()
            if not made:
                child(recorder, pictures, exits=fork == 1)
            longest = max(longest, time.perf_counter() - begun)
            children.append(made)
            while len(children) > 3:
                reap(children.pop(0))
        recorder.close()
    for one in children:
        reap(one)
    print(f"{forks} forks, the longest took {longest:.3f} s")


def reap(one: int) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(one, 0)[1])
    if status:
        raise SystemExit(f"child {one} ended with {status}")


# --- data loaders


class Digits(Dataset[tuple[Tensor, int]]):
    """Small pictures made by PIL."""

    def __init__(self, recorder: dtui.Recorder | None = None) -> None:
        self.recorder = recorder

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(np.full((28, 28), index, np.uint8)).convert("RGB")
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255, index % 10


def loaders(folder: Path) -> None:
    """Train with data loaders whose workers are begun in every way; the data set holds the recorder."""
    if sys.argv[3] == "fork":
        sys.meta_path.insert(0, Slow("PIL.", seconds=0.3))
    context = multiprocessing.get_context(sys.argv[3])
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    data = Digits()
    options: dict[str, Any] = {"num_workers": 1 + (sys.argv[3] == "fork"), "multiprocessing_context": context}
    recorder = dtui.Recorder(folder / "run", model, optimizer, every=1, fused=False)
    data.recorder = recorder
    train = DataLoader(data, 8, shuffle=True, **options)
    held_out = DataLoader(data, 8, persistent_workers=True, pin_memory=True, **options)
    for _ in range(3 if sys.argv[3] == "fork" else 1):
        for images, labels in train:
            update(model, optimizer, images, labels)
        validate(recorder, model, held_out)
    recorder.close()


if __name__ == "__main__":
    faulthandler.register(signal.SIGALRM, chain=True)  # tells all stacks and ends the process, in forked children too
    signal.alarm(4 * PATIENCE)
    torch.set_num_threads(1)
    {"work": work, "storm": storm, "loaders": loaders}[sys.argv[1]](Path(sys.argv[2]))
