"""What a run says about its training can always be stored."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dtui.record import Recorder
from dtui.record.writing.warn import RecorderWarning
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


def test_a_long_hyperparameter_is_cut_and_that_is_told(tmp_path: Path) -> None:
    long = {"data": list(range(2_000_000)), "k" * 2000: 1}
    note = {"iteration": 0, "kind": "x" * 5000}
    with pytest.warns(RecorderWarning, match=r"kept to 1,000 characters: \[0, 1, 2.*… is cut"):
        recorder = Recorder(tmp_path / "run", small_net(), every=1, hyperparameters=long, notes=[note])
    with recorder:
        recorder.step()
    with closing(RunReader(tmp_path / "run.dtui")) as reader:
        kept = reader.metadata.hyperparameters
        assert {len(kept["data"]), len(max(kept, key=len)), len(str(reader.metadata.notes[0]["kind"]))} == {1000}
        assert kept["data"].endswith("…")


@pytest.mark.parametrize("around", [0, 6])
def test_a_run_says_whether_the_flight_recorder_is_on(tmp_path: Path, around: int) -> None:
    with Recorder(tmp_path / "run", small_net(), every=2, keep_around=around) as recorder:
        recorder.step()
    with closing(RunReader(tmp_path / "run.dtui")) as reader:
        assert reader.metadata.keep_around == around
