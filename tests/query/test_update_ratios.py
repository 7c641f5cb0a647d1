"""How fast layers and modules learn, against a slow twin: one layer and record at a time."""

from __future__ import annotations

import math

import numpy as np

from dtui.model import LAYER_STATISTICS, SOURCES
from dtui.query import RunQuery
from tests.query.fake_reader import FakeReader

NORM = LAYER_STATISTICS.index("norm2")
WEIGHTS, UPDATES = SOURCES.index("weights"), SOURCES.index("updates")


def slow(values: np.ndarray, iterations: list[int], is_watch: list[bool]) -> list[float]:
    """The ratios of one node; the record before is the last that is no watch."""
    found, before = [], None
    for at, (iteration, watch) in enumerate(zip(iterations, is_watch, strict=True)):
        ratio = math.nan
        if not watch and before is not None and values[WEIGHTS, before] > 0:
            ratio = values[UPDATES, at] / values[WEIGHTS, before] / (iteration - iterations[before])
        before = before if watch else at
        found.append(ratio)
    return found


def test_ratios_are_per_update_and_of_records_alone():
    reader = FakeReader(watched=(3, 4, 17, 40))
    for values in (reader.layers, reader.modules):
        values[:, NORM] = np.abs(values[:, NORM])
    reader.layers[WEIGHTS, NORM, 2, 20] = 0
    reader.layers[UPDATES, NORM, 1, :] = np.nan
    query = RunQuery(FakeReader.path, reader)
    iterations, is_watch = query.record_iterations().tolist(), reader.is_watch.tolist()
    assert any(is_watch)
    for found, read in (
        (query.layer_update_ratios(), reader.read_layers),
        (query.module_update_ratios(), reader.read_modules),
    ):
        values = np.stack([read(source, "norm2", slice(0, 60)) for source in SOURCES]).astype(np.float64)
        assert found.shape == values.shape[1:]
        assert not found.flags.writeable
        for node in range(len(found)):
            np.testing.assert_allclose(found[node], slow(values[:, node], iterations, is_watch), rtol=1e-6)
    assert np.isnan(query.layer_update_ratios()[:, 0]).all()
    assert np.isnan(query.layer_update_ratios()[1]).all()


def test_a_run_without_records_has_none():
    query = RunQuery(FakeReader.path, FakeReader(records=0, validations=0))
    assert query.layer_update_ratios().shape == (5, 0)
