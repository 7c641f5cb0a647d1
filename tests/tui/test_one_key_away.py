"""What opens over any screen: images that are always wrong, confusions, the network, the batch, thresholds."""

from __future__ import annotations

import pytest

from dtui.query import RunQuery
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk

OPENS = {"A": "Gallery", "C": "Confusion", "T": "structure", "D": "batch", "p": "Thresholds"}


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(SAMPLES / "mnist-faults.dtui")


@pytest.mark.parametrize("screen", "123456")
def test_what_opens_over_any_screen_is_one_key_away(faults: RunQuery, screen: str) -> None:
    desk = Desk(faults).press(screen)
    before = desk.screen
    for key, opens in OPENS.items():
        assert desk.press(key).screen == opens
        assert desk.press("q").screen == before


def test_from_a_filter_without_activations_i_leads_to_the_images_that_turned_wrong(faults: RunQuery) -> None:
    desk = Desk(faults).press("n", "2", "tab", "enter")
    assert desk.screen == "filter"
    assert desk.press("i").screen == "Gallery"
    assert "turned wrong" in desk.text()
    assert desk.press("q").screen == "filter"
