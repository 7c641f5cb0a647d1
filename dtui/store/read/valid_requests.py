"""What a question about a run may name: positions that there are, in ascending order."""

from __future__ import annotations

from pathlib import Path

from dtui.errors import UsageError


def ascending(part: slice, length: int) -> range:
    """Return the positions that a slice chooses of so many.

    Raises:
        UsageError: It runs backwards.
    """
    wanted = range(*part.indices(length))
    if wanted.step < 1:
        raise UsageError(f"{part}: runs backwards; give a positive step")
    return wanted


def require_one(path: Path, what: str, position: int, count: int) -> None:
    """Refuse a position that is none of so many.

    Raises:
        UsageError: It is out of range.
    """
    if not 0 <= position < count:
        raise UsageError(f"{path}: {what} {position}: the run has {count} {what}s, counted from 0")
