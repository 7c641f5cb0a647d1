"""A run in memory in which a calm training meets trouble at known records."""

from __future__ import annotations

import numpy as np

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES
from tests.query.fake_reader import FakeReader

JUMP, DEATH, SPIKE, DROP = 40, 70, 100, 140
"""Records at which a filter jumps, filters die, all updates leap and a class drops."""


def troubled_reader(records: int = 180, *, calm: bool = False) -> FakeReader:
    """Return a reader of a run of 200 records, validated as often, of which some are there."""
    random = np.random.default_rng(3)
    reader = FakeReader(records=records, validations=records, per_class=(40, 30, 50, 20))
    filters, total = reader.structure.filters, reader.total

    def of_filters(name: str) -> np.ndarray:
        return reader.filters[FILTER_STATISTICS.index(name)]

    def of_layers(source: str) -> np.ndarray:
        return reader.layers[SOURCES.index(source), LAYER_STATISTICS.index("norm2")]

    of_filters("norm")[:] = 2.0
    of_filters("update_ratio")[:] = 0.02 * np.exp(random.normal(0, 0.1, (filters, total)))
    of_filters("gradient_norm")[:] = 0.1 * np.exp(random.normal(0, 0.3, (filters, total)))
    of_layers("weights")[:] = 4.0
    of_layers("updates")[:] = 0.08 * np.exp(random.normal(0, 0.05, (5, total)))
    of_layers("gradients")[:] = 0.3 * np.exp(random.normal(0, 0.1, (5, total)))
    reader.scalars["loss"] = 0.2 * np.exp(random.normal(0, 0.1, total))
    right = random.random((len(reader.targets), total)) < 0.97
    if not calm:
        of_filters("update_ratio")[11, JUMP] = 30.0
        of_filters("norm")[11, JUMP:] = 60.0
        of_filters("gradient_norm")[4:7, DEATH:] = 0.0
        of_layers("updates")[:, SPIKE] *= 9
        right[reader.targets == 2, DROP : DROP + 6] &= random.random((50, 6)) < 0.3
    wrong = (reader.targets + 1) % 4
    reader.labels = np.where(right, reader.targets[:, None], wrong[:, None]).astype(np.uint16)
    return reader
