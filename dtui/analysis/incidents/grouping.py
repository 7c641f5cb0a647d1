"""Which evidence belongs together: one group for one cause.

Source: FINDINGS §3, rule 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dtui.analysis.detectors.online.rate_jump import SPIKE
from dtui.dataclass_on_use import dataclass
from dtui.model import Evidence, IntArray

REST = 8
"""Records without evidence after which a group takes no more."""
GOES_ON = 3
"""Records after the last evidence within which a layer that dies, stops or jumps belongs to what went before."""
LATEST = 3
"""Newest groups that evidence may join."""
BEGINS_WITH = 1
"""Records from a group's beginning within which NaN and jumps of filters belong to it."""

WEAK = ("class",)
"""Detectors whose evidence may be a real drop of a healthy network."""
EXPLAINS = ("rate",)
"""Detectors whose evidence is no trouble by itself, and explains other evidence."""
AT_ONCE = ("nonfinite", "filter")
NEAR = ("dead", "frozen", "norm", "layer")

PRIORITY = (
    "nonfinite",
    "filter",
    "dead",
    "frozen",
    "norm",
    "layer",
    "update",
    "gradient",
    "watch filter",
    "watch gradient",
    "watch update",
    "loss",
    "watch loss",
    "network",
    "class",
    "rate",
)
"""What tells of the cause, the most telling first."""


def kind_of(evidence: Evidence) -> str:
    """Return the detector, and of a watch also what fired, as PRIORITY names it."""
    return f"watch {evidence.rule}" if evidence.detector == "watch" else evidence.detector


def rank_of(evidence: Evidence) -> int:
    """Return its position in PRIORITY; evidence of a detector that has none comes last."""
    kind = kind_of(evidence)
    return PRIORITY.index(kind) if kind in PRIORITY else len(PRIORITY)


@dataclass(frozen=True, eq=False, slots=True)
class Clock:
    """Counts records, or validations for what only a validation can tell.

    Attributes:
        records: Iterations of the records without watches, shape (n,), ascending.
        validations: Iterations of the validations, shape (m,), ascending.
    """

    records: IntArray
    validations: IntArray

    def between(self, earlier: Evidence, later: Evidence) -> int:
        """Return how many steps of the later one's kind lie between two pieces of evidence, >= 0.

        A validation tells of all that happened since the validation before: the first one after a record is no step
        away from it, however many records lie between.
        """
        steps = self.validations if later.detector in ("class", "network") else self.records
        begin, end = np.searchsorted(steps, [earlier.iteration, later.iteration])
        return max(0, int(end - begin))

    def steps_after(self, iteration: int) -> int:
        """Return how many records, and validations where there are any, were seen after an iteration: the fewer."""
        kinds = [steps for steps in (self.records, self.validations) if len(steps)]
        return min((len(steps) - int(np.searchsorted(steps, iteration, "right")) for steps in kinds), default=0)


def is_strong(evidence: Evidence) -> bool:
    """Whether evidence tells of trouble by itself."""
    return evidence.detector not in (*WEAK, *EXPLAINS) or evidence.rule == SPIKE


def in_order(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return evidence by iteration, of one iteration by what it tells, then by place."""
    return sorted(evidence, key=lambda one: (one.iteration, rank_of(one), one.place, one.classes))


def group(evidence: Iterable[Evidence], clock: Clock) -> list[list[Evidence]]:
    """Return the groups in order of their first evidence.

    Args:
        evidence: In any order; the same evidence makes the same groups.
        clock: Of the run so far; a longer one of the same run makes the same groups of the same evidence.
    """
    groups: list[list[Evidence]] = []
    for one in in_order(evidence):
        home = next((group for group in groups[: -LATEST - 1 : -1] if _belongs(one, group, clock)), None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    return groups


def _belongs(one: Evidence, group: Sequence[Evidence], clock: Clock) -> bool:
    since_last = min(clock.between(member, one) for member in group)
    since_first = clock.between(group[0], one)
    is_strong_group = any(is_strong(member) for member in group)
    if since_last > REST:
        return False
    if one.detector in AT_ONCE and since_first > BEGINS_WITH:
        return False
    if one.detector in EXPLAINS:
        return since_first <= BEGINS_WITH
    if one.detector in WEAK:
        named = {label for member in group for label in member.classes}
        return is_strong_group or bool(named & set(one.classes)) or since_first <= BEGINS_WITH
    if is_strong_group:
        return since_last <= GOES_ON or one.detector not in NEAR
    return since_first <= BEGINS_WITH
