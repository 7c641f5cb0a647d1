"""Reads what a data loader says of the order in which it hands out its samples, through whatever wraps it.

Owns the ways to look at somebody's loader without disturbing it. Validations and training use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import new_class
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset, SequentialSampler, Subset

from dtui.model import IntArray

_INNER = ("loader", "_loader", "dataloader", "_dataloader", "base_dataloader", "data_loader", "dl", "iterable")
"""Attributes under which wrappers keep the loader that they draw from: timm's, accelerate's, Fabric's, tqdm's."""
_MOST_INNER = 8
set_class = object.__dict__["__class__"].__set__
"""Sets the class of an object also where its class, as accelerate's loaders do, defines `__class__` as a property."""


def noting_kind(kind: type, name: str, method: Callable[..., Any]) -> type:
    """Return a subclass with another method, which an object of the class can be made into and back.

    The object stays the same, with all of its attributes, and is still of its class for whoever asks.

    Raises:
        TypeError: The class cannot be subclassed.
    """
    body = {name: method, "__module__": kind.__module__, "__slots__": ()}
    return new_class(kind.__name__, (kind,), {}, lambda names: names.update(body))


def chain(loader: Any) -> Iterator[Any]:
    """Yield a loader, the one that it draws from, and so on."""
    for _ in range(_MOST_INNER):
        if loader is None:
            return
        yield loader
        loader = next((inner for name in _INNER if (inner := attribute(loader, name)) is not None), None)


def attribute(thing: Any, name: str) -> Any:
    """Return an attribute of a user's loader, None if there is none or reading it fails."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property of somebody's class
        return None


def found_in(loader: Any, name: str) -> Any:
    """Return an attribute of a loader, or of the nearest loader that it draws from; None if there is none."""
    return next((found for one in chain(loader) if (found := attribute(one, name)) is not None), None)


def each_of(iterator: Iterator[Any]) -> Iterator[Any]:
    """Yield the items of an iterator without calling `iter` on it: if it is its own loader, that calls us again."""
    while True:
        try:
            one = next(iterator)
        except StopIteration:
            return
        yield one


def as_positions(batch: Any) -> IntArray:
    """Return the positions that a sampler drew, shape (n,); empty if they are not integers."""
    try:
        return np.asarray(batch, dtype=np.int64).reshape(-1)
    except Exception:  # noqa: BLE001 - between the sampler and somebody's loader
        return np.empty(0, dtype=np.int64)


def is_sequential(loader: Any) -> bool:
    """Whether a loader gives out its images in the order of the data set, or in an order that cannot be known."""
    sampler = found_in(loader, "sampler")
    return (
        sampler is None
        or isinstance(sampler, SequentialSampler | list | tuple | range)
        or isinstance(found_in(loader, "dataset"), IterableDataset)  # a stream, of which the order is all that is known
    )


def keeps_order(loader: Any) -> bool:
    """Whether a loader gives out batches in the order in which its sampler drew them."""
    return bool(getattr(loader, "in_order", True)) or not getattr(loader, "num_workers", 0)


def base_positions(dataset: Any, positions: IntArray) -> IntArray:
    """Return positions in the data set below all subsets: stable when the same image is reached another way."""
    below = below_subsets(dataset)[1]
    return positions if below is None else below[positions]


def below_subsets(dataset: Any) -> tuple[Any, IntArray | None]:
    """Return the data set below all subsets, and the position there of each of a subset's items, shape (items,).

    None stands for the positions of a data set that is no subset.
    """
    positions: IntArray | None = None
    while isinstance(dataset, Subset):
        own = np.asarray(dataset.indices, dtype=np.int64)
        positions, dataset = own if positions is None else own[positions], dataset.dataset
    return dataset, positions
