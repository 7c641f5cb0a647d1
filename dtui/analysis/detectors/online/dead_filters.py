"""Filters that get no gradient any more while their layer learns: nothing behind them passes anything back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dtui.analysis.detectors.online.block import Block, Network
from dtui.analysis.detectors.online.stream import MOST_FILTERS, OnlineDetector, Recorded, Stream, online
from dtui.analysis.detectors.online.trailing import WARM_UP
from dtui.analysis.detectors.registry import Constant
from dtui.analysis.quantiles import column_quantiles
from dtui.model import BoolArray, Evidence, IntArray

SHARE = 1e-5
OF_QUANTILE = 0.75
RECORDS = 3
BEFORE = 10
ALIVE = 0.8
LEAST_OF_LAYER = 0.1
KEPT = RECORDS + BEFORE


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
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that gradients were not recorded."""
        return "" if recorded.has_gradients else "gradients were not recorded"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps whether each filter had a gradient at the last 13 records."""
        return _DyingFilters(network)


class _DyingFilters:
    def __init__(self, network: Network) -> None:
        self._layers = network.layers
        filters = sum(layer.filters for layer in network.layers)
        self._tiny: BoolArray = np.zeros((filters, KEPT), dtype=np.bool_)
        self._begun: BoolArray = np.zeros((filters, 1), dtype=np.bool_)
        self._iterations: IntArray = np.zeros(KEPT, dtype=np.int64)
        self._told: set[str] = set()

    def add(self, block: Block) -> list[Evidence]:
        count = len(block.iterations)
        if not count:
            return []
        tiny = np.concatenate([self._tiny, self._without_gradient(block)], axis=1)
        iterations = np.concatenate([self._iterations, block.iterations])
        newly = np.concatenate([self._begun, self._newly_dead(tiny, block.first)], axis=1)
        self._tiny, self._iterations = tiny[:, -KEPT:], iterations[-KEPT:]
        self._begun = newly[:, -1:]
        found = []
        for layer in self._layers:
            if layer.name in self._told:
                continue
            of_layer = newly[layer.filter_rows]
            within_two = of_layer[:, 1:] | of_layer[:, :-1]
            counts = np.count_nonzero(within_two, axis=0)
            places = np.arange(block.first, block.first + count)
            fired = np.flatnonzero((counts >= max(1.0, LEAST_OF_LAYER * layer.filters)) & (places >= WARM_UP))
            if not len(fired):
                continue
            at = int(fired[0])
            self._told.add(layer.name)
            filters = np.flatnonzero(within_two[:, at])
            found.append(
                Evidence(
                    DeadFilters.name,
                    int(iterations[KEPT + at - RECORDS + 1]),
                    layer=layer.name,
                    filters=tuple(filters.tolist()[:MOST_FILTERS]),
                    strength=30.0 + len(filters),
                    count=len(filters),
                    share=len(filters) / layer.filters,
                    known=int(iterations[KEPT + at]),
                )
            )
        return found

    def _without_gradient(self, block: Block) -> BoolArray:
        """Return which filters have next to no gradient at each record, shape (F, n)."""
        tiny = np.zeros(block.gradient_norm.shape, dtype=np.bool_)
        for layer in self._layers:
            norms = block.gradient_norm[layer.filter_rows]
            usual = column_quantiles(norms, OF_QUANTILE)
            with np.errstate(invalid="ignore"):
                tiny[layer.filter_rows] = (norms < SHARE * usual) & (usual > 0)
        return tiny

    def _newly_dead(self, tiny: BoolArray, first: int) -> BoolArray:
        """Return which filters have been without for exactly so many records, and had gradients before."""
        windows = sliding_window_view(tiny, KEPT + 1, axis=1)  # one for each new record
        long_enough = windows[..., -RECORDS:].all(axis=-1)
        begins = ~windows[..., -RECORDS - 1]
        before = windows[..., -RECORDS - 1 - BEFORE : -RECORDS]
        places = np.arange(first, first + before.shape[1])
        seen = np.clip(places - RECORDS + 1, 1, before.shape[-1])  # the first records have fewer before them
        alive = 1 - np.count_nonzero(before, axis=-1) / seen > ALIVE
        result: BoolArray = long_enough & begins & alive & (places >= RECORDS + 3)
        return result
