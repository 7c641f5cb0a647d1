"""Where greenlets stand in the place of threads nothing is recorded: the training would wait for ever."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dtui.errors import RecorderError
from dtui.record import Recorder
from dtui.record.start.threads import check_threads
from tests.record.conftest import small_net


@pytest.mark.parametrize(
    ("name", "function", "what"),
    [("gevent.monkey", "is_module_patched", "threading"), ("eventlet.patcher", "is_monkey_patched", "thread")],
)
def test_greenlets_are_refused_and_a_library_that_left_threads_alone_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, function: str, what: str
) -> None:
    patched = {what}
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(**{function: patched.__contains__}))
    with pytest.raises(RecorderError, match=f"^{name.partition('.')[0]} has replaced the threads of this process"):
        Recorder(tmp_path / "run", small_net())
    assert list(tmp_path.iterdir()) == []
    patched.clear()
    check_threads()
