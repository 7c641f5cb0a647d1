"""Finds a run and opens the files that are written once.

Owns the errors for runs that cannot be opened: no run, a newer format, no permission, a damaged structure.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError, RunNotBegunError, RunNotFoundError
from dtui.model import ByteArray, RunMetadata, Structure
from dtui.run_path import nearest_run, with_suffix
from dtui.store.disk.seal import is_packed
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.contents import Contents, require_format
from dtui.store.format.documents import RunDocument, decode_document, parse_images_document, parse_run_document
from dtui.store.format.schema import (
    LARGEST_THUMBNAILS,
    MOST_IMAGES,
    PACKED_SUFFIX,
    RUN_FILE,
    STRUCTURE_FILE,
    TARGETS_NODE,
    THUMBNAIL_OFFSETS_NODE,
    THUMBNAILS_NODE,
)
from dtui.store.run.run_file import RunFile
from dtui.store.run.unborn import claimant, is_unborn

_BYTE = np.dtype("|u1")
_LABEL = np.dtype("<u2")
_OFFSET = np.dtype("<i8")
_LARGEST_THUMBNAIL = 4 << 20


@dataclass(frozen=True, eq=False, slots=True)
class OpenedRun:
    """The content of the files that are written once.

    Attributes:
        run: Its id.
        run_file: run.json, None if it cannot be read.
        structure: The network.
        metadata: What was known before the first record.
        classes: Names in label order, as they were known then.
        faults: One line on what is wrong with run.json.
        contents: What the run holds.
    """

    run: str
    run_file: RunFile | None
    structure: Structure
    metadata: RunMetadata
    classes: tuple[str, ...]
    faults: tuple[str, ...]
    contents: Contents

    @classmethod
    def of(cls, document: RunDocument, run_file: RunFile | None = None, faults: tuple[str, ...] = ()) -> OpenedRun:
        """Return an opened run from the document of its structure.h5."""
        known = (document.structure, document.metadata, document.classes)
        return cls(document.run, run_file, *known, faults, document.contents)


def find_run(path: Path) -> Path:
    """Return the directory of a run, given with or without `.dtui`, or its packed file.

    Raises:
        RunNotBegunError: A recorder has claimed it, but has recorded nothing yet.
        RunNotFoundError: There is no run.
        RunDamagedError: The permissions do not allow reading it.
    """
    try:
        found = path if path.exists() else with_suffix(path)
        if not found.exists():
            near = nearest_run(path)
            raise RunNotFoundError(
                f"{path}: no such file or directory; did you mean {near}?"
                if near
                else f"{path}: no such file or directory; give the path of a NAME.dtui directory; a training that has "
                "just started makes it with its recorder"
            )
        if not found.is_dir():
            return _packed_file(found)
        names = {entry.name for entry in found.iterdir()}
    except PermissionError as error:
        raise RunDamagedError(f"{path}: permission denied; ask its owner for the right to read it") from error
    except (OSError, ValueError) as error:
        if isinstance(error, RunNotFoundError):
            raise
        raise RunDamagedError(f"{path}: cannot be read, {error}; check the path and the disk") from error
    if not names & {RUN_FILE, STRUCTURE_FILE}:
        who = claimant(found)
        if who:
            raise RunNotBegunError(f"{found}: claimed by {who}, nothing recorded yet; look again once it trains")
        raise RunNotFoundError(f"{found}: {_what_is_in(found, names)}")
    return found


def _what_is_in(folder: Path, names: set[str]) -> str:
    """Say what is in a folder without a run, and what to do."""
    with suppress(OSError):
        if names and is_unborn(folder):
            return "nothing was recorded, and who claimed it is gone; record there again, or remove it"
    what = "a directory without a run in it" if names else "an empty directory, no run"
    return f"{what}; give the path of a NAME.dtui directory"


def find_directory(path: Path) -> Path:
    """Return the directory of a run, given with or without `.dtui`.

    Raises:
        RunNotFoundError: There is no run, or it is packed into one file.
        RunDamagedError: The permissions do not allow reading it.
    """
    found = find_run(path)
    if not found.is_dir():
        raise RunNotFoundError(f"{found}: a packed run, which never changes; give the NAME.dtui directory it came from")
    return found


def _packed_file(path: Path) -> Path:
    """Return the packed run at a path. A link is followed here, because a person gave the path."""
    found = path.resolve() if path.is_symlink() else path
    if not os.access(found, os.R_OK):
        raise RunDamagedError(f"{path}: permission denied; ask its owner for the right to read it")
    if not is_packed(found):
        what = "a file, not a run" if found.suffix != PACKED_SUFFIX else "no packed run, or its end is damaged"
        raise RunNotFoundError(f"{path}: {what}; give the path of a NAME.dtui directory or of what dtui pack wrote")
    return found


def open_structure(folder: Path) -> OpenedRun:
    """Read run.json and structure.h5.

    Raises:
        RunFormatError: A newer dtui wrote the run.
        RunDamagedError: Its structure is missing or damaged, or permissions do not allow reading it.
    """
    faults: list[str] = []
    run_file: RunFile | None = None
    try:
        run_file = RunFile.read(folder)
    except FileNotFoundError:
        faults.append(f"{folder / RUN_FILE}: missing; status is told from the heartbeat")
    except RunDamagedError as error:
        faults.append(str(error))
    except OSError as error:
        raise RunDamagedError(
            f"{folder / RUN_FILE}: {_reason(error)}; ask its owner for the right to read it"
        ) from error
    if run_file is not None:
        require_format(folder, run_file.format)
    document = read_structure(folder / STRUCTURE_FILE)
    if run_file is not None and run_file.run != document.run:
        faults.append(f"{folder / RUN_FILE}: belongs to another run; status is told from the heartbeat")
        run_file = None
    return OpenedRun.of(document, run_file, tuple(faults))


def read_structure(path: Path, group: str = "") -> RunDocument:
    """Return the content of a structure.h5, or of the same group in a packed run.

    Raises:
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: It is missing or damaged, or permissions do not allow reading it.
    """
    return parse_run_document(read_document(path, group), path)


def read_document(path: Path, group: str = "") -> ByteArray:
    """Return the document of a sealed file or of a group in it.

    Raises:
        RunDamagedError: It is missing or damaged, or permissions do not allow reading it.
    """
    file = _open(path, group)
    try:
        return file.read_document()
    finally:
        file.close()


class OpenImages:
    """An open images.h5, or its group in a packed run; thumbnails are read one at a time."""

    def __init__(self, path: Path, run: str, group: str = "") -> None:
        """Read classes, targets and ids.

        Raises:
            FileNotFoundError: The run has no images, or none yet.
            RunDamagedError: The file is damaged or belongs to another run.
        """
        self._file = SealedFile(path, group)
        try:
            document = decode_document(self._file.read_document(), path)
            if document.get("ids"):
                count = self._file.length(TARGETS_NODE, _LABEL, MOST_IMAGES)
                targets = self._file.read(TARGETS_NODE, _LABEL, (count,), (slice(None),)).astype(np.uint16)
            else:
                targets = np.empty(0, np.uint16)
            targets.flags.writeable = False
            found, self.images = parse_images_document(document, targets, path)
            if found != run:
                raise RunDamagedError(f"{path}: belongs to another run; restore the file from a copy")
            self._thumbnail_bytes = -1
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def thumbnail(self, image: int) -> bytes:
        """Return the encoded thumbnail of an image, b"" if it has none.

        Raises:
            RunDamagedError: The file is damaged.
        """
        count = len(self.images.ids)
        if not self._file.has(THUMBNAIL_OFFSETS_NODE):
            return b""
        low, high = self._file.read(THUMBNAIL_OFFSETS_NODE, _OFFSET, (count + 1,), (slice(image, image + 2),)).tolist()
        if low == high:
            return b""
        if self._thumbnail_bytes < 0:
            self._thumbnail_bytes = self._file.length(THUMBNAILS_NODE, _BYTE, LARGEST_THUMBNAILS)
        if not 0 <= low < high <= self._thumbnail_bytes or high - low > _LARGEST_THUMBNAIL:
            raise RunDamagedError(
                f"{self._file.path}: the thumbnail of image {image} is out of place; restore the file"
            )
        data = self._file.read(THUMBNAILS_NODE, _BYTE, (self._thumbnail_bytes,), (slice(low, high),))
        return data.tobytes()


def _open(path: Path, group: str) -> SealedFile:
    try:
        return SealedFile(path, group)
    except FileNotFoundError as error:
        raise RunDamagedError(f"{path}: missing; without it the run cannot be read, restore it from a copy") from error
    except PermissionError as error:
        raise RunDamagedError(f"{path}: permission denied; ask its owner for the right to read it") from error


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
