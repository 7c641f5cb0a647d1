"""Describes where a training was resumed from a checkpoint, and which frames that superseded.

Owns the rule for frames and lines that no longer count.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import Gap, Trigger
from dtui.store.format.schema import GAPS_FILE, LAST_ITERATION, TRIGGERS_FILE, Stream

Hole = tuple[int, int]
"""Ordinals, from the first to the stop (exclusive), that are superseded."""


@dataclass(frozen=True, slots=True)
class Join:
    """One resumption of a training from a checkpoint.

    Attributes:
        iteration: The first update after it. It equals the number of updates that the checkpoint had done.
        superseded: For each stream, the ordinals from the first frame at or after `iteration` to the first new frame.
        lines: For each file of lines, such as gaps.jsonl, the number of lines before the join.
    """

    iteration: int
    superseded: Mapping[str, Hole]
    lines: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the join as run.json stores it."""
        streams = {name: list(hole) for name, hole in self.superseded.items()}
        return {"iteration": self.iteration, "superseded": streams, "lines": dict(self.lines)}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Join:
        """Return a join from its values in run.json.

        Raises:
            ValueError, TypeError, LookupError: The values are not a join.
        """
        holes = {str(name): (int(first), int(stop)) for name, (first, stop) in values["superseded"].items()}
        if values["iteration"] < 0 or any(not 0 <= first <= stop for first, stop in holes.values()):
            raise ValueError("a join is out of range")
        lines = {str(name): int(count) for name, count in values["lines"].items()}
        return cls(int(values["iteration"]), holes, lines)


Joins = Sequence[Join]


def holes_of(joins: Joins, stream: Stream) -> tuple[Hole, ...]:
    """Return the superseded ordinals of a stream as `disjoint` stretches."""
    return disjoint(join.superseded.get(str(stream), (0, 0)) for join in joins)


def disjoint(stretches: Iterable[Hole]) -> tuple[Hole, ...]:
    """Return the same ordinals as ascending stretches that neither touch nor are empty."""
    merged: list[Hole] = []
    for first, stop in sorted(stretches):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        elif first < stop:
            merged.append((first, stop))
    return tuple(merged)


def kept_stop(first: int, stop: int, holes: Sequence[Hole]) -> int:
    """Return the ordinal after the last frame that counts between `first` and `stop`; `first` if none counts.

    Args:
        first: The first ordinal.
        stop: The ordinal after the last.
        holes: `disjoint`.
    """
    at = bisect_right(holes, first, key=_end)
    return max(first, holes[at][0]) if at < len(holes) and holes[at][0] < stop else stop


def is_superseded(ordinal: int, holes: Sequence[Hole]) -> bool:
    """Whether a frame lies in a hole; `holes` are `disjoint`."""
    at = bisect_right(holes, ordinal, key=_end)
    return at < len(holes) and holes[at][0] <= ordinal


def unexplained(first: int, stop: int, holes: Sequence[Hole]) -> list[Hole]:
    """Return the stretches from `first` to `stop` outside the holes, which are `disjoint`."""
    left: list[Hole] = []
    at = bisect_right(holes, first, key=_end)
    while first < stop:
        begin, end = holes[at] if at < len(holes) else (stop, stop)
        if first < min(begin, stop):
            left.append((first, min(begin, stop)))
        first, at = max(first, end), at + 1
    return left


def _end(hole: Hole) -> int:
    return hole[1]


def seams(joins: Joins) -> tuple[int, ...]:
    """Return the iterations at which the curves of a run are joined, ascending; superseded joins are left out."""
    found: list[int] = []
    for join in reversed(joins):
        if not found or join.iteration < found[-1]:
            found.append(join.iteration)
    return tuple(reversed(found))


def gaps_that_count(gaps: Sequence[Gap], joins: Joins) -> tuple[Gap, ...]:
    """Return the gaps, in the order of gaps.jsonl, without their superseded parts."""
    limits = zip(gaps, line_limits(joins, GAPS_FILE, len(gaps)), strict=True)
    return tuple(replace(gap, last=min(gap.last, limit - 1)) for gap, limit in limits if gap.first < limit)


def triggers_that_count(triggers: Sequence[Trigger], joins: Joins) -> tuple[Trigger, ...]:
    """Return the triggers, in the order of triggers.jsonl, without superseded ones."""
    limits = zip(triggers, line_limits(joins, TRIGGERS_FILE, len(triggers)), strict=True)
    return tuple(trigger for trigger, limit in limits if trigger.iteration < limit)


def line_limits(joins: Joins, file: str, lines: int) -> list[int]:
    """Return for each line the iteration from which it no longer counts: that of the earliest join after it."""
    limits = [LAST_ITERATION + 1] * (lines + 1)
    for join in joins:
        before = max(0, min(join.lines.get(file, 0), lines))
        limits[before] = min(limits[before], join.iteration)
    for place in range(lines - 1, -1, -1):
        limits[place] = min(limits[place], limits[place + 1])
    return limits[1:]


def parse_gap(line: Mapping[str, object]) -> Gap | None:
    """Return the gap in a line, None if the line is not valid."""
    first, last, stream = line.get("first"), line.get("last"), line.get("stream")
    if not isinstance(first, int) or not isinstance(last, int) or stream not in tuple(Stream):
        return None
    if not 0 <= first <= last <= LAST_ITERATION:
        return None
    return Gap(first, last, str(stream), str(line.get("reason", "")))
