"""Watches a validation loader while the user's own code iterates over it.

Owns how the batches of a loader are matched with the images of its data set. A second copy would put a
prediction down to the wrong image. For the duration of one validation the loader and its batch sampler change
their class to a subclass made here, whose `__iter__` also takes notes: the user's code sees the same objects
with the same attributes, the batches pass through untouched, no random number is drawn, and any order is
known exactly, shuffled and sharded ones too. A list of batches needs no watching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, SequentialSampler, Subset

from dtui.model import IntArray

_TARGET_NAMES = ("labels", "label", "targets", "target", "y")
_IMAGE_NAMES = ("pixel_values", "images", "image", "inputs", "x")


class UnusableLoaderError(ValueError):
    """The loader does not tell which images its batches hold; the text says what to do."""


@dataclass(eq=False, slots=True)
class Batch:
    """One batch as the loader gave it out.

    Attributes:
        targets: True labels, shape (n,), int64.
        ids: Positions in the data set, shape (n,), int64; None where the loader has no sampler.
    """

    targets: IntArray
    ids: IntArray | None


@dataclass(eq=False)
class LoaderTap:
    """Notes on the batches of one loader during one validation.

    Attributes:
        loader: The object that the user's code iterates over.
        take_images: Called with the images of each batch (None where it has none) and their number.
        batches: What was given out, in order, over all passes.
    """

    loader: Any
    take_images: Callable[[Tensor | None, int], None]
    batches: list[Batch] = field(default_factory=list)
    _drawn: list[IntArray] = field(default_factory=list)  # of the pass that began last
    _undo: list[tuple[Any, type]] = field(default_factory=list)
    _problem: str = ""

    def attach(self) -> None:
        """Start taking notes.

        Raises:
            UnusableLoaderError: Nothing can be known about the order of its images.
        """
        if isinstance(self.loader, list | tuple):
            for batch in self.loader:
                self._note(batch, None)
            return
        sampler = _batch_sampler_of(self.loader)
        if isinstance(sampler, list | tuple):
            self._drawn = [_as_positions(batch) for batch in sampler]
        elif not _keeps_order(self.loader) or not (
            _is_sequential(self.loader) if sampler is None else self._swap(sampler, self._watch_sampler)
        ):
            sampler = getattr(self.loader, "sampler", None) if sampler is None else sampler
            raise UnusableLoaderError(
                f"validation loader: the order of its {type(sampler).__name__} cannot be watched, so its images have "
                "no ids; use shuffle=False or recorder.predictions(logits, targets, ids)"
            )
        if not self._swap(self.loader, self._watch_loader):
            self.detach()
            kind = type(self.loader).__name__
            raise UnusableLoaderError(
                f"validation loader: a {kind} cannot be watched; "
                "use a DataLoader, a list of batches or recorder.predictions(logits, targets, ids)"
            )

    def detach(self) -> None:
        """Give the loader back as it was."""
        for thing, kind in self._undo:
            thing.__class__ = kind
        self._undo = []

    def check(self) -> None:
        """Raise UnusableLoaderError if a batch could not be understood."""
        if self._problem:
            raise UnusableLoaderError(self._problem)

    def _swap(self, thing: Any, watch: Callable[[Any, Any], Any]) -> bool:
        kind = type(thing)
        original = getattr(kind, "__iter__", None)
        if original is None:
            return False

        def iterate(self_: Any) -> Any:
            return watch(self_, original(self_))

        try:
            thing.__class__ = type(kind.__name__, (kind,), {"__iter__": iterate, "__module__": kind.__module__})
        except TypeError:
            return False
        self._undo.append((thing, kind))
        return True

    def _watch_sampler(self, _: Any, indices: Iterator[Any]) -> Iterator[Any]:
        drawn: list[IntArray] = []
        self._drawn = drawn

        def watched() -> Iterator[Any]:
            for batch in indices:
                drawn.append(_as_positions(batch))
                yield batch

        return watched()

    def _watch_loader(self, _: Any, batches: Iterator[Any]) -> Iterator[Any]:
        def watched() -> Iterator[Any]:
            drawn: list[IntArray] = []
            for number, batch in enumerate(batches):
                if number == 0:
                    drawn = self._drawn
                self._note(batch, drawn[number] if number < len(drawn) else None)
                yield batch

        return watched()

    def _note(self, batch: Any, drawn: IntArray | None) -> None:
        """Take notes on a batch, between the loader and the user's code: it never raises."""
        try:
            self._read(batch, drawn)
        except Exception as error:  # noqa: BLE001 - told when the validation ends; evaluation goes on
            self._problem = str(error)

    def _read(self, batch: Any, drawn: IntArray | None) -> None:
        targets = targets_of(batch)
        if drawn is not None and len(drawn) != len(targets):
            drawn = None
        ids = None if drawn is None else _base_positions(getattr(self.loader, "dataset", None), drawn)
        self.batches.append(Batch(targets, ids))
        self.take_images(images_of(batch, len(targets)), len(targets))


