"""Decodes the chunks of arrays: checksum, frame and block of Blosc2, without the HDF5 library.

Owns the parser for the chunks that PyTables writes for dtui. A chunk is one Blosc2 frame followed by its HDF5
fletcher32 checksum. Every size in a frame or block is compared with the size that the array needs before the library
decompresses it into a buffer of exactly that size. Only the codecs and filters that dtui uses are accepted.

Source: HDF5's H5_checksum_fletcher32; README_CFRAME_FORMAT, README_CHUNK_FORMAT and README_B2ND_METALAYER of c-blosc2.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import math
import platform
import struct
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.store.disk.hdf5_arrays import StoredArray

_CHECKSUM_BYTES = 4
_WORDS = 1 << 16
_FRAME = struct.Struct(">2s8sxIxQxBBBBxQxQxI")
"""magic, name, bytes of the header, of the frame, 4 flags, bytes decompressed, bytes of the data, of an element."""
_FRAME_START = (b"\x9e\xa8", b"b2frame\0")
_METALAYERS = 87
_BLOCK = struct.Struct("<BBBBIII5sBBB6sBB")
"""version, of the codec, flags, bytes of an element, bytes decompressed, of a block, of all, 5 filters, the last one,
2 of codecs of others, parameters, one unused, more flags."""
_ZERO, _NAN = 1, 2
_LZ4, _EXTENDED, _IS_COPY = 1, 0x05, 0x02
_SPECIAL = (0x00, 0x10, 0x20, 0x30)
"""None, zeros, NaN, one value; 0x40 would say that what the memory held before is the answer."""
_LAST_FILTERS = (0, 1, 2)
"""None, shuffled bytes, shuffled bits."""


def decode_chunk(stored: bytes, array: StoredArray, room: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return the elements of a chunk.

    Args:
        stored: The bytes of the chunk in the file.
        array: The array that the chunk belongs to.
        room: An unused chunk whose memory is reused if it fits. Allocating new memory takes longer than decoding a
            chunk.

    Raises:
        ValueError: Its checksum is wrong, or it is not a chunk that dtui writes.
    """
    data, told = stored[:-_CHECKSUM_BYTES], stored[-_CHECKSUM_BYTES:]
    if len(told) < _CHECKSUM_BYTES or fletcher32(data) != int.from_bytes(told, "little"):
        raise ValueError("a block of its data is damaged")
    if array.codec:
        return _decode_frame(data, array.dtype, array.chunk, room)
    if len(data) != array.chunk_bytes:
        raise ValueError("a block of its data has another size")
    return np.frombuffer(data, array.dtype).reshape(array.chunk)


def fletcher32(data: bytes) -> int:
    """Return HDF5's checksum of some bytes.

    The checksum adds big-endian words modulo 65,535. Swapping the two bytes of a word equals multiplying it by 256
    modulo 65,535. So we add the words in this machine's order and multiply only at the end.
    """
    first = second = 0
    if len(data) % 2:
        data += b"\0"
    words = np.frombuffer(data, "<u2")
    for at in range(0, len(words), _WORDS):
        piece = words[at : at + _WORDS].astype(np.uint64)
        second += first * len(piece) + int(np.einsum("i,i->", piece, _weights()[_WORDS - len(piece) :]))
        first += int(piece.sum())
    return _folded(second * 256) << 16 | _folded(first * 256)


def _folded(total: int) -> int:
    return (total - 1) % 0xFFFF + 1 if total else 0


@cache
def _weights() -> NDArray[np.uint64]:
    return np.arange(_WORDS, 0, -1, dtype=np.uint64)


