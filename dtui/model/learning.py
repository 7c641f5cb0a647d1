"""Answers on how images were learned and forgotten, on their wrong labels, and on the anomalies per stage."""

from __future__ import annotations

from dataclasses import dataclass

from dtui.model.arrays import BoolArray, IntArray
from dtui.model.views import Stage

NEVER = -1
"""In positions of validations: it never happened."""
IMAGE_LISTS = ("always-wrong", "hard", "easy", "never-learned", "forgotten")


@dataclass(frozen=True, eq=False, slots=True)
class ImageLearning:
    """How each image was judged over the run; all arrays have shape (images,), in order of the ImageSet.

    Validations that did not judge the image, or whose label is lost to damage, are skipped.

    Attributes:
        judged: Number of validations that judged the image.
        wrong: Number of those with a wrong label.
        forgotten: Forgetting events: right at one judgement and wrong at the next.
        first_right: Position of the first validation in which it was right, NEVER (-1) where there is none.
        is_learned: Whether it was right at two judgements in a row.
        is_right_at_last: Whether it was right at its last judgement; False where it was never judged.
    """

    judged: IntArray
    wrong: IntArray
    forgotten: IntArray
    first_right: IntArray
    is_learned: BoolArray
    is_right_at_last: BoolArray


@dataclass(frozen=True, slots=True)
class LearnedImage:
    """One image of a list.

    Attributes:
        image: Index in the ImageSet.
        id: Its id outside; data from outside.
        target: True label.
        judged: Validations in which it was judged, >= 1.
        wrong: Those in which it was wrong.
        forgotten: Forgetting events.
        first_right: Iteration at which it was right for the first time, None where it never was.
        is_right_at_last: Whether it was right at its last judgement.
        taken_for: The wrong label that it got most often, the smallest of equals; None where it was never wrong.
        taken_for_times: How often.
    """

    image: int
    id: str
    target: int
    judged: int
    wrong: int
    forgotten: int
    first_right: int | None
    is_right_at_last: bool
    taken_for: int | None
    taken_for_times: int


@dataclass(frozen=True, slots=True)
class ImageList:
    """A list of images.

    Attributes:
        name: Of IMAGE_LISTS.
        total: Number of images in the whole list; `images` may hold only the first of them.
        images: In the order of the list.
    """

    name: str
    total: int
    images: tuple[LearnedImage, ...]


@dataclass(frozen=True, slots=True)
class Confused:
    """Images of a class that got one wrong label at one validation.

    Attributes:
        target: True label.
        label: What they were taken for.
        count: Images, >= 1.
        share: Of the judged images of the class, (0, 1].
    """

    target: int
    label: int
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class ConfusionChange:
    """A confusion that grew around an iteration.

    Attributes:
        target: True label.
        label: What its images were taken for.
        before: Share of the judged images of the class, over the validations before.
        after: The same from the iteration on, > before.
        count: Growth in images of the class a validation, > 0.
        score: (after - before) × √count, so that 10 images of 50 outrank 2 of 10.
    """

    target: int
    label: int
    before: float
    after: float
    count: float
    score: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """Wrong labels of all classes at a validation, and the confusions that grew there.

    Attributes:
        iteration: Of the validation.
        pairs: By falling count, then by label.
        before: Iterations of the validations before, against which growth is measured, ascending; empty at the first
            validation.
        after: Iterations of the validations after, ascending; the first is `iteration`.
        grown: By falling score, then by label.
    """

    iteration: int
    pairs: tuple[Confused, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    grown: tuple[ConfusionChange, ...]


@dataclass(frozen=True, eq=False, slots=True)
class ConfusionTimes:
    """How often images of one class got each wrong label, over the run.

    Attributes:
        target: True label.
        iterations: Of the validations, shape (m,).
        labels: Wrong labels that occurred, the most frequent first, shape (n,).
        counts: Images, shape (n, m).
        judged: Images of the class that were judged, shape (m,).
    """

    target: int
    iterations: IntArray
    labels: IntArray
    counts: IntArray
    judged: IntArray


@dataclass(frozen=True, slots=True)
class StageDensity:
    """How dense anomalies of classes are in a stage of the learning rate.

    Attributes:
        stage: The stage.
        validations: In it.
        anomalies: In it.
        per_hundred: Anomalies a hundred validations, >= 0; NaN without validations.
    """

    stage: Stage
    validations: int
    anomalies: int
    per_hundred: float
