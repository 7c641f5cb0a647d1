"""Small runs with every awkward value, for the tests of the store and its twins."""

from __future__ import annotations

import numpy as np

from dtui.model import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    SOURCES,
    ImageSet,
    Layer,
    Module,
    Record,
    RunMetadata,
    Structure,
    Validation,
)
from dtui.model.scalars import Points, scalar_points
from dtui.store import RunReader

STRUCTURE = Structure(
    layers=(
        Layer(0, "stem", "Conv2d", (3, 1, 3, 3), 0),
        Layer(1, "stage.\x1b[31mconv", "Conv2d", (5, 3, 3, 3), 3, ("tied",)),
        Layer(2, "fc", "Linear", (4, 5), 8),
    ),
    modules=(Module(0, "", "Net", -1, (0, 1, 2)), Module(1, "stage", "Sequential", 0, (1,))),
)
METADATA = RunMetadata(
    "a <run>", "2026-01-02T03:04:05+00:00", 10, versions={"dtui": "0.1"}, notes=({"iteration": 20, "kind": "spike"},)
)
IMAGES = ImageSet(
    classes=("cat", "dog", "[red]", "empty"),
    targets=np.array([0, 0, 0, 1, 1, 2], np.uint16),
    ids=tuple(f"img-{n}" for n in range(6)),
    thumbnails=(b"one", b"", b"three", b"4", b"5", b"six"),
)


def make_record(position: int, every: int = 10, structure: Structure = STRUCTURE) -> Record:
    """Return the record at a position: random but fixed, with NaN, infinities and zeros."""
    rng = np.random.default_rng(position)
    layers = len(structure.layers)
    filters = rng.normal(size=(len(FILTER_STATISTICS), structure.filters)).astype(np.float32)
    filters[0, 0] = np.nan
    filters[1, 1] = np.inf
    filters[2] = 0
    statistics = (len(SOURCES), len(LAYER_STATISTICS))
    scalars = {"loss": float(rng.random()), "learning_rate": 0.1 / (position + 1)}
    if position >= 3:
        scalars["late [bold]"] = float(position)
    return Record(
        iteration=position * every,
        filters=filters,
        layers=rng.normal(size=(*statistics, layers)).astype(np.float32),
        modules=rng.normal(size=(*statistics, len(structure.modules))).astype(np.float32),
        histograms=rng.integers(0, 1 << 31, (layers, HISTOGRAM_BINS), dtype=np.uint32),
        change_ratios=rng.random((layers, len(CHANGE_RATIO_EDGES))).astype(np.float32),
        scalars=scalars,
    )


def make_validation(position: int, every: int = 20, images: ImageSet = IMAGES) -> Validation:
    """Return the validation at a position: random but fixed."""
    rng = np.random.default_rng(10_000 + position)
    count = len(images.ids)
    labels = rng.integers(0, len(images.classes), count).astype(np.uint16)
    return Validation(position * every, labels, rng.integers(0, 256, count).astype(np.uint8))


def points_of(reader: RunReader, name: str) -> Points:
    """Return all values of a scalar that a run holds, also those between records, with their iterations."""
    values = reader.read_scalar(name, slice(None))
    return scalar_points(reader.record_iterations, reader.is_watch, values, reader.logged.get(name))
