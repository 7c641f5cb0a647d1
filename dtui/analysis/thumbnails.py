"""Turns the stored picture of a validation image into pixels.

Owns the only place where picture files of a run are decoded. They come from outside, and one may declare a billion
pixels.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from dtui.model import ByteArray, read_only

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PNG_BEGINS, JPEG_BEGINS = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MOST_BYTES = 4_000_000
MOST_PIXELS = 1_000_000


def decode_thumbnail(encoded: bytes) -> ByteArray | None:
    """Decode a small PNG or JPEG.

    Args:
        encoded: File content; data from outside.

    Returns:
        Shape (height, width, 3), uint8, read-only; None if the content is empty, damaged, of another format, or larger
        than a million pixels. Transparent parts are black.

    Source: dtui.
    """
    if not 0 < len(encoded) <= MOST_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with _opened(encoded) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    return None
                pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, MemoryError, EOFError, Warning):
        return None
    return read_only(pixels)


def _opened(encoded: bytes) -> ImageFile:
    """Open a picture by how it begins. `PIL.Image.open` imports readers of formats that are not ours as well.

    Raises:
        ValueError, SyntaxError: It is none.
    """
    file = io.BytesIO(encoded)
    if encoded.startswith(PNG_BEGINS):
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(file)
    if encoded.startswith(JPEG_BEGINS):
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile(file)
    raise ValueError("neither a PNG nor a JPEG")
