"""The verdict on a run: whether a person must look, why, and the five facts that come first."""

from __future__ import annotations

from enum import StrEnum

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.incidents import Incident
from dtui.model.records import RunStatus
from dtui.number_text import counted


class Level(StrEnum):
    """Whether a person must look at the run."""

    LOOK = "look"
    """Something happened that nobody has dismissed, or the training ended early, or a layer does not learn."""
    UNSURE = "unsure"
    """Nothing was found, but not everything could be judged."""
    FINE = "fine"
    """Everything was judged and nothing was found."""


@dataclass(frozen=True, slots=True)
class ErrorAt:
    """An error and where it was measured.

    Attributes:
        error: Share of wrong images, [0, 1].
        iteration: Of the validation (or record) that measured it.
    """

    error: float
    iteration: int


@dataclass(frozen=True, slots=True)
class MeanScore:
    """What all items scored on average, in a run that scores decide.

    Attributes:
        name: Of the score, such as "IoU"; data from outside.
        better: "higher" or "lower".
        last: At the last validation that has one, finite.
        iteration: Of that validation.
        best: The best of all.
        best_iteration: Of the first validation that has it.
    """

    name: str
    better: str
    last: float
    iteration: int
    best: float
    best_iteration: int


@dataclass(frozen=True, slots=True)
class ClassAt:
    """The error of one class, and where it was measured.

    Attributes:
        label: Its label.
        name: Its name; data from outside.
        error: Share of its images that were wrong, [0, 1].
        iteration: Of the validation.
    """

    label: int
    name: str
    error: float
    iteration: int


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked for, and whether this run could be judged by it.

    Attributes:
        title: Such as "jumps of filters".
        needs: What a run must have recorded for it, such as "filter statistics".
        lacks: Why it could not judge this run; "" where it did.
        is_covered: Whether other checks find the same without it.
        source: The paper or note that it comes from.
        thresholds: Name and value of what it is set to.
    """

    title: str
    needs: str
    lacks: str
    is_covered: bool
    source: str
    thresholds: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ClassCourse:
    """The error of one class over the run, in a line.

    Attributes:
        label: Its label.
        name: Its name; data from outside.
        images: Number of its images.
        last: Error at its last validation, [0, 1].
        lowest: Smallest error once the first fifth of the validations has passed (of a short run: of all).
        lowest_at: Iteration of the first such error.
        highest: Largest error there.
        highest_at: Iteration of the first such error.
    """

    label: int
    name: str
    images: int
    last: float
    lowest: float
    lowest_at: int
    highest: float
    highest_at: int

    @property
    def change(self) -> float:
        """By how much its error moved there."""
        return self.highest - self.lowest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader must know first about a run. Nothing here is more than the recorded data show.

    Attributes:
        level: Whether a person must look.
        headline: The verdict in one short sentence, without data from outside.
        worst: Incidents that nobody dismissed, the worst first: those that still hold at the end, then by score; all.
        remarks: What else must be known, one sentence each, the worst first: why the training ended early, layers that
            do not learn, filters that are dead, which checks could not run. They hold data from outside.
        new: Incidents that nobody decided on.
        flagged: Incidents that a person flagged.
        dismissed: Incidents that a person dismissed. `new + flagged + dismissed` are all incidents.
        checks: Titles of the checks that ran, such as "jumps of filters".
        unchecked: Titles of the checks that could not run, and that no other check covers.
        error_name: "validation error" or "train error"; "" where no error is known.
        last_error: The last error that is known; None if none is.
        best_error: The smallest error, the first of equal ones; None if none is known.
        score: The mean score of all items; None where labels decide or none is known.
        worst_class: The class with the largest error at the last validation; None if no class was validated.
        dead: Filters that are dead at the end; None where the recorded data do not tell.
        broken: Filters whose weights are still off at the end after an incident that nobody dismissed, without `dead`.
        status: Of the run.
        reason: Why it crashed or is incomplete, "" for any other; data from outside.
        records: Number of records.
        validations: Number of validations.
        last_iteration: Iteration at which the data end; None where nothing was recorded.
        began: When recording began, ISO 8601 with offset; data from outside.
        ended: When the run was closed, ISO 8601 with offset; "" where the run does not say; data from outside.
    """

    level: Level
    headline: str
    worst: tuple[Incident, ...]
    remarks: tuple[str, ...]
    new: int
    flagged: int
    dismissed: int
    checks: tuple[str, ...]
    unchecked: tuple[str, ...]
    error_name: str
    last_error: ErrorAt | None
    best_error: ErrorAt | None
    worst_class: ClassAt | None
    dead: int | None
    broken: int
    status: RunStatus
    reason: str
    records: int
    validations: int
    last_iteration: int | None
    began: str
    ended: str = ""
    score: MeanScore | None = None

    @property
    def incidents(self) -> int:
        """All incidents, the dismissed ones too."""
        return self.new + self.flagged + self.dismissed

    @property
    def persisting(self) -> int:
        """Incidents that nobody dismissed and that still hold at the end."""
        return sum(one.persists is True for one in self.worst)

    def said(self, most: int = 3) -> tuple[str, ...]:
        """Return the verdict as sentences: the headline, the worst incidents, how many more, the remarks.

        Args:
            most: Incidents that are named, >= 0.
        """
        named = [f"{one.told}." for one in self.worst[:most]]
        more = len(self.worst) - len(named)
        named += [f"And {counted(more, 'more incident')}."] if named and more else []
        return (self.headline, *named, *self.remarks)

    @property
    def sentence(self) -> str:
        """The verdict as one paragraph; it holds names of layers and classes, which are data from outside."""
        return " ".join(self.said())