def is_spread(loader: Any) -> bool:
    """Whether each process of a distributed training gets images of its own from a loader."""
    samplers = (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
    kinds = [type(sampler).__name__ for sampler in samplers]
    return any("Distributed" in kind or "Shard" in kind for kind in kinds)


def _as_positions(batch: Any) -> IntArray:
    """Return the positions that a sampler drew, shape (n,); empty where they are no integers."""
    try:
        return np.asarray(batch, dtype=np.int64).reshape(-1)
    except Exception:  # noqa: BLE001 - between the sampler and somebody's loader
        return np.empty(0, dtype=np.int64)


def _batch_sampler_of(loader: Any) -> Any:
    """Return the batch sampler of a loader, or of the loader that it wraps as timm's PrefetchLoader does."""
    while getattr(loader, "batch_sampler", None) is None and hasattr(loader, "loader"):
        loader = loader.loader
    return getattr(loader, "batch_sampler", None)


def _is_sequential(loader: Any) -> bool:
    """Whether a loader without a batch sampler gives out its images in the order of the data set."""
    sampler = getattr(loader, "sampler", None)
    return sampler is None or isinstance(sampler, SequentialSampler | list | tuple | range) or _has_no_length(loader)


def _has_no_length(loader: Any) -> bool:
    """Whether the data set is a stream, of which the order is all that is known."""
    return isinstance(getattr(loader, "dataset", None), IterableDataset)


def _keeps_order(loader: Any) -> bool:
    """Whether a loader gives out batches in the order in which its sampler drew them."""
    return bool(getattr(loader, "in_order", True)) or not getattr(loader, "num_workers", 0)


def _base_positions(dataset: Any, positions: IntArray) -> IntArray:
    """Return positions in the data set below all subsets: stable when the same image is reached another way."""
    while isinstance(dataset, Subset):
        positions = np.asarray(dataset.indices, dtype=np.int64)[positions]
        dataset = dataset.dataset
    return positions


def targets_of(batch: Any) -> IntArray:
    """Return the true labels of a batch, shape (n,): its second part, or what it holds under a usual name.

    Raises:
        UnusableLoaderError: It holds none.
    """
    candidate: Any = None
    if isinstance(batch, Mapping):
        candidate = next((batch[name] for name in _TARGET_NAMES if name in batch), None)
    elif isinstance(batch, Sequence) and len(batch) >= 2:
        candidate = batch[1]
    if not isinstance(candidate, Tensor) or candidate.dim() != 1 or candidate.is_floating_point():
        raise UnusableLoaderError(
            f"validation loader: a batch of type {type(batch).__name__} holds no class labels, one integer an image; "
            "use recorder.predictions(logits, targets, ids)"
        )
    targets: IntArray = candidate.detach().cpu().numpy().astype(np.int64)
    return targets


def images_of(batch: Any, count: int) -> Tensor | None:
    """Return the inputs of a batch, shape (count, channels, height, width); None where it has none of that shape."""
    candidate: Any = None
    if isinstance(batch, Mapping):
        candidate = next((batch[name] for name in _IMAGE_NAMES if name in batch), None)
    elif isinstance(batch, Sequence):
        candidate = batch[0]
    fits = isinstance(candidate, Tensor) and candidate.dim() == 4 and len(candidate) == count
    return candidate.detach() if fits and isinstance(candidate, torch.Tensor) else None
