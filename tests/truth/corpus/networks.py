"""Small networks, optimizers and schedules: what the corpus trains with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from dtui.demo.network import BasicBlock


class Plain(nn.Module):
    """Four convolutions without normalisation."""

    activated = ("conv1", "conv2", "conv3", "conv4")

    def __init__(self, size: int, classes: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, 2, 1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.conv3 = nn.Conv2d(2 * width, 2 * width, 3, 2, 1)
        self.conv4 = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.fc = nn.Linear(2 * width * (-(-size // 4)) ** 2, classes)
        for module in (self.conv1, self.conv2, self.conv3, self.conv4):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.conv2(functional.relu(self.conv1(images))))
        return self.fc(functional.relu(self.conv4(functional.relu(self.conv3(features)))).flatten(1))


class Normalised(nn.Module):
    """Four convolutions, each with batch normalisation."""

    activated = ("conv1", "conv2", "conv3", "conv4")

    def __init__(self, size: int, classes: int, width: int) -> None:
        super().__init__()
        widths = [1, width, 2 * width, 2 * width, 2 * width]
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, 3, 1 + number % 2, 1, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        self.fc = nn.Linear(2 * width * (-(-size // 4)) ** 2, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(images))))))
        features = functional.relu(self.bn3(self.conv3(features)))
        return self.fc(functional.relu(self.bn4(self.conv4(features))).flatten(1))


class Residual(nn.Module):
    """A ResNet of nine layers with batch normalisation."""

    activated = ("conv1", "block1.conv1", "block2.conv1", "block3.conv1")

    def __init__(self, size: int, classes: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.block1 = BasicBlock(width, width, 1)
        self.block2 = BasicBlock(width, 2 * width, 2)
        self.block3 = BasicBlock(2 * width, 4 * width, 2)
        self.fc = nn.Linear(4 * width * (-(-size // 8)) ** 2, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.block3(self.block2(self.block1(functional.relu(self.bn1(self.conv1(images))))))
        return self.fc(features.flatten(1))


class Perceptron(nn.Module):
    """Three hidden layers of units, without normalisation."""

    activated = ("fc1", "fc2", "fc3")

    def __init__(self, size: int, classes: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(size * size, 16 * width)
        self.fc2 = nn.Linear(16 * width, 12 * width)
        self.fc3 = nn.Linear(12 * width, 12 * width)
        self.fc4 = nn.Linear(12 * width, classes)
        for module in (self.fc1, self.fc2, self.fc3):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.fc1(images.flatten(1)))
        return self.fc4(functional.relu(self.fc3(functional.relu(self.fc2(features)))))


class _Step(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.fc2(functional.relu(self.fc1(self.norm(features))))


class Layered(nn.Module):
    """A residual perceptron with layer normalisation, built as the blocks of a transformer are."""

    activated = ("step1.fc1", "step2.fc1", "step3.fc1")

    def __init__(self, size: int, classes: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Linear(size * size, 12 * width)
        self.step1 = _Step(12 * width)
        self.step2 = _Step(12 * width)
        self.step3 = _Step(12 * width)
        self.norm = nn.LayerNorm(12 * width)
        self.fc = nn.Linear(12 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.norm(self.step3(self.step2(self.step1(self.stem(images.flatten(1)))))))


NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "plain": Plain,
    "normalised": Normalised,
    "residual": Residual,
    "perceptron": Perceptron,
    "layered": Layered,
}
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("constant", "stages", "cosine", "warm-up")

_RATES = {
    ("plain", "sgd"): 0.02,
    ("normalised", "sgd"): 0.05,
    ("residual", "sgd"): 0.1,
    ("perceptron", "sgd"): 0.05,
    ("layered", "sgd"): 0.1,
    ("plain", "adamw"): 2e-3,
    ("normalised", "adamw"): 3e-3,
    ("residual", "adamw"): 5e-3,
    ("perceptron", "adamw"): 2e-3,
    ("layered", "adamw"): 3e-3,
}


def build(network: str, size: int, classes: int) -> nn.Module:
    """Build a network for pictures of `size`×`size`; its first weights follow from torch's random state."""
    return NETWORKS[network](size, classes, 8 if classes <= 20 else 12)


def optimize(network: str, optimizer: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimizer with the rate that suits the network."""
    rate = _RATES[network, optimizer]
    if optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=5e-4)


def rate_at(network: str, optimizer: str, schedule: str, iteration: int, iterations: int) -> float:
    """Return the learning rate of an iteration.

    "stages" divides by ten after half and after four fifths, "cosine" falls to a hundredth, "warm-up" rises for a
    tenth of the training and falls as a cosine after it.
    """
    full, done = _RATES[network, optimizer], iteration / iterations
    if schedule == "stages":
        return full * 0.1 ** ((done >= 0.5) + (done >= 0.8))
    if schedule == "constant":
        return full
    rising = 0.1 if schedule == "warm-up" else 0.0
    if done < rising:
        return full * (0.02 + 0.98 * done / rising)
    return full * (0.01 + 0.99 * (1 + math.cos(math.pi * (done - rising) / (1 - rising))) / 2)
