"""Keeps the tracked validation images: their order in the store, and how each was judged.

Owns the mapping from the ids of a loader to the rows of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dtui.model import MOST_CLASSES, NOT_JUDGED_STORED, BoolArray, ByteArray, FloatArray, ImageSet, IntArray, LabelArray
from dtui.model.columns import Column
from dtui.record.writing.warn import warn_once

IGNORED = -100
"""The target of an image that has none: what torch's losses pass over by default."""

IdArray = NDArray[np.int64] | NDArray[np.str_]


class ImagesChangedError(ValueError):
    """A validation does not fit the tracked images; the text says why."""


@dataclass(frozen=True, eq=False, slots=True)
class Judgements:
    """How images were judged in one validation, in the order of the loader; n images.

    Attributes:
        ids: Shape (n,), integers or strings; an image may come more than once.
        targets: True labels, shape (n,), int64.
        labels: Predicted labels, shape (n,), int64; negative where the outputs were NaN.
        confidences: Probability of the predicted label, shape (n,), in [0, 1]; NaN where the outputs were.
        classes: Number of labels that the network can predict.
        columns: What else is known of each image, by the column's name, shape (n,): floats, or unsigned integers.
    """

    ids: IdArray
    targets: IntArray
    labels: IntArray
    confidences: FloatArray
    classes: int
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def chosen(self, which: BoolArray) -> Judgements:
        """Return some of the images, given shape (n,)."""
        arrays = (self.ids[which], self.targets[which], self.labels[which], self.confidences[which])
        return Judgements(*arrays, self.classes, {name: values[which] for name, values in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Nouns:
    """What messages call the things that are tracked."""

    what: str = "validation"
    items: str = "images"
    target: str = "true label"
    outputs: str = "outputs"
    nan: str = "have no label there"


def known_ids(ids: Any) -> IdArray:
    """Return ids as integers or strings, shape (n,)."""
    array = ids.cpu().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
    if array.dtype.kind in "iu":
        return array.astype(np.int64).reshape(-1)
    return array.astype(np.str_).reshape(-1)


class ImageTracker:
    """Knows the images from the first validation on."""

    def __init__(
        self,
        classes: Sequence[str] | None,
        head_of: Callable[[int], str] = lambda outputs: f"{outputs} outputs",
        nouns: Nouns = Nouns(),
    ) -> None:
        """Begin without images.

        Args:
            classes: Names in label order, or None to number them.
            head_of: Says which layer gives so many outputs.
            nouns: What messages call the things that are tracked.
        """
        self._nouns = nouns
        self._names = None if classes is None else tuple(classes)
        self._head_of = head_of
        self._classes: int | None = None
        self._ids: IdArray | None = None
        self._stored: ImageSet | None = None
        self._targets: IntArray = np.empty(0, dtype=np.int64)
        self._rows: IntArray = np.empty(0, dtype=np.int64)

    def go_on(self, images: ImageSet) -> None:
        """Track the images of a resumed run; the first validation shows whether their ids are integers or strings."""
        self._stored = images

    @property
    def is_known(self) -> bool:
        """Whether the images have been seen."""
        return self._ids is not None or self._stored is not None

    def begin(self, judged: Judgements) -> tuple[ImageSet, IntArray]:
        """Track the images of the first validation.

        Returns:
            The image set, sorted by class and within a class by id, and for each of its images the place in
            `judged`, shape (images,).

        Raises:
            ImagesChangedError: There are none, or their labels do not fit the classes.
        """
        if len(judged.ids) == 0:
            raise ImagesChangedError(f"{self._nouns.what}: no {self._nouns.items[:-1]} was judged")
        places = np.flatnonzero(judged.targets != IGNORED)
        judged = _with_labels(judged)
        names = self._names if self._names is not None else tuple(str(label) for label in range(judged.classes))
        if judged.classes > MOST_CLASSES and self._names is None:
            raise ImagesChangedError(f"validation: {judged.classes} classes, at most {MOST_CLASSES} can be stored")
        lowest, highest = int(judged.targets.min()), int(judged.targets.max())
        if len(names) > judged.classes or (lowest >= 0 and len(names) <= highest < judged.classes):
            raise ImagesChangedError(
                f"validation: {len(names)} class names were given, the model tells {judged.classes} classes apart "
                f"({self._head_of(judged.classes)}), and labels go up to {highest}; give a name for each label"
            )
        if lowest < 0 or highest >= judged.classes:
            raise ImagesChangedError(
                f"validation: labels from {lowest} to {highest}, the model tells {judged.classes} classes apart "
                f"({self._head_of(judged.classes)}); leave images without a label out, or give them {IGNORED}"
            )
        ids, first = _first_of_each(judged.ids)
        targets = judged.targets[first]
        order = np.argsort(targets, kind="stable")
        self._ids, self._targets = ids, targets
        self._rows = np.empty(len(ids), dtype=np.int64)
        self._rows[order] = np.arange(len(ids))
        self._names, self._classes = names, judged.classes
        shown = tuple(str(identity) for identity in ids[order])
        columns = tuple(Column(name, values.dtype.str) for name, values in judged.columns.items())
        return ImageSet(names, targets[order].astype(np.uint16), shown, columns=columns), places[first[order]]

    def place(self, judged: Judgements) -> tuple[LabelArray, ByteArray, dict[str, NDArray[Any]]]:
        """Return labels, confidences and columns in the order of the image set.

        Images that are not tracked are ignored, with one warning. If an image comes twice, the first judgement counts.

        Returns:
            Shape (images,), uint16, and shape (images,), uint8, where 255 is one; NOT_JUDGED_STORED and 0 for an image
            that was not judged. Columns by name, shape (images,), each of its own type; NaN, or the largest unsigned
            integer, for such an image.

        Raises:
            ImagesChangedError: No tracked image was judged, a true label is another than at the beginning, or the
                network tells another number of classes apart.
        """
        judged, nouns = _with_labels(judged), self._nouns
        if self._stored is not None:
            self._take_stored(self._stored, judged)
        if self._classes is not None and judged.classes != self._classes:
            raise ImagesChangedError(
                f"validation: the network tells {judged.classes} classes apart, {self._classes} in the first "
                "validation; record what it has become as a run of its own"
            )
        if self._ids is None or judged.ids.dtype.kind != self._ids.dtype.kind:
            raise ImagesChangedError(
                f"{nouns.what}: the {nouns.items}' ids are of another kind than in the first validation"
            )
        ids, first = _first_of_each(judged.ids)
        place = np.minimum(np.searchsorted(ids, self._ids), max(len(ids) - 1, 0))
        is_seen = ids[place] == self._ids if len(ids) else np.zeros(len(self._ids), dtype=bool)
        if not is_seen.any():
            raise ImagesChangedError(
                f"{nouns.what}: none of the {len(self._ids)} tracked {nouns.items} were judged; "
                f"validate on the same {nouns.items} every time"
            )
        chosen = first[place]
        changed = is_seen & (judged.targets[chosen] != self._targets)
        if changed.any():
            raise ImagesChangedError(
                f"{nouns.what}: {int(changed.sum())} {nouns.items} have another {nouns.target} than in the first "
                f"validation (such as id {self._ids[int(np.argmax(changed))]}); give every one an id of its own"
            )
        is_nan = is_seen & (judged.labels[chosen] < 0)
        _tell(len(ids), is_seen, is_nan, nouns)
        labels = np.empty(len(self._rows), dtype=np.uint16)
        confidences = np.empty(len(self._rows), dtype=np.uint8)
        is_known = is_seen & ~is_nan
        labels[self._rows] = np.where(is_known, judged.labels[chosen], NOT_JUDGED_STORED)
        scaled = np.nan_to_num(judged.confidences[chosen].astype(np.float64)) * 255
        confidences[self._rows] = np.where(is_known, np.clip(np.rint(scaled), 0, 255), 0)
        return labels, confidences, {name: self._placed(one[chosen], is_known) for name, one in judged.columns.items()}

    def _placed(self, values: NDArray[Any], is_known: BoolArray) -> NDArray[Any]:
        """Return a column in the order of the image set, given in the order of the ids, shape (images,)."""
        missing = np.nan if values.dtype.kind == "f" else np.iinfo(values.dtype).max
        placed = np.empty(len(self._rows), dtype=values.dtype)
        placed[self._rows] = np.where(is_known, values, values.dtype.type(missing))
        return placed

    def rows_of(self, ids: IdArray) -> IntArray:
        """Return the row of each image in the image set, shape (n,); -1 for one that is not tracked."""
        if self._ids is None or not len(ids) or ids.dtype.kind[0] != self._ids.dtype.kind[0]:
            return np.full(len(ids), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.where(self._ids[place] == ids, self._rows[place], -1)

    def _take_stored(self, stored: ImageSet, judged: Judgements) -> None:
        """Find the rows of a resumed run's images, with ids of the type that its validations use."""
        if judged.classes < len(stored.classes):
            raise ImagesChangedError(
                f"validation: the network tells {judged.classes} classes apart, "
                f"the resumed run has {len(stored.classes)}"
            )
        names = np.array(stored.ids, dtype=np.str_)
        try:
            ids: IdArray = names if judged.ids.dtype.kind == "U" else names.astype(np.int64)
        except ValueError:
            return
        self._rows = np.argsort(ids, kind="stable")
        self._ids, self._targets = ids[self._rows], stored.targets.astype(np.int64)[self._rows]
        self._stored, self._classes = None, judged.classes


def _with_labels(judged: Judgements) -> Judgements:
    """Leave out images whose target is IGNORED."""
    has_label = judged.targets != IGNORED
    if has_label.all():
        return judged
    warn_once("ignored", f"validation: {int((~has_label).sum())} images have no label ({IGNORED}) and are left out")
    if not has_label.any():
        raise ImagesChangedError("validation: no image has a label")
    return judged.chosen(has_label)


def _tell(judged: int, is_seen: BoolArray, is_nan: BoolArray, nouns: Nouns) -> None:
    """Warn once of images not tracked, not judged, or judged NaN; the two flag arrays are for the tracked ones."""
    tracked, seen, nan = len(is_seen), int(is_seen.sum()), int(is_nan.sum())
    if judged > seen:
        warn_once(
            "more images",
            f"{nouns.what}: {judged - seen} of {judged} {nouns.items} were not in the first validation and are not "
            f"followed; a run follows the {nouns.items} that its first validation judges",
        )
    if seen < tracked:
        warn_once(
            "fewer images",
            f"{nouns.what}: {tracked - seen} of {tracked} tracked {nouns.items} were not judged; "
            "they have no value there",
        )
    if nan:
        warn_once(
            "nan outputs",
            f"{nouns.what}: the {nouns.outputs} of {nan} of {seen} {nouns.items} are NaN; they {nouns.nan}",
        )


def _first_of_each(ids: IdArray) -> tuple[IdArray, IntArray]:
    """Return the ids in ascending order, each once, and where each came first."""
    if ids.dtype.kind == "U":
        names, first = np.unique(ids.astype(np.str_), return_index=True)
        return names, first
    numbers, first = np.unique(ids.astype(np.int64), return_index=True)
    return numbers, first
