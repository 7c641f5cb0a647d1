"""The cache of findings: when it counts, when it is written, and what a bad one costs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tables

from dtui.errors import UsageError
from dtui.model import Anomaly, AnomalySettings
from dtui.query import class_table, open_run
from dtui.query.incidents import walk
from dtui.query.labels import judgements
from dtui.store import check_run, pack_run
from dtui.store.check.result import FileState
from dtui.store.run.anomaly_cache import MOST_TABLES, FindingsFile
from dtui.synth import synthesise
from tests.properties.test_findings import make_run
from tests.store.folding import fold


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(class_table, "WORTH_KEEPING_SECONDS", -1.0)
    return make_run(tmp_path, 3, [8, 5, 9], 24)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[AnomalySettings]:
    """The settings that anomalies were computed for."""
    asked: list[AnomalySettings] = []
    compute = class_table.find_flip_table

    def counted(evidence: object, settings: AnomalySettings) -> np.ndarray:
        asked.append(settings)
        return compute(evidence, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(class_table, "find_flip_table", counted)
    return asked


def ask(run: Path, settings: AnomalySettings | None = None) -> tuple[Anomaly, ...]:
    with open_run(run) as query:
        return query.anomalies(settings)


def test_what_was_kept_is_not_computed_again(run: Path, computed: list[AnomalySettings]) -> None:
    first = ask(run)
    assert first
    assert ask(run) == first
    with open_run(run) as query:
        assert query.top_anomalies(3) == tuple(sorted(first, key=lambda one: -one.score))[:3]
    assert computed == [AnomalySettings()]
    other = AnomalySettings("left", 1, "images", 2)
    ask(run, other)
    ask(run, other)
    ask(run)
    assert computed == [AnomalySettings(), other]


def test_what_was_read_a_little_at_a_time_is_the_same_and_kept(
    run: Path, computed: list[AnomalySettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = AnomalySettings()
    monkeypatch.setattr(judgements, "LABELS_AT_ONCE", 1)
    with open_run(run) as query:
        slices = 1
        while not query.prepare_anomalies(settings, 0.0):
            slices += 1
        assert slices == len(query.validation_iterations())
        sliced = query.anomalies(settings)
    assert ask(run) == sliced
    assert computed == [settings]
    with open_run(run) as query:
        assert query.prepare_anomalies(settings, 0.0)  # the kept ones need no label
        assert not query._data.has_judgements
    (run / "findings.h5").unlink()
    assert ask(run) == sliced


def test_a_small_run_is_left_alone(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_table, "WORTH_KEEPING_SECONDS", 0.2)
    monkeypatch.setattr(class_table.time, "monotonic", lambda: 0.0)
    ask(run)
    assert not (run / "findings.h5").exists()


def test_settings_that_are_tried_out_on_screen_are_not_kept(run: Path) -> None:
    with open_run(run) as query:
        query.anomalies()
        written = (run / "findings.h5").read_bytes()
        query.anomalies(AnomalySettings(threshold=0.3))
    assert (run / "findings.h5").read_bytes() == written


def test_a_live_run_is_never_written_to_or_answered_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computed: list[AnomalySettings]
) -> None:
    from dtui.model import RunStatus
    from dtui.store import RunReader

    monkeypatch.setattr(class_table, "WORTH_KEEPING_SECONDS", -1.0)
    run = make_run(tmp_path, 3, [8, 5], 24)
    with monkeypatch.context() as patch:
        patch.setattr(RunReader, "status", lambda _: RunStatus.LIVE)
        ask(run)
        assert not (run / "findings.h5").exists()
    ask(run)
    with monkeypatch.context() as patch:
        patch.setattr(RunReader, "status", lambda _: RunStatus.LIVE)
        ask(run)
    assert len(computed) == 3


def test_a_run_that_went_on_is_computed_again(
    run: Path, computed: list[AnomalySettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(run)
    journal = run / "journal" / "validations-0000000000.dtj"
    data = journal.read_bytes()
    journal.write_bytes(data[: len(data) - len(data) // 24])  # the last validation is lost
    with open_run(run) as query:
        assert len(query.validation_iterations()) == 23
        query.anomalies()
    monkeypatch.setattr(class_table, "VERSION", 99)
    ask(run)
    assert len(computed) == 3


def damage(part: Path, where: int) -> None:
    """Change one byte in place, as a disk does: the size and the time of the content stay."""
    stat = part.stat()
    with part.open("r+b") as file:
        file.seek(where)
        byte = file.read(1)[0]
        file.seek(where)
        file.write(bytes([byte ^ 1]))
    os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert part.stat().st_mtime_ns == stat.st_mtime_ns


def test_what_was_kept_does_not_outlive_damage_that_came_later(run: Path, computed: list[AnomalySettings]) -> None:
    fold(run, finish=True)
    ask(run)
    part = next((run / "parts").glob("validations-*"))
    with tables.open_file(str(part)) as file:
        label = file.root.validation.label.chunk_info((0, 0))
    damage(part, label.offset + label.size // 2)
    with open_run(run) as query:
        query.anomalies()
        assert query.faults()
    assert len(computed) == 2


def test_evidence_does_not_outlive_damage_that_came_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "WORTH_KEEPING_SECONDS", -1.0)
    run = synthesise(tmp_path / "small", "small", records=24)
    with open_run(run) as query:
        whole = query.incidents()
    with open_run(run) as query:
        assert query.incidents() == whole
        assert not query._incidents._streams  # from the cache
    part = next((run / "parts").glob("records-*"))
    with tables.open_file(str(part)) as file:
        chunk = file.get_node("/filters/update_ratio").chunk_info((0, 0))
    damage(part, chunk.offset + chunk.size // 2)
    with open_run(run) as query:
        query.incidents()
        assert query.faults()


def test_a_table_of_files_that_changed_while_it_was_made_is_not_kept(run: Path) -> None:
    cache = FindingsFile(run / "findings.h5", "run")
    cache.read({"of": "x"}, 5)
    os.utime(run / "structure.h5")
    cache.write({"of": "x"}, np.zeros((2, 5), np.int64))
    assert not (run / "findings.h5").exists()


def test_decisions_are_not_in_it(run: Path, computed: list[AnomalySettings]) -> None:
    first = ask(run)[0]
    with open_run(run) as query:
        query.decide(first.id, "flagged", "look")
    found = {one.id: one.status for one in ask(run)}
    assert found[first.id] == "flagged"
    with open_run(run) as query:
        query.decide(first.id, "dismissed")
        strongest = {one.id: (one.status, one.note) for one in query.top_anomalies(10_000)}
    assert strongest[first.id] == ("dismissed", "look")
    assert len(computed) == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "another run's", "a folder", "a link"])
def test_a_bad_one_costs_nothing_but_computing(
    run: Path, tmp_path: Path, computed: list[AnomalySettings], damage: str
) -> None:
    expected = ask(run)
    path = run / "findings.h5"
    good = path.read_bytes()
    if damage == "flip":
        path.write_bytes(good[:200] + bytes([good[200] ^ 1]) + good[201:])
    elif damage == "cut":
        path.write_bytes(good[: len(good) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "another run's":
        (tmp_path / "b").mkdir()
        other = make_run(tmp_path / "b", 4, [8, 5, 9], 24)
        ask(other)
        shutil.copy(other / "findings.h5", path)
        computed.pop()
    elif damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        path.rename(tmp_path / "outside.h5")
        path.symlink_to(tmp_path / "outside.h5")
    if damage in ("flip", "cut", "empty"):
        result = check_run(run)
        assert result.is_fine
        assert FileState.LEFT_OVER in {file.state for file in result.files if file.path.name == path.name}
    assert ask(run) == expected
    assert len(computed) == 2
    if damage != "a folder":
        assert ask(run) == expected
        assert len(computed) == 2, "it was made anew"
        assert not path.is_symlink()


@pytest.mark.parametrize("row", [(2, 0, 0, 0, 1), (0, 9, 0, 0, 1), (0, 0, 5, 0, 1), (0, 0, 0, 3, 1), (0, 0, 0, 0, 99)])
def test_impossible_numbers_from_outside_are_not_believed(
    run: Path, computed: list[AnomalySettings], monkeypatch: pytest.MonkeyPatch, row: tuple[int, ...]
) -> None:
    def lie(file: FindingsFile, key: dict[str, object], columns: int, rows: int | None = None) -> np.ndarray:
        return np.array([row], np.int64)

    expected = ask(run)
    monkeypatch.setattr(FindingsFile, "read", lie)
    assert ask(run) == expected
    assert len(computed) == 2


def test_a_folder_that_cannot_be_written_to_is_no_error(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dtui.store.disk.sealed_builder.publish", refuse)
    assert ask(run)
    assert not [path for path in run.iterdir() if path.name.startswith("findings")]


def test_only_the_newest_tables_are_kept(run: Path, computed: list[AnomalySettings]) -> None:
    some = [AnomalySettings(threshold=0.1 * k) for k in range(1, MOST_TABLES + 2)]
    for settings in some:
        ask(run, settings)
    for settings in reversed(some):
        ask(run, settings)
    assert computed == [*some, some[0]]


def test_the_check_knows_it_and_nothing_else_minds(run: Path, tmp_path: Path) -> None:
    expected = ask(run)
    (verdict,) = [file for file in check_run(run).files if file.path.name == "findings.h5"]
    assert verdict.state is FileState.FINE
    fold(run, finish=True)
    assert ask(run) == expected
    assert pack_run(run, tmp_path / "run.h5").missing == ()
    assert ask(tmp_path / "run.h5") == expected
    assert {path.name for path in tmp_path.iterdir()} == {"run.dtui", "run.h5"}


def test_nothing_changes_for_who_looks_on(run: Path) -> None:
    with open_run(run) as query:
        assert query.refresh() is False
        query.anomalies()
        assert (run / "findings.h5").exists()
        assert query.refresh() is False


def test_fewer_than_one_is_refused(run: Path) -> None:
    with open_run(run) as query, pytest.raises(UsageError, match="the top 0; ask for at least 1"):
        query.top_anomalies(0)
