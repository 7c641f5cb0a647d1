"""Lays a graph out in rows and lanes, as `git log --graph` does: one row a node, one lane for a tensor on its way.

Owns the order of nodes and the lane of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from dtui.model.layers import DOWN, LEFT, RIGHT, UP, GraphRow, NetworkGraph


def lay_out(edges: Sequence[tuple[str, str]]) -> NetworkGraph:
    """Return the rows and lanes of a graph.

    A tensor goes straight down from its node to the next one that takes it; if others take it later, it also goes down
    in a lane of its own, until the last of them.

    Args:
        edges: Source and target of each, in the order in which they were recorded; repeated ones count once.

    Source: dtui.
    """
    edges = [(source, target) for source, target in dict.fromkeys(edges) if source != target]
    order = _order(edges)
    place = {name: row for row, name in enumerate(order)}
    targets: list[list[int]] = [[] for _ in order]
    sources: list[list[int]] = [[] for _ in order]
    for source, target in edges:
        if place[source] < place[target]:
            targets[place[source]].append(place[target])
            sources[place[target]].append(place[source])
    rows = _rows(order, [sorted(some) for some in targets], sources)
    backwards = sum(place[source] > place[target] for source, target in edges)
    return NetworkGraph(rows, max((len(row.links) for row in rows), default=0), backwards)


def _order(edges: Sequence[tuple[str, str]]) -> list[str]:
    """Return the nodes so that each follows its inputs, in the recorded order where that is one; cycles at the end."""
    names = list(dict.fromkeys(name for edge in edges for name in edge))
    number = {name: index for index, name in enumerate(names)}
    after: list[list[int]] = [[] for _ in names]
    waiting = [0] * len(names)
    for source, target in edges:
        after[number[source]].append(number[target])
        waiting[number[target]] += 1
    ready = [index for index, count in enumerate(waiting) if count == 0]
    heapify(ready)
    done: list[int] = []
    while ready:
        index = heappop(ready)
        done.append(index)
        for taker in after[index]:
            waiting[taker] -= 1
            if waiting[taker] == 0:
                heappush(ready, taker)
    found = set(done)
    return [names[index] for index in (*done, *(index for index in range(len(names)) if index not in found))]


def _rows(order: Sequence[str], targets: list[list[int]], sources: list[list[int]]) -> tuple[GraphRow, ...]:
    """Go down the rows with the lanes that are open: each holds a node and the last row that takes its tensor."""
    lanes: list[tuple[int, int] | None] = []
    rows = []
    for row, name in enumerate(order):
        above = list(lanes)
        ending = [lane for lane, held in enumerate(lanes) if held is not None and held[1] == row]
        at_hand = {held[0] for lane in ending if (held := lanes[lane]) is not None}
        passing = [lane for lane, held in enumerate(lanes) if held is not None and held[0] in sources[row]]
        taken = [lane for lane in passing if lane in ending or (held := lanes[lane]) is None or held[0] not in at_hand]
        own = next(iter(ending), None)
        for lane in ending:
            lanes[lane] = None
        if own is None:
            own = _free(lanes, near=min(taken, default=0))
        opened = []
        following = targets[row]
        if following:
            lanes[own] = (row, following[0])
            if len(following) > 1:
                opened = [_free(lanes, near=own)]
                lanes[opened[0]] = (row, following[-1])
        while lanes and lanes[-1] is None:
            lanes.pop()
        rows.append(GraphRow(name, own, _links(own, above, lanes, taken, opened), len(sources[row]), len(following)))
    return tuple(rows)


def _free(lanes: list[tuple[int, int] | None], near: int) -> int:
    """Return the first free lane to the right of `near`, or else a new one."""
    for lane in range(near, len(lanes)):
        if lanes[lane] is None:
            return lane
    lanes.append(None)
    return len(lanes) - 1


def _links(
    own: int,
    above: Sequence[tuple[int, int] | None],
    below: Sequence[tuple[int, int] | None],
    taken: Sequence[int],
    opened: Sequence[int],
) -> tuple[int, ...]:
    """Return what is drawn of each lane in a row: what passes, and the arms from the node to the lanes it uses."""
    width = max(len(above), len(below), own + 1)
    used = {*taken, *opened}
    first, last = min({own, *used}), max({own, *used})
    links = []
    for lane in range(width):
        arms = 0
        if lane < len(above) and above[lane] is not None:
            arms |= UP
        if lane < len(below) and below[lane] is not None:
            arms |= DOWN
        arms |= (LEFT if first < lane <= last else 0) | (RIGHT if first <= lane < last else 0)
        links.append(arms)
    return tuple(links)
