"""What images of a class were taken for: at a validation, around one, and over the run."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import IntArray
from dtui.model.judging import Judging


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
