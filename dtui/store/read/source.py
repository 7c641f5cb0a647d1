"""Where the bytes of a run are: a directory that grows, or one packed file.

A `RunSource` has all that a reader needs of either, so that nobody behind it looks at names of files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dtui.store.format.schema import Sizes, Stream
from dtui.store.read.catalog import StreamView
from dtui.store.read.part_cache import OpenParts
from dtui.store.run.opening import OpenedRun
from dtui.store.run.sidecars import Surroundings


class FrameCatalog(Protocol):
    """Says which file holds which frames of a stream."""

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
        opened: What is fixed.
        surroundings: What is beside its frames.
        catalog: Makes the catalog of a stream, given the sizes of the run and where its parts are kept open.
    """

    path: Path
    opened: OpenedRun
    surroundings: Surroundings
    catalog: Callable[[Stream, Sizes, OpenParts], FrameCatalog]
