"""Append-only files of JSON lines that survive a crash in the middle of a line.

Owns the check field of each line. A second copy would count a half-written line as data.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from dtui.store.files import open_again, open_plain, require_plain, sync_data, sync_folder

_CHECK = "check"
LARGEST_FILE = 16 << 20
LONGEST_LINE = 64 << 10
"""Bytes that a reader takes of a file, and of one line of it: more is refused before it is written."""


def check_of(values: Mapping[str, object]) -> str:
    """Return the checksum that a JSON object carries beside these values."""
    return f"{zlib.crc32(json.dumps(dict(values), sort_keys=True).encode()):08x}"


def append_line(path: Path, values: Mapping[str, object]) -> None:
    """Append one line in one write and bring it to the disk; a line that was left unfinished before is ended first.

    Raises:
        OSError: It could not be written in full. With EMSGSIZE the line is longer than a reader takes, with EFBIG the
            file is as large as one takes: nothing was written.
    """
    line = json.dumps({**values, _CHECK: check_of(values)}, sort_keys=True).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise OSError(errno.EMSGSIZE, f"it takes {len(line):,} bytes, a line at most {LONGEST_LINE:,}", str(path))
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = open_again(path, flags)
    try:
        require_plain(descriptor, path)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        if size + len(line) > LARGEST_FILE:
            raise OSError(errno.EFBIG, f"it is full, with {LARGEST_FILE >> 20} MiB of lines", str(path))
        while line:
            line = line[os.write(descriptor, line) :]
        with contextlib.suppress(OSError):  # it was written; written again, it would be there twice
            sync_data(descriptor)
            if not size:
                sync_folder(path.parent)
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> tuple[list[dict[str, object]], int]:
    """Read all good lines.

    Returns:
        The lines as mappings, and how many lines were not readable, a half-written last one not counted; all that
        lies beyond 16 MiB counts as one.

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
        values = _parse(line)
        if values is not None:
            found.append(values)
        elif line.strip() and line is not unfinished:
            bad += 1
    return found, bad


def _parse(line: bytes) -> dict[str, object] | None:
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
