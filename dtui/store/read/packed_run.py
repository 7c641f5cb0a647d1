"""Reads a packed run: one immutable file that holds all of a run.

Owns the document of a packed run: everything except the arrays. `dtui.store.pack.worker` writes the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError, RunFormatError
from dtui.model import ByteArray, IntArray, RunStatus
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.store.format.contents import require_format
from dtui.store.format.documents import decode_document, encode_document
from dtui.store.format.flight_lines import parse_trigger, weights_in
from dtui.store.format.joins import Join, gaps_that_count, parse_gap, triggers_that_count
from dtui.store.format.nonfinite_lines import nonfinite_in
from dtui.store.format.schema import (
    GAPS_FILE,
    IMAGES_GROUP,
    LINE_FILES,
    LOGGED_FILE,
    MOST_NODES,
    NONFINITE_FILE,
    PACKED_SUFFIX,
    STRUCTURE_GROUP,
    TRIAGE_FILE,
    TRIGGERS_FILE,
    WEIGHTS_FILE,
    Sizes,
    Stream,
)
from dtui.store.read.catalog import PartSpan, StreamView
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.source import RunSource
from dtui.store.run.decisions import Triage
from dtui.store.run.logged_values import LoggedValues
from dtui.store.run.opening import OpenedRun, read_document, read_structure
from dtui.store.run.sidecars import Surroundings

Lost = Mapping[str, tuple[tuple[int, int], ...]]
"""Array of a stream to the stretches of frames, first and stop, at which its values were damaged already."""


@dataclass(frozen=True, slots=True)
class PackedStream:
    """What a packed run holds of one stream.

    Attributes:
        frames: Number of frames, >= 1.
        lost: The frames at which an array without NaN has no value.
    """

    frames: int
    lost: Lost

    def lost_edges(self) -> dict[str, IntArray]:
        """Return for each array firsts and stops of the stretches without values, shape (2, stretches), each ascending.

        Stretches in the file may overlap and have any order; sorted firsts and stops still enclose the same frames.
        """
        stretches = {name: np.array(at, np.int64).reshape(-1, 2).T for name, at in self.lost.items()}
        return {name: np.sort(edges, axis=1) for name, edges in stretches.items() if edges.size}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> PackedStream:
        """Return one stream of a JSON document.

        Raises:
            ValueError, TypeError, LookupError, OverflowError: The values are impossible.
        """
        frames = values["frames"]
        if not isinstance(frames, int) or not 1 <= frames < 1 << 40:
            raise ValueError(f"{frames!r} frames")
        lost = {str(name): tuple((int(first), int(stop)) for first, stop in at) for name, at in values["lost"].items()}
        if sum(map(len, lost.values())) > MOST_NODES:
            raise ValueError("too many losses")
        if any(not 0 <= first < stop <= frames for at in lost.values() for first, stop in at):
            raise ValueError("losses out of range")
        return cls(frames, lost)


@dataclass(frozen=True, slots=True)
class PackedDocument:
    """The content of a packed run besides its arrays.

    Attributes:
        run: The run's id.
        status: How the run ended; crashed if it had not ended.
        reason: One line on why it ended; data from outside.
        has_images: Whether the tracked images are in it.
        streams: The streams that have frames.
        lines: The lines of each file of LINE_FILES, in order.
        joins: Where the training was resumed. Superseded frames are not in the file; superseded lines are.
        missing: One line per missing item; data from outside.
        format: Format version of the run.
        ended: When the run was closed, ISO 8601; "" where that is not known; data from outside.
    """

    run: str
    status: RunStatus
    reason: str
    has_images: bool
    streams: Mapping[Stream, PackedStream]
    lines: Mapping[str, Sequence[Mapping[str, object]]]
    joins: Sequence[Join]
    missing: Sequence[str]
    format: int
    ended: str = ""

    def encode(self) -> ByteArray:
        """Return the document as JSON bytes."""
        return encode_document(
            {
                "format": self.format,
                "run": self.run,
                "status": str(self.status),
                "reason": self.reason,
                "images": self.has_images,
                "streams": {
                    str(stream): {"frames": held.frames, "lost": {name: list(at) for name, at in held.lost.items()}}
                    for stream, held in self.streams.items()
                },
                "lines": {name: list(lines) for name, lines in self.lines.items()},
                "joins": [join.as_json() for join in self.joins],
                "missing": list(self.missing),
                **({"ended": self.ended} if self.ended else {}),
            }
        )

    @classmethod
    def decode(cls, data: ByteArray, path: Path) -> PackedDocument:
        """Return the document from JSON bytes; streams that only a later dtui knows are left out.

        Raises:
            RunFormatError: A newer dtui wrote it.
            RunDamagedError: It does not describe a packed run.
        """
        values = decode_document(data, path)
        try:
            require_format(path, int(values["format"]))
            streams = {
                Stream(name): PackedStream.parse(item)
                for name, item in values["streams"].items()
                if name in tuple(Stream)
            }
            return cls(
                run=str(values["run"]),
                status=RunStatus(values["status"]),
                reason=str(values["reason"]),
                has_images=bool(values["images"]),
                streams=streams,
                lines={name: [dict(line) for line in values["lines"].get(name, ())] for name in LINE_FILES},
                joins=[Join.parse(join) for join in values.get("joins", ())],
                missing=[str(line) for line in values["missing"]],
                format=int(values["format"]),
                ended=str(values.get("ended", "")),
            )
        except RunFormatError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise RunDamagedError(f"{path}: does not describe a packed run ({error}); restore the file") from error


def packed_source(path: Path) -> RunSource:
    """Return the source of a packed run.

    Raises:
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: It cannot be read.
    """
    document = PackedDocument.decode(read_document(path), path)
    structure = read_structure(path, STRUCTURE_GROUP)
    if (structure.run, structure.contents.format) != (document.run, document.format):
        raise RunDamagedError(f"{path}: its parts belong to different runs; restore the file from a copy")
    opened = OpenedRun.of(structure)

    def catalog(stream: Stream, sizes: Sizes, parts: OpenParts) -> _PackedCatalog:
        return _PackedCatalog(path, stream, document.streams.get(stream), parts)

    return RunSource(path, opened, PackedSurroundings(path, document), catalog)


class _PackedCatalog:
    """The frames of one stream in a packed run; they never change."""

    def __init__(self, path: Path, stream: Stream, held: PackedStream | None, parts: OpenParts) -> None:
        self._path = path
        self._stream = stream
        self._held = held
        self._parts = parts
        self._view: StreamView | None = None

    def update(self) -> StreamView:
        """Return the frames; damage becomes a fault."""
        if self._view is None:
            self._view = StreamView() if self._held is None else self._look(self._held)
        return self._view

    def _look(self, held: PackedStream) -> StreamView:
        group = stream_group(self._stream)
        try:
            head = self._parts.read_head(self._stream, self._path, 0, held.frames, group)
        except RunDamagedError as error:
            return StreamView(faults=(str(error),))
        if np.any(np.diff(head.iterations) <= 0):
            return StreamView(faults=(f"{self._path}: the iterations of its {self._stream} do not ascend",))
        span = PartSpan(self._path, 0, held.frames, 0, head.iterations, head.scalars, group, held.lost_edges())
        return StreamView((span,), head.iterations, held.frames)


class PackedSurroundings(Surroundings):
    """The content of a packed run besides its frames; later decisions go to a file next to it."""

    def __init__(self, path: Path, document: PackedDocument) -> None:
        super().__init__(Triage(triage_path(path), document.lines[TRIAGE_FILE], document.run))
        self._path = path
        self._document = document
        self._identity = _identity(path)
        lines = document.lines
        self.joins = tuple(document.joins)
        gaps = tuple(gap for line in lines[GAPS_FILE] if (gap := parse_gap(line)) is not None)
        triggers = tuple(fired for line in lines[TRIGGERS_FILE] if (fired := parse_trigger(line)) is not None)
        self.gaps = gaps_that_count(gaps, self.joins)
        self.triggers = triggers_that_count(triggers, self.joins)
        logged = LoggedValues()
        logged.add(lines[LOGGED_FILE])
        self.logged = logged.points(self.joins)
        self._missing = tuple(f"{path}: when it was packed: {line}" for line in document.missing)

    @property
    def faults(self) -> tuple[str, ...]:
        """One line per item that is damaged, or was missing when the run was packed."""
        image_fault = (self._image_fault,) if self._image_fault else ()
        return (*self._missing, *image_fault, *self._triage.faults)

    def read(self) -> bool:
        """Read the files that may have changed. Return True if anything changed.

        Raises:
            RunDamagedError: The file was replaced by another one.
        """
        identity = _identity(self._path)
        if identity != self._identity:
            what = "removed" if identity is None else "replaced"
            raise RunDamagedError(f"{self._path}: was {what} while it was read; open it again, or another one")
        before = (self._open_images, self._decisions, self.faults)
        if self._open_images is None and self._document.has_images:
            self._open(self._path, self._document.run, IMAGES_GROUP)
        self._decisions = self.decisions()
        return before != (self._open_images, self._decisions, self.faults)

    def kept_weights(self) -> list[WeightsAt]:
        """Return the weights kept around triggers, those that count and can be read."""
        return weights_in(self._document.lines[WEIGHTS_FILE], self.joins)

    def broken_gradients(self) -> tuple[list[BrokenGradients], LookPlan | None]:
        """Return where gradients were NaN or Inf, what counts and can be read, and which updates were looked at."""
        return nonfinite_in(self._document.lines[NONFINITE_FILE], self.joins)

    def status(self) -> RunStatus:
        """Return how the run ended."""
        return RunStatus.told(self._document.status, self._document.reason)

    def settle(self) -> None:
        """Do nothing: a packed run has ended."""

    @property
    def reason(self) -> str:
        """One line on why the run ended, "" if no reason was given; data from outside."""
        return self._document.reason

    @property
    def ended(self) -> str:
        """When the run was closed, ISO 8601 with offset; "" where that is not known; data from outside."""
        return self._document.ended

    def promised(self, stream: Stream) -> int:
        """Return 0: a line reports missing frames instead."""
        return 0

    def signature(self) -> object:
        """Return a value that changes when the packed file is replaced, a decision is added, or it is to try again."""
        return object() if self._is_to_try_again else (_identity(self._path), _identity(self._triage.path))


def stream_group(stream: Stream) -> str:
    """Return the group of a stream in a packed run: the prefix of the paths in a part."""
    return f"/{stream}"


def triage_path(path: Path) -> Path:
    """Return the path of the decisions on a packed run: next to it."""
    return path.with_name(f"{path.name.removesuffix(PACKED_SUFFIX)}.{TRIAGE_FILE}")


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
