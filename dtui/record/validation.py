"""One validation: the user's own evaluation, watched from outside.

Owns the matching of predictions with images. A second copy would count a prediction for another image. Inside
the context a forward hook on the outermost module sees the predictions and a LoaderTap sees the batches; the
user's code is called by nobody but the user. Afterwards every hook is gone and every module has the training
flag that it had before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dtui.model import IntArray
from dtui.record.images import IdArray, Judgements
from dtui.record.loader_tap import Batch, LoaderTap, UnusableLoaderError
from dtui.record.thumbnails import ThumbnailTaker
from dtui.record.warn import warn_once


@dataclass(eq=False, slots=True)
class _Predicted:
    """One forward pass: labels and confidences still on the device, and the batches given out by then."""

    labels: Tensor
    confidences: Tensor
    classes: int
    batches: int


@dataclass(eq=False, slots=True)
class _Given:
    """What `predictions` was called with."""

    predicted: _Predicted
    targets: IntArray
    ids: IdArray


class ValidationWatch:
    """Watches one validation from `begin` to `end`; `judgements` tells what was seen."""

    def __init__(self, model: nn.Module, loader: Any, thumbnails: ThumbnailTaker | None) -> None:
        """Prepare to watch; a loader of None leaves it to `predictions`."""
        self._model: nn.Module | None = model
        self._tap = None if loader is None else LoaderTap(loader, self._take)
        self.thumbnails = thumbnails
        self._flags: list[tuple[nn.Module, bool]] = []
        self._handle: RemovableHandle | None = None
        self._seen: list[_Predicted] = []
        self._given: list[_Given] = []
        self._problem: Exception | None = None

    def begin(self) -> None:
        """Attach to the model and the loader.

        Raises:
            UnusableLoaderError: The loader cannot be watched.
        """
        model = self._model
        if model is None:
            raise RuntimeError("a validation is watched once")
        self._flags = [(module, module.training) for module in model.modules()]
        if self._tap is not None:
            self._tap.attach()
            self._handle = model.register_forward_hook(self._see)

    def end(self) -> None:
        """Detach, and give every module the training flag that it had at the beginning."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if self._tap is not None:
            self._tap.detach()
        for module, training in self._flags:
            if module.training != training:
                module.training = training
        self._flags = []
        self._model = None  # what was seen waits for the writer, and must not keep the network

    def add(self, logits: Tensor, targets: Any, ids: Any, images: Tensor | None) -> None:
        """Take predictions that the user states.

        Raises:
            ValueError: The three do not belong together.
        """
        predicted = _predict(logits, 0)
        true = np.asarray(torch.as_tensor(targets).cpu(), dtype=np.int64).reshape(-1)
        known = _as_ids(ids)
        if not len(predicted.labels) == len(true) == len(known):
            raise ValueError(
                f"predictions: {len(predicted.labels)} logits, {len(true)} targets, {len(known)} ids; "
                "give one of each an image"
            )
        self._given.append(_Given(predicted, true, known))
        self._take(images, len(true))

    def judgements(self) -> Judgements:
        """Return what was seen, in the order of the loader.

        Raises:
            UnusableLoaderError: Predictions and batches do not match.
            ValueError: The model's output holds no class scores.
        """
        if self._problem is not None:
            raise self._problem
        if self._tap is None or (self._given and not self._seen):
            return self._collect([(given.predicted, given.targets, given.ids) for given in self._given])
        self._tap.check()
        batches = self._tap.batches
        chosen = _match(batches, self._seen)
        position = 0
        parts: list[tuple[_Predicted, IntArray, IdArray]] = []
        for batch, predicted in zip(batches, chosen, strict=True):
            numbered = np.arange(position, position + len(batch.targets), dtype=np.int64)
            ids = numbered if batch.ids is None else batch.ids.astype(np.int64)
            position += len(batch.targets)
            parts.append((predicted, batch.targets, ids))
        return self._collect(parts)

    def _collect(self, parts: Sequence[tuple[_Predicted, IntArray, IdArray]]) -> Judgements:
        if not parts:
            raise UnusableLoaderError("validation: nothing was judged; call rec.predictions or pass the loader")
        classes = {predicted.classes for predicted, _, _ in parts}
        if len(classes) > 1:
            raise UnusableLoaderError(f"validation: the number of classes changes between batches: {sorted(classes)}")
        labels = torch.cat([predicted.labels.cpu() for predicted, _, _ in parts]).numpy().astype(np.int64)
        confidences = torch.cat([predicted.confidences.cpu() for predicted, _, _ in parts]).numpy()
        targets = np.concatenate([part for _, part, _ in parts])
        ids = np.concatenate([part for _, _, part in parts])
        return Judgements(ids, targets, labels, confidences, classes.pop())

    def _take(self, images: Tensor | None, count: int) -> None:
        if self.thumbnails is not None:
            try:
                self.thumbnails.take(images, count)
            except Exception as error:  # noqa: BLE001 - pictures are a comfort; the validation goes on
                warn_once("thumbnails", f"no thumbnails: {error}")
                self.thumbnails = None

    def _see(self, module: nn.Module, args: Any, output: Any) -> None:
        """Note one forward pass; a hook that never raises."""
        try:
            batches = len(self._tap.batches) if self._tap is not None else 0
            self._seen.append(_predict(logits_of(output), batches))
        except Exception as error:  # noqa: BLE001 - told when the validation ends; evaluation goes on
            self._problem = error


