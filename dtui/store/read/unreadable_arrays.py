"""Finds the arrays of a part that cannot be read, for `dtui check`.

Owns the checks of single arrays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from dtui.errors import RunDamagedError
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.part_arrays import Node, row_blocks


def lost_arrays(file: SealedFile, nodes: Iterable[Node], frames: int, *, with_data: bool) -> list[str]:
    """Return the paths of the arrays of a part that are missing, damaged or of the wrong shape.

    Args:
        file: The part.
        nodes: The arrays that it should have.
        frames: Number of frames in it.
        with_data: Whether to read all data; otherwise only presence and shape are checked.

    Raises:
        RunDamagedError: It cannot be searched.
    """
    wanted = [node for node in nodes if not node.is_empty and (not node.source or file.has(node.path))]
    return [node.path for node in wanted if not _is_readable(file, node, frames, with_data)]


def _is_readable(file: SealedFile, node: Node, frames: int, with_data: bool) -> bool:
    row_bytes = node.row_elements * frames * node.dtype.itemsize
    pieces = row_blocks(node.rows[0], node.chunk[0], row_bytes) if with_data else [range(0)]
    with contextlib.suppress(RunDamagedError):
        for rows in pieces:
            file.read(node.path, node.dtype, node.shape(frames), (slice(rows.start, rows.stop),))
        return True
    return False
