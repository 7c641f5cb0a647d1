"""Keeps answers about a run as tables of numbers in its cache, so that the next who asks need not read the run again.

Owns when a table is believed, and when one is written: it lies under a key of all that it was found in, files included,
and counts while these stay as they are. A kept table is data from outside: one that cannot be so is ignored.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from dtui.errors import DtuiError
from dtui.model import IntArray
from dtui.query.data import RunData
from dtui.version import __version__

Answer = TypeVar("Answer")
Key = dict[str, object]
_FILES = "files"
"""In a key: the stamp of the files that its table depends on."""


def key_of_run(data: RunData, of: str, version: int) -> Key:
    """Return the key of an answer from all that a run holds, as it is now.

    Args:
        data: The run.
        of: The question.
        version: Of its answer and of the columns of its table: what was kept under another one is not believed.
    """
    iterations = zlib.crc32(data.validations.astype("<i8").tobytes(), _crc(data.records))
    return {
        "of": of,
        "version": version,
        "dtui": __version__,
        "records": len(data.records),
        "validations": len(data.validations),
        "triggers": len(data.triggers),
        "iterations": iterations,
        _FILES: data.reader.findings.stamp(),
    }


def keys_of_validations(data: RunData, of: str, version: int) -> dict[int, tuple[Key, bool]]:
    """Return keys of answers from the first validations of a run: for each of its files, from those up to its end.

    Returns:
        By rising number of validations: the key, and whether these files stay as they are while the run goes on.
    """
    images = _crc(data.layout.images)
    return {
        one.frames: (
            {
                "of": of,
                "version": version,
                "validations": one.frames,
                "iterations": _crc(data.validations[: one.frames]),
                "images": images,
                _FILES: one.stamp,
            },
            one.is_settled,
        )
        for one in data.reader.validation_files()
        if one.frames <= len(data.validations)
    }


def find_kept(
    data: RunData,
    keys: Sequence[Key],
    columns: int,
    decode: Callable[[IntArray, int], Answer | None],
    rows: int | None = None,
) -> Answer | None:
    """Return what the first kept table says; None if there is none, or it cannot be so.

    Args:
        data: The run.
        keys: Of the tables that would do, the best first.
        columns: Of the table.
        decode: Gets a table from outside and the place of its key, and returns what it says; None if that cannot be so.
        rows: Of the table that are read at most; None for all.
    """
    found = data.reader.findings.read_first(keys, columns, rows) if keys else None
    return None if found is None else decode(found[1], found[0])


def keep(data: RunData, tables: Sequence[tuple[Key, IntArray]], faults: Sequence[str]) -> None:
    """Write tables to the cache of a run, if its files are as they were and it can be written to.

    Args:
        data: The run.
        tables: Each with the key that was made before what it says was read.
        faults: What of the files is damaged: with any, nothing is written.
    """
    if not tables or faults:
        return
    stamps = {data.reader.findings.stamp(), *(one.stamp for one in data.reader.validation_files())}
    if all(key[_FILES] in stamps for key, _ in tables):
        with contextlib.suppress(OSError, DtuiError):  # a folder that cannot be written to, a full disk
            data.reader.findings.write_all(tables)


def _crc(numbers: IntArray) -> int:
    return zlib.crc32(numbers.astype("<i8").tobytes())
