"""Makes small pictures of the validation images, so that a person can see what was misjudged.

Owns their size and encoding.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dtui.fork_gate import resting
from dtui.model import ByteArray, ImageSet
from dtui.record.writing.warn import warn_once

JPEG_ABOVE_PIXELS = 40 * 40


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """How thumbnails are made.

    Attributes:
        size: Longest side in pixels, >= 1.
        mean: Of each channel, as the inputs were normalised with, for pixels in [0, 1]; None scales the range
            of the first batch to black and white.
        std: As `mean`.
        limit_bytes: Most bytes of all thumbnails together; further images have no thumbnail.
        picture: Called with an image's id; returns a PIL image or an array (height, width[, 3]) of uint8. Used
            instead of the inputs.
    """

    size: int = 32
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    limit_bytes: int = 4 << 20
    picture: Callable[[str], Any] | None = None


class ThumbnailTaker:
    """Keeps small copies of the inputs of one validation."""

    def __init__(self, settings: Thumbnails) -> None:
        self.settings = settings
        self._range: tuple[Tensor, Tensor] | None = None
        self._kept_bytes = 0
        self._kept: list[ByteArray | None] = []

    @property
    def count(self) -> int:
        """Number of images so far."""
        return len(self._kept)

    @property
    def has_pictures(self) -> bool:
        """Whether any picture was kept, or is made of an image's id."""
        return self.settings.picture is not None or any(one is not None for one in self._kept)

    def _wants_more(self) -> bool:
        """Whether there is room for another batch: raw pixels take at most eight times the bytes allowed."""
        return self.settings.picture is None and self._kept_bytes < 8 * self.settings.limit_bytes

    def take(self, images: Tensor | None, count: int) -> None:
        """Keep one batch.

        Args:
            images: Shape (count, 1 or 3 channels, height, width); None or another shape keeps blanks.
            count: Images in the batch.
        """
        is_fit = images is not None and images.dim() == 4 and len(images) == count and images.shape[1] in (1, 3)
        if images is None or not is_fit or not self._wants_more():
            self._kept.extend([None] * count)
            return
        with torch.no_grad():
            pixels = self._pixels(images.detach())
        self._kept_bytes += pixels.nbytes
        self._kept.extend(pixels)

    def choose(self, places: Sequence[int]) -> None:
        """Keep those of some images, given by their places in the order of `take`: these are its order from now on."""
        self._kept = [self._kept[place] for place in places]

    def encode(self, order: Sequence[int], ids: Sequence[str]) -> tuple[bytes, ...]:
        """Return the encoded thumbnails.

        Args:
            order: For each image of the image set its place in the order of `take`, or of `choose` after it.
            ids: Their ids.
        """
        total = 0
        encoded = []
        for place, identity in zip(order, ids, strict=True):
            with resting():  # a fork waits for one picture, not for all
                pass
            data = b""
            if total < self.settings.limit_bytes:
                picture = self._picture(place, identity)
                data = b"" if picture is None else _encode(picture)
            total += len(data)
            encoded.append(data if total <= self.settings.limit_bytes else b"")
        return tuple(encoded) if any(encoded) else ()

    def _picture(self, place: int, identity: str) -> Image.Image | None:
        if self.settings.picture is None:
            pixels = self._kept[place] if place < len(self._kept) else None
            return None if pixels is None else Image.fromarray(pixels)
        made = self.settings.picture(identity)
        picture = made if isinstance(made, Image.Image) else Image.fromarray(np.asarray(made, dtype=np.uint8))
        picture = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
        picture.thumbnail((self.settings.size, self.settings.size))
        return picture

    def _pixels(self, images: Tensor) -> ByteArray:
        """Return the batch as uint8 pictures, shape (n, height, width) or (n, height, width, 3)."""
        longest = max(images.shape[2:])
        values = images.float()
        if longest > self.settings.size:
            share = self.settings.size / longest
            height, width = (max(1, round(side * share)) for side in images.shape[2:])
            values = torch.nn.functional.adaptive_avg_pool2d(values, (height, width))
        low, high = self._limits(values)
        scaled = ((values - low) / (high - low).clamp_min(1e-12)).clamp(0, 1).mul(255).round().to(torch.uint8)
        pixels: ByteArray = scaled.cpu().numpy().transpose(0, 2, 3, 1)
        return pixels[..., 0].copy() if pixels.shape[3] == 1 else pixels.copy()

    def _limits(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is black and what is white, each shape (1, channels or 1, 1, 1)."""
        if self.settings.mean is not None and self.settings.std is not None:
            mean, std = (
                torch.as_tensor(part, dtype=values.dtype, device=values.device).view(1, -1, 1, 1)
                for part in (self.settings.mean, self.settings.std)
            )
            return -mean / std, (1 - mean) / std
        if self._range is None:
            self._range = (values.amin().view(1, 1, 1, 1), values.amax().view(1, 1, 1, 1))
        return self._range


def with_thumbnails(images: ImageSet, order: Sequence[int], taker: ThumbnailTaker | None) -> ImageSet:
    """Return an image set with its thumbnails; without them where none can be made, which is told once.

    Args:
        images: The image set.
        order: For each of its images its place in the order of `take`.
        taker: What was kept; None for no thumbnails.
    """
    if taker is None:
        return images
    try:
        pictures = taker.encode(order, images.ids)
    except Exception as error:  # noqa: BLE001 - pictures are a comfort; the validation is kept
        warn_once("thumbnails", f"no thumbnails: {error}")
        return images
    return replace(images, thumbnails=pictures)


def _encode(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    if picture.width * picture.height > JPEG_ABOVE_PIXELS:
        picture.save(buffer, "JPEG", quality=80)
    else:
        picture.save(buffer, "PNG", optimize=False)
    return buffer.getvalue()
