"""The demo as a person uses it: begun, watched for a while, left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from dtui.errors import DtuiError
from dtui.model import RunStatus
from dtui.store import RunReader


def status_of(path: Path) -> tuple[RunStatus, int] | None:
    try:
        reader = RunReader(path)
    except DtuiError:
        return None
    try:
        return reader.status(), len(reader.record_iterations)
    finally:
        reader.close()


def test_a_demo_that_is_left_is_done_and_not_crashed(tmp_path: Path) -> None:
    path = tmp_path / "demo.dtui"
    training = subprocess.Popen([sys.executable, "-m", "dtui", "demo", str(path), "--headless", "--every", "1"])
    try:
        while (found := status_of(path)) is None or not found[1]:
            assert training.poll() is None  # it ends by itself: on a busy machine its first record takes minutes
            time.sleep(0.05)
        assert found[0] is RunStatus.LIVE
        training.send_signal(signal.SIGTERM)
        assert training.wait() == 0
    finally:
        training.kill()
        training.wait()
    ended = status_of(path)
    assert ended is not None
    assert ended[0] is RunStatus.DONE
