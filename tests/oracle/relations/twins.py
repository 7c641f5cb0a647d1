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
