"""How the folder of a run is named, and how its path is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dtui.run_path import told_path


def test_a_path_is_told_the_same_however_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "runs" / "a.dtui"
    run.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "runs")
    for given in (run, "a.dtui", "./a.dtui", "../runs/a.dtui", f"{tmp_path}/runs/../runs//a.dtui"):
        assert told_path(given) == run


def test_a_link_keeps_its_name_but_where_it_would_mislead(tmp_path: Path) -> None:
    (tmp_path / "disk" / "runs" / "a").mkdir(parents=True)
    (tmp_path / "disk" / "b").mkdir()
    (tmp_path / "latest").symlink_to("disk/runs/a")
    assert told_path(tmp_path / "latest") == tmp_path / "latest"
    assert told_path(f"{tmp_path}/latest/../../b") == Path(os.path.realpath(tmp_path)) / "disk" / "b"
