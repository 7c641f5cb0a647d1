"""Answers on how images were learned and forgotten, on their wrong labels, and on the anomalies per stage."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import BoolArray, ByteArray, FloatArray, IntArray
from dtui.model.axis import TimeAxis
from dtui.model.judging import Judging
from dtui.model.views import ImageVerdict, Stage

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


@dataclass(frozen=True, eq=False, slots=True)
class TakenFor:
    """What the images of some classes were taken for at one validation.

    Attributes:
        classes: Their labels.
        iteration: Of the validation; None before the first.
        targets: True labels of the confusions, shape (n,).
        labels: Wrong labels of each, shape (n,); the most frequent confusions first, then by labels.
        counts: Images of each, shape (n,).
        right: Images that were right.
        judging: As of an ImageVerdict.
    """

    classes: tuple[int, ...]
    iteration: int | None
    targets: IntArray
    labels: IntArray
    counts: IntArray
    right: int
    judging: Judging | None = None


@dataclass(frozen=True, eq=False, slots=True)
class ConfusionMatrix:
    """True against predicted labels at one validation: only the labels that matter. R rows, K columns.

    Attributes:
        iteration: Of the validation; None before the first, and then there is nothing.
        reference: Iteration of the validation that it is compared with; None if there is none before it.
        changed: Confusions whose share of their class changed since the reference, the most telling first: `score` is
            the change × √images, without sign; `count` is negative where a confusion went back.
        rows: True labels, shape (R,).
        columns: Predicted labels, shape (K,).
        counts: Images, shape (R, K).
        others: Images of each row that were taken for none of the columns, shape (R,).
        judged: Images of each row that were judged, shape (R,).
        more_rows: Classes with wrong images that are not among the rows.
        more_columns: Wrong labels that are not among the columns.
        judging: As of an ImageVerdict; unless labels decide there is no confusion to speak of.
    """

    iteration: int | None
    reference: int | None
    changed: tuple[ConfusionChange, ...]
    rows: IntArray
    columns: IntArray
    counts: IntArray
    others: IntArray
    judged: IntArray
    more_rows: int
    more_columns: int
    judging: Judging | None = None


@dataclass(frozen=True, slots=True)
class LabelStretch:
    """Validations in a row at which an image got one label.

    Attributes:
        first: Iteration of the first.
        last: Iteration of the last.
        label: The label; None where it was not judged, or the label is lost to damage.
        validations: How many, >= 1.
    """

    first: int
    last: int
    label: int | None
    validations: int


@dataclass(frozen=True, eq=False, slots=True)
class ImageHistory:
    """How one image was judged over the run, and which images flip when it does.

    Attributes:
        learned: How it was learned and forgotten, and what it was taken for.
        stretches: Its labels over time.
        flips: Validations at which it turned right or wrong.
        partners: The images that flip most like it, the likest first, shape (n,): indices in the ImageSet.
        shared: Flips that each has in common with it: at the same validation, in the same direction; shape (n,).
        partner_flips: All flips of each, shape (n,).
        partner_targets: True label of each, shape (n,).
        pixels: Its thumbnail, shape (height, width, 3), uint8; None if there is none.
        partner_pixels: Those of the partners.
        judging: As of an ImageVerdict.
        scores: Its scores, shape (validations,), NaN where there is none; empty where the run has none.
    """

    learned: LearnedImage
    stretches: tuple[LabelStretch, ...]
    flips: int
    partners: IntArray
    shared: IntArray
    partner_flips: IntArray
    partner_targets: IntArray
    pixels: ByteArray | None
    partner_pixels: tuple[ByteArray | None, ...]
    judging: Judging | None = None
    scores: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, eq=False, slots=True)
class LabelStrips:
    """The labels of some images over time.

    Attributes:
        axis: The columns.
        images: Indices in the ImageSet, n of them.
        correct: Share of right judgements, shape (n, columns); NaN where there are none.
        wrong_label: The most frequent wrong label, shape (n, columns), int32; -1 where none was wrong.
        confidence: Mean probability of the predicted label, [0, 1], shape (n, columns); NaN where it is not known.
        score: Mean score, shape (n, columns); NaN where there is none. None in a run without scores.
        score_range: Smallest and largest score of the first image over the run.
    """

    axis: TimeAxis
    images: tuple[int, ...]
    correct: FloatArray
    wrong_label: IntArray
    confidence: FloatArray
    score: FloatArray | None = None
    score_range: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class GalleryRequest:
    """Which images a gallery shows.

    Attributes:
        iteration: The validation is the last at or before it.
        first: First image shown, counted in order.
        count: Images shown, >= 1.
        classes: Labels whose images are shown.
        listed: Of IMAGE_LISTS, or TURNED_WRONG: the images of that list over all classes instead, in its order; "" for
            none.
        sort: Of GALLERY_SORTS, for `classes`.
        since: For TURNED_WRONG: images that were right at the last validation before this iteration; None for the
            validation before the one that is shown.
        excites: Layer and filter: the images that excite it most instead, the strongest first; None for none.
    """

    iteration: int
    first: int
    count: int
    classes: tuple[int, ...] = ()
    listed: str = ""
    sort: str = "wrong"
    since: int | None = None
    excites: tuple[int, int] | None = None


TURNED_WRONG = "turned-wrong"
"""The images that are wrong at a validation and were right before; by class."""
GALLERY_SORTS = ("wrong", "index")
"""Wrong images first, by their labels, or by their scores where those decide; or in the order of the run."""


@dataclass(frozen=True, eq=False, slots=True)
class Gallery:
    """Some images as they were judged at one validation.

    Attributes:
        request: The request; `first` and `count` are clamped.
        order: All images of the gallery, shape (n,): indices in the ImageSet.
        shown: Those that were asked for.
        forgotten: Forgetting events of each of `shown` over the run, shape (count,).
        iteration: Of the validation; None before the first.
        wrong: Images of the gallery that were wrong at it.
        validations: Of the run.
    """

    request: GalleryRequest
    order: IntArray
    shown: tuple[ImageVerdict, ...]
    forgotten: IntArray
    iteration: int | None
    wrong: int
    validations: int
