"""What a death left on the disk, in a form in which equal remains are equal: they need to be judged only once."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from dtui.store.format.schema import TEMPORARY_MARK

_OF_A_PROCESS = re.compile(rb'"(pid|started|check)": ?("[0-9a-f]{8}"|-?\d+)')
_LARGEST_DOCUMENT = 4096


def remains_of(path: Path) -> bytes:
    """Return a digest of all names and bytes below a folder, but for what differs between processes that did the same.

    That is the id and start of a process, with the check over them, and the random end of a temporary name. Times do
    not count: the tests that use this remove what was replaced without a grace.
    """
    files = []
    for file in path.rglob("*"):
        name = str(file.relative_to(path)).partition(TEMPORARY_MARK)[0]
        data = file.read_bytes() if file.is_file() else b"a folder"
        if len(data) < _LARGEST_DOCUMENT:
            data = _OF_A_PROCESS.sub(b"", data)
        files.append((name, TEMPORARY_MARK in file.name, hashlib.blake2b(data).digest()))
    return hashlib.blake2b(repr(sorted(files)).encode()).digest()
