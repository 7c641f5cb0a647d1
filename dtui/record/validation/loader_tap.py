"""Watches a validation loader while the user's own code iterates over it.

Owns how the batches of a loader are matched with the images of its data set. For the duration of one validation the
loader and its batch sampler change their class to a subclass made here, whose `__iter__` also takes notes: the user's
code sees the same objects with the same attributes, the batches are not changed, no random number is drawn, and every
order is known exactly, even a shuffled or sharded one. A list of batches needs no watching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from dtui.model import IntArray
from dtui.record.training.loader_order import (
    as_positions,
    base_positions,
    each_of,
    found_in,
    is_sequential,
    keeps_order,
    noting_kind,
    set_class,
)
from dtui.record.validation.targets import Place, UnusableLoaderError, images_of, targets_of

_STATE = "recorder.predictions(logits, targets, ids)"


@dataclass(eq=False, slots=True)
class Batch:
    """One batch as the loader gave it out.

    Attributes:
        targets: True labels, shape (n,), int64.
        ids: Positions in the data set, shape (n,), int64; None where the loader has no sampler.
        of_pass: Number of the pass over the loader that gave it out.
    """

    targets: IntArray
    ids: IntArray | None
    of_pass: int = 0


@dataclass(eq=False)
class LoaderTap:
    """Notes on the batches of one loader during one validation.

    Attributes:
        loader: The object that the user's code iterates over.
        take_images: Called with the images of each batch (None if it has none) and their number.
        target: Where the true labels are in a batch; None looks for them.
        batches: The batches given out, in order, over all passes.
    """

    loader: Any
    take_images: Callable[[Tensor | None, int], None]
    target: Place | None = None
    batches: list[Batch] = field(default_factory=list)
    _drawn: list[IntArray] = field(default_factory=list)  # of the pass that began last
    _passes: int = 0
    _undo: list[tuple[Any, type]] = field(default_factory=list)
    _problem: str = ""

    def attach(self) -> None:
        """Start taking notes.

        Raises:
            UnusableLoaderError: Nothing can be known about the order of its images.
        """
        if isinstance(self.loader, list | tuple):
            for batch in self.loader:
                self._note(batch, None, 0)
            return
        self.watch_order()
        if not self._swap(self.loader, self._watch_loader):
            self.detach()
            kind = type(self.loader).__name__
            raise UnusableLoaderError(
                f"validation loader: a {kind} cannot be watched; pass the DataLoader that it draws from, or a list of "
                f"batches, or use {_STATE}"
            )

    def watch_order(self) -> None:
        """Take notes on the order of the images alone.

        Raises:
            UnusableLoaderError: The order cannot be known.
        """
        sampler = found_in(self.loader, "batch_sampler")
        if isinstance(sampler, list | tuple):
            self._drawn = [as_positions(batch) for batch in sampler]
        elif not keeps_order(self.loader) or not (
            is_sequential(self.loader) if sampler is None else self._swap(sampler, self._watch_sampler)
        ):
            sampler = found_in(self.loader, "sampler") if sampler is None else sampler
            raise UnusableLoaderError(
                f"validation loader: the order of its {type(sampler).__name__} cannot be watched, so its images have "
                f"no ids; use shuffle=False or {_STATE}"
            )

    def noting(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the batches of a pass that began after `watch_order`, and take notes on them."""
        return self._watch_loader(None, batches)

    def ids_of(self, number: int, count: int) -> IntArray | None:
        """Return the positions of a batch in the data set, shape (count,); None if they are unknown.

        Args:
            number: Of the batch in its pass, from 0.
            count: Images in it.

        Raises:
            UnusableLoaderError: The sampler drew another number of images, in an order of its own.
        """
        return self._ids(self._drawn[number] if number < len(self._drawn) else None, count)

    def detach(self) -> None:
        """Restore the loader."""
        for thing, kind in self._undo:
            set_class(thing, kind)
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
            set_class(thing, noting_kind(kind, "__iter__", iterate))
        except (TypeError, AttributeError):
            return False
        self._undo.append((thing, kind))
        return True

    def _watch_sampler(self, _: Any, indices: Iterator[Any]) -> Iterator[Any]:
        drawn: list[IntArray] = []
        self._drawn = drawn

        def watched() -> Iterator[Any]:
            for batch in each_of(indices):
                drawn.append(as_positions(batch))
                yield batch

        return watched()

    def _watch_loader(self, _: Any, batches: Iterator[Any]) -> Iterator[Any]:
        def watched() -> Iterator[Any]:
            drawn: list[IntArray] = []
            of_pass = 0
            for number, batch in enumerate(each_of(batches)):
                if number == 0:
                    drawn = self._drawn
                    self._passes += 1
                    of_pass = self._passes
                self._note(batch, drawn[number] if number < len(drawn) else None, of_pass)
                yield batch

        return watched()

    def _note(self, batch: Any, drawn: IntArray | None, of_pass: int) -> None:
        """Take notes on a batch, between the loader and the user's code: it never raises."""
        try:
            self._read(batch, drawn, of_pass)
        except Exception as error:  # noqa: BLE001 - told when the validation ends; evaluation goes on
            self._problem = str(error)

    def _read(self, batch: Any, drawn: IntArray | None, of_pass: int) -> None:
        targets = targets_of(batch, self.target, drawn)
        self.batches.append(Batch(targets, self._ids(drawn, len(targets)), of_pass))
        self.take_images(images_of(batch, len(targets)), len(targets))

    def _ids(self, drawn: IntArray | None, count: int) -> IntArray | None:
        if drawn is not None and len(drawn) == count:
            return base_positions(found_in(self.loader, "dataset"), drawn)
        if drawn is not None and len(drawn) and not is_sequential(self.loader):
            raise UnusableLoaderError(
                f"validation loader: a batch holds {count} images where its sampler drew {len(drawn)}, so they have no "
                f"ids; use shuffle=False or {_STATE}"
            )
        return None


def is_spread(loader: Any) -> bool:
    """Whether a loader gives each process of a distributed training different images."""
    samplers = (loader, found_in(loader, "sampler"), found_in(loader, "batch_sampler"))
    kinds = [type(sampler).__name__ for sampler in samplers]
    return any("Distributed" in kind or "Shard" in kind for kind in kinds)
