"""Makes the sample runs anew: `python sample_runs/make.py FOLDER`.

Two trainings of the same network on the same digits, the second with faults injected on purpose, which its notes list;
and one of a tiny network that is stopped and goes on from a checkpoint, as a folder and packed. Everything that is
drawn depends on the seed alone. The stored runs are never made anew: they show that what an earlier dtui wrote is read.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from dying import make_dying
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.demo.digits import CLASSES, load_digits
from dtui.demo.faults import Fault, break_weights
from dtui.demo.training import evaluate, shuffled_batches, train_demo
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


def main(folder: Path) -> None:
    """Make all runs in a folder that has none of them."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, faults in RUNS.items():
        path = folder / f"{name}.dtui"
        train_demo(path, iterations=ITERATIONS, every=EVERY, seed=SEED, faults=faults)
        print(path)
    for path in make_resumed(folder):
        print(path)
    print(make_dying(folder, SEED))


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
            scores = model(digits.train_images[chosen])
            loss = functional.cross_entropy(scores, digits.train_labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            recorder.log(loss=loss, error=(scores.argmax(1) != digits.train_labels[chosen]).float().mean())
            optimizer.step()
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
    main(Path(sys.argv[1]))
