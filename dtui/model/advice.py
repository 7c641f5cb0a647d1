"""Which threshold of the class rules suits a run, and what that was judged by."""

from __future__ import annotations

from dataclasses import dataclass

from dtui.model.evidence import AnomalySettings


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """What one threshold marks.

    Attributes:
        threshold: Share of the images of a class, (0, 1].
        marked: Validations at which at least one class is marked; falls while the threshold rises.
        marks: Classes marked, over these validations together.
    """

    threshold: float
    marked: int
    marks: int


@dataclass(frozen=True, slots=True)
class ThresholdAdvice:
    """Thresholds, what each marks, and the one to use. Field names are those of `dtui advise --json`.

    Attributes:
        rule: Of the class rules.
        window: Of the rule, in validations.
        direction: Of the flips that were counted.
        counted: Validations that were counted.
        left_out: Those at the beginning that were not: classes are learned there, or the rule cannot tell yet.
        most: Share of the counted validations that may be marked.
        rows: By rising threshold.
        proposed: The smallest threshold that marks no more of them; None where each marks more.
    """

    rule: str
    window: int
    direction: str
    counted: int
    left_out: int
    most: float
    rows: tuple[ThresholdRow, ...]
    proposed: float | None

    @property
    def settings(self) -> AnomalySettings | None:
        """The settings that are proposed, None where none are."""
        return None if self.proposed is None else AnomalySettings(self.rule, self.window, "share", self.proposed)
