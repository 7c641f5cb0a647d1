"""The left and the right rule: unusually many images of one class flip at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import ClassVar

from dtui.analysis.detectors.registry import Constant, Detector, RunValues, detector
from dtui.analysis.flip_table import DIRECTIONS, RULES, shares_and_scores
from dtui.model import DEFAULT_WINDOW, AnomalySettings, Evidence, Missing, Showing

_SIGNS = {"gained": "▲", "lost": "▼", "both": "▲▼"}


@detector
class ClassRules(Detector):
    """Evidence a class, iteration and rule; its share is of the class's images, its strength share × √count."""

    name = "class_rules"
    title = "class rules"
    kind = "class"
    source = "DeepTracker (ACM TIST 2018), anomaly iteration detection; directions apart, keyed to the flip: dtui"
    needs = "validations of the same images, one more than the window"
    legend = (
        "Left rule: the images had kept one judgement before they flipped; right rule: they kept the new one "
        "afterwards; what both say is one row."
    )
    constants: ClassVar[Mapping[str, Constant]] = {
        "window": Constant(DEFAULT_WINDOW, "validations; the paper lets people choose, so does --window"),
        "threshold": Constant(
            AnomalySettings().threshold,
            "share of the class: at 0.1 most marks of a healthy run are classes being learned, at 0.3 weak faults "
            "lose theirs (tests/truth); --threshold",
        ),
    }

    def missing(self, values: RunValues) -> Missing | None:
        """Say that there are no validations, or too few of them yet."""
        found, needed = len(values.run.validations), values.settings.validations_needed
        if not found:
            return Missing(f"{self.title}: no validations were recorded")
        if found >= needed:
            return None
        few = f"{found:,} validation{'' if found == 1 else 's'}"
        return Missing(f"{few}, the rules need {needed}; flips are not judged", is_early=True)

    def find(self, values: RunValues) -> list[Evidence]:
        """Return the rows of the table of flips, by falling strength."""
        table = values.flip_table()[: values.most]
        shares, scores = shares_and_scores(table, values.run.class_sizes)
        threshold, name = values.settings.threshold, self.name
        scope = [(label,) for label in range(len(values.run.class_sizes))]  # one tuple a class, for a million rows
        rows = zip(table.tolist(), shares.tolist(), scores.tolist(), strict=True)
        return [
            Evidence(
                name, at, RULES[rule], DIRECTIONS[way], None, (), scope[label], score, count, share, None, threshold
            )
            for (rule, label, at, way, count), share, score in rows
        ]

    def describe(self, evidence: Evidence) -> Showing:
        """Return a triangle that points where the images went, and their share."""
        return _shown(evidence.rule, evidence.direction or "both", round(100 * (evidence.share or 0.0)))

    def identify(self, evidence: Evidence) -> str:
        """Return the id as every detector makes it, but faster: there may be a million."""
        rule, at, way = evidence.rule, evidence.iteration, evidence.direction
        return f"{self.kind}-{rule}-{evidence.classes[0]}-{at}-{way}"


@cache
def _shown(rule: str, direction: str, percent: int) -> Showing:
    verb = "changed" if direction == "both" else direction
    lanes = ("gained", "lost") if direction == "both" else (direction,)
    return Showing(_SIGNS[direction], direction, f"{verb} {percent}%", by=f"{rule} rule", lanes=lanes)
