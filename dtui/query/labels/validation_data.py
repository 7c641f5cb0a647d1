"""Holds what a run's validations say: labels, judgements, errors of classes and columns.

Owns when labels are read, and how many of them are kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import numpy as np

from dtui.analysis.correctness import PackedLayout
from dtui.model import FloatArray, ImageSet, IntArray, RunStatus
from dtui.model.judging import Judging
from dtui.query.growing import GrowingArrays
from dtui.query.labels.error_columns import ErrorColumns
from dtui.query.labels.judged_classes import CLASSES_ALONE, JudgedClasses
from dtui.query.labels.judgements import Judgements
from dtui.query.labels.labels_around import LabelsAround

if TYPE_CHECKING:
    from dtui.store import RunReader

Answer = TypeVar("Answer")
LABELS_KEPT = 24_000_000
"""Wrong labels that are kept at most, two bytes each; a run of 1,000 validations of 50,000 images has 16 million."""
LABELS_AROUND = 16 << 20
"""Bytes of labels that are kept around the last validations that were asked for: the next step asks for them."""
BITS_KEPT = 32 << 20
"""Bytes of right or wrong of all images: of a run with more, only that of the classes asked for is read and kept; that
of all only until what needed it is answered. 50,000 images at 1,000 validations are 8 MB."""
_TIMES = "times judged"
FindRows = Callable[[list[int]], dict[int, IntArray]]
"""Returns rows of numbers for each of some things, shape (n, columns) each."""
IsPossible = Callable[[int, IntArray], bool]
"""Whether rows from outside can be the answer about a thing."""


class Answers(Protocol):
    """Answers from labels that are kept in the run's cache, so that the next who asks need not read them."""

    def rows(
        self, of: str, columns: int, asked: Sequence[int], find: FindRows, is_possible: IsPossible
    ) -> dict[int, IntArray]:
        """Return the rows of each thing.

        Args:
            of: The question, with all that its answers depend on besides the run.
            columns: Of a row.
            asked: The things, each >= 0.
            find: Finds what is not kept.
            is_possible: Is asked about each that is kept.
        """


