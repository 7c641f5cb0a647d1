"""Attention heads, adapters and groups in the store: read back, folded, packed, gone on with, and what cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError, RunDamagedError
from dtui.model import Adapter, HeadGroup, Record
from dtui.model.layers import ADAPTER_RATIO
from dtui.model.statistics import Rows
from dtui.query import RunQuery
from dtui.store import RunReader, RunWriter, check_run, find_past, pack_run
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.folding import fold
from tests.store.format.test_contents import relist
from tests.store.twin import rounded

HEADS = (HeadGroup(1, "query", 0, 2, 2, 2), HeadGroup(2, "output", 0, 2, 2, 2, of_inputs=True))
ADAPTERS = (
    Adapter("stem", "de\x1b[31mfault", "LoRA", 2, 0.5, "stem", ("fc",)),
    Adapter("fc", "other", "DoRA", 0, 1.0),
)
WITH_ROWS = replace(STRUCTURE, heads=HEADS, adapters=ADAPTERS, groups=(1, 1, 2))
FRAMES = 40


def record_at(position: int) -> Record:
    return replace(make_record(position), adapters=np.array([[position + 0.123, np.nan]], np.float32))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with RunWriter(tmp_path_factory.mktemp("rows") / "run", WITH_ROWS, METADATA, compact=False) as writer:
        for position in range(FRAMES):
            writer.append_record(record_at(position))
    return writer.path


def assert_read(path: Path, frames: int) -> None:
    reader = RunReader(path)
    assert (reader.structure.heads, reader.structure.adapters, reader.structure.groups) == (HEADS, ADAPTERS, (1, 1, 2))
    found = reader.read_rows(Rows.ADAPTERS, "adapter_norm", slice(None))
    expected = np.array([[position + 0.123 for position in range(frames)], [np.nan] * frames], np.float32)
    np.testing.assert_array_equal(found, rounded(expected, 10))
    reader.close()


def test_they_are_read_back_from_journals_parts_and_packed_runs(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(written, path)
    assert_read(path, FRAMES)
    fold(path)
    assert_read(path, FRAMES)
    fold(path, finish=True)
    assert check_run(path).is_fine
    pack_run(path, tmp_path / "run.h5")
    assert_read(tmp_path / "run.h5", FRAMES)


def test_a_run_with_them_is_gone_on_with(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(written, path)
    past = find_past(path)
    assert past is not None
    with RunWriter.resume(past, FRAMES * 10, compact=False) as writer:
        writer.append_record(record_at(FRAMES))
    assert_read(path, FRAMES + 1)


def test_a_share_needs_the_weight(written: Path) -> None:
    query = RunQuery(written)
    share, sizes = query.adapters(ADAPTER_RATIO), query.adapters("adapter_norm")
    reader = RunReader(written)
    norms = reader.read_layers("weights", "norm2", slice(None))[0]
    np.testing.assert_allclose(share[0], sizes[0] / np.where(norms > 0, norms, np.nan), rtol=1e-6)
    assert np.isnan(share[1]).all()
    first, second = query.info().adapters
    assert (first.kind, first.rank, first.base, second.size, second.share) == ("LoRA", 2, "stem", None, None)
    assert query.state().adapters == query.info().adapters


def test_a_run_without_them_says_so(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(make_record(0))
    query = RunQuery(writer.path)
    assert (query.heads(), query.info().adapters, query.moved_heads(5)) == ((), (), ())
    with pytest.raises(NotRecordedError, match="adapter statistic adapter_norm was not recorded in this run"):
        query.adapters("adapter_norm")


Change = Callable[[dict], object]
BAD: dict[str, tuple[Change, str]] = {
    "no adapters": (lambda v: v.pop("adapters"), "0 adapters, rows of 2"),
    "a scale in words": (lambda v: v["adapters"][0].update(scale="much"), "scale of an adapter is no number"),
    "a rank below zero": (lambda v: v["adapters"][0].update(rank=-1), "'?-1'? is not a number"),
    "adapters in words": (lambda v: v.update(adapters="LoRA"), "not a list of at most"),
    "heads past the filters": (lambda v: v["heads"][0].update(count=3), "more heads than layer 1 has filters"),
    "inputs past the inputs": (lambda v: v["heads"][1].update(first=2), "more heads than layer 2 has filters"),
    "heads that overlap": (lambda v: v["heads"][0].update(step=1), "heads that no layer has"),
    "heads of no layer": (lambda v: v["heads"][0].update(layer=3), "heads that no layer has"),
    "no head": (lambda v: v["heads"][0].update(count=0), "heads that no layer has"),
    "huge heads": (lambda v: v["heads"][0].update(count=1 << 70), "is not a number"),
    "many heads": (lambda v: v.update(heads=v["heads"] * 7), "not a list of at most 12"),
    "groups that do not divide": (lambda v: v.update(groups=[1, 2, 1]), "groups that the layers do not have"),
    "too few groups": (lambda v: v.update(groups=[1]), "groups of 1 layers"),
    "groups of none": (lambda v: v.update(groups=[0, 1, 1]), "groups that the layers do not have"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_one_clear_line(written: Path, tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    path = tmp_path / "run.dtui"
    shutil.copytree(written, path)
    relist(path, change)
    with pytest.raises(RunDamagedError, match=rf"structure\.h5: .*{message}.*restore the file"):
        RunReader(path)


def test_a_part_of_a_later_dtui_is_passed_over(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(written, path)
    relist(path, lambda v: v["heads"][0].update(part="gate"))
    assert RunReader(path).structure.heads == HEADS[1:]
