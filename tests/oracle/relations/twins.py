"""The slow, obvious way to anomaly filters, mini-sets and the grid: loops over what the definition says."""

from __future__ import annotations

import math
from collections.abc import Sequence

Filters = list[int]


def most_changed(changes, layer_of, allowed, count, per_layer) -> Filters:
    """Go through the filters from the most changed on, and take what count and quota leave room for."""
    order = sorted(range(len(changes)), key=lambda row: (-changes[row] if changes[row] > 0 else math.inf, row))
    taken: Filters = []
    for row in order:
        is_moved = not math.isnan(changes[row]) and changes[row] > 0
        own = sum(layer_of[other] == layer_of[row] for other in taken)
        has_room = (per_layer is None or own < per_layer) and (count is None or len(taken) < count)
        if is_moved and allowed[row] and has_room:
            taken.append(row)
    return taken


def rank(changes, allowed, row: int) -> int:
    """One more than the filters that changed more."""
    return 1 + sum(bool(allowed[other]) and changes[other] > changes[row] for other in range(len(changes)))


def most_changed_at_all(changes, layer_of, allowed, count, per_layer) -> list[tuple[int, list[int]]]:
    found = []
    for row in range(len(changes)):
        if allowed[row] and all(value > 0 for value in changes[row]):
            ranks = [rank(changes[:, at], allowed, row) for at in range(changes.shape[1])]
            found.append((max(ranks), sum(ranks), row, ranks))
    taken: list[tuple[int, list[int]]] = []
    for _, _, row, ranks in sorted(found):
        own = sum(layer_of[other] == layer_of[row] for other, _ in taken)
        if (per_layer is None or own < per_layer) and (count is None or len(taken) < count):
            taken.append((row, ranks))
    return taken


def mini_sets(sets: Sequence[set[int]], layer_of) -> list[set[int]]:
    """Split each part by each set in turn, as the paper does; the first parts are what each layer has of all sets."""
    every = set().union(*sets)
    parts = [{row for row in every if layer_of[row] == layer} for layer in sorted({layer_of[row] for row in every})]
    for one in sets:
        parts = [piece for part in parts for piece in (part & one, part - one) if piece]
    return parts


def distinct_filters(sets, set_of, column_of, columns: int, row_of, rows: int) -> list[list[int]]:
    grid = [[set() for _ in range(columns)] for _ in range(rows)]
    for event, at in enumerate(set_of):
        for filter_row in sets[at] if at >= 0 else ():
            if row_of[filter_row] >= 0:
                grid[row_of[filter_row]][column_of[event]].add(int(filter_row))
    return [[len(cell) for cell in row] for row in grid]


def belonging(row, layer, span, filters, row_of, iterations):
    """Go through the events one by one; return the sets of events, rows, layers and cells that are lit."""
    if row is None and layer is None and span is None:
        rows, layers = set(row_of), set(range(len(filters[0])))
        return set(range(len(row_of))), rows, layers, {(r, c) for r in rows for c in layers}
    events, cells = set(), set()
    for event in range(len(row_of)):
        is_row = row is None or row_of[event] == row
        is_layer = layer is None or filters[event][layer] > 0
        is_then = span is None or span[0] <= iterations[event] < span[1]
        if is_row and is_layer and is_then:
            events.add(event)
            for place, count in enumerate(filters[event]):
                if count > 0 and layer in (None, place):
                    cells.add((row_of[event], place))
    rows = {row_of[event] for event in events} | ({row} if row is not None else set())
    layers = {place for _, place in cells} | ({layer} if layer is not None else set())
    return events, rows, layers, cells


def against_usual(values: Sequence[float]) -> list[float]:
    """Compare each value with the middle one of the 20 before."""
    found = []
    for place, value in enumerate(values):
        before = sorted(abs(one) for one in values[max(0, place - 20) : place] if not math.isnan(one))
        if len(before) < 5 or math.isnan(value):
            found.append(math.nan)
            continue
        middle, odd = divmod(len(before), 2)
        usual = before[middle] if odd else (before[middle - 1] + before[middle]) / 2
        if usual == 0 or value == 0:
            found.append(0.0 if usual == 0 and value == 0 else 1.0 if usual == 0 else -1.0)
        else:
            found.append(max(-1.0, min(1.0, math.log10(abs(value) / usual))))
    return found
