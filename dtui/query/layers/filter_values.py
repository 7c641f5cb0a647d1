"""Reads what a heatmap of filters shows: a statistic at the records, or a column of activations at the validations."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from dtui.analysis.downsample import ColumnRecords
from dtui.model import RECORDS_A_BIN, FloatArray, TimeAxis
from dtui.model.layers import ACTIVATION_COLUMNS
from dtui.model.statistics import FILTERS, Drawn
from dtui.query.data import RunData
from dtui.query.layers.activations import activations

LEAST_BINS_A_COLUMN = 3


class FilterValues(Protocol):
    """Numbers of filters over the run. A moment is a record, or a validation."""

    @property
    def drawn(self) -> Drawn:
        """How they are drawn."""

    @property
    def is_of_records(self) -> bool:
        """Whether a moment is a record."""

    def held(self, axis: TimeAxis) -> ColumnRecords:
        """Return which moments each column stands for."""

    def overview(self, layer: int) -> FloatArray:
        """Return every moment, or every bin of a long run, shape (filters of the layer, n)."""

    def sample(self, layer: int) -> FloatArray:
        """Return every moment, or a fixed sample of a long run, shape (filters of the layer, n)."""

    def within(self, layer: int, held: ColumnRecords) -> tuple[FloatArray, ColumnRecords]:
        """Return what columns need, and where each column finds it there."""


def values_of(data: RunData, name: str) -> FilterValues:
    """Return the numbers of a statistic of filters, or of one of ACTIVATION_COLUMNS.

    Raises:
        NotRecordedError: The run does not hold them.
        UsageError: There is no such statistic.
    """
    return _Activated(data, name) if name in ACTIVATION_COLUMNS else _Recorded(data, name)


class _Recorded:
    """A statistic at the records."""

    is_of_records = True

    def __init__(self, data: RunData, name: str) -> None:
        self._data, self._name = data, name
        self._stored = data.reader.contents.filter_statistic(name, data.reader.path)

    @property
    def drawn(self) -> Drawn:
        """How it is drawn; a statistic that this dtui does not know as signed."""
        known = FILTERS.get(self._name)
        return Drawn.SIGNED if known is None else known.drawn

    def held(self, axis: TimeAxis) -> ColumnRecords:
        """Return which moments each column stands for."""
        return self._data.held(axis, self._stored.is_watched)

    def overview(self, layer: int) -> FloatArray:
        """Return every moment, or every bin of a long run."""
        return self._data.filters_overview(self._name, layer)

    def sample(self, layer: int) -> FloatArray:
        """Return every moment, or a sample."""
        return self._data.filters_sample(self._name, layer)

    def within(self, layer: int, held: ColumnRecords) -> tuple[FloatArray, ColumnRecords]:
        """Columns of many records of a long run are made of bins: see `ColumnRecords.in_bins`."""
        if self._data.is_long and held.is_wide(LEAST_BINS_A_COLUMN * RECORDS_A_BIN):
            return self._data.filter_bins(self._name, layer), held.in_bins(RECORDS_A_BIN)
        matrix, start = self._data.filters_within(self._name, layer, held.needed)
        return matrix, held.shifted(start)


class _Activated:
    """A column of activations at the validations."""

    is_of_records = False

    def __init__(self, data: RunData, name: str) -> None:
        self._data, self._name = data, name
        activations(data, name, 0)

    @property
    def drawn(self) -> Drawn:
        """How it is drawn."""
        return Drawn.SIZE if self._name == ACTIVATION_COLUMNS[0] else Drawn.SIGNED

    def held(self, axis: TimeAxis) -> ColumnRecords:
        """Return which moments each column stands for."""
        return self._data.held_validations(axis)

    def overview(self, layer: int) -> FloatArray:
        """Return every moment, or every bin of a long run."""
        return activations(self._data, self._name, layer).astype(np.float32, copy=False)

    def sample(self, layer: int) -> FloatArray:
        """Return every moment, or a sample."""
        return self.overview(layer)

    def within(self, layer: int, held: ColumnRecords) -> tuple[FloatArray, ColumnRecords]:
        """Return all of them."""
        return self.overview(layer), held
