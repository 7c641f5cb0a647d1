"""A run in memory with the interface of the store's RunReader, small and full of planted things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from dtui.model import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    RECORDS_A_BIN,
    SOURCES,
    Column,
    Gap,
    ImageSet,
    Layer,
    Module,
    RunMetadata,
    RunStatus,
    Structure,
    Trigger,
)
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.model.scalars import Points
from dtui.store.format.contents import Contents, contents_of_today
from dtui.store.format.rounding import round_mantissa
from dtui.store.run.anomaly_cache import Findings, Key

EVERY = 10


def small_structure() -> Structure:
    layers = (
        Layer(0, "conv1", "Conv2d", (4, 1, 3, 3), 0),
        Layer(1, "layer1.0.conv1", "Conv2d", (6, 4, 3, 3), 4),
        Layer(2, "layer1.0.conv2", "Conv2d", (6, 6, 1, 1), 10),
        Layer(3, "layer1.1.conv1", "Conv2d", (5, 6, 3, 1), 16),
        Layer(4, "fc", "Linear", (3, 5), 21),
    )
    modules = (
        Module(0, "", "Net", -1, (0, 1, 2, 3, 4)),
        Module(1, "layer1", "Sequential", 0, (1, 2, 3)),
        Module(2, "layer1.0", "BasicBlock", 1, (1, 2)),
        Module(3, "layer1.1", "BasicBlock", 1, (3,)),
    )
    return Structure(layers, modules)


class FullFindings(Findings):
    """The cache of a run whose folder cannot be written to."""

    def write(self, key: Key, table: np.ndarray) -> None:
        raise OSError(30, "Read-only file system")


@dataclass
class FakeReader:
    """`records` and `validations` say how much of what is planted can be seen already."""

    records: int = 60
    validations: int = 50
    findings: FullFindings = field(default_factory=FullFindings)
    seed: int = 0
    per_class: tuple[int, ...] = (70, 20, 64, 3)
    with_images: bool = True
    path: Path = Path("fake.dtui")
    format_version: int = 2
    contents: Contents = field(default_factory=contents_of_today)
    gaps: tuple[Gap, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    weights: tuple[WeightsAt, ...] = ()
    broken: tuple[BrokenGradients, ...] = ()
    look_plan: LookPlan | None = None
    columns: tuple[Column, ...] = ()
    watched: tuple[int, ...] = ()
    faults: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    state: RunStatus = RunStatus.LIVE
    decided: dict[str, tuple[str, str]] = field(default_factory=dict)
    reads: list[tuple[object, ...]] = field(default_factory=list)
    total: int = 200
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self.structure = small_structure()
        self.metadata = RunMetadata("fake", "2026-01-01T00:00:00+00:00", EVERY)
        self.classes = tuple(f"class {label}" for label in range(len(self.per_class)))
        self.targets = np.repeat(np.arange(len(self.per_class)), self.per_class).astype(np.uint16)
        images = len(self.targets)
        self.all_images = ImageSet(self.classes, self.targets, tuple(f"id{i}" for i in range(images)))
        filters, layers, modules, n = self.structure.filters, 5, 4, self.total
        # As precise as the store keeps them, so that a run that was written and read again holds the same.
        drawn = np.abs(random.normal(0.01, 0.002, (len(FILTER_STATISTICS), filters, n))).astype(np.float32)
        self.filters = round_mantissa(drawn, min(one.bits for one in self.contents.filters.values()))
        self.layers = random.normal(0, 1, (len(SOURCES), len(LAYER_STATISTICS), layers, n)).astype(np.float32)
        self.layers[:, LAYER_STATISTICS.index("nonfinite")] = 0
        self.modules = random.normal(0, 1, (len(SOURCES), len(LAYER_STATISTICS), modules, n)).astype(np.float32)
        self.filters[FILTER_STATISTICS.index("nonfinite")] = 0
        self.modules[:, LAYER_STATISTICS.index("nonfinite")] = 0
        self.scalars = {
            "loss": np.linspace(2, 0.1, n),
            "error": np.where(np.arange(n) % 5 == 0, np.linspace(0.9, 0.1, n), np.nan),
            "learning_rate": np.where(np.arange(n) < 30, 0.1, 0.01),
        }
        chance = np.linspace(0.4, 0.95, n)
        right = random.random((images, n)) < chance
        wrong = (self.targets[:, None] + random.integers(1, max(2, len(self.per_class)), (images, n))) % len(
            self.per_class
        )
        self.labels = np.where(right, self.targets[:, None], wrong).astype(np.uint16)
        self.confidences = random.integers(0, 256, (images, n)).astype(np.uint8)
        self.thumbnails: dict[int, bytes] = {}

    def kept_weights(self) -> list[WeightsAt]:
        return list(self.weights)

    def broken_gradients(self) -> tuple[list[BrokenGradients], LookPlan | None]:
        return list(self.broken), self.look_plan

    # --- life
    def grow(self, records: int, validations: int) -> None:
        self.pending = (records, validations)

    joins = ()
    seams = ()
    logged: ClassVar[dict[str, Points]] = {}

    def refresh(self) -> bool:
        records, validations = getattr(self, "pending", (self.records, self.validations))
        changed = (records, validations) != (self.records, self.validations)
        self.records, self.validations = records, validations
        return changed

    def close(self) -> None:
        self.reads.append(("close",))

    reason = ""
    ended = ""

    def status(self) -> RunStatus:
        return self.state

    # --- what there is
    @property
    def images(self) -> ImageSet | None:
        return self.all_images if self.with_images else None

    @property
    def record_iterations(self) -> np.ndarray:
        return np.arange(self.records, dtype=np.int64) * EVERY + 9

    @property
    def is_watch(self) -> np.ndarray:
        return np.isin(np.arange(self.records), self.watched)

    @property
    def validation_iterations(self) -> np.ndarray:
        return np.arange(self.validations, dtype=np.int64) * EVERY + 12

    # --- numbers
    def _read(self, what: str, array: np.ndarray, part: slice, known: int) -> np.ndarray:
        assert part.start is not None
        assert part.stop is not None
        assert 0 <= part.start <= part.stop <= known, (what, part, known)
        self.reads.append((what, part.start, part.stop))
        return array[..., part].copy()

    def read_filters(self, statistic: str, rows: slice, records: slice) -> np.ndarray:
        return self._read("filters", self.filters[FILTER_STATISTICS.index(statistic)][rows], records, self.records)

    def read_filter_bins(self, statistic: str, rows: slice, bins: slice) -> np.ndarray:
        values = self.filters[FILTER_STATISTICS.index(statistic)][rows, : self.records]
        starts = range(0, self.records, RECORDS_A_BIN)
        farthest = [
            [
                max(there, key=lambda value: (abs(value), value), default=np.nan)
                for there in ([v for v in row[at : at + RECORDS_A_BIN] if not np.isnan(v)] for at in starts)
            ]
            for row in values.tolist()
        ]
        return self._read(f"bins of {statistic}", np.array(farthest, np.float32), bins, len(starts))

    def read_layers(self, source: str, statistic: str, records: slice) -> np.ndarray:
        array = self.layers[SOURCES.index(source), LAYER_STATISTICS.index(statistic)]
        return self._read("layers", array, records, self.records)

    def read_modules(self, source: str, statistic: str, records: slice) -> np.ndarray:
        array = self.modules[SOURCES.index(source), LAYER_STATISTICS.index(statistic)]
        return self._read("modules", array, records, self.records)

    def read_histograms(self, layer: int, records: slice) -> np.ndarray:
        return np.zeros((HISTOGRAM_BINS, records.stop - records.start), dtype=np.uint32)

    def read_change_ratios(self, layer: int, records: slice) -> np.ndarray:
        return np.zeros((len(CHANGE_RATIO_EDGES), records.stop - records.start), dtype=np.float32)

    def scalar_names(self) -> tuple[str, ...]:
        return tuple(self.scalars)

    def read_scalar(self, name: str, records: slice) -> np.ndarray:
        return self._read("scalar", self.scalars[name], records, self.records)

    def read_labels(self, images: slice, validations: slice) -> np.ndarray:
        return self._read("labels", self.labels[images], validations, self.validations)

    def read_confidences(self, images: slice, validations: slice) -> np.ndarray:
        return self._read("confidences", self.confidences[images], validations, self.validations)

    def read_class_errors(self, validations: slice) -> np.ndarray:
        wrong = self.labels != self.targets[:, None]
        errors = np.full((len(self.per_class), self.total), np.nan, dtype=np.float32)
        for label, images in enumerate(self.per_class):
            if images:
                errors[label] = wrong[self.targets == label].mean(axis=0)
        return self._read("class errors", errors, validations, self.validations)

    def read_thumbnail(self, image: int) -> bytes:
        return self.thumbnails.get(image, b"")

    # --- decisions
    def decisions(self) -> dict[str, tuple[str, str]]:
        return dict(self.decided)

    def decision_authors(self) -> dict[str, tuple[str, str]]:
        return dict.fromkeys(self.decided, ("ada", "2026-01-01T00:00:00+00:00"))

    def append_decisions(self, decisions: Sequence[tuple[str, str, str]]) -> None:
        self.decided |= {anomaly: (status, note) for anomaly, status, note in decisions}
