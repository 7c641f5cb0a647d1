"""Watches one validation, which is the user's own evaluation, from outside.

Inside the context a forward hook on the outermost module sees the predictions and a LoaderTap sees the batches; dtui
never calls the user's code. Afterwards every hook is gone and every module has the training flag that it had before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dtui.record.network.hooks import after_calls, is_exported
from dtui.record.validation.activations.part import ActivationPart
from dtui.record.validation.activations.watch import ActivationWatch
from dtui.record.validation.loader_tap import LoaderTap
from dtui.record.validation.output_kind import LastModules, last_operation
from dtui.record.validation.scores import Predicted, find_scores, predict, rows_of
from dtui.record.validation.targets import Place, UnusableLoaderError, labels_in
from dtui.record.validation.thumbnails import ThumbnailTaker
from dtui.record.validation.tracked_images import known_ids
from dtui.record.validation.watched import Part, Watched, collect, judged_parts
from dtui.record.writing.warn import warn_once

SMALL_PICTURE = 64
"""Numbers an image from which on an output of as many numbers is taken for a picture."""


class NotOneError(Exception):
    """Raised within the context of a validation to leave out what was seen: it was none. Nobody is told."""


@dataclass(frozen=True, slots=True)
class Places:
    """The places that the user gave; None searches for them.

    Attributes:
        target: The true labels, in a batch.
        scores: The class scores, in what the model returns.
    """

    target: Place | None = None
    scores: Place | None = None


class ValidationWatch:
    """Watches one validation from `begin` to `end`; `watched` tells what was seen."""

    def __init__(
        self,
        model: nn.Module,
        loader: Any,
        thumbnails: ThumbnailTaker | None,
        places: Places,
        activations: ActivationWatch | None = None,
        top: int = 0,
    ) -> None:
        """Prepare to watch; a loader of None leaves it to `predictions`, activations of None are not read.

        `top` is as in `predict`.
        """
        self._top = top
        self._model: nn.Module | None = model
        self._places = places
        self._tap = None if loader is None else LoaderTap(loader, self._given_out, places.target)
        self._last: LastModules | None = None
        self.thumbnails = thumbnails
        self._activations = activations
        self._flags: list[tuple[nn.Module, bool]] = []
        self._handle: RemovableHandle | None = None
        self._seen: list[Predicted] = []
        self._given: list[Part] = []
        self._firsts: list[int] = []  # of each batch of the loader the place of its pictures
        self._items: list[int] = []
        self._problem: Exception | None = None
        self._is_found, self._doubt = False, ""
        """Whether `dtui run` found it, and what speaks against class scores then."""

    def begin(self) -> None:
        """Attach to the model and the loader.

        Raises:
            UnusableLoaderError: The loader cannot be watched.
        """
        model = self._model
        if model is None:
            raise RuntimeError("a validation is watched once")
        self._flags = [(one, one.training) for one in model.modules() if hasattr(one, "training")]  # a frozen script
        if self._tap is not None:
            self._tap.attach()
            self._last = LastModules(model)
            self._handle = after_calls(model, self._see)
        if self._activations is not None:
            self._activations.begin()

    def end(self) -> None:
        """Detach, and give every module the training flag that it had at the beginning."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if self._activations is not None:
            self._activations.end()
        if self._last is not None:
            self._last.detach()
        if self._tap is not None:
            self._tap.detach()
            self._tap.loader = None  # what was seen waits for the writer, and must not keep the data
        for module, training in self._flags:
            if module.training != training:
                module.training = training
        self._flags = []
        self._model = None  # what was seen waits for the writer, and must not keep the network

    # --- for an evaluation that nobody has marked, see dtui.record.launch.evaluation

    def mark_found(self) -> None:
        """Note that nobody said this is a classifier's. Leave the training flags alone: nobody knows when it ends."""
        self._flags, self._is_found = [], True

    def _check_found(self, watched: Watched) -> Watched:
        """Refuse what an autoencoder returns: as many numbers as it is given, or several tensors; not one a class.

        Raises:
            UnusableLoaderError: It looks like one.
        """
        if self._doubt and watched.outputs != int(watched.targets.max(initial=-1)) + 1:
            raise UnusableLoaderError(
                f"validation: the model returns {self._doubt}, which looks like no class scores; say where they are "
                "with recorder.validation(loader, scores=…), or call recorder.judge(ids, scores)"
            )
        return watched

    def noting(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Return the batches of the loader, which began to be iterated before it was watched."""
        return batches if self._tap is None else self._tap.noting(batches)

    def follow(self, model: nn.Module) -> None:
        """Judge what another module returns from now on."""
        if model is self._model or self._handle is None:
            return
        self._handle.remove()
        if self._last is not None:
            self._last.detach()
        self._model, self._last = model, LastModules(model)
        self._handle = after_calls(model, self._see)

    @property
    def passes(self) -> int:
        """Number of calls of the model that were seen."""
        return len(self._seen)

    def add(self, logits: Tensor, targets: Any, ids: Any, images: Tensor | None) -> None:
        """Add predictions that the user gives.

        Raises:
            ValueError: Their lengths do not fit together.
        """
        true, known = labels_in(targets, "targets"), known_ids(ids)
        predicted = _stated(logits, len(true), self._top)
        if not len(predicted.labels) == len(true) == len(known):
            raise ValueError(
                f"predictions: {len(predicted.labels)} logits, {len(true)} targets, {len(known)} ids; "
                "give one of each an image"
            )
        self._given.append(Part(predicted, true, known, self._take(images, len(true))))
        if self._activations is not None and not self._seen:
            self._activations.judged(len(self._given) - 1, len(true))

    def judged(self, count: int) -> None:
        """Note that `Recorder.judge` was called for so many items, behind the pass of the model that they come from."""
        self._items.append(count)
        if self._activations is not None and not self._seen:
            self._activations.judged(len(self._items) - 1, count)

    def activations_of_items(self) -> ActivationPart | None:
        """Return what was counted while items were judged; its images are positions among these, in their order."""
        if self._activations is None:
            return None
        passes = [len(one.labels) for one in self._seen] or self._items
        firsts = accumulate(passes, initial=0) if sum(passes) == sum(self._items) else ()  # else no image is an item
        return self._activations.part(dict(enumerate(zip(firsts, passes, strict=False))))

    def watched(self) -> Watched:
        """Return what was seen, in the order of the loader; batches without a call of the model are left out.

        Raises:
            UnusableLoaderError: Predictions and batches do not match.
            ValueError: The model's output holds no class scores.
        """
        if self._problem is not None:
            raise self._problem
        if self._tap is None or (self._given and not self._seen):
            return self._whole(collect(self._given), self._given, [one.predicted for one in self._given])
        self._tap.check()
        parts = judged_parts(self._tap.batches, self._seen, self._firsts)
        return self._whole(self._check_found(collect(parts)), parts, self._seen)

    def _whole(self, watched: Watched, parts: Sequence[Part], passes: Sequence[Predicted]) -> Watched:
        """Return what was watched with the activations of the passes that count; `parts` are those, in order."""
        if self.thumbnails is not None:
            self.thumbnails.choose([one.first + place for one in parts for place in range(len(one.targets))])
        if self._activations is None:
            return watched
        number_of = {id(one): number for number, one in enumerate(passes)}
        starts, position = {}, 0
        for one in parts:
            starts[number_of[id(one.predicted)]] = (position, len(one.targets))
            position += len(one.targets)
        return replace(watched, activations=self._activations.part(starts))

    def _given_out(self, images: Tensor | None, count: int) -> None:
        self._firsts.append(self._take(images, count))

    def _take(self, images: Tensor | None, count: int) -> int:
        """Take the pictures of a batch, and return the place of the first."""
        first = 0 if self.thumbnails is None else self.thumbnails.count
        if self.thumbnails is not None:
            try:
                self.thumbnails.take(images, count)
            except Exception as error:  # noqa: BLE001 - pictures are a comfort; the validation goes on
                warn_once("thumbnails", f"no thumbnails: {error}")
                self.thumbnails = None
        return first

    def _see(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Note one forward pass; a hook that never raises."""
        if is_exported() or (self._is_found and is_of_training(module)):
            return
        try:
            batches = len(self._tap.batches) if self._tap is not None else 0
            scores = self._scores(output, args, kwargs)
            ends_in = "" if self._last is None else self._last.told(scores)
            self._seen.append(predict(scores, batches, ends_in, self._top))
            if self._activations is not None:
                self._activations.judged(len(self._seen) - 1, len(scores), batches)
        except Exception as error:  # noqa: BLE001 - told when the validation ends; evaluation goes on
            self._problem = error

    def _scores(self, output: Any, args: Any, kwargs: Any) -> Tensor:
        """Return the class scores of a pass, and note what speaks against them where nobody said that there are any."""
        rows, place = rows_of(args, kwargs), self._places.scores
        if not self._is_found or place is not None:
            return find_scores(output, rows, place)

        def doubt(shapes: str) -> None:
            self._doubt = shapes

        scores = find_scores(output, rows, choosing=doubt)
        given = next((part for part in (*args, *kwargs.values()) if isinstance(part, Tensor)), None)
        is_like_given = given is not None and given.numel() == scores.numel() and scores.shape[1] >= SMALL_PICTURE
        if is_like_given and isinstance(output, Tensor):
            self._doubt = f"as many numbers as it is given, {scores.shape[1]:,} an image"
        return scores


def is_of_training(module: nn.Module) -> bool:
    """Whether a call of a module now is one of the training, and of no evaluation."""
    return getattr(module, "training", False) and torch.is_grad_enabled()  # a frozen script does not tell its mode


def _stated(logits: Tensor, count: int, top: int) -> Predicted:
    scores = find_scores(logits, count)
    return predict(scores, 0, last_operation(scores), top)
