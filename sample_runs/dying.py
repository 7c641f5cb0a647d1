"""Makes the sample run in which ReLUs die: `make.py` calls it.

A small network without normalisation, whose learning rate jumps for three updates: some filters are pushed so far below
zero that no image gets through them any more. Activations are recorded.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.demo.digits import CLASSES, load_digits
from dtui.demo.faults import Fault
from dtui.demo.training import evaluate, shuffled_batches, update
from dtui.record.recorder import Recorder
from dtui.record.validation.thumbnails import Thumbnails

NAME = "mnist-dying"
ITERATIONS = 1000
EVERY = 10
VALIDATED_EVERY = 20
TRACKED_IMAGES = 500
LEARNING_RATE = 0.05
SPIKE = Fault("learning_rate_spike", 481, 2, factor=12.0)


class PlainNet(nn.Module):
    """Three convolutions and two fully connected layers; the ReLUs are functions, so that no module stands for them."""

    def __init__(self) -> None:
        """Build it."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.conv3 = nn.Conv2d(16, 24, 3, padding=1)
        self.fc1 = nn.Linear(24 * 9, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores, shape (images, classes)."""
        seen = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        seen = functional.max_pool2d(functional.relu(self.conv2(seen)), 2)
        seen = functional.relu(self.conv3(seen))
        scores: Tensor = self.fc2(functional.relu(self.fc1(seen.flatten(1))))
        return scores


def make_dying(folder: Path, seed: int) -> Path:
    """Make the run in a folder that lacks it, and return its path."""
    digits = load_digits()
    torch.manual_seed(seed)
    model = PlainNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    images, labels = digits.validation_images[:TRACKED_IMAGES], digits.validation_labels[:TRACKED_IMAGES]
    loader = DataLoader(TensorDataset(images, labels), batch_size=250)
    with Recorder(
        folder / NAME,
        model,
        optimizer,
        every=EVERY,
        classes=CLASSES,
        hyperparameters={
            "network": "three convolutions, two fully connected layers, no normalisation",
            "data": "5,000 MNIST digits, 14×14",
            "batch": 64,
            "seed": seed,
        },
        notes=[SPIKE.as_note()],
        thumbnails=Thumbnails(picture=lambda identity: digits.pictures[int(identity)]),
        activations=True,
    ) as recorder:
        for iteration, chosen in enumerate(islice(shuffled_batches(len(digits.train_labels), seed), ITERATIONS)):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (SPIKE.factor if SPIKE.is_active(iteration) else 1.0)
            update(recorder, model, optimizer, digits.train_images[chosen], digits.train_labels[chosen])
            if iteration % VALIDATED_EVERY == 0:
                with recorder.validation(loader):
                    evaluate(model, loader)
    return recorder.path
