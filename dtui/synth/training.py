"""Invented statistics of weights, gradients and updates, plausible enough to measure and to look at.

Owns the invented numbers.
"""

from __future__ import annotations

import numpy as np

from dtui.model import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    NORM_STATISTICS,
    SOURCES,
    FloatArray,
    IntArray,
    Record,
    Structure,
)
from dtui.synth.events import DEAD_FILTERS, FILTER_BURST, RATE_SPIKE, Event

RATE_DROPS = (0.3, 0.6, 0.9)
BURST = 30.0
SPIKE = 10.0
# How unquiet the numbers are is taken from a real training, ResNet-20 of 48 to 192 filters a layer on digits, by the
# median step from one record to the next: 2e-4 to 1e-3 of a filter's std, 5e-3 to 4e-2 of its mean, 4e-3 of the sums
# of its positive weights, 0.2 to 0.3 of its update norm, 0.5 to 0.9 of its gradient norm.
GRADIENT_NOISE = 0.8
UPDATE_NOISE = 0.23
STD_STEP = 0.5
MEAN_STEP = 7.0
TILT_STEP = 1.5
_SAMPLED = 4096
_QUARTILE = 0.6745


class Training:
    """Invents one record after the other; memory does not grow with the run."""

    def __init__(self, structure: Structure, events: tuple[Event, ...], records: int, seed: int) -> None:
        """Draw the filters' first weights."""
        rng = np.random.default_rng([seed, 4])
        self._rng = np.random.default_rng([seed, 5])
        self._norm_rng = np.random.default_rng([seed, 6])
        self._structure = structure
        self._records = records
        self._starts = np.array([layer.first_filter for layer in structure.layers])
        self._elements = np.concatenate(
            [np.full(layer.filters, np.prod(layer.shape[1:]), np.float32) for layer in structure.layers]
        )
        self._mean = (0.002 * rng.standard_normal(structure.filters)).astype(np.float32)
        self._std = np.sqrt(2 / self._elements) * rng.lognormal(0, 0.2, structure.filters).astype(np.float32)
        self._tilt = np.zeros(structure.filters, np.float32)
        self._pace = rng.lognormal(0, 0.5, structure.filters).astype(np.float32)
        self._events = [event for event in events if event.kind in (DEAD_FILTERS, FILTER_BURST, RATE_SPIKE)]
        self._membership = np.array(
            [[layer.index in module.layers for layer in structure.layers] for module in structure.modules], np.float64
        )
        grid = (np.arange(HISTOGRAM_BINS) + 0.5) / HISTOGRAM_BINS * 8 - 4
        density = np.exp(-(grid**2) / 2)
        self._histogram = _SAMPLED * density / density.sum()

    def record(self, position: int, every: int, error: float) -> Record:
        """Return the record at a position; call it for one position after the other."""
        rng, count = self._rng, self._structure.filters
        done = position / self._records
        rate = 0.1 * 0.1 ** sum(done >= drop for drop in RATE_DROPS) * self._rate_factor(position)
        noise = rng.standard_normal((5, count), np.float32)
        level = self._pace * np.float32(0.05 + 0.5 * error)
        level[self._rows(DEAD_FILTERS, position)] = 0
        gradient_norm = level * np.exp(np.float32(GRADIENT_NOISE) * noise[0])
        update_norm = np.float32(0.1 * rate) * level * np.exp(np.float32(UPDATE_NOISE) * noise[1])
        update_norm[self._rows(FILTER_BURST, position)] *= BURST
        root = np.sqrt(self._elements)
        norm = self._std * root
        ratio = update_norm / norm
        # Ten times less learning rate, four times smaller steps: what is small moves to and fro, and does not drift.
        step = ratio * np.float32((rate / 0.1) ** -0.4)
        self._std *= 1 + np.float32(STD_STEP) * step * noise[2] - np.float32(2e-5)
        self._mean += np.float32(MEAN_STEP) * update_norm / self._elements * noise[3]
        self._tilt += np.float32(TILT_STEP) * step * noise[4]
        filters = self._filters(gradient_norm, update_norm, norm, ratio, noise)
        if position == 0:
            for name in ("update_norm", "update_ratio", "cosine_distance"):
                filters[FILTER_STATISTICS.index(name)] = np.nan
        layers, modules = self._nodes(filters)
        scalars = {"loss": 0.1 + 6 * error * float(rng.uniform(0.95, 1.05)), "error": error, "learning_rate": rate}
        histograms, ratios, norms = self._histograms(), self._change_ratios(filters), self._norms(position, rate)
        return Record(position * every, filters, layers, modules, histograms, ratios, scalars, norms)

    def _norms(self, position: int, rate: float) -> FloatArray:
        """Return the statistics of normalisation layers; they move more at a higher learning rate."""
        rng, count = self._norm_rng, len(self._structure.norms)
        usual = {"mean_shift": 0.05, "variance_shift": 0.05, "scale_shift": 0.002}
        values = {name: size * (rate / 0.1) ** 0.4 * rng.lognormal(0, 0.2, count) for name, size in usual.items()}
        if position == 0:
            values = dict.fromkeys(usual, np.full(count, np.nan))
        nothing = np.zeros(count)
        return np.stack([values.get(name, nothing) for name in NORM_STATISTICS]).astype(np.float32)

    def _filters(
        self,
        gradient_norm: FloatArray,
        update_norm: FloatArray,
        norm: FloatArray,
        ratio: FloatArray,
        noise: FloatArray,
    ) -> FloatArray:
        """Return all filter statistics, shape (statistics, filters); NaN for statistics that are not invented."""
        nothing = np.full(len(norm), np.nan, np.float32)
        spread = self._mean / self._std
        negative = np.clip(0.5 - 0.39894228 * spread + self._tilt, 0, 1)
        half = 0.39894228 * self._std * self._elements * (1 + self._tilt)
        root = np.sqrt(self._elements)
        values = {
            "mean": self._mean,
            "std": self._std,
            "norm": norm,
            "share_negative": negative,
            "sum_positive": half + self._mean * self._elements / 2,
            "sum_negative": self._mean * self._elements / 2 - half,
            "update_norm": update_norm,
            "update_ratio": ratio,
            "cosine_distance": 0.5 * ratio**2 * (1 + 0.05 * noise[1]),
            "gradient_mean": gradient_norm / root * 0.1 * noise[3],
            "gradient_std": gradient_norm / root,
            "gradient_norm": gradient_norm,
            "nonfinite": np.zeros_like(norm),
        }
        return np.stack([values.get(name, nothing) for name in FILTER_STATISTICS]).astype(np.float32)

    def _nodes(self, filters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return layer and module statistics that follow from the filters', (sources, statistics, nodes) each."""
        columns = {name: filters[row].astype(np.float64) for row, name in enumerate(FILTER_STATISTICS)}
        elements = self._elements.astype(np.float64)
        sums = {
            "weights": (columns["mean"] * elements, columns["norm"] ** 2),
            "gradients": (columns["gradient_mean"] * elements, columns["gradient_norm"] ** 2),
            "updates": (columns["mean"] * elements * 1e-3, columns["update_norm"] ** 2),
        }
        size = np.add.reduceat(elements, self._starts)
        layers = np.empty((len(SOURCES), len(LAYER_STATISTICS), len(size)), np.float32)
        modules = np.empty((len(SOURCES), len(LAYER_STATISTICS), len(self._membership)), np.float32)
        for row, source in enumerate(SOURCES):
            total, squares = (np.add.reduceat(values, self._starts) for values in sums[source])
            layers[row] = _statistics(size, total, squares)
            inside = self._membership
            modules[row] = _statistics(inside @ size, inside @ total, inside @ squares)
        return layers, modules

    def _histograms(self) -> IntArray:
        layers = len(self._structure.layers)
        wobble = self._rng.standard_normal((layers, HISTOGRAM_BINS), np.float32) * np.sqrt(self._histogram)
        counts: IntArray = np.maximum(0, np.round(self._histogram + wobble)).astype(np.uint32)
        return counts

    def _change_ratios(self, filters: FloatArray) -> FloatArray:
        gradient, weight = (filters[FILTER_STATISTICS.index(name)] for name in ("gradient_norm", "norm"))
        ratio = np.maximum(gradient / weight, 1e-12)
        middle = np.add.reduceat(np.log10(ratio), self._starts) / np.diff([*self._starts, len(ratio)])
        edges = np.log10(np.array(CHANGE_RATIO_EDGES))
        shares: FloatArray = (1 / (1 + np.exp(-2.5 * (edges[None, :] - middle[:, None])))).astype(np.float32)
        return shares

    def _rate_factor(self, position: int) -> float:
        spikes = [e for e in self._events if e.kind == RATE_SPIKE and e.start <= position < e.stop]
        return SPIKE if spikes else 1.0

    def _rows(self, kind: str, position: int) -> list[int]:
        """Return the filter rows that events of a kind concern at a record."""
        rows: list[int] = []
        for event in self._events:
            if event.kind == kind and event.start <= position < event.stop:
                first = self._structure.layers[event.layer].first_filter
                rows += [first + index for index in event.filters]
        return rows


def _statistics(size: FloatArray, total: FloatArray, squares: FloatArray) -> FloatArray:
    """Return the layer statistics of normally distributed elements, shape (statistics, nodes); NaN for all others."""
    mean = total / size
    variance = np.maximum(squares / size - mean**2, 0)
    std = np.sqrt(variance)
    reach = np.sqrt(2 * np.log(np.maximum(size, 2)))
    values = {
        "max": mean + reach * std,
        "min": mean - reach * std,
        "mean": mean,
        "sum": total,
        "var": variance,
        "std": std,
        "norm1": size * std * 0.79788456,
        "norm2": np.sqrt(squares),
        "median": mean,
        "q1": mean - _QUARTILE * std,
        "q3": mean + _QUARTILE * std,
        "nonfinite": np.zeros_like(mean),
    }
    nothing = np.full_like(mean, np.nan)
    return np.stack([values.get(name, nothing) for name in LAYER_STATISTICS]).astype(np.float32)
