"""Packs a run into one sealed file, in its own process: `python -m dtui.store.pack RUN OUT`.

Owns the content of a packed run, and the lines about missing items. `dtui.store.read.packed_run` reads it.

Everything readable at this moment is packed. Damaged values of float arrays become NaN. Integer arrays have no NaN, so
their damaged frames are listed and read as "no value" later. Every other fault becomes a line.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import DtuiError
from dtui.model import NO_VALUE, RunStatus, was_lost
from dtui.store.disk.atomic_files import one_line
from dtui.store.disk.hdf5 import FAILURES
from dtui.store.disk.json_lines import read_lines
from dtui.store.disk.seal import Seal, verify_seal
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.disk.verified_builder import ProvenFile
from dtui.store.format.part_arrays import BLOCK_BYTES
from dtui.store.format.schema import (
    DOCUMENT_NODE,
    IMAGES_FILE,
    IMAGES_GROUP,
    LARGEST_THUMBNAILS,
    LINE_FILES,
    MOST_IMAGES,
    NONFINITE_FILE,
    STRUCTURE_FILE,
    STRUCTURE_GROUP,
    TARGETS_NODE,
    THUMBNAIL_OFFSETS_NODE,
    THUMBNAILS_NODE,
    WEIGHTS_FILE,
    Sizes,
    Stream,
)
from dtui.store.read.catalog import PartSpan
from dtui.store.read.open_source import folder_source
from dtui.store.read.packed_run import Lost, PackedDocument, PackedStream, stream_group
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.run_streams import faults_of
from dtui.store.read.stream_reader import StreamReader
from dtui.store.run.opening import find_directory, read_document
from dtui.store.write.part_writer import FoldPlan, count_blocks, write_frames


class SalvagingReader(StreamReader):
    """Reads whatever can be read, and notes the damaged frames of arrays that have no NaN."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Prepare as a StreamReader does."""
        super().__init__(*args, **options)
        self._lost: dict[str, set[int]] = {}

    @property
    def lost(self) -> Lost:
        """The damaged frames of arrays without NaN; their elements there were read as 0."""
        return {path: tuple(_stretches(sorted(frames))) for path, frames in sorted(self._lost.items()) if frames}

    def read(self, path: str, rows: range, frames: range) -> NDArray[Any]:
        """Return rows of an array at consecutive frames, from position 0 on."""
        values = super().read(path, rows, frames)
        if values.dtype.kind != "f":
            lost = (values == NO_VALUE).any(axis=tuple(range(values.ndim - 1)))
            self._lost.setdefault(path, set()).update(np.flatnonzero(lost).tolist())
            values[values == NO_VALUE] = 0
        return values

    def read_scalar(self, name: str, frames: range) -> NDArray[np.float64]:
        """Return a scalar at some frames; lost values become an ordinary NaN, as in files."""
        values = super().read_scalar(name, frames)
        values[was_lost(values)] = np.nan
        return values


