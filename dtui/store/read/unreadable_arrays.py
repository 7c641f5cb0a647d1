"""Finds the arrays of a part that cannot be read, for `dtui check`.

Owns the checks of single arrays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from dtui.errors import RunDamagedError
from dtui.store.format.part_arrays import Node, row_blocks
from dtui.store.read.part_cache import OpenParts


def lost_arrays(
    parts: OpenParts, nodes: Iterable[Node], path: Path, frames: int, group: str = "", *, with_data: bool
) -> list[str]:
    """Return the paths of the arrays of a part that are missing, damaged or of the wrong shape.

    Args:
        parts: The cache of open parts.
        nodes: The arrays that it should have.
        path: Path of the part.
        frames: Number of frames in it.
        group: The group that holds it: "" in a separate file.
        with_data: Whether to read all data; otherwise only presence and shape are checked.

    Raises:
        FileNotFoundError: The part was replaced by a larger one.
        RunDamagedError: It cannot be opened.
    """
    wanted = [node for node in nodes if not node.is_empty and (not node.source or parts.has(path, node, group))]
    return [node.path for node in wanted if not _is_readable(parts, node, path, frames, group, with_data)]


def _is_readable(parts: OpenParts, node: Node, path: Path, frames: int, group: str, with_data: bool) -> bool:
    row_bytes = node.row_elements * frames * node.dtype.itemsize
    pieces = row_blocks(node.rows[0], node.chunk[0], row_bytes) if with_data else [range(0)]
    with contextlib.suppress(RunDamagedError):
        for rows in pieces:
            parts.read(path, node, frames, (slice(rows.start, rows.stop),), group)
        return True
    return False
