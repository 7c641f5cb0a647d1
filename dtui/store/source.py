"""Where the bytes of a run are: a directory that grows, or one packed file.

Owns the choice between the two. A second copy would ask in many places what is answered here once: a `RunSource` has
all that a reader needs, and nobody behind it looks at names of files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dtui.store.catalog import Catalog, StreamView
from dtui.store.joins import holes_of
from dtui.store.opening import OpenedRun, find_run, open_structure
from dtui.store.parts import OpenParts
from dtui.store.runfile import RunFileWatch
from dtui.store.schema import Sizes, Stream, frame_fields
from dtui.store.surroundings import FolderSurroundings, Surroundings
from dtui.store.tokens import run_token


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
    from dtui.store.packed import packed_source

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
