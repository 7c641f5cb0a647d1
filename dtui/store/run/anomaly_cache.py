"""Keeps findings.h5: anomalies and other answers that took long to find, so that the next viewer has them at once.

Owns that file. It is a cache: checked like any sealed file, optional for readers, and left out of a packed run. Most
tables depend on all files of frames, and are written after a run has ended. A table that depends on the first
validations alone says on which of their files, and counts while those stay as they are, whatever is recorded behind.

A table is an int64 array. The rows that a viewer needs first come first: the strongest hundred are one chunk. Measured
with 21,359 findings of 50,000 images × 10,000 validations (tests.bench findings_top): the first hundred in 2.8 ms cold
and 2.3 warm, seal and key verified; a PyTables Table with a completely sorted index 3.9 and 2.7 without a seal, and its
index is groups and arrays that a file from outside could fill with anything; computing them 2.3 s.
"""

from __future__ import annotations

import contextlib
import errno
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError
from dtui.model import IntArray
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.documents import decode_document, encode_document
from dtui.store.format.schema import (
    DOCUMENT_NODE,
    FINDINGS_FILE,
    FINDINGS_NODE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    PARTS_FOLDER,
    STRUCTURE_FILE,
    TRIAGE_FILE,
)

MOST_TABLES = 12
"""Tables in the file: those that were asked for last. A dtui that knows fewer makes the file anew."""
OF = "of"
"""In a key: what its table is of. A newer table of the same replaces it."""
FILES = "files"
"""In a key: the stamp of the files that its table depends on."""
MOST_ROWS = 2_000_000
MOST_COLUMNS = 256
OLDER_COLUMNS = 5
"""Columns of a table whose entry does not say: it is one of anomalies, of a dtui that kept no others."""
_ROWS_IN_CHUNK = 1024
_HOLDING = (".h5", ".dtj", ".jsonl")
_LEFT_OUT = (FINDINGS_FILE, TRIAGE_FILE)
_NUMBER = np.dtype("<i8")
_NOTHING = object()

Key = Mapping[str, object]
"""All that a table depends on, of strings and numbers; a table is only found under an equal key."""


class Findings:
    """What is kept of a run that has no cache: nothing."""

    def is_there(self) -> bool:
        """Whether the run has a cache, intact or not: to find what it holds took somebody long."""
        return False

    def stamp(self) -> int:
        """Return what changes whenever a file of the run is touched that holds anything but what people decide."""
        return 0

    def read(self, key: Key, columns: int, rows: int | None = None) -> IntArray | None:
        """Return a table, shape (rows, columns), or its first rows; None if there is no intact one.

        Args:
            key: Everything that the table depends on; a table with another key is not returned.
            columns: Of the table; one with another number is not returned.
            rows: How many of its first rows; None for all.
        """
        return None

    def read_first(self, keys: Sequence[Key], columns: int, rows: int | None = None) -> tuple[int, IntArray] | None:
        """Return the first of some tables that is there and intact, and the place of its key; None if none is.

        Args:
            keys: Whole keys, with the stamp of the files that the table depends on.
            columns: As for `read`.
            rows: As for `read`.
        """
        return None

    def write(self, key: Key, table: IntArray) -> None:
        """Add a table, unless the run's files changed since `read`; see `write_all`."""

    def write_all(self, added: Sequence[tuple[Key, IntArray]]) -> None:
        """Add tables. The earlier ones stay, except the oldest, and those of the same as a new one.

        Args:
            added: Everything that each table depends on, with the stamp of its files, and the table, shape
                (rows, columns). A table of more than MOST_ROWS rows is not kept.

        Raises:
            OSError: They cannot be written. What was kept stays.
        """


