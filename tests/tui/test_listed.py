"""The list of what people review, searched and in another order."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtui.query import RunQuery
from dtui.query.run import open_run
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk

DEAD = "6 of the 16 filters of layer2.1.conv1"
JUMPED = "the weights of filter 17 of layer3.0.conv1"
FIRST = "the error of class 4 rose"
WHOLE = "the updates of the whole network"
LAST = "the error of class 7 rose"
EVERY = (FIRST, WHOLE, DEAD, JUMPED, LAST)


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(SAMPLES / "mnist-faults.dtui")


def rows(desk: Desk) -> list[str]:
    """Which incidents are listed, in their order."""
    shown = desk.panes()["triage"]
    return sorted((one for one in EVERY if one in shown), key=shown.index)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("layer3", [JUMPED]),
        ("status:new layer", [DEAD, JUMPED]),
        ("layer new", [DEAD, JUMPED]),
        ("!class", [DEAD, JUMPED]),
        (r"class [47]\b !whole", [FIRST, LAST]),
        ("1010", [DEAD]),
        ("jumped", [JUMPED]),
        ("(", list(EVERY)),
        ("", list(EVERY)),
    ],
)
def test_a_search_lists_what_holds_every_word(faults: RunQuery, search: str, found: list[str]) -> None:
    desk = Desk(faults)
    wrong = desk.session.search(search)
    assert wrong.startswith("not a regular expression") == (search == "(")
    assert rows(desk) == found


def test_the_first_that_is_found_is_selected_and_n_goes_through_the_others(faults: RunQuery) -> None:
    desk = Desk(faults)
    assert desk.session.selection.cursor == 1360
    desk.session.search("error of class")
    assert desk.session.selection.cursor == 430
    assert "5 incidents: 5 new · 3 found by /error of class" in desk.panes()["triage"]
    numbers = desk.session.scene.pane.numbers(desk.session.scene)
    assert [row[0] for row in numbers.rows] == [430, 750, 1650], "a file holds what is listed"
    assert [desk.press("n").session.selection.cursor for _ in range(3)] == [750, 1650, 1650]
    assert rows(desk.press("escape")) == list(EVERY)
    assert desk.session.selection.cursor == 1650


def test_what_nothing_holds_is_said_and_esc_lists_all_again(faults: RunQuery) -> None:
    desk = Desk(faults)
    desk.session.search("status:flagged")
    shown = desk.panes()["triage"]
    assert "No incident matches /status:flagged" in shown
    assert "Esc ends the search" in shown
    assert desk.session.selection.cursor == 1360
    assert rows(desk.press("escape")) == list(EVERY)


def test_decisions_are_about_what_is_found(sample_run: Path) -> None:
    with open_run(sample_run) as query:
        desk = Desk(query)
        desk.session.search("dead|gradient any more")
        (decision,) = desk.session.perform("flag")
        assert "layer2.1.conv1" in decision.entry
        desk.session.search("status:flagged")
        assert rows(desk) == [DEAD]
        desk.session.search("!status:flagged")
        assert rows(desk) == [one for one in EVERY if one != DEAD]


def test_o_puts_the_strongest_or_the_new_ones_first(sample_run: Path) -> None:
    with open_run(sample_run) as query:
        desk = Desk(query)
        scores = {one: entry.score for one, entry in zip(EVERY, desk.session.scene.entries, strict=True)}
        assert rows(desk.press("o")) == sorted(EVERY, key=lambda one: -scores[one])
        assert "· the strongest first" in desk.panes()["triage"]
        assert "incidents the strongest first" in desk.panes()["bar"]
        desk.press("g")
        assert desk.session.selection.cursor == 1360
        desk.session.perform("dismiss")
        assert rows(desk.press("o")) == [FIRST, WHOLE, DEAD, LAST, JUMPED], "what is dismissed comes last"
        assert rows(desk.press("o")) == list(EVERY)
