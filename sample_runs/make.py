"""Makes the sample runs anew: `python sample_runs/make.py FOLDER [NAME…]`.

Two trainings of the same network on the same digits, the second with faults injected on purpose, which its notes list;
one of a tiny network that is stopped and goes on from a checkpoint, as a folder and packed; and one with three damaged
samples in its training set, of which it keeps in which batches they were. Everything that is
drawn depends on the seed alone. The stored runs are never made anew: they show that what an earlier dtui wrote is read.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, TensorDataset

from dtui.demo.digits import CLASSES, load_digits
from dtui.demo.faults import Fault, break_weights
from dtui.demo.training import evaluate, shuffled_batches, train_demo, update
from dtui.record.recorder import Recorder
from dtui.record.validation.thumbnails import Thumbnails
from dtui.store import compact_run, pack_run

SEED = 7
ITERATIONS = 2400
EVERY = 10

FAULTS = (
    Fault("poisoned_labels", 423, 8, label=4, becomes=9),
    Fault("learning_rate_spike", 742, 2, factor=20.0),
    Fault("dead_filters", 1003, layer="layer2.1.conv1", filters=(1, 4, 5, 8, 11, 14)),
    Fault("bit_flip", 1351, layer="layer3.0.conv1", filters=(17,)),
    Fault("poisoned_labels", 1642, 30, label=7, becomes=1),
)
RUNS = {"mnist-healthy": (), "mnist-faults": FAULTS}

RESUMED = "mnist-resumed"
RESUMED_ITERATIONS = 4220
RESUMED_EVERY = 4
KEEP_AROUND = 20
CHECKPOINT = 120
"""Updates done at the checkpoint: the first iteration after the training goes on."""
STOPPED = 160
"""Updates done when the training is stopped."""
LOST_FAULT = Fault("bit_flip", 142, layer="conv", filters=(2,))
"""Past the checkpoint, so that the training that goes on never knows of it."""
KEPT_FAULT = Fault("bit_flip", 3002, layer="conv", filters=(3,))
TRACKED_IMAGES = 100
PAUSE_SECONDS = 0.003
"""After each update: so tiny a network trains faster than its watches are judged on a busy machine."""


DYING = "mnist-dying"
BATCHES = "mnist-batches"
DAMAGED = (412, 1973, 3305)
"""Samples of the training set that are damaged from an epoch on: each time they are read their pixels are noise, of
FACTOR times the usual size."""
FACTOR = 50.0
HEALTHY_EPOCHS, DAMAGED_EPOCHS = 4, 12


class Damaged(Dataset[tuple[Tensor, Tensor]]):
    """The digits to train on; some are huge noise once the damage is done."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        """Begin healthy."""
        self._images, self._labels = images, labels
        self.is_damaged = False
        self._noise = torch.Generator().manual_seed(SEED)

    def __len__(self) -> int:
        """Return the number of digits."""
        return len(self._labels)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        """Return a digit and its label."""
        image = self._images[item]
        if self.is_damaged and item in DAMAGED:
            image = FACTOR * torch.randn(image.shape, generator=self._noise)
        return image, self._labels[item]


class SmallNet(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self) -> None:
        """Build it."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 2, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 2, 1)
        self.fc = nn.Linear(16 * 16, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores, shape (images, classes)."""
        features = functional.relu(self.conv2(functional.relu(self.conv1(images))))
        scores: Tensor = self.fc(features.flatten(1))
        return scores


class TinyNet(nn.Module):
    """One convolution of ten filters, each of which looks everywhere for its own digit."""

    def __init__(self) -> None:
        """Build it."""
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 9, padding=1, bias=False)
        self.bn = nn.BatchNorm1d(10)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores, shape (images, classes)."""
        scores: Tensor = self.bn(self.conv(images).amax((2, 3)))
        return scores


def main(folder: Path, names: Sequence[str] = ()) -> None:
    """Make the named runs, or all, in a folder that has none of them."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    wanted = names or (*RUNS, RESUMED, BATCHES, DYING)
    for name in (name for name in RUNS if name in wanted):
        path = folder / f"{name}.dtui"
        train_demo(path, iterations=ITERATIONS, every=EVERY, seed=SEED, faults=RUNS[name])
        print(path)
    if RESUMED in wanted:
        for path in make_resumed(folder):
            print(path)
    if BATCHES in wanted:
        print(make_batches(folder))
    if DYING in wanted:
        from dying import make_dying  # a neighbour of this script

        print(make_dying(folder, SEED))


def make_batches(folder: Path) -> Path:
    """Make the run whose training set is damaged from an epoch on: an unchanged loop over a DataLoader."""
    digits, path = load_digits(), folder / f"{BATCHES}.dtui"
    torch.manual_seed(SEED)
    model = SmallNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002, betas=(0.9, 0.98))
    train = Damaged(digits.train_images, digits.train_labels)
    loader = DataLoader(train, batch_size=32, shuffle=True, drop_last=True)
    images, labels = digits.validation_images[:TRACKED_IMAGES], digits.validation_labels[:TRACKED_IMAGES]
    validation = DataLoader(TensorDataset(images, labels), batch_size=TRACKED_IMAGES)
    first = HEALTHY_EPOCHS * len(loader)
    with Recorder(
        path,
        model,
        optimizer,
        every=10,
        keep_around=KEEP_AROUND,
        batches=True,
        classes=CLASSES,
        hyperparameters={
            "network": "two convolutions and a linear layer",
            "data": "5,000 MNIST digits, 14×14",
            "batch": 32,
            "seed": SEED,
        },
        notes=[
            {"iteration": first, "kind": "damaged_samples", "samples": list(DAMAGED), "factor": FACTOR},
        ],
        thumbnails=Thumbnails(picture=lambda identity: digits.pictures[int(identity)]),
    ) as recorder:
        for epoch in range(HEALTHY_EPOCHS + DAMAGED_EPOCHS):
            train.is_damaged = epoch >= HEALTHY_EPOCHS
            for batch, targets in loader:
                update(recorder, model, optimizer, batch, targets, smoothing=0.1)
                time.sleep(PAUSE_SECONDS)
                if recorder.iteration % 20 == 0:
                    with recorder.validation(validation):
                        evaluate(model, validation)
    compact_run(path)
    return path


def make_resumed(folder: Path) -> tuple[Path, Path]:
    """Make the run that is stopped, goes on from a checkpoint and is packed; return the folder and the file."""
    path, packed = folder / f"{RESUMED}.dtui", folder / f"{RESUMED}.h5"
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = Path(scratch) / "checkpoint.pt"
        _train_tiny(path, checkpoint, STOPPED)
        _train_tiny(path, checkpoint, RESUMED_ITERATIONS)
    compact_run(path)
    pack_run(path, packed)
    return path, packed


def _train_tiny(path: Path, checkpoint: Path, updates: int) -> None:
    """Train until so many updates are done, from the checkpoint where there is one."""
    digits = load_digits()
    torch.manual_seed(SEED)
    model = TinyNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    done = _load(checkpoint, model, optimizer)
    faults = (KEPT_FAULT,) if done else (LOST_FAULT, KEPT_FAULT)
    images, labels = digits.validation_images[:TRACKED_IMAGES], digits.validation_labels[:TRACKED_IMAGES]
    loader = DataLoader(TensorDataset(images, labels), batch_size=TRACKED_IMAGES)
    with Recorder(
        path,
        model,
        optimizer,
        every=RESUMED_EVERY,
        keep_around=KEEP_AROUND,
        classes=CLASSES,
        hyperparameters={
            "network": "one convolution of ten filters",
            "data": "5,000 MNIST digits, 14×14",
            "batch": 64,
            "seed": SEED,
        },
        notes=[KEPT_FAULT.as_note()],
        thumbnails=Thumbnails(picture=lambda identity: digits.pictures[int(identity)]),
        resume=done > 0,
        iteration=done,
    ) as recorder:
        batches = islice(shuffled_batches(len(digits.train_labels), SEED), done, updates)
        for iteration, chosen in enumerate(batches, done):
            break_weights(model, faults, iteration)
            update(recorder, model, optimizer, digits.train_images[chosen], digits.train_labels[chosen])
            time.sleep(PAUSE_SECONDS)
            if iteration % (10 * RESUMED_EVERY) == 0:
                with recorder.validation(loader):
                    evaluate(model, loader)
            if iteration + 1 == CHECKPOINT:
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(state | {"updates": recorder.iteration + 1}, checkpoint)


def _load(checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load a checkpoint, where there is one, and return the updates that it had done."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["updates"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
