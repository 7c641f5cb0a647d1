"""What opens over any screen: the images that are always wrong, the confusions, the network, the batch."""

from __future__ import annotations

import pytest

from dtui.query import RunQuery
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(SAMPLES / "mnist-faults.dtui")


@pytest.mark.parametrize("screen", "123456")
@pytest.mark.parametrize(("key", "opens"), [("A", "Gallery"), ("C", "Confusion"), ("T", "structure"), ("D", "batch")])
def test_what_opens_over_any_screen_is_one_key_away(faults: RunQuery, screen: str, key: str, opens: str) -> None:
    desk = Desk(faults).press(screen)
    assert desk.press(key).screen == opens
    assert desk.press("q").screen == Desk(faults).press(screen).screen
