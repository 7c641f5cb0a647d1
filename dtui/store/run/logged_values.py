"""Reads and writes logged.jsonl: values logged between records, each with its own iteration.

Owns the content of its lines, its largest size, and the rule for which lines count.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from dtui.errors import UsageError
from dtui.model import LOGGED_NAN
from dtui.model.scalars import Points
from dtui.store.format.joins import Joins, line_limits
from dtui.store.format.schema import LAST_ITERATION, LOGGED_FILE, MOST_LOGGED_NAMES

LONGEST_VALUES = 32 << 10
"""Characters of the values in one line; more of one iteration go to a further line."""
LARGEST_LOGGED = 12 << 20
"""Bytes of the file that a recorder fills: readers take the first 16 MiB of a file of lines."""
FULL = "{}: full; of what is logged from here on records alone keep the last value"


def has_room(file: Path) -> bool:
    """Whether a file of lines takes more; one that is not there does."""
    return not file.exists() or file.stat().st_size <= LARGEST_LOGGED


def logged_lines(iteration: int, values: Mapping[str, float]) -> Iterator[dict[str, object]]:
    """Yield the lines that hold values logged at one iteration.

    Raises:
        UsageError: A name is too long for a line.
    """
    held: dict[str, float] = {}
    size = 0
    for name, value in values.items():
        taken = len(json.dumps(name)) + 32
        if taken > LONGEST_VALUES:
            raise UsageError(f"{name[:40]}…: a name of {len(name):,} characters; give a shorter one")
        if size + taken > LONGEST_VALUES:
            yield {"iteration": iteration, "values": held}
            held, size = {}, 0
        held[name] = float(value)
        size += taken
    if held:
        yield {"iteration": iteration, "values": held}


def parse_logged(line: Mapping[str, object]) -> tuple[int, dict[str, float]] | None:
    """Return the iteration and the values of a line, NaN as LOGGED_NAN; None if the line is not valid."""
    iteration, values = line.get("iteration"), line.get("values")
    if type(iteration) is not int or not 0 <= iteration <= LAST_ITERATION or not isinstance(values, dict):
        return None
    found = {}
    for name, value in values.items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            number = float(value)
        except OverflowError:
            return None
        found[name] = LOGGED_NAN if math.isnan(number) else number
    return iteration, found


class LoggedValues:
    """The values of a run's lines, in compact form; it grows with the file."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[array[int], array[int], array[float]]] = {}
        self._lines = 0
        self.bad = 0
        """Lines that tell no values, or some of a name too many."""

    def add(self, lines: Iterable[Mapping[str, object]]) -> None:
        """Add lines, in the order of the file."""
        for line in lines:
            parsed = parse_logged(line)
            self.bad += parsed is None or not self._hold(*parsed)
            self._lines += 1

    def _hold(self, iteration: int, values: Mapping[str, float]) -> bool:
        is_whole = True
        for name, value in values.items():
            if name not in self._columns:
                if len(self._columns) == MOST_LOGGED_NAMES:
                    is_whole = False
                    continue
                self._columns[name] = array("q"), array("q"), array("d")
            numbers, iterations, held = self._columns[name]
            numbers.append(self._lines)
            iterations.append(iteration)
            held.append(value)
        return is_whole

    def points(self, joins: Joins) -> dict[str, Points]:
        """Return name to ascending, distinct iterations and values; of two lines at one iteration, the later counts.

        Args:
            joins: Where the training was resumed. A line does not count if a later join is at or before its iteration.
        """
        limits = np.array(line_limits(joins, LOGGED_FILE, self._lines), np.int64) if joins else None
        found = {}
        for name, (numbers, iterations, values) in self._columns.items():
            lines, at, held = np.array(numbers), np.array(iterations), np.array(values)
            if limits is not None:
                kept = at < limits[lines]
                at, held = at[kept], held[kept]
            order = np.argsort(at, kind="stable")
            at, held = at[order], held[order]
            is_last = np.append(at[1:] != at[:-1], True)[: len(at)]
            if len(at):
                found[name] = at[is_last], held[is_last]
                for column in found[name]:
                    column.flags.writeable = False
        return found
