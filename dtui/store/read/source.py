"""Where the bytes of a run are: a directory that grows, or one packed file.

Owns the choice between the two. A second copy would ask in many places what is answered here once: a `RunSource` has
all that a reader needs, and nobody behind it looks at names of files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dtui.store.format.joins import holes_of
from dtui.store.format.names import run_token
from dtui.store.format.schema import Sizes, Stream, frame_fields
from dtui.store.read.catalog import Catalog, StreamView
from dtui.store.read.part_cache import OpenParts
from dtui.store.run.opening import OpenedRun, find_run, open_structure
from dtui.store.run.run_file import RunFileWatch
from dtui.store.run.sidecars import FolderSurroundings, Surroundings


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


def open_source(path: Path) -> RunSource:
    """Find a run and read what is fixed.

    Args:
        path: Its directory, with or without `.dtui`, or its packed file.

    Raises:
        RunNotFoundError: Nothing there is a run.
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: It cannot be read at all.
    """
    found = find_run(path).absolute()  # os.chdir may come before it is read on
    if found.is_dir():
        return folder_source(found)
    from dtui.store.read.packed_run import packed_source

    return packed_source(found)


def folder_source(folder: Path) -> RunSource:
    """Return the source of a run in a directory; raises as `open_structure` does."""
    opened = open_structure(folder)
    run_file = RunFileWatch(folder, opened.run)

    def catalog(stream: Stream, sizes: Sizes, parts: OpenParts) -> Catalog:
        fixed = sum(field.size for field in frame_fields(stream, sizes).values())
        return Catalog(
            folder,
            stream,
            run_token(opened.run),
            fixed,
            lambda *at: parts.read_head(stream, *at),
            lambda: holes_of(run_file.joins(), stream),
        )

    return RunSource(folder, opened, FolderSurroundings(folder, opened), catalog)
