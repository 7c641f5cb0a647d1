"""What a question about a run may name: names that there are, and positions in ascending order.

Owns these refusals. A second copy would answer a name or a position that a run has not with a number.
"""

from __future__ import annotations

from pathlib import Path

from dtui.errors import UsageError


def require_name(name: str, names: tuple[str, ...], what: str) -> int:
    """Return the position of a name among those that there are.

    Raises:
        UsageError: It is none of them.
    """
    if name not in names:
        raise UsageError(f"{name!r} is no {what}; there are {', '.join(names)}")
    return names.index(name)


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
