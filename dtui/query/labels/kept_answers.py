"""Keeps answers from the labels of an ended run, so that the next report need not read them.

Owns the tables: one for each question, with the rows of what was asked. Who asks checks whether these can be so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from dtui.model import AnomalySettings, FloatArray, IntArray, RunStatus
from dtui.query.class_table import is_class_table_kept
from dtui.query.data import RunData
from dtui.query.kept.tables import Key, find_kept, keep, keys_of_validations
from dtui.query.labels.kept_learning import is_worth_keeping, kept_validations
from dtui.query.labels.validation_data import FindRows, IsPossible

VERSION = 1
"""Raised when an answer or the columns of a table change: what an earlier one kept is not believed."""
MOST_ASKED = 10_000
"""Things in a table: those of the last reports that asked."""
_NONE = -1


class KeptAnswers:
    """Answers of one run in its present state. A thing asked for is a number, its answer some rows of numbers."""

    def __init__(self, data: RunData) -> None:
        """Prepare; nothing is read before the first question."""
        self._data = data
        self._key = self._key_now()  # before any label is read
        self._tables: dict[str, dict[int, IntArray]] = {}
        self._changed: dict[str, int] = {}

    def rows(
        self, of: str, columns: int, asked: Sequence[int], find: FindRows, is_possible: IsPossible
    ) -> dict[int, IntArray]:
        """Return the rows of each thing, as `Answers` says: as they were kept, or else found, and kept in the end."""
        known = self._tables[of] if of in self._tables else self._read(of, columns)
        for one in [one for one in asked if one in known and not is_possible(one, known[one])]:
            del known[one]
        missing = [one for one in dict.fromkeys(asked) if one not in known]
        if missing:
            known.update(find(missing))
            self._changed[of] = columns
        return {one: known[one] for one in asked}

    def keep(self) -> None:
        """Write what was found, if the run is still as it was, nothing of it is damaged, and it can be written to."""
        if self._key is not None:
            tables = [({**self._key, "of": of}, self._table(of, columns)) for of, columns in self._changed.items()]
            keep(self._data, tables, self._data.reader.validation_faults)
        self._changed.clear()

    def _read(self, of: str, columns: int) -> dict[int, IntArray]:
        keys = [] if self._key is None else [{**self._key, "of": of}]
        known = self._tables[of] = find_kept(self._data, keys, columns + 2, lambda table, _: _by_thing(table)) or {}
        return known

    def _table(self, of: str, columns: int) -> IntArray:
        """Return a table: the thing, the place of the row (-1 for none), and the row."""
        parts = [np.zeros((0, columns + 2), np.int64)]
        for one, rows in list(self._tables[of].items())[-MOST_ASKED:]:
            part = np.full((max(1, len(rows)), columns + 2), _NONE, np.int64)
            part[:, 0] = one
            if len(rows):
                part[:, 1], part[:, 2:] = np.arange(len(rows)), rows
            parts.append(part)
        return np.concatenate(parts)

    def _key_now(self) -> Key | None:
        """Return the key of all tables but for what they are of; None where no file holds all validations."""
        return keys_of_validations(self._data, "", VERSION).get(len(self._data.validations), (None, False))[0]


def _by_thing(table: IntArray) -> dict[int, IntArray]:
    """Return the rows of each thing of a table."""
    edges = np.flatnonzero(np.diff(table[:, 0])) + 1
    parts = np.split(table, edges) if len(table) else ()
    return {int(rows[0, 0]): rows[rows[:, 1] != _NONE, 2:] for rows in parts}


@contextlib.contextmanager
def keeping_labels(data: RunData) -> Iterator[None]:
    """Answer `RunQuery.keeping_labels`."""
    if data.answers is not None or data.reader.status() is RunStatus.LIVE or not is_worth_keeping(data):
        with data.keeping_labels():
            yield
        return
    answers = data.answers = KeptAnswers(data)
    is_known = kept_validations(data) == len(data.validations) and is_class_table_kept(data, AnomalySettings())
    try:
        with contextlib.nullcontext() if is_known else data.keeping_labels():
            yield
    finally:
        data.answers = None
    answers.keep()


def as_bits(values: FloatArray) -> IntArray:
    """Return float64 numbers as integers that a table holds."""
    result: IntArray = np.ascontiguousarray(values, np.float64).view(np.int64)
    return result


def from_bits(bits: IntArray) -> FloatArray:
    """Return the numbers of `as_bits`."""
    result: FloatArray = np.ascontiguousarray(bits, np.int64).view(np.float64)
    return result
