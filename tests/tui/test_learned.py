"""What Triage says of a run whose validations do not show that anything was learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dtui.model import RunStatus
from dtui.model.views import LayerStates
from tests.tui.desk import Desk
from tests.tui.fake_query import FakeQuery

WHY = "the network is no better than chance: 90 % of 24 images are wrong at 99, where guessing gets 90 % wrong"


class Guessing(FakeQuery):
    def info(self) -> Any:
        return replace(super().info(), not_learned=WHY)


class WithoutIncidents(Guessing):
    def incidents(self) -> tuple[Any, ...]:
        return ()


def shown(query: FakeQuery, size: tuple[int, int] = (150, 50)) -> str:
    return " ".join(Desk(query, size).panes()["triage"].split())


def test_it_is_said_where_there_is_no_incident() -> None:
    assert f"validations, but {WHY}" in shown(WithoutIncidents())


def test_a_run_without_incidents_names_what_may_be_one() -> None:
    """Labels of two classes swapped, or a layer frozen by mistake: no detector may see it, and a person should."""
    frozen = LayerStates(frozen=("conv2",), unchanged=("a", "b", "c", "d"))

    class Frozen(WithoutIncidents):
        def info(self) -> Any:
            return replace(super().info(), not_learned="", states=frozen)

    class Crashed(Frozen):
        def info(self) -> Any:
            return replace(super().info(), not_learned=WHY, status=RunStatus.CRASHED, reason="ValueError: " + 70 * "x")

    long = shown(Crashed(), (80, 24))
    assert long.endswith("L lists the paper's anomalies"), "it has the room of the pane below, which shows nothing"
    said = shown(Frozen())
    assert (
        "validations. Most wrong at the end: cat at 50 %. Frozen from the start: conv2. Unchanged from the start: a"
        in said
    )
    assert "a, b, c and 1 more layer" in said
    assert "Most wrong" not in shown(FakeQuery())


def test_it_is_said_below_the_incidents() -> None:
    assert f" {WHY}" in shown(Guessing())
    assert WHY not in shown(FakeQuery())


@pytest.mark.parametrize("kind", [Guessing, WithoutIncidents])
def test_it_is_not_said_of_anomalies(kind: type[FakeQuery]) -> None:
    desk = Desk(kind(), (150, 50)).press("L")
    assert WHY not in " ".join(desk.panes()["triage"].split())