class ValidationData:
    """A run's validations as arrays over the whole run.

    `remembered` keeps results computed from them until the run changes.
    """

    def __init__(self, reader: RunReader) -> None:
        """Take over a reader; nothing is read before the first question."""
        self.reader = reader
        self._growing = GrowingArrays()
        self._errors = ErrorColumns(reader)
        self._labels_around = LabelsAround(LABELS_AROUND)
        self._memory: dict[Hashable, object] = {}
        self._large: set[Hashable] = set()
        self._judgements: Judgements | None = None
        self._of_classes: JudgedClasses | None = None
        self._keeps_labels = False
        self.answers: Answers | None = None
        """Those of a run that has ended, within `RunQuery.keeping_labels`."""
        self.seconds_of_judging = 0.0
        """That were spent on reading labels a little at a time."""

    def remembered(self, key: Hashable, compute: Callable[[], Answer], *, is_large: bool = False) -> Answer:
        """Return the result of `compute`, calling it at most once until the run changes; or until `free`, if large."""
        if key not in self._memory:
            self._memory[key] = compute()
            self._large |= {key} if is_large else set()
        return cast(Answer, self._memory[key])

    def knows(self, key: Hashable) -> bool:
        """Whether `remembered` already has the result."""
        return key in self._memory

    @property
    def images(self) -> ImageSet | None:
        """The validation images, without thumbnails."""
        return self.reader.images

    @property
    def validations(self) -> IntArray:
        """Iterations of the validations, shape (m,), ascending."""
        return self.reader.validation_iterations

    # --- errors
    def class_errors(self) -> FloatArray:
        """Return, for each class, the wrong images as a share of the judged ones, shape (C, m).

        Of a long run that is much: `errors_within` is for those who need only some validations.
        """
        if not len(self.validations):  # the reader may not know the images yet, nor how many rows there will be
            return np.zeros((len(self.layout.images), 0))
        return self._errors.whole(self.layout.images, len(self.validations))

    def errors_within(self, validations: slice) -> FloatArray:
        """Return the same at some validations, step 1, shape (C, validations)."""
        if not len(self.validations):
            return self.class_errors()
        return self._errors.within(self.layout.images, validations, len(self.validations))

    def judged_within(self, validations: slice) -> FloatArray:
        """Return the judged images of each class, shape (C, validations); all images where labels are lost."""
        if not len(self.validations):
            return self.class_errors()
        return self._errors.judged_within(self.layout.images, validations, len(self.validations))

    def tidy(self) -> None:
        """Free what takes much room, was only needed for the last answers, and can be read again."""
        if self.reader.status() is RunStatus.LIVE:
            return  # the next record needs it
        self._errors.drop_whole()
        judged = self._judgements
        if judged is not None and self._is_much and not self._keeps_labels and len(judged.right) == self._count:
            self.times_judged()  # what is asked of single images stays
            self._judgements = None

    def free(self) -> None:
        """Free what was only needed for the last answers, also what `tidy` leaves: it is read or counted again."""
        self.tidy()
        self._growing.clear()
        self._labels_around.clear()
        for key in self._large:
            self._memory.pop(key, None)
        self._large.clear()

    # --- what decides what is right
    @property
    def judging(self) -> Judging | None:
        """What decides whether an image is right where class scores do not."""
        return None if self.images is None else self.images.judging

    def column(self, name: str, images: slice, validations: slice) -> FloatArray | None:
        """Return a column of validations, shape (images, validations), float64; None where it was not recorded.

        NaN where there is no value, or it is lost to damage.
        """
        column = next((one for one in self.reader.columns if one.name == name), None)
        if column is None:
            return None
        values = self.reader.read_column(name, images, validations).astype(np.float64)
        if not np.isnan(column.missing):
            values[(values == column.missing) | (values < 0)] = np.nan
        return values

    # --- labels
    def kept_rows(
        self, of: str, columns: int, asked: Sequence[int], find: FindRows, is_possible: IsPossible
    ) -> dict[int, IntArray]:
        """Return the rows that answer a question about some things, as `Answers.rows`; found where none are kept."""
        if self.answers is None:
            return find([*dict.fromkeys(asked)])
        return self.answers.rows(of, columns, asked, find, is_possible)

    @contextmanager
    def keeping_labels(self) -> Iterator[None]:
        """Read all labels with the first question for some, and keep them within the block."""
        before, self._keeps_labels = self._keeps_labels, True
        if not before:
            self._judgements = None  # what was read without being kept is read once more, with the first question
        try:
            yield
        finally:
            self._keeps_labels = before
            if self._judgements is not None and not before:
                self._judgements.wrong = None

    def labels(self, images: slice, validations: slice) -> IntArray:
        """Return predicted labels, kept ones without reading them again.

        Args:
            images: Step 1, within the images.
            validations: Step 1, within the validations.

        Returns:
            Shape (images, validations), int32; negative where one is lost or the image was not judged.
        """
        known = self.images
        if self._keeps_labels and known is not None:
            kept = self.judgements().labels(images, validations, known.targets)
            if kept is not None:
                return kept
        return self.reader.read_labels(images, validations)

    def labels_around(self, images: IntArray, position: int) -> IntArray:
        """Return predicted labels at a validation, of which the neighbours are read too: the next step asks for them.

        Args:
            images: Not empty, within the images.
            position: Of the validation.

        Returns:
            Shape (images,), int32, as `labels`.
        """
        return self._labels_around.at(images, position, len(self.validations), self.labels)

    # --- correctness
    @property
    def layout(self) -> PackedLayout:
        """Where each image's bit lies in `judgements`."""

        def lay_out() -> PackedLayout:
            images = self.images
            if images is None:
                return PackedLayout.of(np.zeros(0, dtype=np.uint16), len(self.reader.classes))
            most = int(images.targets.max(initial=0)) + 1
            return PackedLayout.of(images.targets, max(len(images.classes), most))

        return self.remembered("layout", lay_out)

    @property
    def class_sizes(self) -> IntArray:
        """Images of each class, shape (C,)."""
        return self.layout.images

    @property
    def has_judgements(self) -> bool:
        """Whether the labels have been read already."""
        return self._judgements is not None

    @property
    def knows_times_judged(self) -> bool:
        """Whether `times_judged` reads no label."""
        return self.has_judgements or self.knows(_TIMES)

    def times_judged(self) -> tuple[IntArray, IntArray]:
        """Return in how many validations each image was judged, and in how many it was right, shape (images,) each."""
        if self._judgements is None and self.knows(_TIMES):
            return self.remembered(_TIMES, self.times_judged)
        judged = self.judgements()
        return self.remembered(_TIMES, lambda: (judged.times_judged, judged.times_right))

    def judgements(self, seconds: float = math.inf) -> Judgements:
        """Return right or wrong of every image at every validation, or of as many as can be read in some seconds."""
        begun = time.monotonic()
        if self._judgements is None or not len(self._judgements.right):  # the images may have come since
            self._judgements = Judgements(self.layout, LABELS_KEPT if self._keeps_labels else 0)
        images = self.images
        if images is not None and len(self._judgements.right) < len(self.validations):
            self._judgements.extend(len(self.validations), images.targets, self.reader.read_labels, seconds)
        if seconds < math.inf:
            self.seconds_of_judging += time.monotonic() - begun
        return self._judgements

    def forget_judgements(self) -> None:
        """Read labels, and errors of classes, anew with the next question."""
        self._judgements = None
        self._errors.clear()
        self._of_classes = None

    def judgements_of(self, classes: tuple[int, ...]) -> Judgements:
        """Return right or wrong of the images of some classes, whose labels alone are read if all are too many.

        Its layout has these classes, in their order; so have its counts of images.
        """
        few = self._alone(classes)
        some = [self.judgements().of_class(label) for label in classes] if few is None else few.of(classes, self._count)
        return Judgements.beside(some, self._count)

    def prepare_judgements_of(self, classes: tuple[int, ...], seconds: float) -> bool:
        """Read what `judgements_of` needs for about so long; return whether it needs no more."""
        few = self._alone(classes)
        if few is not None:
            return few.prepare(classes, self._count, seconds)
        return self.images is None or len(self.judgements(seconds).right) == self._count

    @property
    def _count(self) -> int:
        return len(self.validations)

    @property
    def _is_much(self) -> bool:
        return 8 * self.layout.total_words * self._count > BITS_KEPT

    def _alone(self, classes: tuple[int, ...]) -> JudgedClasses | None:
        """Return what reads the labels of some classes alone; None where those of all are read, or were."""
        layout, images = self.layout, self.images
        if self.has_judgements or images is None or not (self._is_much or len(classes) <= CLASSES_ALONE):
            return None
        if self._of_classes is None:
            self._of_classes = JudgedClasses(layout, images.targets, self.reader.read_labels)
        return self._of_classes

    def judge(self, validations: slice) -> Judgements:
        """Return right or wrong of every image at some validations, step 1, read anew; nothing of it is kept."""
        judged, images, first = Judgements(self.layout), self.images, validations.start

        def read(some: slice, at: slice) -> IntArray:
            return self.reader.read_labels(some, slice(first + at.start, first + at.stop))

        if images is not None:
            judged.extend(validations.stop - first, images.targets, read)
        return judged
