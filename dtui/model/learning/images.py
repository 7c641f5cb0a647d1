"""How images were learned and forgotten: counts of each, lists of them, and one image over time."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import BoolArray, ByteArray, FloatArray, IntArray
from dtui.model.axis import TimeAxis
from dtui.model.judging import Judging

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