class FindingsFile(Findings):
    """The findings of one run in a folder."""

    def __init__(self, path: Path, run: str) -> None:
        """Prepare.

        Args:
            path: Path of the file, which need not exist.
            run: Id of the run.
        """
        self._path = path
        self._run = run
        self._seen: int | None = None

    def is_there(self) -> bool:
        """Whether the file exists."""
        return self._path.exists()

    def stamp(self) -> int:
        """Return that of the files as they are now."""
        return files_stamp(self._path.parent)

    def read(self, key: Key, columns: int, rows: int | None = None) -> IntArray | None:
        """Return a table, as `Findings` says.

        There is none once a file of the run was touched: damage that came later would not be seen, and not told.
        """
        self._seen = self.stamp()
        found = self.read_first([{**key, FILES: self._seen}], columns, rows)
        return None if found is None else found[1]

    def read_first(self, keys: Sequence[Key], columns: int, rows: int | None = None) -> tuple[int, IntArray] | None:
        """Return the first of some tables, as `Findings` says."""
        try:
            file = SealedFile(self._path)
        except OSError:
            return None
        try:
            entries = [entry for entry in self._entries(file) if entry[2][1] == columns]
            for place, key in enumerate(keys):
                for node, found, shape in entries:
                    if found == key:
                        return place, _read(file, node, shape, rows)
        except RunDamagedError:
            pass
        finally:
            file.close()
        return None

    def write(self, key: Key, table: IntArray) -> None:
        """Add a table to the file, as `Findings` says."""
        files = self.stamp()
        if self._seen in (None, files):  # else they changed while it was made
            self.write_all([({**key, FILES: files}, table)])

    def write_all(self, added: Sequence[tuple[Key, IntArray]]) -> None:
        """Add tables to the file, as `Findings` says."""
        new = [(dict(key), table.astype(_NUMBER, copy=False)) for key, table in added if len(table) <= MOST_ROWS]
        if not new:
            return
        keys, named = [key for key, _ in new], [key[OF] for key, _ in new if OF in key]
        kept = [one for one in self._kept() if one[0] not in keys and one[0].get(OF, _NOTHING) not in named]
        tables: list[tuple[dict[str, Any], IntArray]] = [*new, *kept][:MOST_TABLES]
        if not os.access(self._path.parent, os.W_OK):  # said at once, without what writes
            raise PermissionError(self._path.parent)
        import dtui.store.disk.sealed_builder  # noqa: F401  and with it PyTables, which takes long: it may be left

        _to_the_end(lambda: self._publish(tables))

    def _publish(self, tables: Sequence[tuple[dict[str, Any], IntArray]]) -> None:
        from dtui.store.disk.sealed_builder import SealedFileBuilder

        builder = SealedFileBuilder(self._path, in_memory=True)
        try:
            entries = [{"key": found, "rows": len(values), "columns": values.shape[1]} for found, values in tables]
            builder.add(DOCUMENT_NODE, encode_document({"run": self._run, "tables": entries}))
            for place, (_, values) in enumerate(tables):
                if values.size:
                    node, chunk = FINDINGS_NODE + str(place), (min(len(values), _ROWS_IN_CHUNK), values.shape[1])
                    builder.create(node, _NUMBER, values.shape, chunk)
                    builder.write(node, (slice(None),), values)
            builder.seal()
            builder.publish()
        except BaseException:
            builder.discard()
            raise

    def _kept(self) -> list[tuple[dict[str, Any], IntArray]]:
        try:
            file = SealedFile(self._path)
        except OSError:
            return []
        try:
            return [(key, _read(file, node, shape, None)) for node, key, shape in self._entries(file)]
        except RunDamagedError:
            return []
        finally:
            file.close()

    def _entries(self, file: SealedFile) -> list[tuple[str, dict[str, Any], tuple[int, int]]]:
        """Return path, key and shape of each table.

        Raises:
            RunDamagedError: The file is not what it should be.
        """
        document = decode_document(file.read_document(), self._path)
        try:
            if document["run"] != self._run or len(document["tables"]) > MOST_TABLES:
                raise ValueError("of another run")
            found = [
                (dict(entry["key"]), (int(entry["rows"]), int(entry.get("columns", OLDER_COLUMNS))))
                for entry in document["tables"]
            ]
            if any(not (0 <= rows <= MOST_ROWS and 0 < columns <= MOST_COLUMNS) for _, (rows, columns) in found):
                raise ValueError("too many rows or columns")
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise RunDamagedError(f"{self._path}: its document is damaged ({error}); it is made anew") from error
        return [(FINDINGS_NODE + str(place), key, shape) for place, (key, shape) in enumerate(found)]


def _to_the_end(write: Callable[[], None]) -> None:
    """Write something small in a thread that Python waits for when it ends.

    The caller may be a thread that is left where it is when a person leaves: it would stop within HDF5, or leave a
    temporary file.

    Raises:
        OSError: Python is ending already.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, "dtui-findings") as pool:
        try:
            written = pool.submit(write)
        except RuntimeError as error:
            raise OSError(errno.ECANCELED, "nothing is begun at the end") from error
    written.result()


def files_stamp(folder: Path) -> int:
    """Return a number that changes whenever a file of a run is touched that holds anything but what people decide.

    The time of the change of its state counts, which nobody can set back as that of its content. A copied run has other
    times, so what was found in it is looked for once more.
    """
    paths: list[Path] = []
    for place in (folder, folder / JOURNAL_FOLDER, folder / PARTS_FOLDER):
        with contextlib.suppress(OSError):
            names = [entry.name for entry in os.scandir(place)]
            paths += [place / name for name in names if name.endswith(_HOLDING) and name not in _LEFT_OUT]
    return _stamp(sorted(told for path in paths if (told := touched(path)) is not None))


def touched(path: Path) -> tuple[str, int, int, int, int] | None:
    """Return what changes whenever a file is touched; None where it is not there."""
    try:
        stat = path.lstat()
    except OSError:
        return None
    return path.name, stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def _stamp(found: object, before: int = 0) -> int:
    return zlib.crc32(repr(found).encode("utf-8", "surrogatepass"), before)


@dataclass(frozen=True, slots=True)
class FilesUpTo:
    """The files that hold the first frames of a stream.

    Attributes:
        frames: How many frames they hold that count, >= 1.
        stamp: Changes whenever one of these files is touched, or that of the images or the network.
        is_settled: Whether all are parts, to which no frame is ever added.
    """

    frames: int
    stamp: int
    is_settled: bool


def files_up_to(run: Path, files: Iterable[tuple[Path, int, bool]]) -> tuple[FilesUpTo, ...]:
    """Return where each file of a stream ends.

    Args:
        run: The run's directory.
        files: In order of the frames: the file, how many of its frames count, and whether it is a part.
    """
    stamp = _stamp([touched(run / name) for name in (STRUCTURE_FILE, IMAGES_FILE)])
    frames, is_settled, found = 0, True, []
    for path, count, is_part in files:
        stamp, frames, is_settled = _stamp(touched(path), stamp), frames + count, is_settled and is_part
        found.append(FilesUpTo(frames, stamp, is_settled))
    return tuple(found)


def _read(file: SealedFile, node: str, shape: tuple[int, int], rows: int | None) -> IntArray:
    count, columns = shape
    wanted = count if rows is None else min(count, rows)
    if not wanted:
        return np.empty((0, columns), np.int64)
    return file.read(node, _NUMBER, (count, columns), (slice(0, wanted),)).astype(np.int64, copy=False)
