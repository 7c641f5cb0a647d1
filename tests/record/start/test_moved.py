"""A training script that changes its working directory: a relative path means what it meant in the beginning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from dtui.model import RunStatus
from dtui.record import Recorder
from dtui.store import RunReader
from tests.record.conftest import small_net


@pytest.mark.parametrize("moment", ["before the first record", "between records", "before the end"])
@pytest.mark.parametrize("ending", ["close", "at exit"])
def test_a_script_that_changes_its_folder_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, ending: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    recorder = Recorder("runs/a", model, optimizer, every=1)

    def update(count: int) -> None:
        for _ in range(count):
            loss = model(torch.ones(2, 1, 8, 8)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()

    moments = ["before the first record", "between records", "before the end"]
    for at, name in enumerate(moments):
        if name == moment:
            if at and recorder._recording.sink is not None:
                recorder._recording.sink.drain(60)
            os.chdir("elsewhere")
        if at < 2:
            update(40)
    if ending == "close":
        recorder.close()
    else:
        recorder._end.at_exit()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    reader = RunReader(tmp_path / "runs/a")
    assert reader.record_iterations.tolist() == list(range(80))
    assert (reader.status(), reader.gaps, reader.faults) == (RunStatus.DONE, (), ())
    reader.close()
