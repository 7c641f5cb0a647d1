"""Which state of some files a figure was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def checksum(folder: Path, patterns: Iterable[str]) -> str:
    """Return a checksum of the files below a folder that match any of the patterns, by name and content."""
    summed = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        summed.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return summed.hexdigest()[:16]
