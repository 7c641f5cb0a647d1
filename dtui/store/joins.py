"""Where a training was resumed from a checkpoint, and which frames were thereby superseded.

Owns what of a run no longer counts. A second copy would mix the frames of two trainings in one curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dtui.model import Gap, Trigger
from dtui.store.schema import GAPS_FILE, TRIGGERS_FILE, Stream

Hole = tuple[int, int]
"""Ordinals, from the first to the stop (exclusive), that are superseded."""


@dataclass(frozen=True, slots=True)
class Join:
    """One place where a training goes on from a checkpoint.

    Attributes:
        iteration: Of the first update after it: as many updates as the checkpoint had done.
        superseded: Of each stream the ordinals from the first frame at or after `iteration` to the first new one.
        lines: Of each file that grows by lines, such as gaps.jsonl, how many were there before it.
    """

    iteration: int
    superseded: Mapping[str, Hole]
    lines: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return it as run.json holds it."""
        streams = {name: list(hole) for name, hole in self.superseded.items()}
        return {"iteration": self.iteration, "superseded": streams, "lines": dict(self.lines)}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Join:
        """Return the join that run.json holds.

        Raises:
            ValueError, TypeError, LookupError: It holds none.
        """
        holes = {str(name): (int(first), int(stop)) for name, (first, stop) in values["superseded"].items()}
        if values["iteration"] < 0 or any(not 0 <= first <= stop for first, stop in holes.values()):
            raise ValueError("a join is out of range")
        lines = {str(name): int(count) for name, count in values["lines"].items()}
        return cls(int(values["iteration"]), holes, lines)


Joins = Sequence[Join]


def holes_of(joins: Joins, stream: Stream) -> tuple[Hole, ...]:
    """Return the superseded ordinals of a stream: ascending stretches that neither touch nor are empty."""
    merged: list[Hole] = []
    for first, stop in sorted(join.superseded.get(str(stream), (0, 0)) for join in joins):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        elif first < stop:
            merged.append((first, stop))
    return tuple(hole for hole in merged if hole[0] < hole[1])


def kept_stop(first: int, stop: int, holes: Sequence[Hole]) -> int:
    """Return the ordinal after the last frame that counts of those from `first` to `stop`; `first` where none does."""
    for begin, end in holes:
        if begin < stop and first < end:
            return max(first, begin)
    return stop


def is_superseded(ordinal: int, holes: Sequence[Hole]) -> bool:
    """Whether a frame no longer counts."""
    return any(begin <= ordinal < end for begin, end in holes)


def unexplained(first: int, stop: int, holes: Sequence[Hole]) -> list[Hole]:
    """Return the stretches from `first` to `stop` that are not superseded."""
    left: list[Hole] = []
    for begin, end in [*holes, (stop, stop)]:
        if first < min(begin, stop):
            left.append((first, min(begin, stop)))
        first = max(first, end)
    return left


def seams(joins: Joins) -> tuple[int, ...]:
    """Return the iterations at which the curves of a run are joined, ascending: a join before a later one is gone."""
    found: list[int] = []
    for join in reversed(joins):
        if not found or join.iteration < found[-1]:
            found.append(join.iteration)
    return tuple(reversed(found))


def gaps_that_count(gaps: Sequence[Gap], joins: Joins) -> tuple[Gap, ...]:
    """Return gaps, given in the order of gaps.jsonl, without what was superseded of them."""
    kept: list[Gap] = []
    for place, gap in enumerate(gaps):
        limit = _limit(joins, GAPS_FILE, place, gap.last + 1)
        if gap.first < limit:
            kept.append(replace(gap, last=min(gap.last, limit - 1)))
    return tuple(kept)


def triggers_that_count(triggers: Sequence[Trigger], joins: Joins) -> tuple[Trigger, ...]:
    """Return triggers, given in the order of triggers.jsonl, without those that were superseded."""
    return tuple(
        trigger
        for place, trigger in enumerate(triggers)
        if trigger.iteration < _limit(joins, TRIGGERS_FILE, place, trigger.iteration + 1)
    )


def _limit(joins: Joins, file: str, place: int, otherwise: int) -> int:
    """Return the iteration from which on a line no longer counts."""
    return min((join.iteration for join in joins if place < join.lines.get(file, 0)), default=otherwise)
