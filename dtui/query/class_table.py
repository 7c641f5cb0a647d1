"""Returns the flips that the class rules find as a table, computed or from the run's cache.

Owns when the cache is valid and when it is written. People's decisions are not part of it.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from dataclasses import replace

from dtui.analysis.flip_table import COLUMNS, DIRECTIONS, RULES, ClassFlips, FlipCounts, count_flips, find_flip_table
from dtui.errors import DtuiError
from dtui.model import DEFAULT_WINDOW, AnomalySettings, IntArray, RunStatus
from dtui.model.arrays import is_among
from dtui.query.data import RunData

VERSION = 1
"""Raised when the analysis answers differently: tables of an earlier one are computed anew."""
WORTH_KEEPING_SECONDS = 0.2
"""A table that took longer is kept: small runs, and those under version control, stay as they are."""


def class_table(data: RunData, settings: AnomalySettings, rows: int | None = None) -> IntArray:
    """Return the flips that pass the settings as `find_flip_table` does, or at least the first `rows`."""
    judged = class_flips(data)
    whole = ("class table", settings)
    if rows is not None and not data.knows(whole):
        first = _kept(data, judged, settings, rows)
        if first is not None:
            return first
    return data.remembered(whole, lambda: _whole(data, judged, settings))


def prepare_class_table(data: RunData, settings: AnomalySettings, seconds: float) -> bool:
    """Read labels for about so long; return whether `class_table` needs no more of them."""
    if data.knows(("class table", settings)) or not len(data.validations):
        return True
    if not data.has_judgements and (_are_counted(data, settings) or is_class_table_kept(data, settings)):
        return True
    return len(data.judgements(seconds).right) == len(data.validations) or data.images is None


def is_class_table_kept(data: RunData, settings: AnomalySettings) -> bool:
    """Return whether `class_table` finds its answer in the run's cache, and so needs no label."""
    return _kept(data, class_flips(data), settings, 1) is not None


def class_flips(data: RunData) -> ClassFlips:
    """Return the flips of each class. They are counted on first use and remembered."""

    def flips(rule: str, window: int) -> FlipCounts:
        def count() -> FlipCounts:
            judged = data.judgements()
            _are_labels_whole(data)  # while they are here
            return count_flips(judged.layout, judged.right, rule, window, judged.lost)

        return data.remembered(("flips", rule, window), count, is_large=True)

    return ClassFlips(data.validations, data.class_sizes, flips)


def _are_counted(data: RunData, settings: AnomalySettings) -> bool:
    rules = RULES if settings.rule == "either" else (settings.rule,)
    return all(data.knows(("flips", rule, settings.window or DEFAULT_WINDOW)) for rule in rules)


def _are_labels_whole(data: RunData) -> bool:
    return data.remembered("labels are whole", lambda: data.judgements().lost is None)


def _whole(data: RunData, judged: ClassFlips, settings: AnomalySettings) -> IntArray:
    kept = _kept(data, judged, settings, None)
    return _compute(data, judged, settings) if kept is None else kept


def _compute(data: RunData, judged: ClassFlips, settings: AnomalySettings) -> IntArray:
    """Compute a table. Keep it if no label was lost, and the labels had to be read, which took long.

    Where other answers from labels are kept, so is this one: the next report needs all of them to read no label.
    """
    is_read = data.has_judgements or _are_counted(data, settings)
    is_first, begin = bool(data.seconds_of_judging) or not is_read, time.monotonic()
    table = find_flip_table(judged, settings)
    is_slow = is_first and time.monotonic() - begin + data.seconds_of_judging > WORTH_KEEPING_SECONDS
    data.seconds_of_judging = 0.0
    is_kept = is_slow or data.answers is not None
    if is_kept and _are_labels_whole(data) and data.reader.status() is not RunStatus.LIVE:
        with contextlib.suppress(OSError, DtuiError):  # a folder that cannot be written to, a full disk
            data.reader.findings.write(_key(judged, settings), table)
    return table


def _kept(data: RunData, judged: ClassFlips, settings: AnomalySettings, rows: int | None) -> IntArray | None:
    """Return the kept table of an ended run; None if there is no valid one."""
    if data.reader.status() is RunStatus.LIVE:
        return None
    table = data.reader.findings.read(_key(judged, settings), len(COLUMNS), rows)
    return table if table is not None and _is_possible(table, judged) else None


def _key(judged: ClassFlips, settings: AnomalySettings) -> dict[str, object]:
    """Return everything that a table depends on, except the run."""
    iterations = judged.iterations.astype("<i8")
    settings = replace(settings, window=settings.window or DEFAULT_WINDOW)
    return {
        "version": VERSION,
        "rule": settings.rule,
        "window": settings.window,
        "unit": settings.unit,
        "threshold": settings.threshold,
        "validations": len(iterations),
        "last": int(iterations[-1]) if len(iterations) else None,
        "iterations": zlib.crc32(iterations.tobytes()),
        "images": zlib.crc32(judged.images.astype("<i8").tobytes()),
    }


def _is_possible(table: IntArray, judged: ClassFlips) -> bool:
    """Whether a table from outside is valid for this run: every number is in its range."""
    if not len(table):
        return True
    rule, label, iteration, direction, count = table.T
    ranges = ((rule, len(RULES)), (label, len(judged.images)), (direction, len(DIRECTIONS)))
    if any(column.min() < 0 or column.max() >= stop for column, stop in ranges):
        return False
    known = is_among(iteration, judged.iterations)
    return bool(known.all() and count.min() >= 1 and (count <= judged.images[label]).all())
