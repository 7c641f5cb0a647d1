"""Converts structure, metadata and image sets to JSON documents, and back.

Owns the mapping between the value types and the stored keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError, RunFormatError, UsageError
from dtui.model import (
    ByteArray,
    Edge,
    ImageSet,
    LabelArray,
    Layer,
    Module,
    RunMetadata,
    Structure,
)
from dtui.model.judging import RULES, Judging, check_judging
from dtui.model.statistics import Rows
from dtui.store.format.contents import Contents
from dtui.store.format.contents_document import encode_columns, encode_contents, parse_contents, parse_image_columns
from dtui.store.format.optional_entries import bounded, encode_optional, parse_optional
from dtui.store.format.schema import (
    LARGEST_DOCUMENT,
    LAST_ITERATION,
    MOST_CLASS_NAMES,
    MOST_FILTERS,
    MOST_IMAGES,
    MOST_NODES,
    MOST_VALUES,
)


def encode_document(values: Mapping[str, object]) -> ByteArray:
    """Return a JSON document as bytes, shape (bytes,), uint8.

    Raises:
        UsageError: It is larger than a reader takes.
    """
    text = json.dumps(values).encode()
    if len(text) > LARGEST_DOCUMENT or _count_values(text) > MOST_VALUES:
        largest = max(values, key=lambda name: len(json.dumps(values[name])))
        raise UsageError(
            f"{largest}: too much text, in all {len(text):,} bytes and {_count_values(text):,} values; a run keeps "
            f"{LARGEST_DOCUMENT:,} bytes and {MOST_VALUES:,} values; give fewer or shorter names"
        )
    return np.frombuffer(text, np.uint8)


def _count_values(text: bytes) -> int:
    return sum(text.count(mark) for mark in (b",", b"[", b"{"))


def decode_document(data: ByteArray, path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON document.

    Raises:
        RunDamagedError: It is not a JSON object, or would take too much memory.
    """
    text = data.tobytes()
    if _count_values(text) > MOST_VALUES:
        raise RunDamagedError(f"{path}: its document has more than {MOST_VALUES:,} values; dtui has not written this")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunDamagedError(f"{path}: its document is not JSON ({error}); restore the file from a copy") from error
    if not isinstance(values, dict):
        raise RunDamagedError(f"{path}: its document is a {type(values).__name__}, not an object; restore the file")
    return values


@dataclass(frozen=True, eq=False, slots=True)
class RunDocument:
    """The content of the document in structure.h5.

    Attributes:
        run: The run's id.
        structure: The network.
        metadata: What was known before the first record.
        classes: Names in label order, as they were known then.
        contents: What the run holds.
    """

    run: str
    structure: Structure
    metadata: RunMetadata
    classes: tuple[str, ...]
    contents: Contents


def run_document(
    run: str, structure: Structure, metadata: RunMetadata, classes: Sequence[str], contents: Contents
) -> ByteArray:
    """Return the document of structure.h5.

    Raises:
        UsageError: It is too large for a reader, or a reader would refuse the network.
    """
    try:
        _check_structure(structure, contents)
    except ValueError as error:
        raise UsageError(f"the network cannot be recorded: {error}") from error
    return encode_document(
        {
            "run": run,
            "metadata": {
                key: value for key, value in asdict(metadata).items() if (key, value) != ("keep_around", None)
            },
            "classes": list(classes),
            "layers": [asdict(layer) for layer in structure.layers],
            "modules": [asdict(module) for module in structure.modules],
            "edges": [[edge.source, edge.target] for edge in structure.edges],
            **encode_optional(structure),
            **encode_contents(contents),
        }
    )


def parse_run_document(data: ByteArray, path: Path) -> RunDocument:
    """Return the content of a structure.h5.

    Raises:
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: The document does not describe a run.
    """
    values = decode_document(data, path)
    try:
        contents = parse_contents(values, path)
        layers = tuple(_layer(item) for item in bounded(values["layers"], MOST_NODES))
        modules = tuple(_module(item) for item in bounded(values["modules"], MOST_NODES))
        edges = tuple(Edge(str(source), str(target)) for source, target in bounded(values["edges"], MOST_NODES))
        classes = tuple(str(name) for name in bounded(values["classes"], MOST_CLASS_NAMES))
        structure = Structure(layers, modules, edges, **parse_optional(values, layers))
        _check_structure(structure, contents)
        return RunDocument(str(values["run"]), structure, _metadata(values["metadata"]), classes, contents)
    except RunFormatError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise RunDamagedError(f"{path}: does not describe a network ({error}); restore the file from a copy") from error


def images_document(run: str, images: ImageSet) -> ByteArray:
    """Return the document of images.h5."""
    columns = {"columns": encode_columns(images.columns)} if images.columns else {}
    judging = {} if images.judging is None else {"judging": asdict(images.judging)}
    known = {"run": run, "classes": list(images.classes), "ids": list(images.ids)}
    return encode_document({**known, **columns, **judging})


