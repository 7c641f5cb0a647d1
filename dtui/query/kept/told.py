"""Keeps answers that are told in words, such as incidents: with them a viewer needs none of what found them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from dtui.query.data import Arrays, RunData, have
from dtui.query.kept.spelled import read_as, spelled

Value = TypeVar("Value")
_JUDGES = ("analysis/detectors", "analysis/incidents", "analysis/rises", "query/incidents")
"""Folders of all that decides what an incident is, and how it is told."""


def told(
    data: RunData,
    question: Hashable,
    kind: type[Value],
    find: Callable[[], Sequence[Value]],
    is_possible: Callable[[tuple[Value, ...]], bool],
) -> tuple[Value, ...]:
    """Return values as they were kept, or else found; kept ones count while those who judge a run stay as they are.

    Args:
        data: The run.
        question: As of `RunData.pictured`.
        kind: The dataclass of the values.
        find: Finds them.
        is_possible: Is asked about values that were kept, which come from outside; their types are right.
    """
    if data.pictures is None:
        return tuple(find())
    known: list[tuple[Value, ...]] = []

    def found() -> Arrays:
        known[:] = [tuple(find())]
        return (spelled(known[0]),)

    def read(arrays: Arrays) -> bool:
        try:
            known[:] = [read_as(kind, arrays[0])] if have(arrays, ("u", (None,))) else []
        except ValueError:
            return False
        return bool(known) and is_possible(known[0])

    data.pictured(_asked(question), found, read)
    return known[0]


def is_told(data: RunData, question: Hashable) -> bool:
    """Whether `told` has something kept."""
    return data.pictures is not None and data.pictures.has(_asked(question))


def _asked(question: Hashable) -> Hashable:
    return question, judges()


@cache
def judges() -> int:
    """Return a checksum of the code that judges a run. To read it takes a millisecond; to import it, thirty."""
    package, checksum = Path(__file__).parents[2], 0
    for folder in _JUDGES:
        for path in sorted((package / folder).rglob("*.py")):
            checksum = zlib.crc32(path.read_bytes(), zlib.crc32(path.name.encode(), checksum))
    return checksum
