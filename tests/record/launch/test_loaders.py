"""What `dtui run` reads off a loader."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from dtui.record.launch.loaders import choose_every, class_names, length_of
from tests.record.conftest import small_net


class Animals(Dataset[Any]):
    """Three classes, which it may name in one way or another."""

    def __init__(self, **named: object) -> None:
        self.__dict__ |= named

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> Any:
        return torch.zeros(1, 8, 8), index % 3


class Closed(Animals):
    """A data set whose classes are in a file that is not there."""

    @property
    def classes(self) -> list[str]:
        raise FileNotFoundError("classes.txt")


NAMED = ["cat", "dog", "cow"]
FEATURES = {"image": object(), "label": SimpleNamespace(names=NAMED)}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (Animals(classes=NAMED), tuple(NAMED)),
        (Subset(Subset(Animals(classes=NAMED), range(6)), [1, 3]), tuple(NAMED)),
        (Animals(features=FEATURES), tuple(NAMED)),
        (Animals(), None),
        (Closed(), None),
        (Animals(classes=3), None),
        (Animals(classes=["cat", None, "cow"]), None),
    ],
)
def test_names_of_classes(data: Dataset[Any], names: tuple[str, ...] | None) -> None:
    assert class_names(DataLoader(data), small_net()) == names


def test_ten_records_an_epoch_five_to_a_hundred_iterations_apart() -> None:
    assert [choose_every(updates) for updates in (None, 0, 12, 400, 4_000)] == [100, 100, 5, 40, 100]


def test_a_stream_has_no_length() -> None:
    assert (length_of([1, 2]), length_of(iter([1, 2]))) == (2, None)