def _decode_frame(
    frame: bytes, dtype: np.dtype[Any], chunk: tuple[int, ...], room: NDArray[Any] | None
) -> NDArray[Any]:
    """Return the elements of a chunk that is stored as a Blosc2 frame with exactly one inner chunk."""
    if len(frame) < _METALAYERS:
        raise ValueError("a block of its data is no frame")
    *start, header, size, version, kind, _, _, nbytes, stored, itemsize = _FRAME.unpack_from(frame)
    block = _block_shape(frame[_METALAYERS:header], chunk)
    counts = tuple(-(-length // step) for length, step in zip(chunk, block, strict=True))
    elements = math.prod(counts) * math.prod(block)
    is_ours = tuple(start) == _FRAME_START and size == len(frame) and version & 0xF == 2 and kind == 0
    if not is_ours or itemsize != dtype.itemsize or nbytes != elements * itemsize:
        raise ValueError("a block of its data is no frame as dtui writes it")
    is_fitting = room is not None and room.dtype == dtype and room.size == elements and room.flags.carray
    out = room.reshape(-1) if room is not None and is_fitting else np.empty(elements, dtype)
    if stored:
        _decompress(frame[header : header + stored], out)
    else:
        out[...] = _special_value(frame[header:], dtype)
    if block == chunk:
        return out.reshape(chunk)
    axes = len(chunk)
    order = [axis + half * axes for axis in range(axes) for half in (0, 1)]
    padded = tuple(count * step for count, step in zip(counts, block, strict=True))
    whole = out.reshape((*counts, *block)).transpose(order).reshape(padded)
    return whole[tuple(slice(length) for length in chunk)]


@lru_cache(maxsize=256)
def _block_shape(layers: bytes, chunk: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the blocks in which a frame orders its elements: the whole chunk if the frame names none.

    Args:
        layers: The metadata after the fixed fields of the header; the same for all chunks of an array.
        chunk: Shape of the chunk.
    """
    if layers[4:7] == b"\xde\0\0":
        return chunk
    axes = len(chunk)
    layout = struct.Struct(f">I3s B{axes * 9}s B{axes * 5}s B{axes * 5}s".replace(" ", ""))
    at = int.from_bytes(layers[13:17], "big") - _METALAYERS
    if layers[4:13] != b"\xde\0\1\xa4b2nd\xd2" or not 0 <= at + 5 <= len(layers) - layout.size:
        raise ValueError("a block of its data has other layers than dtui writes")
    _, start, *parts = layout.unpack_from(layers, at + 1)
    marks, (shape, inner, block) = parts[::2], (_numbers(part, axes) for part in parts[1::2])
    is_ours = start[0] == 0x97 and start[2] == axes and marks == [0x90 + axes] * 3 and shape == inner == chunk
    if not is_ours or not all(0 < step <= length for step, length in zip(block, chunk, strict=True)):
        raise ValueError("a block of its data has another shape")
    return block


def _numbers(text: bytes, count: int) -> tuple[int, ...]:
    """Return numbers of equal width; a type byte precedes each one."""
    width = len(text) // count
    return tuple(int.from_bytes(text[at + 1 : at + width], "big", signed=True) for at in range(0, len(text), width))


def _special_value(offsets: bytes, dtype: np.dtype[Any]) -> float:
    """Return the value that all elements of a frame without data have."""
    told = np.empty(1, np.int64)
    _decompress(offsets[: int.from_bytes(offsets[12:16], "little")], told)
    special = int(told[0]) >> 56 & 0xFF
    if special == 0x80 | _ZERO:
        return 0
    if special == 0x80 | _NAN and dtype.kind == "f":
        return math.nan
    raise ValueError("a block of its data says a value of no kind that dtui writes")


def _decompress(data: bytes, out: NDArray[Any]) -> None:
    """Fill an array from a Blosc2 chunk, whose header must give exactly the array's size."""
    if len(data) < _BLOCK.size:
        raise ValueError("a block of its data is cut off")
    version, _, flags, itemsize, room, block, size, filters, last, *_, unused, more = _BLOCK.unpack_from(data)
    is_fitting = itemsize == out.itemsize and room == out.nbytes and size == len(data) and 0 < block <= max(room, 1)
    is_ours = version == 5 and flags & _EXTENDED == _EXTENDED and (flags & _IS_COPY or flags >> 5 == _LZ4)
    is_plain = not any(filters) and last in _LAST_FILTERS and not unused and more in _SPECIAL
    if not (is_fitting and is_ours and is_plain):
        raise ValueError("a block of its data is not compressed as dtui does")
    if blosc2().blosc2_decompress(data, len(data), out.ctypes.data, out.nbytes) != out.nbytes:
        raise ValueError("a block of its data cannot be decompressed")


@cache
def blosc2() -> ctypes.CDLL:
    """Return the Blosc2 library that comes with PyTables, without loading PyTables and HDF5.

    Raises:
        ImportError: There is none.
    """
    for folder in _folders():
        for path in sorted(folder.glob("libblosc2.so*")):
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(str(path))
                library.blosc2_init.restype = None
                library.blosc2_decompress.argtypes = (ctypes.c_char_p, ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32)
                library.blosc2_init()
                return library
    raise ImportError("the Blosc2 library that PyTables needs was not found; install dtui again")


def _folders() -> Iterator[Path]:
    """Yield where PyTables looks for the library: beside itself, in the package blosc2, in the system."""
    for name, below in (("tables", ""), ("blosc2", "lib")):
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            yield Path(place, below)
    yield from (Path(sys.prefix, "lib"), Path(f"/usr/lib/{platform.machine()}-linux-gnu"), Path("/usr/lib64"))
