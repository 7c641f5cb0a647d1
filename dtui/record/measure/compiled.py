"""Computes the statistics of a record with compiled kernels, which free the interpreter while they run; needs numba.

Owns the memory that they share from record to record, and what becomes of a machine on which they cannot be compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import ModuleType

import numpy as np

from dtui.model import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    SOURCES,
    FloatArray,
    IntArray,
    Structure,
)
from dtui.record.writing.kernel_folder import kept_kernels
from dtui.record.writing.warn import reason_of, warn_once


@dataclass(frozen=True, slots=True)
class Kernels:
    """The modules of the kernels: of statistics, and of those of normalisation layers."""

    statistics: ModuleType
    norms: ModuleType


@cache
def load_kernels() -> Kernels | None:
    """Return the kernels; None where numba is not installed, or cannot compile them, which is told.

    The first call on a machine compiles them in some seconds; later calls load them from the disk.
    """
    if find_spec("numba") is None:
        return None
    try:
        with kept_kernels(__file__):
            from dtui.record.measure import norm_kernel, statistics_kernel
    except Exception as error:  # noqa: BLE001 - a compiler, and what it needs of the machine
        warn_once("kernels", f"the compiled statistics cannot be used, so NumPy is: {reason_of(error)}")
        return None
    return Kernels(statistics_kernel, norm_kernel)


def sort_rows(values: FloatArray) -> None:
    """Sort along the last axis, in place, NaN last; NumPy frees the interpreter meanwhile."""
    values.sort(axis=-1)


class CompiledStatistics:
    """Computes record after record; keeps the norms of the last record, and memory for the samples."""

    def __init__(self, structure: Structure, plan: IntArray) -> None:
        """Prepare for a structure.

        Args:
            structure: The network.
            plan: Samples of each module, as `dtui.record.measure.samples.plan_modules` returns them.
        """
        from dtui.record.measure import statistics_kernel

        self._kernel = statistics_kernel
        layers = structure.layers
        self._starts = np.array([*(layer.first_filter for layer in layers), structure.filters], np.int64)
        self._elements = np.array([np.prod(layer.shape) / layer.filters for layer in layers], np.float64)
        self._before = np.full(structure.filters, np.nan)
        owned = [module.layers for module in structure.modules]
        self._members = np.concatenate([np.array(own, np.int64) for own in owned])
        self._member_starts = np.cumsum([0, *map(len, owned)])
        several = np.array([len(own) > 1 for own in owned])
        self._module_row = np.where(several, np.cumsum(several) - 1, -1)
        self._plans = {True: np.ascontiguousarray(plan[several]), False: np.empty((several.sum(), 0), np.int64)}
        self._edges = np.array(CHANGE_RATIO_EDGES, np.float32)
        self._filter_places = np.array([FILTER_STATISTICS.index(name) for name in statistics_kernel.FILTER_COLUMNS])
        self._node_places = np.array([LAYER_STATISTICS.index(name) for name in statistics_kernel.NODE_COLUMNS])
        self._nodes = np.empty((len(layers), len(SOURCES), statistics_kernel.NODE_SUMS))
        self._layer_rows = np.empty((0, 0, 0), np.float32)
        self._module_rows = self._layer_rows

    def derive(
        self, sums: FloatArray, samples: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, IntArray, FloatArray]:
        """Return the arrays of a `Record`: filters, layers, modules, histograms, change ratios.

        Args:
            sums: Shape (len(Sum), F), float32; NaN where nothing was measured.
            samples: Shape (3, L, samples), float32; a watch has none.
        """
        layers, sampled = len(self._elements), samples.shape[2] > 0
        filters = np.empty((len(FILTER_STATISTICS), sums.shape[1]), np.float32)
        of_layers = np.empty((len(SOURCES), len(LAYER_STATISTICS), layers), np.float32)
        of_modules = np.empty((len(SOURCES), len(LAYER_STATISTICS), len(self._module_row)), np.float32)
        histograms = np.empty((layers, HISTOGRAM_BINS), np.uint32)
        shares = np.empty((layers, len(self._edges)), np.float32)
        if self._layer_rows.shape != samples.shape:
            self._layer_rows = np.empty(samples.shape, np.float32)
            self._module_rows = np.empty((len(SOURCES), *self._plans[sampled].shape), np.float32)
        self._kernel.take_sums(
            np.require(sums.T, np.float32, ["C", "W"]),
            np.require(samples, np.float32, ["C", "W"]),
            self._before,
            self._starts,
            self._elements,
            self._plans[sampled],
            self._edges,
            self._filter_places,
            filters,
            self._nodes,
            histograms,
            shares,
            self._layer_rows,
            self._module_rows,
        )
        sort_rows(self._layer_rows)
        sort_rows(self._module_rows)
        self._kernel.describe(
            self._nodes,
            self._layer_rows,
            self._module_rows,
            self._members,
            self._member_starts,
            self._module_row,
            self._node_places,
            of_layers,
            of_modules,
        )
        return filters, of_layers, of_modules, histograms, shares
