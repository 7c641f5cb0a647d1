"""One small run for all tests of the command line, made once a process."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented run of 40 records with planted anomalies; not to be changed."""
    from dtui.synth import synthesise

    path = tmp_path_factory.mktemp("runs") / "small.dtui"
    synthesise(path, "small", records=40, seed=0)
    return path
