"""Channels of normalisation layers in the store: read back, folded, packed, gone on with, drawn, and what cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.errors import NotRecordedError, RunDamagedError, UsageError
from dtui.model import HeatmapRequest, NormLayer, Record, TimeAxis
from dtui.model.statistics import CHANNEL_STATISTICS, Rows
from dtui.query import RunQuery, data
from dtui.store import RunReader, RunWriter, check_run, find_past, pack_run
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.folding import fold
from tests.store.format.test_contents import relist
from tests.store.twin import rounded

NORMS = tuple(NormLayer(name, "BatchNorm2d", size) for name, size in (("first", 3), ("large", 9), ("last", 2)))
WITH_CHANNELS = replace(STRUCTURE, norms=NORMS, channel_norms=(0, 2))
FRAMES = 41


def values_at(position: int) -> np.ndarray:
    """Return the values of 5 channels, shape (4, 5): of each a course of its own."""
    drawn = np.random.default_rng(position).normal(size=(len(CHANNEL_STATISTICS), 5)).astype(np.float32)
    drawn[0, 1] = 10 + position
    drawn[2] = np.nan
    return drawn


def record_at(position: int) -> Record:
    return replace(make_record(position), norms=np.zeros((5, 3), np.float32), channels=values_at(position))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with RunWriter(tmp_path_factory.mktemp("channels") / "run", WITH_CHANNELS, METADATA, compact=False) as writer:
        for position in range(FRAMES):
            writer.append_record(record_at(position))
    return writer.path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "run.dtui")
    return tmp_path / "run.dtui"


def expected(frames: int, statistic: str) -> np.ndarray:
    at = CHANNEL_STATISTICS.index(statistic)
    return rounded(np.stack([values_at(position)[at] for position in range(frames)], axis=1), 14)


def assert_read(path: Path, frames: int) -> None:
    reader = RunReader(path)
    assert reader.structure.channel_norms == (0, 2)
    for statistic in CHANNEL_STATISTICS:
        found = reader.read_rows(Rows.CHANNELS, statistic, slice(None))
        np.testing.assert_array_equal(found, expected(frames, statistic))
    np.testing.assert_array_equal(
        reader.read_rows(Rows.CHANNELS, "shift", slice(2, 9), range(3, 5)), expected(frames, "shift")[3:, 2:9]
    )
    reader.close()


def test_they_are_read_back_from_journals_parts_and_packed_runs(path: Path, tmp_path: Path) -> None:
    assert_read(path, FRAMES)
    fold(path)
    assert_read(path, FRAMES)
    fold(path, finish=True)
    assert check_run(path).is_fine
    pack_run(path, tmp_path / "run.h5")
    assert_read(tmp_path / "run.h5", FRAMES)


def test_a_run_with_them_is_gone_on_with(path: Path) -> None:
    past = find_past(path)
    assert past is not None
    with RunWriter.resume(past, FRAMES * 10, compact=False) as writer:
        writer.append_record(record_at(FRAMES))
    assert_read(path, FRAMES + 1)


Change = Callable[[dict[str, Any]], object]
BAD: dict[str, tuple[Change, str]] = {
    "none": (lambda v: v.pop("channel_norms"), "0 channels, rows of 5"),
    "another layer": (lambda v: v.update(channel_norms=[0, 1]), "12 channels, rows of 5"),
    "no layer": (lambda v: v.update(channel_norms=[0, 3]), "channels of normalisation layers that are not there"),
    "twice": (lambda v: v.update(channel_norms=[2, 2]), "channels of normalisation layers that are not there"),
    "backwards": (lambda v: v.update(channel_norms=[2, 0]), "channels of normalisation layers that are not there"),
    "below": (lambda v: v.update(channel_norms=[-1, 0]), "is not a number"),
    "truth": (lambda v: v.update(channel_norms=[True]), "is not a number"),
    "words": (lambda v: v.update(channel_norms="all"), "not a list of at most 3"),
    "many": (lambda v: v["norms"][0].update(channels=1 << 40), "more than 65536 channels"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_one_clear_line(path: Path, name: str) -> None:
    change, message = BAD[name]
    relist(path, change)
    with pytest.raises(RunDamagedError, match=rf"structure\.h5: .*{message}.*restore the file"):
        RunReader(path)


def request(**fields: Any) -> HeatmapRequest:
    made = HeatmapRequest(0, "scale", TimeAxis(0, 10 * FRAMES, 8), 0, 3, 3, norm=0)
    return replace(made, **fields)


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("axis", [TimeAxis(0, 10 * FRAMES, 8), TimeAxis(0, 10 * FRAMES, 1), TimeAxis(150, 190, 4)])
def test_a_heatmap_holds_the_value_farthest_from_zero(
    written: Path, monkeypatch: pytest.MonkeyPatch, axis: TimeAxis, is_long: bool
) -> None:
    if is_long:
        monkeypatch.setattr(data, "LONG", 16)
        monkeypatch.setattr("dtui.query.layers.beside.channels.READ_AT_ONCE", 16)
    for norm, rows in ((0, slice(0, 3)), (2, slice(3, 5))):
        heatmap = RunQuery(written).heatmap(request(axis=axis, norm=norm, statistic="shift"))
        every = expected(FRAMES, "shift")[rows]
        width = (axis.stop - axis.first) / axis.columns
        for column in range(axis.columns):
            first, stop = (round(axis.first + width * at) for at in (column, column + 1))
            own = every[:, -(-first // 10) : -(-stop // 10)]
            farthest = np.take_along_axis(own, np.abs(own).argmax(axis=1)[:, None], axis=1)[:, 0]
            np.testing.assert_array_equal(heatmap.values[:, column], farthest)


def test_orders_shades_and_what_has_no_value(written: Path) -> None:
    query = RunQuery(written)
    scale = expected(FRAMES, "scale")[:3]
    way = np.abs(np.diff(scale, axis=1)).sum(axis=1)
    assert query.heatmap(request(sort="activity")).order.tolist() == np.argsort(-way).tolist()
    assert query.heatmap(request(sort="peak")).order.tolist() == np.argsort(np.abs(scale).argmax(axis=1)).tolist()
    assert sorted(query.heatmap(request(sort="similarity")).order.tolist()) == [0, 1, 2]
    by_channel = query.heatmap(request(normalise="filter"))
    np.testing.assert_allclose(by_channel.shades.max(axis=1), 1)
    assert np.isnan(query.heatmap(request(statistic="running_mean")).values).all()
    heatmap, sizes = query.heatmap(request()), np.abs(scale)
    assert heatmap.decades == pytest.approx(np.log10(heatmap.scale / np.quantile(sizes, 0.005)), rel=1e-5)
    assert query.heatmap(request(statistic="shift")).decades == 0
    part = query.heatmap(request(first=1, count=1))
    assert (part.values.shape, part.filters) == ((1, 8), 3)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"norm": 1}, NotRecordedError, "channels of large were not recorded"),
        ({"norm": 3}, UsageError, "normalisation layer 3: the run has 3"),
        ({"statistic": "norm"}, UsageError, "channel statistic 'norm' is unknown; use one of scale, shift"),
        ({"sort": "x"}, UsageError, "filter order 'x' is unknown"),
    ],
)
def test_what_is_not_there_is_told(written: Path, fields: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RunQuery(written).heatmap(request(**fields))
