"""Writes images.h5: the tracked images of a run, once.

Owns the check that targets, ids and thumbnails fit together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import UsageError
from dtui.model import ImageSet
from dtui.store.format.documents import images_document
from dtui.store.format.schema import DOCUMENT_NODE, TARGETS_NODE, THUMBNAIL_OFFSETS_NODE, THUMBNAILS_NODE


def write_images(path: Path, run: str, images: ImageSet, shown: Path) -> None:
    """Write images.h5.

    Args:
        path: Path of the file.
        run: Id of the run.
        images: In ascending order of their targets.
        shown: The name of the run in messages.

    Raises:
        UsageError: They do not fit together.
        OSError: They cannot be written. No partial file is left.
    """
    from dtui.store.disk.sealed_builder import write_small_file

    targets = np.ascontiguousarray(images.targets, "<u2")
    count = len(targets)
    if len(images.ids) != count or len(images.thumbnails) not in (0, count):
        raise UsageError(
            f"{shown}: {count} targets, {len(images.ids)} ids, {len(images.thumbnails)} thumbnails; "
            "give one of each an image"
        )
    if count and (np.any(targets[1:] < targets[:-1]) or int(targets[-1]) >= len(images.classes)):
        raise UsageError(f"{shown}: targets must be ascending and below {len(images.classes)} classes")
    arrays: dict[str, NDArray[Any]] = {
        DOCUMENT_NODE: images_document(run, images),
        TARGETS_NODE: targets,
    }
    if images.thumbnails:
        arrays[THUMBNAIL_OFFSETS_NODE] = np.cumsum([0, *map(len, images.thumbnails)], dtype="<i8")
        arrays[THUMBNAILS_NODE] = np.frombuffer(b"".join(images.thumbnails), np.uint8)
    write_small_file(path, arrays)


def are_same(one: ImageSet, other: ImageSet) -> bool:
    """Whether two sets have the same images in the same order; thumbnails are not compared."""
    return (
        (one.classes, one.ids, one.columns) == (other.classes, other.ids, other.columns)
        and len(one.targets) == len(other.targets)
        and bool(np.all(one.targets == other.targets))
    )