def _match(batches: Sequence[Batch], seen: Sequence[_Predicted]) -> list[_Predicted]:
    """Return the prediction of each batch: in order where there is one each, else the last that followed it."""
    sizes = [len(batch.targets) for batch in batches]
    if len(seen) == len(batches):
        if [len(predicted.labels) for predicted in seen] == sizes:
            return list(seen)
    else:
        last = {predicted.batches: predicted for predicted in seen}
        chosen = [last.get(number) for number in range(1, len(batches) + 1)]
        kept = [predicted for predicted in chosen if predicted is not None]
        if len(kept) == len(batches) and [len(predicted.labels) for predicted in kept] == sizes:
            return kept
    if not batches or not seen:
        raise UnusableLoaderError(
            f"validation: {len(batches)} batches of the loader and {len(seen)} calls of the model were seen; "
            "pass the loader that is iterated over, and the module that is called as model="
        )
    raise UnusableLoaderError(
        f"validation: {len(seen)} calls of the model do not match {len(batches)} batches; "
        "use rec.predictions(logits, targets, ids)"
    )


def logits_of(output: Any) -> Tensor:
    """Return the class scores in a model's output: itself, its `logits`, or its first tensor of two dimensions.

    Raises:
        UnusableLoaderError: It holds none.
    """
    if isinstance(output, Mapping):
        output = output.get("logits", next(iter(output.values()), None))
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, Sequence):
        output = next((part for part in output if isinstance(part, Tensor) and part.dim() == 2), None)
    if not isinstance(output, Tensor):
        raise UnusableLoaderError("validation: the model's output holds no class scores of shape (images, classes)")
    return output


@torch.no_grad()
def _predict(logits: Tensor, batches: int) -> _Predicted:
    """Reduce class scores to the label and its probability, without waiting for the device."""
    if logits.dim() != 2:
        raise UnusableLoaderError(f"validation: class scores of shape {tuple(logits.shape)}, need (images, classes)")
    scores = logits.detach().float()
    if scores.shape[1] == 1:
        positive = torch.sigmoid(scores)
        scores = torch.cat([1 - positive, positive], 1).log()
    confidences, labels = torch.softmax(scores, 1).max(1)
    return _Predicted(labels, confidences, scores.shape[1], batches)


def _as_ids(ids: Any) -> IdArray:
    """Return ids as integers or strings, shape (n,)."""
    array = ids.cpu().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
    if array.dtype.kind in "iu":
        return array.astype(np.int64).reshape(-1)
    return array.astype(np.str_).reshape(-1)
