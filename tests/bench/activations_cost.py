"""What activations cost a validation: time, and memory that is held."""

from __future__ import annotations

import copy
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from dtui.demo.network import ResNet20
from dtui.record import Recorder
from tests.bench.record_cost import best_seconds
from tests.bench.registry import Measurement, benchmark
from tests.record.networks import ResNet50

REPEATS = 5
BATCH = 64


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut, as in ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.relu(self.bn1(self.conv1(images)))
        result: Tensor = self.relu(self.bn2(self.conv2(seen)) + self.down(images))
        return result


def resnet18() -> nn.Module:
    """Return a ResNet-18 for 1,000 classes."""
    torch.manual_seed(0)
    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [BasicBlock(one, two, 1 + (one != two)) for one, two in itertools.pairwise(widths)]
    stem = (nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def validating(
    folder: Path, model: nn.Module, loader: DataLoader[tuple[Tensor, ...]], *, activations: bool
) -> Callable[[], None]:
    """Return one validation with a recorder, of a network that it has seen once in training."""
    recorder = Recorder(folder / f"run-{activations}", model, every=10**6, thumbnails=None, activations=activations)
    model(next(iter(loader))[0][:2])
    recorder.step()

    def validate() -> None:
        recorder.step()
        model.eval()
        with recorder.validation(loader), torch.no_grad():
            for images, _ in loader:
                model(images)

    return validate


def rows_of(name: str, model: nn.Module, images: Tensor, classes: int) -> list[Measurement]:
    """Return the time of a validation with activations beside one without."""
    labels = torch.randint(0, classes, (len(images),))
    loader = DataLoader(TensorDataset(images, labels), BATCH)
    with tempfile.TemporaryDirectory() as folder:
        both = {
            word: validating(Path(folder), copy.deepcopy(model), loader, activations=bool(word)) for word in ("", "on")
        }
        seconds = best_seconds(both, REPEATS, time.process_time)
    ours, plain = 1e3 * seconds["on"], 1e3 * seconds[""]
    return [Measurement(f"activations_cost {name}", ours, "validation without", plain, "ms", ours / plain)]


@benchmark
def activations_cost() -> list[Measurement]:
    """A validation with activations against one without: ResNet-20, ResNet-18 and ResNet-50, CPU, one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return [
        *rows_of("ResNet-20, 1,024 images of 14×14", ResNet20(), torch.randn(1024, 1, 14, 14), 10),
        *rows_of("ResNet-18, 256 images of 64×64", resnet18(), torch.randn(256, 3, 64, 64), 1000),
        *rows_of("ResNet-50, 256 images of 64×64", ResNet50(width=64, classes=1000), torch.randn(256, 3, 64, 64), 1000),
    ]
