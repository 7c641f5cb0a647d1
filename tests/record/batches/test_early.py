"""What was handed out before anybody wanted to know of it: of passes that go on, and of no others."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader

from dtui.model import IntArray
from dtui.record.batches.passes import Early, Pass, leave, listen, pass_on


class Heard:
    is_awake = True

    def __init__(self) -> None:
        self.positions: list[list[int]] = []

    def handed_out(self, one: Pass, batch: Any, positions: IntArray | None) -> None:
        assert positions is not None
        self.positions.append(positions.tolist())

    def ended(self, one: Pass) -> None:
        raise AssertionError("a pass that has ended is not told of")


def test_a_new_listener_is_told_of_the_passes_that_go_on() -> None:
    early, heard = Early(), Heard()
    listen(early)
    try:
        ended, going_on, dropped = (iter(DataLoader(range(8), 4)) for _ in range(3))
        list(ended), next(going_on), next(dropped)
        del dropped
        pass_on(heard)
    finally:
        leave(early)
    assert heard.positions == [[0, 1, 2, 3]]
