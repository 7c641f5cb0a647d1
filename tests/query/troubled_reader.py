"""A run in memory in which a calm training meets trouble at known records."""

from __future__ import annotations

import numpy as np

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES
from tests.query.fake_reader import FakeReader

JUMP, DEATH, SPIKE, DROP = 40, 70, 100, 140
"""Records at which a filter jumps, filters die, all updates leap and a class drops."""


def renamed_reader() -> FakeReader:
    """Return a reader of a calm run of three classes, of which the last comes with the label of the first for a while.

    The network has a row for each class; that of the last is left alone then, and that of the first is taught.
    """
    reader = troubled_reader(calm=True, per_class=(40, 30, 50))
    rows, while_renamed = reader.structure.layers[-1].filter_rows, slice(DROP, DROP + 8)
    gradients, updates = (reader.filters[FILTER_STATISTICS.index(one)] for one in ("gradient_norm", "update_ratio"))
    gradients[rows.stop - 1, while_renamed] = 1e-4
    for values in (gradients, updates):
        values[rows.start, while_renamed] *= 10
    reader.labels[reader.targets == 2, DROP : DROP + 6] = 0
    return reader


def troubled_reader(
    records: int = 180, *, calm: bool = False, per_class: tuple[int, ...] = (40, 30, 50, 20)
) -> FakeReader:
    """Return a reader of a run of 200 records, validated as often, of which some are there."""
    random = np.random.default_rng(3)
    reader = FakeReader(records=records, validations=records, per_class=per_class)
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
    wrong = (reader.targets + 1) % len(per_class)
    reader.labels = np.where(right, reader.targets[:, None], wrong[:, None]).astype(np.uint16)
    return reader
