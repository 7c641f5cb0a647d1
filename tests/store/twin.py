"""A perfect in-memory twin of a run: what was acknowledged, as it must be read back."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np

from dtui.model import (
    FILTER_STATISTICS,
    LAYER_STATISTICS,
    SOURCES,
    ImageSet,
    Record,
    Validation,
)
from dtui.model.statistics import FILTERS
from dtui.store import RunReader
from tests.store.builders import IMAGES

KEPT_BITS = {name: one.bits for name, one in FILTERS.items()}
NORMS = {name: one.norm_of for name, one in FILTERS.items() if one.norm_of}


def rounded(values: np.ndarray, kept: int) -> np.ndarray:
    """Return values rounded to `kept` bits after the first, the slow, obvious way."""
    result = values.astype(np.float64)
    fine = np.isfinite(result) & (result != 0)
    mantissa, exponent = np.frexp(result[fine])
    result[fine] = np.ldexp(np.round(mantissa * 2 ** (kept + 1)), exponent - (kept + 1))
    return result.astype(np.float32)


def farthest(values: np.ndarray) -> float:
    """Return the value farthest from zero, the slow, obvious way."""
    there = sorted((value for value in values.tolist() if not math.isnan(value)), key=lambda v: (abs(v), v))
    return there[-1] if there else math.nan


@dataclass
class Twin:
    """All that was appended and acknowledged, in order."""

    records: list[Record] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    watches: list[Record] = field(default_factory=list)
    images: ImageSet | None = IMAGES
    superseded_names: set[str] = field(default_factory=set)

    @property
    def axis(self) -> list[Record]:
        """Records, and between them the watches of iterations that no record has."""
        taken = {record.iteration for record in self.records}
        kept = [watch for watch in self.watches if watch.iteration not in taken]
        return sorted([*self.records, *kept], key=lambda record: record.iteration)

    def supersede(self, iteration: int) -> None:
        """Forget what a training that goes on from a checkpoint supersedes."""
        self.superseded_names |= {name for record in (*self.records, *self.watches) for name in record.scalars}
        self.records = [record for record in self.records if record.iteration < iteration]
        self.watches = [watch for watch in self.watches if watch.iteration < iteration]
        self.validations = [validation for validation in self.validations if validation.iteration < iteration]

    def assert_read_by(self, reader: RunReader) -> None:
        """Compare everything that the reader can read."""
        assert reader.faults == ()
        self.assert_records(reader, slice(None))
        self.assert_validations(reader, slice(None))

    def assert_records(self, reader: RunReader, part: slice) -> None:
        axis, records = self.axis, {id(record) for record in self.records}
        assert reader.record_iterations.tolist() == [record.iteration for record in axis]
        assert reader.is_watch.tolist() == [id(record) not in records for record in axis]
        some = axis[part]
        held = reader.contents
        for row, name in held_of(FILTER_STATISTICS, held.filters):
            expected = stack([record.filters[row] for record in some], reader.structure.filters)
            found = reader.read_filters(name, slice(None), part)
            if name in NORMS:
                alike(found, self.norms(name, some, reader))
            else:
                same(found, rounded(expected, KEPT_BITS[name]))
        for at, source in enumerate(SOURCES):
            for row, name in held_of(LAYER_STATISTICS, held.layers):
                layers = stack([record.layers[at, row] for record in some], len(reader.structure.layers))
                same(reader.read_layers(source, name, part), layers)
                modules = stack([record.modules[at, row] for record in some], len(reader.structure.modules))
                same(reader.read_modules(source, name, part), modules)
        for layer in range(len(reader.structure.layers)):
            same(reader.read_histograms(layer, part), stack([record.histograms[layer] for record in some], 64))
            same(reader.read_change_ratios(layer, part), stack([record.change_ratios[layer] for record in some], 7))
        names = {name for record in (*self.records, *self.watches) for name in record.scalars}
        found = set(reader.scalar_names())
        assert names <= found <= names | self.superseded_names
        for name in found:
            same(reader.read_scalar(name, part), np.array([record.scalars.get(name, np.nan) for record in some]))

    def norms(self, name: str, records: list[Record], reader: RunReader) -> np.ndarray:
        """Return norms as they follow from mean and std, the slow way."""
        mean, std = (FILTER_STATISTICS.index(source) for source in NORMS[name])
        result = np.empty((reader.structure.filters, len(records)), np.float32)
        for layer in reader.structure.layers:
            for row in range(layer.filter_rows.start, layer.filter_rows.stop):
                for at, record in enumerate(records):
                    size = math.hypot(record.filters[mean, row], record.filters[std, row])
                    result[row, at] = size * math.sqrt(math.prod(layer.shape[1:]))
        for at, record in enumerate(records):
            if np.isnan(record.filters[mean]).all():  # a watch, which has its norms measured
                result[:, at] = record.filters[FILTER_STATISTICS.index(name)]
        return result

    def assert_bins(self, reader: RunReader, bins: slice) -> None:
        """Compare the coarse level of all filter statistics."""
        for row, name in held_of(FILTER_STATISTICS, reader.contents.filters):
            values = rounded(np.stack([record.filters[row] for record in self.axis], -1), KEPT_BITS[name])
            if name in NORMS:
                values = reader.read_filters(name, slice(None), slice(None))  # compared by assert_records
            starts = range(0, values.shape[1], 8)[bins]
            expected = np.array([[farthest(line[at : at + 8]) for at in starts] for line in values], np.float32)
            same(reader.read_filter_bins(name, slice(None), bins), expected.reshape(len(values), len(starts)))

    def assert_validations(self, reader: RunReader, part: slice) -> None:
        assert reader.validation_iterations.tolist() == [validation.iteration for validation in self.validations]
        if self.images is None or reader.images is None:
            assert not self.validations
            return
        some = self.validations[part]
        targets, classes = self.images.targets, len(self.images.classes)
        labels = stack([validation.labels for validation in some], len(targets))
        same(reader.read_labels(slice(None), part), labels)
        same(reader.read_confidences(slice(None), part), stack([v.confidences for v in some], len(targets)))
        errors = np.full((classes, len(some)), np.nan, np.float32)
        for label in set(targets.tolist()):
            errors[label] = (labels[targets == label] != label).mean(0, dtype=np.float64)
        same(reader.read_class_errors(part), errors)


def held_of(measured: tuple[str, ...], held: Container[str]) -> list[tuple[int, str]]:
    """Return what a run holds of what is measured today, and where it stands in a record."""
    return [(row, name) for row, name in enumerate(measured) if name in held]


def stack(columns: list[np.ndarray], rows: int) -> np.ndarray:
    return np.stack(columns, -1) if columns else np.empty((rows, 0))


def alike(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2.0**-7)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
