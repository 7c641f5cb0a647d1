"""Turns the stored picture of a validation image into pixels.

Owns the only place where picture files of a run are decoded. They come from outside, and one may declare a billion
pixels.
"""

from __future__ import annotations

import io
import warnings

import numpy as np

from dtui.model import ByteArray, read_only

FORMATS = ("PNG", "JPEG")
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
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    return None
                pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, MemoryError, EOFError, Warning, Image.DecompressionBombError):
        return None
    return read_only(pixels)