def parse_images_document(values: Mapping[str, Any], targets: LabelArray, path: Path) -> tuple[str, ImageSet]:
    """Return run id and image set, without thumbnails, of the decoded document of an images.h5.

    Raises:
        RunDamagedError: The document does not describe images.
    """
    try:
        classes = tuple(str(name) for name in bounded(values["classes"], MOST_CLASS_NAMES))
        ids = tuple(map(str, bounded(values["ids"], MOST_IMAGES)))
        if len(ids) != len(targets):
            raise ValueError(f"{len(ids)} ids for {len(targets)} images")
        if targets.size and (np.any(targets[1:] < targets[:-1]) or int(targets[-1]) >= len(classes)):
            raise ValueError("targets are not ascending labels of its classes")
        columns = parse_image_columns(values.get("columns", []))
        judging = _judging(values.get("judging"), len(classes))
        return str(values["run"]), ImageSet(classes, targets, ids, columns=columns, judging=judging)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise RunDamagedError(f"{path}: does not describe images ({error}); restore the file from a copy") from error


def _layer(item: Mapping[str, Any]) -> Layer:
    shape = tuple(int(length) for length in item["shape"])
    aliases = tuple(str(name) for name in item["aliases"])
    if len(shape) > 16 or math.prod(shape) > LAST_ITERATION:
        raise ValueError("a layer is larger than any memory")
    return Layer(int(item["index"]), str(item["name"]), str(item["kind"]), shape, int(item["first_filter"]), aliases)


def _module(item: Mapping[str, Any]) -> Module:
    layers = tuple(int(index) for index in item["layers"])
    return Module(int(item["index"]), str(item["name"]), str(item["kind"]), int(item["parent"]), layers)


def _judging(item: Mapping[str, Any] | None, classes: int) -> Judging | None:
    """Return how items are judged; None where class scores decide, or by a rule that only a later dtui knows."""
    if item is None or item["rule"] not in RULES:
        return None
    threshold, other, has_scores = item["threshold"], item["other"], item["has_scores"]
    if type(other) is not int or type(has_scores) is not bool or type(threshold) not in (int, float, type(None)):
        raise ValueError("how its items are judged is not told as it should be")
    known = None if threshold is None else float(threshold)
    judging = Judging(str(item["score"]), str(item["better"]), str(item["rule"]), known, other, has_scores)
    return check_judging(judging, classes)


def _metadata(item: Mapping[str, Any]) -> RunMetadata:
    if not 0 < int(item["every"]) <= LAST_ITERATION:
        raise ValueError(f"every {str(item['every'])[:20]} iterations")
    notes = tuple({str(key): value for key, value in note.items()} for note in item["notes"])
    if any(isinstance(note.get("iteration"), int) and abs(note["iteration"]) > LAST_ITERATION for note in notes):
        raise ValueError("a note at an iteration that no run reaches")
    keep_around = item.get("keep_around")
    if keep_around is not None and (type(keep_around) is not int or not 0 <= keep_around <= LAST_ITERATION):
        raise ValueError(f"keep_around {str(keep_around)[:20]}")
    return RunMetadata(
        str(item["name"]),
        str(item["created"]),
        int(item["every"]),
        bool(item["invented"]),
        {str(key): str(value) for key, value in item["versions"].items()},
        {str(key): str(value) for key, value in item["hyperparameters"].items()},
        notes,
        keep_around,
    )


def _check_structure(structure: Structure, contents: Contents) -> None:
    """Refuse an impossible network here, so that later code need not check it again."""
    row = 0
    for index, layer in enumerate(structure.layers):
        if layer.index != index or not layer.shape or min(layer.shape) < 1 or layer.first_filter != row:
            raise ValueError(f"layer {index} is out of place")
        row += layer.filters
        if row > MOST_FILTERS:
            raise ValueError(f"more than {MOST_FILTERS} filters")
    if structure.layers and not structure.modules:
        raise ValueError("layers without a module")
    for index, module in enumerate(structure.modules):
        if module.index != index or not -1 <= module.parent < index or (index > 0) == (module.parent < 0):
            raise ValueError(f"module {index} is out of place")
        if any(not 0 <= layer < len(structure.layers) for layer in module.layers):
            raise ValueError(f"module {index} names layers that are not there")
    for rows, listed, what in (
        (Rows.NORMS, len(structure.norms), "normalisation layers"),
        (Rows.PARAMETERS, len(structure.parameters), "parameters"),
        (Rows.ADAPTERS, len(structure.adapters), "adapters"),
        (Rows.CHANNELS, structure.channels, "channels"),
    ):
        if listed != contents.rows_of(rows):
            raise ValueError(f"{listed} {what}, rows of {contents.rows_of(rows)}")
