"""Append-only files of JSON lines that survive a crash in the middle of a line.

Owns the check field of each line.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from dtui.store.disk.atomic_files import open_again, open_plain, require_plain, sync_data, sync_folder

_CHECK = "check"
LARGEST_FILE = 16 << 20
LONGEST_LINE = 64 << 10
"""Bytes that a reader takes of a file, and of one line of it: more is refused before it is written."""


class LineRefusedError(OSError):
    """A line that readers would ignore: it is too long (EMSGSIZE), or its file is full (EFBIG)."""


def check_of(values: Mapping[str, object]) -> str:
    """Return the checksum that a JSON object with these values carries."""
    return f"{zlib.crc32(json.dumps(dict(values), sort_keys=True).encode()):08x}"


def append_line(path: Path, values: Mapping[str, object]) -> None:
    """Append one line, as `append_lines` does."""
    append_lines(path, [values])


def append_lines(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    """Append lines in one write and synchronise them. An unfinished line before them is ended first.

    Raises:
        LineRefusedError: A line is too long for a reader, or the file has reached the largest size that a reader
            accepts; then none is written.
        OSError: They could not be written in full.
    """
    text = b"".join(_as_line(path, values) for values in lines)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = open_again(path, flags)
    try:
        require_plain(descriptor, path)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = b"\n" + text
        if size + len(text) > LARGEST_FILE:
            raise LineRefusedError(errno.EFBIG, f"it is full, with {LARGEST_FILE >> 20} MiB of lines", str(path))
        while text:
            text = text[os.write(descriptor, text) :]
        with contextlib.suppress(OSError):  # they were written; written again, they would be there twice
            sync_data(descriptor)
            if not size:
                sync_folder(path.parent)
    finally:
        os.close(descriptor)


def _as_line(path: Path, values: Mapping[str, object]) -> bytes:
    line = json.dumps({**values, _CHECK: check_of(values)}, sort_keys=True).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise LineRefusedError(
            errno.EMSGSIZE, f"it takes {len(line):,} bytes, a line at most {LONGEST_LINE:,}", str(path)
        )
    return line


def read_lines(path: Path) -> tuple[list[dict[str, object]], int]:
    """Read all intact lines.

    Returns:
        The lines as mappings, and the number of unreadable lines. A half-written last line is not counted. Everything
        beyond 16 MiB counts as one unreadable line.

    Raises:
        OSError: The file is there but cannot be read.
    """
    try:
        with open_plain(path) as file:
            data = file.read(LARGEST_FILE)
            is_cut = os.fstat(file.fileno()).st_size > LARGEST_FILE
    except FileNotFoundError:
        return [], 0
    *lines, unfinished = data.split(b"\n")
    found: list[dict[str, object]] = []
    bad = int(is_cut)
    for line in [*lines, unfinished]:
        values = parse_line(line)
        if values is not None:
            found.append(values)
        elif line.strip() and line is not unfinished:
            bad += 1
    return found, bad


class LineTail:
    """Reads each line of a growing file once; reads the whole file again if it was replaced or changed."""

    def __init__(self, path: Path) -> None:
        """Prepare. The file need not exist."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._end = 0
        self._bad = 0

    @property
    def bad(self) -> int:
        """Lines so far that were not readable, counted as `read_lines` counts them."""
        return self._bad + (self._seen is not None and self._seen[2] > LARGEST_FILE)

    def read(self) -> tuple[list[dict[str, object]], bool] | None:
        """Return the new intact lines, and whether they are all lines of the file; None if nothing has changed.

        Raises:
            OSError: The file is there but cannot be read.
        """
        try:
            with open_plain(self._path) as file:
                stat = os.fstat(file.fileno())
                now = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
                if now == self._seen:
                    return None
                is_anew = self._seen is None or self._seen[0] != now[0] or now[2] <= self._seen[2]
                begin = 0 if is_anew else self._end
                file.seek(begin)
                data = file.read(max(0, min(now[2], LARGEST_FILE) - begin))
        except FileNotFoundError:
            was_there, self._seen, self._end, self._bad = self._seen is not None, None, 0, 0
            return ([], True) if was_there else None
        *lines, unfinished = data.split(b"\n")
        found = [values for line in lines if (values := parse_line(line)) is not None]
        bad = sum(bool(line.strip()) for line in lines) - len(found)
        whole = parse_line(unfinished)
        if whole is not None:
            found.append(whole)
        self._bad = bad + (0 if is_anew else self._bad)
        self._end = begin + len(data) - (0 if whole is not None else len(unfinished))
        self._seen = now
        return found, is_anew


def parse_line(line: bytes) -> dict[str, object] | None:
    """Return the values of one line, None if the line is damaged."""
    if len(line) > LONGEST_LINE:
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    check = values.pop(_CHECK, None)
    return values if check == check_of(values) else None
