"""Where NaN or Inf began, against a walk over every path of small random networks."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from dtui.model import Edge
from dtui.model.findings.nonfinite import Began, BrokenGradients
from dtui.model.findings.origin import origin_of


def paths(name: str, flows: dict[str, list[str]]) -> Iterator[str]:
    for target in flows[name]:
        yield target
        yield from paths(target, flows)


def network(seed: int) -> tuple[list[str], dict[str, list[str]]]:
    """Return layers a, b … in order, and what each flows into; operations, op0 and so on, are between some."""
    chance = random.Random(seed)
    names = [chr(ord("a") + at) for at in range(8)]
    flows: dict[str, list[str]] = {name: [] for name in names}
    for at, name in enumerate(names[:-1]):
        for target in {names[at + 1], chance.choice(names[at + 1 :])}:
            join = f"op{name}{target}"
            flows[name].append(join if chance.random() < 0.5 else target)
            flows.setdefault(join, [target])
    return names, flows


@pytest.mark.parametrize("seed", range(12))
def test_what_begins_at_a_layer_is_placed_there(seed: int) -> None:
    names, flows = network(seed)
    edges = [Edge(source, target) for source, targets in flows.items() for target in targets]
    for began in names[1:-1]:
        broken = [name for name in names if name == began or began in set(paths(name, flows))]
        finite = [name for name in names if name not in broken]
        found = origin_of(BrokenGradients(7, tuple(broken), tuple(finite)), names, edges)
        assert found is not None
        assert (found.began, found.layers, found.iteration) == (Began.BACKWARD, (began,), 7)
        assert (found.count, found.known) == (len(broken), len(names))
        behind = set(paths(began, flows)) & set(names)
        nearest = {name for name in behind if not any(name in set(paths(other, flows)) for other in behind - {name})}
        assert set(found.beside) == nearest


def test_the_order_of_layers_stands_for_a_graph_that_is_not_known() -> None:
    seen = BrokenGradients(3, ("a", "b"), ("c", "d"))
    for edges in ((), (Edge("a", "b"),)):
        found = origin_of(seen, ["a", "b", "c", "d"], edges)
        assert found is not None
        assert (found.began, found.layers, found.beside) == (Began.BACKWARD, ("b",), ("c",))


@pytest.mark.parametrize(
    ("seen", "began", "layers", "beside"),
    [
        (BrokenGradients(0, ("b",), ("a", "c")), Began.ALONE, ("b",), ("c",)),
        (BrokenGradients(0, ("c",), ("a", "b")), Began.ALONE, ("c",), ()),
        (BrokenGradients(0, ("a",), ("b", "c")), Began.ALONE, ("a",), ("b",)),
        (BrokenGradients(0, ("a", "c"), ()), Began.UNKNOWN, (), ()),
        (BrokenGradients(0, ("a", "b", "c"), ()), Began.UNKNOWN, (), ()),
        (BrokenGradients(0, ("a", "b", "c"), (), is_loss_finite=False), Began.UNKNOWN, (), ()),
        (BrokenGradients(0, ("a", "b", "c"), (), is_loss_finite=True), Began.LOSS, (), ()),
        (BrokenGradients(0, ("a", "b", "c"), (), (), ("b",), ("a",)), Began.FORWARD, ("b",), ("a",)),
        (BrokenGradients(0, ("a", "b", "c"), (), (), ("b", "c"), ("a",), False), Began.FORWARD, ("b",), ("a",)),
        (BrokenGradients(0, ("a", "b", "c"), (), (), ("b",), ("a",), True), Began.LOSS, (), ()),
        (BrokenGradients(0, ("a", "b", "c"), (), ("a", "b")), Began.WEIGHTS, ("b",), ("c",)),
        (BrokenGradients(0, ("a", "b", "c"), (), ("a", "b", "c")), Began.WEIGHTS, (), ()),
    ],
)
def test_only_what_the_gradients_show_is_said(
    seen: BrokenGradients, began: Began, layers: tuple[str, ...], beside: tuple[str, ...]
) -> None:
    for edges in ((), (Edge("a", "b"), Edge("b", "c"))):
        found = origin_of(seen, ["a", "b", "c"], edges)
        assert found is not None
        assert (found.began, found.layers, found.beside) == (began, layers, beside)


def test_names_that_the_network_does_not_have_say_nothing() -> None:
    assert origin_of(BrokenGradients(0, ("\x1b[31m",), ("a",)), ["a", "b"], ()) is None


def test_a_network_that_flows_in_a_circle_has_the_last_layer() -> None:
    edges = (Edge("a", "b"), Edge("b", "a"), Edge("b", "c"))
    found = origin_of(BrokenGradients(0, ("a", "b"), ("c",)), ["a", "b", "c"], edges)
    assert found is not None
    assert (found.began, found.layers, found.beside) == (Began.BACKWARD, ("b",), ("c",))
