"""Questions that people ask about layers, each answered in words within three keys of the start screen, at 80×24."""

from __future__ import annotations

import pytest

from tests.tui.driving import press, screen_text
from tests.tui.test_samples import FAULTS, opened

JOBS = {
    "what died at 1,010": (["N", "2"], ["layer2.1.conv1 3×3: filters 1 4 5 8 11 14 dead since 1,010"]),
    "which filter jumped at 1,360": (["2"], ["layer3.0.conv1 filter 17 @1,360", "layer3.0.conv1 3×3: filter 17 dead"]),
    "what is dead in the whole network": (
        ["2"],
        ["7 of 402 filters dead: layer2.1.conv1 1 4 5 8 11 14, layer3.0.conv1 17"],
    ),
    "what did that filter do": (
        ["2", "tab", "enter"],
        ["Filter 17 of layer3.0.conv1", "dead since 1,360", "1st of 32"],
    ),
    "where are the layers with dead filters in the network": (["2", "T"], ["layer3.0.conv1", "×1", "⊕"]),
    "which layers move most now": (["2", "o", "o"], ["layer3.0.conv1 at 1,360"]),
}


@pytest.mark.parametrize("job", JOBS)
async def test_a_job_takes_at_most_three_keys(job: str) -> None:
    keys, words = JOBS[job]
    assert len(keys) <= 3
    async with opened(FAULTS, (80, 24)) as (app, pilot):
        for key in keys:
            await press(app, pilot, key)
        text = screen_text(app)
        assert [said for said in words if said not in text] == [], text


async def test_whether_an_update_ratio_is_healthy_takes_a_key_and_a_name() -> None:
    async with opened(FAULTS, (80, 24)) as (app, pilot):
        await press(app, pilot, "2")
        await pilot.press("slash", *"layer3.1.conv2")
        await press(app, pilot, "enter")
        assert "layer3.1.conv2 at 1,360: update ratio 1.5e-4, healthy (1e-4 to 1e-2)" in screen_text(app)


async def test_any_statistic_takes_three_keys() -> None:
    """A list opens, and one key chooses; of the tree and of the filters."""
    async with opened(FAULTS, (80, 24), "2") as (app, pilot):
        await pilot.press("s")
        text = screen_text(app)
        assert "Statistic of the tree" in text
        assert "healthy 1e-4 to 1e-2" in text
        await press(app, pilot, "8")
        assert "norm2 of weights" in screen_text(app)
        await press(app, pilot, "tab")
        await pilot.press("s")
        assert "Statistic of the filters" in screen_text(app)
        await press(app, pilot, "8")
        assert "update ratio" in screen_text(app)
        await pilot.press("s", "escape")
        assert "update ratio" in screen_text(app)
