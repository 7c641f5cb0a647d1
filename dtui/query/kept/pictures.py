"""Keeps what a report of a large run shows, or the first screen of any, once it has ended: the next need not read it.

Owns how arrays lie in a table: each question has its number, then the words of its answer, then each array by its
element type, the one it is stored in, and its shape. Who asks checks whether they can be so.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Hashable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.model import IntArray, RunStatus
from dtui.query.data import Arrays, RunData
from dtui.query.kept.tables import find_kept, keep, key_of_run
from dtui.query.labels.error_columns import WHOLE_BYTES

VERSION = 5
"""Raised when an answer or the layout changes: what an earlier one kept is not believed."""
WORTH_KEEPING = 10_000_000
"""Values of one statistic of the filters of a long run from which on pictures are kept."""
MOST_BYTES = 32 << 20
"""Of all pictures together; further ones are made anew each time."""
_COLUMNS = 128
_WORD = 8
_TYPES = tuple(np.dtype(name) for name in ("?", "<i8", "<f4", "<f8", "u1", "<u2", "<u4"))
_NARROWER = {"i": (4, 5, 6), "f": (2,)}
"""Places of the types in which 64-bit numbers are stored where that loses nothing, the narrowest first."""
_MOST_AXES = 4


class KeptPictures:
    """Arrays of one run in its present state, by what was asked for."""

    def __init__(self, data: RunData, of: str) -> None:
        """Prepare; nothing is read before the first question. `of` says who asks: each has a table."""
        self._data = data
        self._key = key_of_run(data, of, VERSION)  # before anything else is read
        self._known: dict[int, IntArray] | None = None
        self._asked: dict[int, IntArray] = {}
        self._has_new = False

    def arrays(self, question: Hashable, find: Callable[[], Arrays], is_possible: Callable[[Arrays], bool]) -> Arrays:
        """Return the arrays that answer a question, as `RunData.pictured` says."""
        number, known = _number(question), self._read()
        words = self._asked.get(number, known.pop(number, None))
        found = None if words is None else _decoded(words)
        if words is None or found is None or not is_possible(found):
            found = find()
            words, self._has_new = _encoded(found), True
        self._asked[number] = words
        return found

    def has(self, question: Hashable) -> bool:
        """Whether an answer is there, as `Pictures` says."""
        number = _number(question)
        return number in self._asked or number in self._read()

    def _read(self) -> dict[int, IntArray]:
        if self._known is None:
            rows = MOST_BYTES // (_WORD * _COLUMNS)
            self._known = find_kept(self._data, [self._key], _COLUMNS, lambda table, _: _parts(table), rows) or {}
        return self._known

    def keep(self) -> None:
        """Write what was asked for, and what earlier ones asked for while it fits, if there is anything new."""
        if self._has_new and not self._data.detector_faults:
            keep(self._data, [(self._key, _table({**self._asked, **(self._known or {})}))], self._data.reader.faults)


def _number(question: Hashable) -> int:
    digest = blake2b(repr(question).encode("utf-8", "surrogatepass"), digest_size=_WORD)
    return int.from_bytes(digest.digest(), "little", signed=True)


@contextlib.contextmanager
def keeping_pictures(data: RunData) -> Iterator[None]:
    """Answer `RunQuery.keeping_pictures`."""
    if not _is_worth_keeping(data):
        yield
        return
    with _asked_of(data, "pictures") as keep_them:
        yield
    keep_them()


def keeping_first_screen(data: RunData) -> contextlib.AbstractContextManager[Callable[[], None]]:
    """Answer `RunQuery.keeping_first_screen`."""
    return _asked_of(data, "first screen")


@contextlib.contextmanager
def _asked_of(data: RunData, of: str) -> Iterator[Callable[[], None]]:
    """Note what is asked within the block, of a whole run that has ended; give what keeps it."""
    is_whole = data.reader.status() is not RunStatus.LIVE and not data.reader.faults
    if data.pictures is not None or not is_whole:
        yield lambda: None
        return
    pictures = data.pictures = KeptPictures(data, of)
    try:
        yield pictures.keep
    finally:
        data.pictures = None


def _is_worth_keeping(data: RunData) -> bool:
    filters = sum(layer.filters for layer in data.structure.layers)
    is_large = data.is_long and filters * len(data.records) >= WORTH_KEEPING
    return is_large or 4 * len(data.layout.images) * len(data.validations) > WHOLE_BYTES


def _encoded(arrays: Arrays) -> IntArray:
    words: list[IntArray] = []
    for array in arrays:
        given = np.asarray(array, order="C")
        stored = next((one for one in _narrower(given) if _is_exact(given, one)), given)
        head = [_TYPES.index(given.dtype), _TYPES.index(stored.dtype), given.ndim, *given.shape]
        body = stored.tobytes()
        words += [np.array(head, np.int64), np.frombuffer(body + bytes(-len(body) % _WORD), np.int64)]
    return np.concatenate(words) if words else np.zeros(0, np.int64)


def _narrower(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for place in _NARROWER.get(array.dtype.kind, ()) if array.dtype.itemsize == _WORD else ():
        with np.errstate(all="ignore"):
            narrower = array.astype(_TYPES[place])
        yield narrower  # outside: who takes it has its own settings for errors


def _is_exact(given: NDArray[Any], stored: NDArray[Any]) -> bool:
    """Whether the same bits come back; those of NaN may differ."""
    return np.array_equal(stored.astype(given.dtype), given, equal_nan=given.dtype.kind == "f")


def _decoded(words: IntArray) -> Arrays | None:
    """Return the arrays in some words from outside; None if there are none such."""
    found, at = [], 0
    while at < len(words):
        head = words[at : at + 3].tolist()
        if len(head) < 3 or not (min(head) >= 0 and max(head[:2]) < len(_TYPES) and head[2] <= _MOST_AXES):
            return None
        given, stored, at = _TYPES[head[0]], _TYPES[head[1]], at + 3 + head[2]
        shape = words[at - head[2] : at].tolist()
        if len(shape) < head[2] or any(not 0 <= length <= MOST_BYTES for length in shape):
            return None
        count = math.prod(shape)
        stop = at + -(-count * stored.itemsize // _WORD)
        if stop > len(words):
            return None
        array = words[at:stop].view(np.uint8)[: count * stored.itemsize]
        if stored.kind == "b" and array.max(initial=0) > 1:
            return None
        found.append(array.view(stored).reshape(shape).astype(given, copy=False))
        at = stop
    return tuple(found)


def _table(asked: dict[int, IntArray]) -> IntArray:
    words: list[IntArray] = []
    left = MOST_BYTES // _WORD - _COLUMNS
    for number, part in asked.items():
        left -= 2 + len(part)
        if left >= 0:
            words += [np.array([number, len(part)], np.int64), part]
    words.append(np.zeros(-sum(map(len, words)) % _COLUMNS, np.int64))
    return np.concatenate(words).reshape(-1, _COLUMNS)


def _parts(table: IntArray) -> dict[int, IntArray]:
    """Return the words of each question of a table from outside, as far as it makes sense."""
    flat, at, found = np.ascontiguousarray(table).reshape(-1), 0, {}
    while at + 2 <= len(flat):
        number, length = flat[at : at + 2].tolist()
        if not 0 < length <= len(flat) - at - 2:
            break
        found[number] = flat[at + 2 : at + 2 + length]
        at += 2 + length
    return found
