"""Holds the errors of all classes over time: whole where that is little, else the stretch that was asked for last.

Owns how much of them stays in memory.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, IntArray
from dtui.query.growing import GrowingArrays, Windows
from dtui.query.labels.partial import LabelReader, read_errors

WHOLE_BYTES = 8 << 20
"""Of the errors of all classes at every validation: with more, only a stretch is kept. 1,000 classes at 1,000
validations are 4 MB."""
TOGETHER = 256
"""Validations that the store keeps together, and that are read together."""
READ_AT_ONCE = 4 * TOGETHER
"""Validations that are read at once into the whole: of 1,000 classes these are 4 MB."""
_ERRORS = "class errors"


@dataclass(frozen=True, eq=False, slots=True)
class ErrorsAsAsked:
    """The errors of all classes over the whole run, of which only the validations that are asked for are read.

    Attributes:
        within: Returns the errors at some validations, step 1, shape (C, validations).
    """

    within: Callable[[slice], FloatArray]

    def __getitem__(self, where: tuple[slice, slice]) -> FloatArray:
        """Return the errors of some classes at some validations: `errors[classes, validations]`."""
        classes, validations = where
        return self.within(validations)[classes]


class ErrorColumns:
    """The errors of classes, a column a validation, read when they are asked for."""

    def __init__(self, reader: LabelReader) -> None:
        """Take over a reader; nothing is read before the first question."""
        self._reader = reader
        self._whole = GrowingArrays(at_once=READ_AT_ONCE)
        """Apart from all else: every screen asks for them, while other arrays come and go."""
        self._stretch = Windows(WHOLE_BYTES, WHOLE_BYTES, TOGETHER)
        self._partly: dict[int, FloatArray] = {}
        """Judged images of each class at validations that did not judge all, by position; of those that were read."""

    def clear(self) -> None:
        """Read everything anew with the next question."""
        self._whole.clear()
        self._stretch.clear()
        self._partly.clear()

    def whole(self, images: IntArray, validations: int) -> FloatArray:
        """Return the wrong images of each class as a share of the judged ones, shape (C, validations), read-only.

        Args:
            images: Of each class, shape (C,).
            validations: That exist now.
        """
        return self._whole.columns(_ERRORS, validations, lambda some: self._read(images, some))

    def within(self, images: IntArray, some: slice, validations: int) -> FloatArray:
        """Return the same at some validations only, step 1, shape (C, some)."""
        if self._whole.size_of(_ERRORS) or 4 * len(images) * validations <= WHOLE_BYTES:
            return self.whole(images, validations)[:, some]
        if some.stop <= some.start:
            return self._read(images, some)
        columns, first = self._stretch.columns(_ERRORS, some, validations, lambda wanted: self._read(images, wanted))
        return columns[:, some.start - first : some.stop - first]

    def judged_within(self, images: IntArray, some: slice, validations: int) -> FloatArray:
        """Return the judged images of each class at some validations, shape (C, some); all where labels are lost."""
        shape = self.within(images, some, validations).shape
        sizes = images[: shape[0], None].astype(np.float32)
        partly = [position for position in self._partly if some.start <= position < some.stop]
        if not partly:
            return np.broadcast_to(sizes, shape)  # which takes no room, where these are a million equal numbers
        judged = np.repeat(sizes, shape[1], axis=1)
        for position in partly:
            judged[:, position - some.start] = self._partly[position]
        return judged

    def drop_whole(self) -> None:
        """Forget the errors of all classes at every validation, if they are many; they can be read again."""
        if self._whole.size_of(_ERRORS) > WHOLE_BYTES:
            self._whole.take(_ERRORS)

    def _read(self, images: IntArray, some: slice) -> FloatArray:
        errors, partly = read_errors(self._reader, images, some)
        self._partly.update(partly)
        return errors
