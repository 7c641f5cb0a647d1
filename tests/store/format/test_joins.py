"""What joins supersede, against the slow definition; and that a hostile number of them costs little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dtui.model import Gap, Trigger
from dtui.store.format.joins import (
    Hole,
    Join,
    disjoint,
    gaps_that_count,
    is_superseded,
    kept_stop,
    triggers_that_count,
    unexplained,
)

MANY = 20_000
HOLES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(lambda hole: hole[0] <= hole[1]), max_size=8)
JOINS = st.lists(
    st.builds(
        lambda iteration, gaps, triggers: Join(iteration, {}, {"gaps.jsonl": gaps, "triggers.jsonl": triggers}),
        st.integers(0, 50),
        st.integers(-2, 12),
        st.integers(-2, 12),
    ),
    max_size=8,
)


@given(HOLES, st.integers(0, 45), st.integers(0, 45))
def test_holes_are_what_they_cover(stretches: list[Hole], first: int, stop: int) -> None:
    covered = {n for a, b in stretches for n in range(a, b)}
    holes = disjoint(stretches)
    assert [n for a, b in holes for n in range(a, b)] == sorted(covered)
    assert all(one[1] < other[0] for one, other in pairwise(holes))
    assert [is_superseded(n, holes) for n in range(50)] == [n in covered for n in range(50)]
    left = unexplained(first, stop, holes)
    assert [n for a, b in left for n in range(a, b)] == [n for n in range(first, stop) if n not in covered]
    assert all(a < b for a, b in left)
    if first < stop:
        kept = first
        while kept < stop and kept not in covered:
            kept += 1
        assert kept_stop(first, stop, holes) == kept


def earliest(joins: list[Join], file: str, place: int) -> float:
    """Return the iteration of the earliest join that was made when a line was there already."""
    return min((join.iteration for join in joins if place < join.lines[file]), default=float("inf"))


@given(JOINS, st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=10))
def test_lines_count_up_to_the_earliest_join_after_them(joins: list[Join], spans: list[tuple[int, int]]) -> None:
    gaps = [Gap(first, first + length, "records", str(at)) for at, (first, length) in enumerate(spans)]
    kept = []
    for place, gap in enumerate(gaps):
        limit = earliest(joins, "gaps.jsonl", place)
        if gap.first < limit:
            kept.append(replace(gap, last=int(min(gap.last, limit - 1))))
    assert gaps_that_count(gaps, joins) == tuple(kept)
    fired = [Trigger(first, "loss", None, (), 1.0, 1.0) for first, _ in spans]
    left = [one for at, one in enumerate(fired) if one.iteration < earliest(joins, "triggers.jsonl", at)]
    assert triggers_that_count(fired, joins) == tuple(left)


class Counted(list):
    """Counts how often an item of it is looked at."""

    looks = 0

    def __iter__(self) -> Iterator[object]:
        for at in range(len(self)):
            yield self[at]

    def __getitem__(self, at: object) -> object:
        self.looks += 1
        return super().__getitem__(at)


def test_a_hostile_number_of_joins_is_looked_at_once_and_holes_are_searched() -> None:
    joins = Counted(Join(10**6 - at, {}, {"gaps.jsonl": at}) for at in range(MANY))
    gaps_that_count([Gap(1, 2, "records", "")] * MANY, joins)
    assert joins.looks == MANY
    holes = Counted(disjoint((2 * at, 2 * at + 1) for at in range(MANY)))
    for at in range(0, 2 * MANY, 1000):
        kept_stop(at, at + 2, holes), is_superseded(at, holes), unexplained(at, at + 2, holes)
    assert 0 < holes.looks < 2 * MANY // 1000 * 3 * 20
