"""Puts together what one process saw of a validation: which pass of the model answers which batch, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dtui.model import FloatArray, IntArray
from dtui.record.validation.activations.part import ActivationPart
from dtui.record.validation.loader_tap import Batch
from dtui.record.validation.output_kind import KINDS, Evidence
from dtui.record.validation.ranks import ranked
from dtui.record.validation.scores import Predicted, as_array
from dtui.record.validation.targets import UnusableLoaderError
from dtui.record.validation.tracked_images import IdArray, Judgements
from dtui.record.writing.warn import warn_once

_STATE = "use recorder.predictions(logits, targets, ids)"


@dataclass(frozen=True, eq=False, slots=True)
class Watched:
    """The part of a validation that one process saw: n images, in the order of the loader.

    Attributes:
        ids: Shape (n,), integers or strings; an image may come more than once.
        targets: True labels, shape (n,), int64.
        labels: Predicted labels, shape (n, 2): as logits, as probabilities; NO_LABEL where an output is NaN.
        confidences: Their probabilities, shape (n, 2).
        evidence: The evidence for which of the two counts.
        outputs: Number of outputs per image.
        tops: The labels with the largest scores, shape (n, k), the largest first; (n, 0) where nobody asked.
        seconds: Probability of the second of them, shape (n, 2), as `confidences`; (n, 0) likewise.
        activations: What was counted of the activations; None where they are not recorded.
    """

    ids: IdArray
    targets: IntArray
    labels: IntArray
    confidences: FloatArray
    evidence: Evidence
    outputs: int
    tops: IntArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    seconds: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    activations: ActivationPart | None = None

    def read_as(self, kind: str) -> Judgements:
        """Return the judgements, the outputs taken as LOGITS or as PROBABILITIES."""
        column = KINDS.index(kind)
        labels, confidences = self.labels[:, column], self.confidences[:, column]
        columns = {}
        if self.tops.shape[1] > 1:
            columns = ranked(self.targets, self.tops, self.seconds[:, column])
        return Judgements(self.ids, self.targets, labels, confidences, max(2, self.outputs), columns)


@dataclass(eq=False, slots=True)
class Part:
    """A batch of the loader, or a call of `predictions`; `first` is the place of its first picture."""

    predicted: Predicted
    targets: IntArray
    ids: IdArray
    first: int


def match(batches: Sequence[Batch], seen: Sequence[Predicted]) -> list[Predicted | None]:
    """Return the pass of each batch, None for a batch that was not judged.

    If there are as many passes as batches, they match in order, even if the loader runs ahead. If there are fewer
    passes, as in a loop that breaks early or skips batches, a pass belongs to the batch that was given out last. If
    there are more, the last pass of a batch counts, with one warning.

    Args:
        batches: In the order in which they were given out.
        seen: In the order of the calls.

    Raises:
        UnusableLoaderError: They do not match, or in two ways.
    """
    if not batches or not seen:
        raise UnusableLoaderError(
            f"validation: {len(batches)} batches of the loader and {len(seen)} calls of the model were seen; "
            "pass the loader that is iterated over, and the module that is called as model="
        )
    if len(seen) == len(batches):
        chosen: list[Predicted | None] = list(seen)
    else:
        last = {predicted.batches: predicted for predicted in seen}
        chosen = [last.get(number) for number in range(1, len(batches) + 1)]
        if seen[0].batches > 1 or _are_mixed(batches, chosen):  # it runs ahead, or the first ones were passed over
            raise UnusableLoaderError(
                f"{_mismatch(batches, seen)}, or pass only the batches that are judged, such as batches[:10]"
            )
        if len(seen) > len([one for one in chosen if one is not None]):
            warn_once(
                "calls",
                f"validation: the model was called {len(seen)} times for {len(batches)} batches; the last call for "
                f"each counts; where its answers are put together, {_STATE}",
            )
    for batch, predicted in zip(batches, chosen, strict=True):
        if predicted is not None and len(predicted.labels) != len(batch.targets):
            raise UnusableLoaderError(
                f"{_mismatch(batches, seen)} (the model answered for {len(predicted.labels)} images, "
                f"the batch holds {len(batch.targets)})"
            )
    return chosen


def judged_parts(batches: Sequence[Batch], seen: Sequence[Predicted], firsts: Sequence[int]) -> list[Part]:
    """Return the batches that were judged, each with its pass, and numbered images unless every batch has ids.

    Args:
        batches: In the order in which they were given out.
        seen: The passes of the model, in the order of the calls.
        firsts: The place of the first picture of each batch.

    Raises:
        UnusableLoaderError: Passes and batches do not match.
    """
    has_ids = all(batch.ids is not None for batch in batches)  # one numbering for all of them
    position, parts = 0, []
    for batch, predicted, first in zip(batches, match(batches, seen), firsts, strict=True):
        numbered = np.arange(position, position + len(batch.targets), dtype=np.int64)
        ids = batch.ids.astype(np.int64) if has_ids and batch.ids is not None else numbered
        position += len(batch.targets)
        if predicted is not None:
            parts.append(Part(predicted, batch.targets, ids, first))
    return parts


def collect(parts: Sequence[Part]) -> Watched:
    """Return what was seen in some parts, in their order.

    Raises:
        UnusableLoaderError: There is none, or the number of classes changes.
    """
    if not parts:
        raise UnusableLoaderError("validation: nothing was judged; call recorder.predictions or pass the loader")
    seen = [one.predicted for one in parts]
    outputs = {one.outputs for one in seen}
    if len(outputs) > 1:
        raise UnusableLoaderError(f"validation: the number of classes changes between batches: {sorted(outputs)}")
    labels = as_array([one.labels for one in seen]).astype(np.int64)
    confidences = as_array([one.confidences for one in seen])
    looks = as_array([one.looks[None] for one in seen])
    targets = np.concatenate([one.targets for one in parts])
    ids = np.concatenate([one.ids for one in parts])
    evidence = Evidence.of(looks, {one.ends_in for one in seen})
    more = [
        as_array([one if one is not None else predicted.confidences[:, :0] for predicted, one in kept])
        for kept in ([(one, one.tops) for one in seen], [(one, one.seconds) for one in seen])
    ]
    tops, seconds = more[0].astype(np.int64), more[1].astype(np.float32)
    return Watched(ids, targets, labels, confidences, evidence, outputs.pop(), tops, seconds)


def _are_mixed(batches: Sequence[Batch], chosen: Sequence[Predicted | None]) -> bool:
    """Whether batches of two passes that overlap would be judged: one of them was given out, and another one used."""
    passes = [batch.of_pass for batch in batches]
    judged = {one for one, predicted in zip(passes, chosen, strict=True) if predicted is not None}
    return len(judged) > 1 and passes != sorted(passes)


def _mismatch(batches: Sequence[Batch], seen: Sequence[Predicted]) -> str:
    return f"validation: {len(seen)} calls of the model do not match {len(batches)} batches; {_STATE}"
