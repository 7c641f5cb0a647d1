from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from dtui.analysis.thumbnails import decode_thumbnail


def encoded(mode: str = "RGB", size: tuple[int, int] = (5, 3), kind: str = "PNG") -> bytes:
    pixels = np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(size[1], size[0], 3)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


def test_a_png_comes_back_as_it_was():
    pixels = decode_thumbnail(encoded())
    assert pixels is not None
    np.testing.assert_array_equal(pixels.ravel(), np.arange(45))
    assert not pixels.flags.writeable


@pytest.mark.parametrize(("mode", "kind"), [("L", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("RGB", "JPEG"), ("1", "PNG")])
def test_every_mode_becomes_three_channels(mode, kind):
    pixels = decode_thumbnail(encoded(mode, kind=kind))
    assert pixels is not None
    assert (pixels.shape, pixels.dtype) == ((3, 5, 3), np.uint8)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"not a picture",
        encoded()[:40],
        encoded()[:47],
        encoded(kind="JPEG")[:60],
        encoded(kind="GIF"),
        encoded(kind="BMP"),
        encoded(size=(1001, 1000)),
        encoded() + b"\0" * 4_000_000,
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\x00\x00\x00",
    ],
    ids=lambda bad: f"{len(bad)} bytes",
)
def test_what_is_not_a_small_picture_is_none(bad):
    assert decode_thumbnail(bad) is None


def test_only_the_reader_of_the_format_is_imported():
    program = f"""
import sys
from dtui.analysis.thumbnails import decode_thumbnail
assert decode_thumbnail({encoded()!r}) is not None
print(*sorted(name for name in sys.modules if name.startswith("PIL.") and name.endswith("ImagePlugin")))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.split() == ["PIL.PngImagePlugin"]
