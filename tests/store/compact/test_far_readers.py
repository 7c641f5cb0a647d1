"""Readers on another host: a network file system shows them folders as they were a while ago."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dtui.store import RunReader
from dtui.store.compact import remove_replaced, worker
from dtui.store.compact.worker import RunCompactor
from dtui.store.disk.atomic_files import list_folder
from dtui.store.format.schema import SMALL_PART
from dtui.store.read import catalog
from tests.store.clock import Clock
from tests.store.conftest import Recording

NFS_SECONDS = 60
"""What `acdirmax` is in nfs(5), if nobody sets it: the oldest listing that a client shows."""
STEP_SECONDS = 20
STEPS = 14


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(remove_replaced, "time", found)
    return found


@pytest.mark.parametrize("old", [("parts",), ("journal",), ("parts", "journal")], ids="+".join)
def test_a_listing_as_old_as_nfs_shows_hides_only_the_newest(
    recording: Recording, clock: Clock, monkeypatch: pytest.MonkeyPatch, old: tuple[str, ...]
) -> None:
    listings: dict[str, list[list[Path]]] = {"parts": [], "journal": []}

    def list_late(folder: Path) -> list[Path]:
        if folder.name not in old:
            return list_folder(folder)
        return listings[folder.name][max(0, len(listings[folder.name]) - 1 - NFS_SECONDS // STEP_SECONDS)]

    monkeypatch.setattr(catalog, "list_folder", list_late)
    before = 0
    with closing(RunCompactor(recording.path)) as compactor:
        for _ in range(STEPS):
            recording.append(SMALL_PART, 0)
            monkeypatch.setattr(catalog, "list_folder", list_folder)  # the compactor is on the host that writes
            compactor.compact(finish=False)
            monkeypatch.setattr(catalog, "list_folder", list_late)
            for name, known in listings.items():
                known.append(list_folder(recording.path / name))
            with closing(RunReader(recording.path)) as reader:
                assert reader.faults == ()
                shown = len(reader.record_iterations)
                assert reader.record_iterations.tolist() == [one.iteration for one in recording.twin.axis[:shown]]
                assert np.isfinite(reader.read_filters("std", slice(0, 1), slice(None))).all()
            assert shown >= before
            before = shown
            clock.sleep(STEP_SECONDS)
    assert before > SMALL_PART * (STEPS - NFS_SECONDS // STEP_SECONDS - 3)


def test_it_waits_no_longer_than_there_is_room(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.append(1)
    with closing(RunCompactor(recording.path)) as compactor:
        assert compactor.grace() == worker.NETWORK_GRACE_SECONDS > NFS_SECONDS
        monkeypatch.setattr(worker, "ROOM_BYTES", 1)
        assert compactor.grace() == worker.GRACE_SECONDS
