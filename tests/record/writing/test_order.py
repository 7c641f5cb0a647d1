"""What was logged is read late, on the writer thread: on a GPU only once the event of the measurement has passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dtui.record import RecorderWarning
from dtui.record.measure.measurer import _Device
from dtui.record.training.scalar_log import ScalarLog
from tests.record.conftest import RecorderUnderTest, small_net


def test_scalars_are_read_after_the_measurement_has_arrived(
    record: Callable[..., RecorderUnderTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    measure, take = _Device.take, ScalarLog.take

    def noting(function: Callable[..., Any], word: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            order.append(word)
            return function(*arguments)

        return call

    monkeypatch.setattr(_Device, "take", lambda device, layers: noting(measure(device, layers), "arrived"))
    monkeypatch.setattr(ScalarLog, "take", lambda log: noting(take(log), "read"))
    recorder = record(small_net(), None, every=1)
    recorder.log(loss=0.5)
    recorder.step()
    recorder.close()
    assert order == ["arrived", "read"]
    assert recorder.store.records[0].scalars["loss"] == 0.5


def test_what_is_no_number_costs_only_itself(record: Callable[..., RecorderUnderTest]) -> None:
    recorder = record(small_net(), None, every=1)
    with pytest.warns(RecorderWarning) as told:
        recorder.log(phase=np.complex64(1j), word=np.str_("a"), loss=np.float32(0.5))
    recorder.step()
    recorder.close()
    assert [str(warning.message)[:16] for warning in told] == ["dtui: log: phase", "dtui: log: word "]
    assert recorder.store.records[0].scalars == {"loss": 0.5}
