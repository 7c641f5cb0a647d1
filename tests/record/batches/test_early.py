"""What was handed out before anybody wanted to know of it: of passes that go on, and of no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from dtui.model import IntArray
from dtui.record.batches.passes import Early, Pass, leave, listen, pass_on


class Heard:
    is_awake = True

    def __init__(self) -> None:
        self.positions: list[list[int]] = []
        self.over: list[Pass] = []

    def handed_out(self, one: Pass, batch: Any, positions: IntArray | None) -> None:
        assert positions is not None
        self.positions.append(positions.tolist())

    def ended(self, one: Pass) -> None:
        self.over.append(one)


class Ahead:
    """As accelerate's wrapper: the loader has no more while its last batch is still to be handed out."""

    def __init__(self) -> None:
        self.loader = DataLoader(range(6), 3)

    def __iter__(self) -> Iterator[Any]:
        self.iterator = iter(self.loader)
        return iter(list(self.iterator))


def test_a_new_listener_is_told_of_the_passes_that_go_on() -> None:
    early, heard, wrapper = Early(), Heard(), Ahead()
    listen(early)
    try:
        ended, going_on, dropped = (iter(DataLoader(range(8), 4)) for _ in range(3))
        next(going_on), list(ended), next(dropped), iter(wrapper)
        del dropped
        pass_on(heard)
    finally:
        leave(early)
    assert heard.positions == [[0, 1, 2, 3], [0, 1, 2], [3, 4, 5]]
    assert [one.loader() for one in heard.over] == [wrapper.loader]
