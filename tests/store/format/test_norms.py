"""Normalisation layers in the store: read back, folded, packed, gone on with, and lists that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError, UsageError
from dtui.model import NORM_STATISTICS, NormLayer, Record
from dtui.model import statistics as known
from dtui.model.statistics import NORMS, Rows, Statistic
from dtui.query import RunQuery
from dtui.store import RunReader, RunWriter, check_run, find_past, pack_run
from dtui.store.run.opening import read_document
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.folding import fold
from tests.store.format.test_contents import assert_refused
from tests.store.read.test_watches import watch_at
from tests.store.twin import Twin, rounded

LAYERS = (NormLayer("stem.\x1b[31mbn", "BatchNorm2d", 3, "stem"), NormLayer("ln", "LayerNorm", 4))
WITH_NORMS = replace(STRUCTURE, norms=LAYERS)
FRAMES = 70


def record_at(position: int) -> Record:
    values = np.random.default_rng(position).normal(size=(len(NORM_STATISTICS), 2)).astype(np.float32)
    values[:2, 1] = np.nan
    values[-1] = position
    return replace(make_record(position), norms=values)


def assert_norms(reader: RunReader, records: list[Record]) -> None:
    assert reader.structure.norms == LAYERS
    for row, name in enumerate(NORM_STATISTICS):
        found = reader.read_norms(name, slice(None))
        expected = np.stack([record.norms[row] for record in records], -1)
        np.testing.assert_array_equal(found[:, ~reader.is_watch], rounded(expected, NORMS[name].bits), err_msg=name)
        assert np.isnan(found[:, reader.is_watch]).all()
        np.testing.assert_array_equal(reader.read_norms(name, slice(3, 9, 2)), found[:, 3:9:2])


def written(path: Path, frames: int = FRAMES) -> tuple[Path, Twin]:
    """Write a run with normalisation layers, and fold what is full of it."""
    writer, twin = RunWriter(path, WITH_NORMS, METADATA, compact=False), Twin()
    for position in range(frames):
        writer.append_record(record_at(position))
        twin.records.append(record_at(position))
    for iteration in range(403, 443):
        writer.append_watch(watch_at(iteration))
        twin.watches.append(watch_at(iteration))
    writer.close()
    fold(writer.path)
    return writer.path, twin


def test_norms_are_read_back_from_journals_parts_and_packed_runs(tmp_path: Path) -> None:
    path, twin = written(tmp_path / "run")
    for stage in ("half", "folded", "packed"):
        if stage == "folded":
            fold(path, finish=True)
        if stage == "packed":
            pack_run(path, tmp_path / "run.h5")
            path = tmp_path / "run.h5"
        reader = RunReader(path)
        twin.assert_read_by(reader)
        assert_norms(reader, twin.records)
        assert reader.lost_arrays(with_data=True) == []
        reader.close()
        assert check_run(path).is_fine
    with RunQuery(path) as query:
        assert query.recorded(Rows.NORMS) == NORM_STATISTICS
        assert query.structure().norms == LAYERS
        assert query.norms("nonfinite").shape == (2, len(query.record_iterations()))
        assert not query.norms("nonfinite").flags.writeable
        with pytest.raises(
            UsageError, match="norm statistic 'speed' is unknown; use one of mean_shift, variance_shift"
        ):
            query.norms("speed")


def test_a_live_run_shows_the_norms_of_new_records(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", WITH_NORMS, METADATA, compact=False)
    writer.append_record(record_at(0))
    with RunQuery(writer.path) as query:
        assert query.norms("nonfinite").tolist() == [[0], [0]]
        assert query.info().norms == 2
        assert not any("normalisation" in line for line in query.info().findings)
        writer.append_record(record_at(1))
        query.refresh()
        assert query.norms("nonfinite").tolist() == [[0, 1], [0, 1]]
        line = "scales or running statistics are NaN or Inf in 2 normalisation layers, first in layer"
        assert f"{line} stem.\x1b[31mbn at iteration 10" in query.info().findings
    writer.close()


def test_a_run_without_norms_says_so_and_is_what_it_was(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(make_record(0))
    document = json.loads(read_document(writer.path / "structure.h5").tobytes())
    assert "norms" not in document
    assert [track["kind"] for track in document["holds"]["tracks"]] == ["filters", "layers"]
    with RunQuery(writer.path) as query:
        assert query.recorded(Rows.NORMS) == ()
        with pytest.raises(
            NotRecordedError, match="mean_shift was not recorded in this run; it holds nothing of that kind"
        ):
            query.norms("mean_shift")


def test_a_run_with_norms_is_gone_on_with(tmp_path: Path) -> None:
    path, twin = written(tmp_path / "run")
    past = find_past(path)
    assert past is not None
    assert past.structure.norms == LAYERS
    writer = RunWriter.resume(past, 500, compact=False)
    twin.supersede(500)
    for position in range(50, 90):
        writer.append_record(record_at(position))
        twin.records.append(record_at(position))
    writer.append_record(replace(record_at(90), norms=None))
    writer.close()
    reader = RunReader(path)
    assert np.isnan(reader.read_norms("nonfinite", slice(-1, None))).all()
    reader.close()
    twin.records.append(replace(record_at(90), norms=np.full((len(NORM_STATISTICS), 2), np.nan, np.float32)))
    for finish in (False, True):
        if finish:
            fold(path, finish=True)
        reader = RunReader(path)
        twin.assert_read_by(reader)
        assert_norms(reader, twin.records)
        reader.close()
    assert check_run(path).is_fine


def test_a_dtui_that_measures_other_things_of_norms_keeps_the_list_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = written(tmp_path / "run")
    new = Statistic("skew", Rows.NORMS, ())
    kept = [one for one in known.STATISTICS if (one.rows, one.name) != (Rows.NORMS, "scale_shift")]
    monkeypatch.setattr(known, "STATISTICS", (*kept, new))
    past = find_past(path)
    assert past is not None
    with RunWriter.resume(past, 10 * FRAMES, compact=False) as writer:
        values = np.array([[1], [2], [4], [5], [6]], np.float32) * np.ones(2, np.float32)
        writer.append_record(replace(make_record(FRAMES), norms=values))
    reader = RunReader(path)
    assert [float(reader.read_norms(name, slice(-1, None))[0, 0]) for name in NORM_STATISTICS if name in NORMS] == [
        pytest.approx(value, nan_ok=True) for value in (1, 2, np.nan, 4, 5)
    ]
    with pytest.raises(NotRecordedError, match="norm statistic skew was not recorded"):
        reader.read_norms("skew", slice(None))
    reader.close()


def test_a_record_of_other_norms_is_refused(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", WITH_NORMS, METADATA, compact=False) as writer:
        with pytest.raises(UsageError, match=r"norms has shape \(5, 3\), this run needs \(5, 2\)"):
            writer.append_record(replace(make_record(0), norms=np.zeros((5, 3), np.float32)))
        writer.append_record(record_at(0))


Change = Callable[[dict], object]
BAD: dict[str, tuple[Change, str]] = {
    "no layers": (lambda v: v.pop("norms"), "0 normalisation layers, rows of 2"),
    "one layer less": (lambda v: v["norms"].pop(), "1 normalisation layers, rows of 2"),
    "no rows": (lambda v: v["holds"]["tracks"].pop(), "2 normalisation layers, rows of 0"),
    "more rows": (lambda v: v["holds"]["tracks"][2].update(rows=3), "2 normalisation layers, rows of 3"),
    "text for layers": (lambda v: v.update(norms="bn"), "not a list of at most"),
    "too many": (lambda v: v.update(norms=[0] * 1_000_001), "not a list of at most 1000000"),
    "text for a layer": (lambda v: v.update(norms=["bn", "ln"]), "string indices"),
    "no name": (lambda v: v["norms"][0].pop("name"), "name"),
    "channels of text": (lambda v: v["norms"][0].update(channels="many"), "many is not a number of channels"),
    "no channels": (lambda v: v["norms"][0].update(channels=0), "0 is not a number of channels"),
    "channels beyond memory": (lambda v: v["norms"][0].update(channels=10**30), "is not a number of channels"),
}


@pytest.fixture(scope="module")
def norm_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with RunWriter(tmp_path_factory.mktemp("norms") / "run", WITH_NORMS, METADATA, compact=False) as writer:
        writer.append_record(record_at(0))
    return writer.path


@pytest.mark.parametrize("name", BAD)
def test_norms_that_cannot_be_are_one_clear_line(norm_run: Path, tmp_path: Path, name: str) -> None:
    assert_refused(norm_run, tmp_path / "run.dtui", *BAD[name])
