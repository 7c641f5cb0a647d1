"""Defines a source of a run: a directory that grows, or one packed file.

A `RunSource` gives readers everything they need from either, so that no reader handles file names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dtui.dataclass_on_use import dataclass
from dtui.store.format.schema import Sizes, Stream
from dtui.store.read.catalog import StreamView
from dtui.store.read.part_cache import OpenParts
from dtui.store.run.opening import OpenedRun
from dtui.store.run.sidecars import Surroundings


class FrameCatalog(Protocol):
    """Tells which file holds which frames of a stream."""

    def update(self) -> StreamView:
        """Look again and return the frames that can be read now.

        Raises:
            OSError: The run cannot be read.
        """


@dataclass(frozen=True, eq=False, slots=True)
class RunSource:
    """A run that was found.

    Attributes:
        path: Its directory or file.
        opened: The content of the files that never change.
        surroundings: Everything besides its frames.
        catalog: Makes the catalog of a stream, given the sizes of the run and the cache of open parts.
    """

    path: Path
    opened: OpenedRun
    surroundings: Surroundings
    catalog: Callable[[Stream, Sizes, OpenParts], FrameCatalog]
