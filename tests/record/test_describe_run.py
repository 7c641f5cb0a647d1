"""What a run says about its training can always be stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dtui.record import Recorder
from dtui.store import RunReader
from tests.record.conftest import small_net


def test_a_note_may_hold_any_number_or_object(tmp_path: Path) -> None:
    note = {"iteration": np.int64(3), "kind": "lr", "factor": np.float32(0.5), "where": tmp_path, "is_known": True}
    with Recorder(tmp_path / "run", small_net(), every=1, notes=[note]) as recorder:
        recorder.step()
    reader = RunReader(tmp_path / "run.dtui")
    assert reader.metadata.notes == (
        {"iteration": 3, "kind": "lr", "factor": 0.5, "where": str(tmp_path), "is_known": True},
    )
    reader.close()
