"""Finds a run by its path, and chooses between a folder and a packed file; no other module makes this choice."""

from __future__ import annotations

from pathlib import Path

from dtui.store.format.frames import frame_fields
from dtui.store.format.joins import holes_of
from dtui.store.format.names import run_token
from dtui.store.format.schema import Sizes, Stream
from dtui.store.read.catalog import Catalog
from dtui.store.read.packed_run import packed_source
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.source import RunSource
from dtui.store.run.opening import find_run, open_structure
from dtui.store.run.run_file import RunFileWatch
from dtui.store.run.sidecars import FolderSurroundings


def open_source(path: Path) -> RunSource:
    """Find a run and read the files that never change.

    Args:
        path: Its directory, with or without `.dtui`, or its packed file.

    Raises:
        RunNotFoundError: There is no run at this path.
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: It cannot be read at all.
    """
    found = find_run(path).absolute()  # os.chdir may come before it is read on
    if found.is_dir():
        return folder_source(found)
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
