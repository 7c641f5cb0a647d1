"""The proposed threshold of the class rules for a run, with the counts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.evidence import AnomalySettings
from dtui.number_text import counted

if TYPE_CHECKING:
    from dtui.model.learning import StageDensity


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
    """Thresholds, what each marks, and the proposed one. Field names are those of `dtui advise --json`.

    Attributes:
        rule: The class rule, such as "left".
        window: Window of the rule, in validations.
        direction: Direction of the flips that were counted.
        counted: Number of validations that were counted.
        left_out: Number of validations at the beginning that were not counted: classes are still being learned, or the
            rule cannot judge yet.
        most: Share of the counted validations that may be marked.
        rows: By rising threshold.
        proposed: The smallest threshold that marks at most that share; None if every threshold marks more.
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
        """The proposed settings; None if no threshold is proposed."""
        return None if self.proposed is None else AnomalySettings(self.rule, self.window, "share", self.proposed)

    @property
    def how(self) -> str:
        """What was counted, as a sentence."""
        return (
            f"Counted are {counted(self.counted, 'validation')}, without the first {self.left_out:,}; "
            f"a mark is a class that lost images by the {self.rule} rule, window {self.window}."
        )

    @property
    def proposal(self) -> str:
        """Which threshold is proposed, and why, as a sentence."""
        if self.proposed is None:
            last = f"{self.rows[-1].threshold:.0%}"
            return (
                f"No threshold up to {last} marks {self.most:.0%} of them or fewer: classes lose images all the time."
            )
        return f"{self.proposed:.0%} is the smallest that marks {self.most:.0%} of them or fewer."


def density_words(stages: Sequence[StageDensity]) -> str:
    """Return a sentence on how dense anomalies are in each stage of the learning rate; "" where there is one stage."""
    if len(stages) < 2:
        return ""
    dense = [f"{one.per_hundred:.3g} at {one.stage.learning_rate:.3g}" for one in stages if one.validations]
    return f"Anomalies of classes a hundred validations, by learning rate (usual settings): {', '.join(dense)}."
