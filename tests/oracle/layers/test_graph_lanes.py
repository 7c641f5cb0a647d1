"""Graphs in rows and lanes: as text, and against what must hold for any graph."""

from __future__ import annotations

import numpy as np

from dtui.analysis.layers.graph_lanes import lay_out
from dtui.model.layers import DOWN, LEFT, RIGHT, UP, NetworkGraph

GLYPHS = {
    0: " ", UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─", UP | LEFT: "╯",
    UP | RIGHT: "╰", DOWN | LEFT: "╮", DOWN | RIGHT: "╭", UP | DOWN | LEFT: "┤", UP | DOWN | RIGHT: "├",
    UP | LEFT | RIGHT: "┴", DOWN | LEFT | RIGHT: "┬", UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip


def drawn(graph: NetworkGraph) -> str:
    lines = []
    for row in graph.rows:
        line = "".join(
            ("●" if lane == row.lane else GLYPHS[arms]) + ("─" if arms & RIGHT else " ")
            for lane, arms in enumerate(row.links)
        )
        lines.append(f"{line}{row.name}")
    return "\n".join(lines)


RESIDUAL = [
    ("input", "conv"), ("conv", "a"), ("a", "b"), ("b", "add"), ("conv", "add"),
    ("add", "c"), ("c", "d"), ("add", "short"), ("d", "add2"), ("short", "add2"),
]  # fmt: skip


def test_a_skip_is_a_lane_beside_its_block() -> None:
    assert drawn(lay_out(RESIDUAL)).split("\n") == [
        "● input",
        "●─╮ conv",
        "● │ a",
        "● │ b",
        "●─┤ add",
        "● │ c",
        "● │ d",
        "│ ● short",
        "●─╯ add2",
    ]


def test_three_branches_meet() -> None:
    edges = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "cat"), ("c", "cat"), ("d", "cat")]
    assert drawn(lay_out(edges)).split("\n") == ["●─╮ a", "● │ b", "│ ├─● c", "│ ● │ d", "●─┴─╯ cat"]


def test_a_cycle_and_repeated_edges_are_drawn_once() -> None:
    graph = lay_out([("a", "b"), ("b", "a"), ("a", "b"), ("c", "c"), ("c", "d")])
    assert [row.name for row in graph.rows] == ["c", "d", "a", "b"]
    assert graph.backwards == 1
    assert lay_out([]) == NetworkGraph((), 0)


def test_every_edge_of_a_random_graph_can_be_followed() -> None:
    """From row to row, lines meet lines; a node takes as many lines as it has inputs, in as few lanes as needed."""
    random = np.random.default_rng(0)
    for nodes in (2, 5, 30):
        for _ in range(40):
            pairs = random.integers(0, nodes, (2 * nodes, 2))
            graph = lay_out([(f"n{min(pair)}", f"n{max(pair)}") for pair in pairs.tolist()])
            place = {row.name: index for index, row in enumerate(graph.rows)}
            edges = {(f"n{min(pair)}", f"n{max(pair)}") for pair in pairs.tolist() if pair[0] != pair[1]}
            assert all(place[source] < place[target] for source, target in edges)
            for above, below in zip(graph.rows, graph.rows[1:], strict=False):
                width = max(len(above.links), len(below.links))
                downs, ups = ([bool(arms & bit) for arms in (*row.links, *[0] * width)][:width]
                              for row, bit in ((above, DOWN), (below, UP)))  # fmt: skip
                assert downs == ups
            for row in graph.rows:
                assert row.inputs == sum(target == row.name for _, target in edges)
                assert row.outputs == sum(source == row.name for source, _ in edges)
                assert bool(row.outputs) == bool(row.links[row.lane] & DOWN)
