"""A packed run on screen: what its folder shows, and decisions that go to a file next to it."""

from __future__ import annotations

import json

from dtui.store import pack_run
from tests.tui.conftest import SAMPLES
from tests.tui.driving import press, screen_text, until
from tests.tui.test_samples import opened


async def test_a_packed_run_looks_like_its_folder(tmp_path):
    pack_run(SAMPLES / "mnist-faults.dtui", tmp_path / "mnist-faults.h5")
    shown = []
    for path in (tmp_path / "mnist-faults.h5", SAMPLES / "mnist-faults.dtui"):
        async with opened(path, (150, 50)) as (app, pilot):
            layers = screen_text(app)
            await press(app, pilot, "2")
            shown.append((layers, screen_text(app)))
    assert shown[0] == shown[1]


async def test_a_flag_on_a_packed_run_is_kept_next_to_it(tmp_path):
    pack_run(SAMPLES / "mnist-faults.dtui", tmp_path / "faults.h5")
    packed = (tmp_path / "faults.h5").read_bytes()
    async with opened(tmp_path / "faults.h5", (150, 50)) as (app, pilot):
        entry = app.session.selection.entry
        await press(app, pilot, "f")
        side = tmp_path / "faults.triage.jsonl"
        await until(pilot, side.exists)
    (line,) = map(json.loads, side.read_text().splitlines())
    assert (line["what"], line["status"]) == (entry, "flagged")
    assert (tmp_path / "faults.h5").read_bytes() == packed
