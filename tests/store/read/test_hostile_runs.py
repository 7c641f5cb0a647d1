"""Runs from outside under every command: nothing runs, nothing outside is touched, memory is bounded."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dtui.store.disk.sealed_builder import write_small_file
from tests.store.foreign import FOREIGN, write_foreign
from tests.store.hostile import reseal
from tests.store.hostile_folders import FOLDER_ATTACKS, SECRET, fill_outside, snapshot
from tests.store.surviving import survive

MOST_MEMORY = 700 << 20
SEALED = ("structure.h5", "images.h5", "parts/records-0000000000-0000000032.h5")


@pytest.mark.parametrize("name", FOLDER_ATTACKS)
def test_a_hostile_run_harms_nobody(folded: Path, tmp_path: Path, name: str) -> None:
    run, outside = tmp_path / "run.dtui", tmp_path / "outside"
    shutil.copytree(folded, run)
    fill_outside(outside)
    before = snapshot(outside)
    FOLDER_ATTACKS[name](run, outside)
    survival = survive(run)
    assert snapshot(outside) == before
    assert not any(SECRET in text for text in survival.texts.values())
    assert survival.memory < MOST_MEMORY


@pytest.mark.parametrize("file", SEALED)
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_reads_nothing_outside(folded: Path, tmp_path: Path, name: str, file: str) -> None:
    run = tmp_path / "run.dtui"
    shutil.copytree(folded, run)
    write_foreign(name, run / file)
    reseal(run / file)
    secret = f'{{"run": "{SECRET}"}}'.ljust(64)
    for folder in {run.parent, (run / file).parent}:
        (folder / "secret.txt").write_text(secret)
        write_small_file(folder / "secret.h5", {"/document": np.frombuffer(secret.encode(), np.uint8)})
    survival = survive(run)
    assert not any(SECRET in text for text in survival.texts.values())
    assert survival.memory < MOST_MEMORY
    assert "not fine" in survival.texts["check RUN"]
