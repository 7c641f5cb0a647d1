"""Keeps what stands out at the end of a large run that has ended, so that the next report need not read its filters.

Owns the meaning of the columns.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import numpy as np

from dtui.model import IntArray, RunStatus, Standing, StateEntry
from dtui.query.data import RunData
from dtui.query.kept.tables import find_kept, keep, key_of_run

VERSION = 3
"""Raised when the columns or the rules of a standing change: what an earlier one kept is not believed."""
WORTH_KEEPING = 10_000_000
"""Values of one statistic of the filters from which on entries are kept: small runs, and those under version control,
stay as they are."""
_STANDINGS = tuple(Standing)
_COLUMNS = 4
"""Place of the standing, layer, filter (-1 for the whole layer), and since which iteration (-1 for not known)."""
_NONE = -1


def kept_entries(data: RunData, find: Callable[[], list[StateEntry]]) -> list[StateEntry]:
    """Return the entries of the state as they were kept for the run as it is now; else those found, which are kept.

    Args:
        data: The run.
        find: Finds them, in order: by standing, then by layer.
    """
    if not _is_worth_keeping(data):
        return find()
    key = key_of_run(data, "state", VERSION)
    known = find_kept(data, [key], _COLUMNS, lambda table, _: _decoded(data, table))
    if known is not None:
        return known
    found = find()
    table = _table(data, found)
    if _decoded(data, table) == found:
        keep(data, [(key, table)], data.reader.faults)
    return found


def _is_worth_keeping(data: RunData) -> bool:
    """Whether the run has ended, is whole as far as it was read, and is so large that finding the state takes long."""
    filters = sum(layer.filters for layer in data.structure.layers)
    is_large = filters * len(data.records) >= WORTH_KEEPING
    return is_large and data.reader.status() is not RunStatus.LIVE and not data.reader.faults


def _table(data: RunData, entries: list[StateEntry]) -> IntArray:
    places = {layer.name: layer.index for layer in data.structure.layers}
    rows = [
        (_STANDINGS.index(entry.standing), places[entry.layer], filter, _NONE if since is None else since)
        for entry in entries
        for filter, since in zip(entry.filters or (_NONE,), entry.since, strict=True)
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, _COLUMNS)


def _decoded(data: RunData, table: IntArray) -> list[StateEntry] | None:
    """Return what a table from outside says; None if it cannot be so."""
    layers, last = data.structure.layers, data.last_iteration
    found = []
    before = (_NONE, _NONE)
    for place, rows in groupby(table.tolist(), key=lambda row: (row[0], row[1])):
        standing, layer = place
        if not (0 <= standing < len(_STANDINGS) and 0 <= layer < len(layers)) or place <= before:
            return None
        before = place
        filters, since = zip(*((filter, at) for _, _, filter, at in rows), strict=True)
        is_whole, of = filters == (_NONE,), layers[layer].filters
        is_rising = all(a < b for a, b in zip((_NONE, *filters), (*filters, of), strict=True))
        if not (is_whole or is_rising) or not all(_NONE <= at <= last for at in since):
            return None
        known = tuple(None if at == _NONE else at for at in since)
        found.append(StateEntry(_STANDINGS[standing], layers[layer].name, () if is_whole else filters, known, of))
    return found