def _stretches(frames: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and stop of each stretch of consecutive frames."""
    begin = 0
    for at in range(1, len(frames) + 1):
        if at == len(frames) or frames[at] != frames[at - 1] + 1:
            yield frames[begin], frames[at - 1] + 1
            begin = at


class RunPacker:
    """Packs one run. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open the run.

        Raises:
            DtuiError: There is no run, or it cannot be read at all.
        """
        self._source = folder_source(find_directory(path))
        self._folder = self._source.path
        self._around = self._source.surroundings
        self._around.read()
        self._around.settle()
        self._status = self._around.status()
        self._parts = OpenParts(self._source.opened.run)
        self._sizes = Sizes.of(self._source.opened.structure, self._source.opened.contents)
        images = self._around.images
        if images is not None:
            self._sizes = self._sizes.with_images(images)
        self._readers = {
            stream: SalvagingReader(
                self._source, stream, self._sizes, self._parts, targets=None if images is None else images.targets
            )
            for stream in Stream
            if images is not None or stream is not Stream.VALIDATIONS
        }
        for reader in self._readers.values():
            reader.refresh()
        self._further: list[str] = []

    def close(self) -> None:
        """Close all files."""
        self._parts.close()
        self._around.close()

    def blocks(self) -> int:
        """Return the approximate number of blocks to write and compare."""
        streams = [(stream, reader) for stream, reader in self._readers.items() if len(reader.iterations)]
        names = {stream: len(reader.scalar_names()) for stream, reader in streams}
        return 2 * sum(
            count_blocks(stream, self._sizes, names[stream], len(reader.iterations)) for stream, reader in streams
        )

    def pack(self, out: Path, tick: Callable[[], None]) -> PackedDocument:
        """Build, verify and publish the packed run.

        Args:
            out: The file. An existing file is replaced.
            tick: Called after each block.

        Raises:
            RunDamagedError: The run was lost while it was read, or the disk did not keep what was written.
            OSError: The disk is full or fails. In each case nothing is published.
        """
        file = ProvenFile(out, tick, Seal.PACKED)
        try:
            file.add(STRUCTURE_GROUP + DOCUMENT_NODE, read_document(self._folder / STRUCTURE_FILE))
            if self._around.images is not None:
                self._copy_images(file)
            for stream, reader in self._readers.items():
                if count := len(reader.iterations):
                    self._write_stream(file, reader, FoldPlan(stream, 0, count, 0))
            document = self._document()
            file.add(DOCUMENT_NODE, document.encode())
            file.publish()
        except BaseException:
            file.discard()
            raise
        return document

    def _write_stream(self, file: ProvenFile, reader: SalvagingReader, plan: FoldPlan) -> None:
        """Write one stream. If one part holds all of it, as in a finished run, its chunks are copied."""
        run, group, span = self._source.opened.run, stream_group(plan.stream), reader.view.spans[0]
        part: SealedFile | None = None
        if isinstance(span, PartSpan) and len(span.iterations) == span.frames == len(plan.frames):
            with contextlib.suppress(OSError):  # damaged, or folded into a larger one by now
                verify_seal(span.path, whole=True)
                part = SealedFile(span.path)
        try:
            write_frames(file, run, self._sizes, reader, plan, group, part)
        finally:
            if part is not None:
                part.close()

    def _copy_images(self, file: ProvenFile) -> None:
        """Copy images.h5, without thumbnails if their data are damaged."""
        path = self._folder / IMAGES_FILE
        file.add(IMAGES_GROUP + DOCUMENT_NODE, read_document(path))
        nodes: list[tuple[str, str, int]] = [(TARGETS_NODE, "<u2", MOST_IMAGES)]
        try:
            verify_seal(path, whole=True)
            nodes += [(THUMBNAIL_OFFSETS_NODE, "<i8", MOST_IMAGES + 1), (THUMBNAILS_NODE, "|u1", LARGEST_THUMBNAILS)]
        except OSError as error:
            self._further.append(f"{str(error).split(';')[0]}; the thumbnails are left out")
        source = SealedFile(path)
        try:
            for node, dtype, longest in nodes:
                if source.has(node):
                    _copy(source, file, node, np.dtype(dtype), longest)
        finally:
            source.close()

    def _document(self) -> PackedDocument:
        lines = list(faults_of(self._source, {stream: self._readers.get(stream) for stream in Stream}))
        lines += self._further
        lines += [line for stream, reader in self._readers.items() for line in _left_out(stream, reader)]
        if self._status is RunStatus.LIVE:
            last = max(
                (int(reader.iterations[-1]) for reader in self._readers.values() if len(reader.iterations)),
                default=None,
            )
            at = "before its first record" if last is None else f"at iteration {last}"
            lines.append(f"it was still being recorded, {at}; what came after is not in it")
        reason = self._around.reason
        if self._status is RunStatus.LIVE:
            reason = "packed while it was still being recorded"
        return PackedDocument(
            run=self._source.opened.run,
            status=RunStatus.CRASHED if self._status is RunStatus.LIVE else self._status.stored,
            reason=reason,
            has_images=self._around.images is not None,
            joins=self._around.joins,
            streams={
                stream: PackedStream(len(reader.iterations), reader.lost)
                for stream, reader in self._readers.items()
                if len(reader.iterations)
            },
            lines={name: self._lines(name) for name in LINE_FILES if self._is_listed(name)},
            missing=[
                line.replace(f"{self._folder}/", "").replace(str(self._folder), self._folder.name) for line in lines
            ],
            format=self._source.opened.contents.format,
            ended=self._around.ended,
        )

    def _is_listed(self, name: str) -> bool:
        """Whether the document names a file of lines: the older ones always."""
        return name not in (WEIGHTS_FILE, NONFINITE_FILE) or (self._folder / name).exists()

    def _lines(self, name: str) -> list[dict[str, object]]:
        try:
            return read_lines(self._folder / name)[0]
        except OSError:
            return []  # which is a fault that is told


def _left_out(stream: Stream, reader: SalvagingReader) -> Iterator[str]:
    """Yield one line per array that loses more in the packed run than in the folder.

    A packed run can only mark whole frames as lost.
    """
    for path, stretches in reader.lost.items():
        count = sum(stop - first for first, stop in stretches)
        yield (
            f"{path}: some values are damaged at {count:,} of {len(reader.iterations):,} {stream}, and all others "
            "there are left out; the folder has them, so keep it"
        )


def _copy(source: SealedFile, file: ProvenFile, node: str, dtype: np.dtype[Any], longest: int) -> None:
    """Copy a one-dimensional array in blocks."""
    length = source.length(node, dtype, longest)
    file.create(IMAGES_GROUP + node, dtype, (length,), (min(length, 1 << 16),))
    step = BLOCK_BYTES // dtype.itemsize
    for start in range(0, length, step):
        rows = range(start, min(start + step, length))
        values = source.read(node, dtype, (length,), (slice(rows.start, rows.stop),))
        file.write_rows(IMAGES_GROUP + node, rows, values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack one run; prints the blocks done and then the result as JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m dtui.store.pack", description="Pack a run into one file.")
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    packer = None
    try:
        packer = RunPacker(options.run)
        try:
            document = packer.pack(options.out, _ticker(packer.blocks()))
        finally:
            packer.close()
    except DtuiError as error:
        _tell({"fault": str(error), "is_unreadable": packer is None})
        return 1
    except FAILURES as error:
        _tell({"fault": _write_fault(error, options.out)})
        return 1
    frames = {str(stream): held.frames for stream, held in document.streams.items()}
    _tell({"frames": frames, "missing": list(document.missing)})
    return 0


def _ticker(total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        _tell({"done": done, "total": max(total, done + 1)})

    return tick


def _tell(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _write_fault(error: BaseException, out: Path) -> str:
    """Return one line on why a file could not be written. HDF5 does not report a full disk, so the disk is asked."""
    if isinstance(error, OSError) and error.strerror:
        return one_line(OSError(error.errno, error.strerror, str(out)), out)
    free = os.statvfs(out.parent)
    if free.f_bavail * free.f_frsize < BLOCK_BYTES:
        return one_line(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out)), out)
    reason = " ".join(str(error).split())[-160:] or type(error).__name__
    return f"{out}: cannot be written: {reason}; check the disk"
