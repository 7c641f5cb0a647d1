"""Filters that get no gradient any more while their layer learns: nothing behind them passes anything back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.by_layer import layer_extremes, layer_quantiles
from dtui.analysis.detectors.stream.detector import MOST_FILTERS, OnlineDetector, Recorded, Stream, online
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.analysis.quantiles import column_quantiles
from dtui.model import BoolArray, Evidence, FloatArray, IntArray

SHARE = 1e-5
OF_QUANTILE = 0.75
RECORDS = 3
BEFORE = 10
ALIVE = 0.8
LEAST_OF_LAYER = 0.1
FEWEST = 2
ALL = (1 << RECORDS + BEFORE + 1) - 1
DEAD = (1 << RECORDS) - 1
BEGINS = (1 << RECORDS + 1) - 1
FEW_LAYERS = 8
"""Up to so many layers are looked at one by one; more are faster all at once."""


@online
class DeadFilters(OnlineDetector):
    """Evidence once a layer; its iteration is the first record without gradients, its filters those newly so."""

    name = "dead"
    title = "dying filters"
    source = "dtui: FINDINGS §2, row dead"
    needs = "gradients of filters"
    constants: ClassVar[Mapping[str, Constant]] = {
        "share": Constant(SHARE, "of the gradient that a quarter of the layer's filters exceed"),
        "records": Constant(RECORDS, "in a row"),
        "alive": Constant(ALIVE, "of the 10 records before had a gradient"),
        "least of a layer": Constant(LEAST_OF_LAYER, "newly so within 2 records; fewer are a state, and no event"),
        "fewest": Constant(FEWEST, "filters: one of ten is the row of a class that is always right"),
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that gradients were not recorded."""
        return "" if recorded.has_gradients else "gradients were not recorded"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps whether each filter had a gradient at the last 13 records."""
        return _DyingFilters(network)


class _DyingFilters:
    def __init__(self, network: Network) -> None:
        self._layers = [layer for layer in network.layers if layer.filters]
        self._filters = sum(layer.filters for layer in network.layers)
        self._without: IntArray = np.zeros(self._filters, dtype=np.int16)  # a bit a record, the last one lowest
        self._newly: BoolArray = np.zeros(self._filters, dtype=np.bool_)
        self._none = self._newly
        self._iterations: list[int] = []
        self._told: set[str] = set()

    def add(self, block: Block) -> list[Evidence]:
        tiny = self._without_gradient(block)
        found = []
        for column, iteration in enumerate(block.iterations.tolist()):
            self._iterations = [*self._iterations, iteration][-RECORDS:]
            np.left_shift(self._without, 1, out=self._without)
            if tiny is not None:
                np.bitwise_or(self._without, tiny[:, column], out=self._without)
            np.bitwise_and(self._without, ALL, out=self._without)
            newly = self._none if tiny is None else self._newly_dead(block.first + column)
            is_new = newly is not self._none or self._newly is not self._none
            if is_new and block.first + column >= WARM_UP and (newly.any() or self._newly.any()):
                found += self._evidence(newly | self._newly)
            self._newly = newly
        return found

    def _without_gradient(self, block: Block) -> BoolArray | None:
        """Return which filters have next to no gradient at each record, shape (F, n); None where none has at any."""
        gradients = block.gradient_norm
        with np.errstate(invalid="ignore"):
            lowest, highest = layer_extremes(self._layers, gradients)
            # The quantile is at most the highest: where the lowest is within its share of that, no filter is without.
            may_be = np.flatnonzero((lowest < SHARE * highest.astype(np.float64)).any(axis=1))
            if not len(may_be):
                return None
            if len(may_be) <= FEW_LAYERS:
                tiny: BoolArray = np.zeros(gradients.shape, dtype=np.bool_)
                for rows in (self._layers[at].filter_rows for at in may_be):
                    tiny[rows] = gradients[rows] < _limits(column_quantiles(gradients[rows], OF_QUANTILE))
                return tiny
            limits = _limits(layer_quantiles(self._layers, gradients, OF_QUANTILE))
            tiny = gradients < np.repeat(limits, [layer.filters for layer in self._layers], axis=0)
        return tiny

    def _newly_dead(self, place: int) -> BoolArray:
        """Return which filters have been without for exactly so many records, and had gradients before."""
        result: BoolArray = self._without & BEGINS == DEAD
        if place < RECORDS + 3:
            result[:] = False
        rows = np.flatnonzero(result)
        if len(rows):
            before = self._without[rows] >> RECORDS
            absent = sum((before >> record) & 1 for record in range(BEFORE + 1))
            seen = min(BEFORE + 1, place - RECORDS + 1)  # the first records have fewer before them
            result[rows] = 1 - absent / seen > ALIVE
        return result

    def _evidence(self, died: BoolArray) -> list[Evidence]:
        found = []
        for layer in self._layers:
            filters = np.flatnonzero(died[layer.filter_rows])
            fewest = min(FEWEST, layer.filters)
            if layer.name in self._told or len(filters) < max(fewest, LEAST_OF_LAYER * layer.filters):
                continue
            self._told.add(layer.name)
            found.append(
                Evidence(
                    DeadFilters.name,
                    self._iterations[0],
                    layer=layer.name,
                    filters=tuple(filters.tolist()[:MOST_FILTERS]),
                    strength=30.0 + len(filters),
                    count=len(filters),
                    share=len(filters) / layer.filters,
                    known=self._iterations[-1],
                )
            )
        return found


def _limits(usual: FloatArray) -> FloatArray:
    """Return the gradient below which a filter has none; NaN where the layer has none either."""
    return np.where(usual > 0, SHARE * usual, np.nan)
