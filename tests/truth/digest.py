"""Checksums of everything that a RunReader answers about a run.

Owns what "readable for ever" means: bit for bit the same numbers. `python -m tests.truth.digest RUN` prints them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from dtui.model import RECORDS_A_BIN, RunMetadata
from dtui.store import RunReader

GOLDEN = Path(__file__).with_name("samples.json")


def digest(path: Path) -> dict[str, str]:
    """Return name to checksum of each array and text, NaN by its bits."""
    reader = RunReader(path)
    try:
        return {name: _checksum(value) for name, value in _answers(reader)}
    finally:
        reader.close()


def _answers(reader: RunReader) -> Iterator[tuple[str, object]]:
    every = slice(None)
    yield from _texts(reader)
    yield "iterations", reader.record_iterations
    yield "is_watch", reader.is_watch
    for statistic in reader.contents.filters:
        yield f"filters {statistic}", reader.read_filters(statistic, every, every)
        yield f"bins of {RECORDS_A_BIN} {statistic}", reader.read_filter_bins(statistic, every, every)
    for source in reader.contents.sources:
        for statistic in reader.contents.layers:
            yield f"layers {source} {statistic}", reader.read_layers(source, statistic, every)
            yield f"modules {source} {statistic}", reader.read_modules(source, statistic, every)
    for layer in range(len(reader.structure.layers)):
        yield f"histograms {layer}", _as_stored(reader.read_histograms(layer, every), np.uint32)
        yield f"change ratios {layer}", reader.read_change_ratios(layer, every)
    for name in reader.scalar_names():
        yield f"scalar {name}", reader.read_scalar(name, every)
    yield "validation iterations", reader.validation_iterations
    yield "labels", _as_stored(reader.read_labels(every, every), np.uint16)
    yield "confidences", _as_stored(reader.read_confidences(every, every), np.uint8)
    yield "class errors", reader.read_class_errors(every)
    for name in (column.name for column in reader.columns if column.name not in ("label", "confidence")):
        yield f"column {name} at", reader.column_iterations(name)
        yield f"column {name}", reader.read_column(name, every, every)
    assert reader.images is not None
    yield "targets", reader.images.targets
    yield "thumbnails", b"|".join(map(reader.read_thumbnail, range(len(reader.images.ids))))


def _as_stored(values: np.ndarray, dtype: type[np.unsignedinteger]) -> np.ndarray:
    """Return integers as they are in the file, which has no room for what is lost."""
    assert values.min(initial=0) >= 0
    return values.astype(dtype)


def _texts(reader: RunReader) -> Iterator[tuple[str, object]]:
    """Yield what is no array, field by field: a later dtui may know more fields."""
    structure, known = reader.structure, reader.metadata
    yield "layers", [(layer.name, layer.kind, layer.shape, layer.first_filter) for layer in structure.layers]
    yield "modules", [(module.name, module.kind, module.parent, module.layers) for module in structure.modules]
    yield "edges", [(edge.source, edge.target) for edge in structure.edges]
    if structure.activations:
        yield "activations", [(place.of, place.then) for place in structure.activations]
    yield "metadata", [known.name, known.created, known.every, known.invented, *map(sorted, _items(known))]
    yield "classes", reader.classes
    yield "ending", [str(reader.status()), reader.reason]
    yield "seams", reader.seams
    yield "gaps", [(gap.stream, gap.first, gap.last, gap.reason) for gap in reader.gaps]
    yield "faults", reader.faults
    yield (
        "triggers",
        [(each.iteration, each.kind, each.layer, each.filters, each.score, each.times) for each in reader.triggers],
    )
    yield "image ids", None if reader.images is None else reader.images.ids


def _items(known: RunMetadata) -> Iterator[Iterable[tuple[str, object]]]:
    yield known.versions.items()
    yield known.hyperparameters.items()
    yield from (note.items() for note in known.notes)


def _checksum(value: object) -> str:
    """Return the shape and a checksum of an array, little-endian, or of a text."""
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<")))
        head, content = f"{'×'.join(map(str, value.shape))} {value.dtype.name} ", data.tobytes()
    else:
        head, content = "", value if isinstance(value, bytes) else str(value).encode()
    return head + hashlib.sha256(content).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(digest(Path(sys.argv[1])), indent=1, ensure_ascii=False))
