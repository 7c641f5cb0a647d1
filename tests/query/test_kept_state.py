"""The state that is kept of a large run: the same as without it, no filter read twice, and what a bad table costs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES, RunState, RunStatus
from dtui.query import open_run
from dtui.query.kept import state as kept_state
from dtui.store import RunReader, RunWriter
from dtui.store.run.anomaly_cache import FindingsFile
from tests.query.test_anomaly_cache import damage
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.noting import note_reads

RECORDS = 48
NORM = LAYER_STATISTICS.index("norm2")


@pytest.fixture(autouse=True)
def _keeps_small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_state, "WORTH_KEEPING", 1)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statistics of filters that were read from the files."""
    return note_reads(monkeypatch, "read_filters", told=lambda _, statistic, *places: statistic)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a layer without gradients, a dead filter and one that goes on moving."""
    with RunWriter(tmp_path_factory.mktemp("state") / "run", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(RECORDS):
            record = make_record(position)
            filters = dict(zip(FILTER_STATISTICS, record.filters, strict=True))
            for name in ("gradient_mean", "gradient_std", "update_norm", "update_ratio"):
                filters[name][:] = 1e-4
                filters[name][9] = 0
            filters["update_ratio"][4] = 1e-2 if position > 20 else 1e-4
            for source in ("gradients", "updates"):
                record.layers[SOURCES.index(source), NORM] = (0 if source == "gradients" else 1, 1, 1)
            writer.append_record(record)
    return writer.path


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(recorded, tmp_path / recorded.name)


def asked(path: Path) -> RunState:
    with open_run(path) as query:
        return query.state()


def test_what_is_kept_is_the_state_and_no_filter_is_read_for_it(run: Path, reads: list[str]) -> None:
    found = asked(run)
    assert [(str(one.standing), one.layer, one.filters) for one in found.entries] == [
        ("dead", "fc", (1,)),
        ("moving", "stage.\x1b[31mconv", (1,)),
        ("no gradient", "stem", ()),
    ]
    assert found.entries[1].since == (210,)
    assert reads
    reads.clear()
    assert asked(run) == found
    assert not reads


def test_a_small_run_is_left_alone(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_state, "WORTH_KEEPING", 1_000_000)
    asked(run)
    assert not (run / "findings.h5").exists()


def test_a_live_run_is_neither_answered_from_it_nor_written_to(
    run: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RunReader, "status", lambda _: RunStatus.LIVE)
        asked(run)
        assert not (run / "findings.h5").exists()
    asked(run)
    reads.clear()
    monkeypatch.setattr(RunReader, "status", lambda _: RunStatus.LIVE)
    asked(run)
    assert reads


def test_what_was_kept_does_not_outlive_damage_that_came_later(run: Path, reads: list[str]) -> None:
    asked(run)
    journal = min(path for path in (run / "journal").glob("*.dtj") if path.name.startswith("records"))
    damage(journal, journal.stat().st_size // 2)
    reads.clear()
    asked(run)
    assert reads


def test_what_is_found_in_a_damaged_run_is_not_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunReader, "faults", property(lambda _: ("a part cannot be read",)))
    asked(run)
    assert not (run / "findings.h5").exists()


@pytest.mark.parametrize(
    "row",
    [(99, 0, 0, 1), (-1, 0, 0, 1), (0, 9, 0, 1), (0, -1, 0, 1), (0, 0, 3, 1), (0, 0, 0, -2), (7, 2, -1, -1)],
    ids=str,
)
def test_a_table_that_cannot_be_of_this_run_is_ignored(
    run: Path, row: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asked(run)
    bad = np.array([row, (0, 0, 1, 1), (0, 0, 2, 1)], dtype=np.int64)
    monkeypatch.setattr(FindingsFile, "read_first", lambda *_: (0, bad))
    assert asked(run) == found


def test_where_nothing_can_be_written_the_state_is_told_all_the_same(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(FindingsFile, "write_all", full)
    assert len(asked(run).entries) == 3


def test_the_numbers_of_all_layers_are_not_kept_for_the_state_of_a_run_that_has_ended(run: Path) -> None:
    with open_run(run) as query:
        assert query.state().entries
        kept = [key for key in query._data._growing._kept if key[:2] == ("filters", "update_ratio")]
        assert kept == [], "the state is kept, and nobody asks for them again"
        query._data.filters("update_ratio", 1)
        query._data._memory.clear()
        assert query.state().entries
        assert query._data._growing.size_of(("filters", "update_ratio", 1)), "what a screen shows stays"
