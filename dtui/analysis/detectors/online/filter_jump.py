"""A filter whose weights change far more than those of its layer: a flipped bit, weights that were overwritten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network, log_ratio, relative_ratio
from dtui.analysis.detectors.stream.detector import MOST_FILTERS, OnlineDetector, Stream, online
from dtui.analysis.detectors.stream.trailing import WARM_UP, WINDOW, robust_z
from dtui.model import Evidence, FloatArray, IntArray

LEAST_CHANGE = 0.25
TIMES_LAYER = 6.0
LEAST_Z = 6.0
FLOOR = 0.15
MOST_OF_LAYER = 0.5


@online
class FilterJump(OnlineDetector):
    """Evidence a layer and record; its amount is ‖Δw‖/‖w‖ of the filter that changed most, its strength its z."""

    name = "filter"
    title = "jumps of filters"
    source = "dtui: FINDINGS §2, row filter"
    needs = "filter statistics"
    constants: ClassVar[Mapping[str, Constant]] = {
        "least change": Constant(
            LEAST_CHANGE, "of the filter's weights; bit flips below it are not told from training"
        ),
        "times the layer": Constant(TIMES_LAYER, "more than the middle filter of the layer, and risen by as much"),
        "least z": Constant(LEAST_Z, "healthy trainings reached 11.6 without the two other conditions"),
        "most of a layer": Constant(MOST_OF_LAYER, "of its filters: more is a jump of the layer"),
    }

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps the last 20 records of each filter."""
        return _FilterJumps(network)


class _FilterJumps:
    def __init__(self, network: Network) -> None:
        self._layers = network.layers
        filters = sum(layer.filters for layer in network.layers)
        self._before: FloatArray = np.full((WINDOW, filters), np.nan, dtype=np.float32)  # a ring: a median has no order
        self._raw: set[int] = set()
        """Rows of the ring that hold update ratios as they are: few records have a filter that asks for more."""

    def add(self, block: Block) -> list[Evidence]:
        records = len(block.iterations)
        with np.errstate(invalid="ignore"):
            changed = block.update_ratio > LEAST_CHANGE
        changed[:, : max(0, WARM_UP - block.first)] = False
        if not changed.any():
            for column in range(max(0, records - WINDOW), records):
                self._keep(block.first + column, block.update_ratio[:, column], is_raw=True)
            return []
        self._compare()
        now = block.relative_ratio
        with np.errstate(invalid="ignore"):
            changed &= now > math.log(TIMES_LAYER)
        is_worth_a_look = np.any(changed, axis=0).tolist()
        found = []
        for column in range(records):
            if is_worth_a_look[column]:
                rows = np.flatnonzero(changed[:, column])
                z, rise = robust_z(now[rows, column], self._before[:, rows].T, FLOOR)
                is_jump = (z > LEAST_Z) & (rise > math.log(TIMES_LAYER))
                found += self._evidence(block, rows[is_jump], column, z[is_jump].astype(np.float64))
            self._keep(block.first + column, now[:, column], is_raw=False)
        return found

    def _keep(self, record: int, values: FloatArray, *, is_raw: bool) -> None:
        """Take a record into the ring, in place of the oldest."""
        self._before[record % WINDOW] = values
        (self._raw.add if is_raw else self._raw.discard)(record % WINDOW)

    def _compare(self) -> None:
        """Put what the ring holds as it is against the layers."""
        raw = sorted(self._raw)
        if raw:
            self._before[raw] = relative_ratio(self._layers, log_ratio(self._before[raw].T)).T
            self._raw.clear()

    def _evidence(self, block: Block, rows: IntArray, column: int, z: FloatArray) -> list[Evidence]:
        found = []
        for layer in self._layers:
            here = (rows >= layer.filter_rows.start) & (rows < layer.filter_rows.stop)
            if not 0 < here.sum() <= max(1.0, MOST_OF_LAYER * layer.filters):
                continue
            strongest = rows[here][np.argmax(z[here])]
            found.append(
                Evidence(
                    FilterJump.name,
                    int(block.iterations[column]),
                    layer=layer.name,
                    filters=tuple((rows[here] - layer.first_filter).tolist()[:MOST_FILTERS]),
                    strength=float(z[here].max()),
                    count=int(here.sum()),
                    share=float(here.sum()) / layer.filters,
                    amount=float(block.update_ratio[strongest, column]),
                )
            )
        return found
