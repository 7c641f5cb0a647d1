"""What one process counted of the activations in a validation, how parts are merged, and the columns that are stored.

Owns the meaning of the columns: `activation_zeros` is the share of activations that are not above zero, NaN for a layer
that was not called; `activation_mean` their mean; `most_exciting` the nine tracked images with the largest values,
filter after filter, the strongest first, MISSING where there are fewer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dtui.model import FloatArray, IntArray

IMAGES_A_FILTER = 9
MISSING = 0xFFFF_FFFF
ZEROS, MEAN, MOST_EXCITING = "activation_zeros", "activation_mean", "most_exciting"

_BITS = 12
"""Of mantissa that are kept: more is noise, and noise does not compress."""


@dataclass(frozen=True, eq=False, slots=True)
class ActivationPart:
    """Counts of all filters, K candidates each; all on the flat filter axis of the run, F long.

    Attributes:
        zeros: Activations that are not above zero, shape (F,), int64.
        sums: Their sum, shape (F,), float64.
        totals: Their number, shape (F,), int64; 0 for a layer that was not called.
        peaks: Largest value in an image, shape (K, F), float32, descending; -inf for none.
        images: Positions of the images in the validation, shape (K, F), int64; -1 for none.
    """

    zeros: IntArray
    sums: FloatArray
    totals: IntArray
    peaks: FloatArray
    images: IntArray

    @classmethod
    def of_none(cls, filters: int, candidates: int) -> Self:
        """Return a part in which nothing was counted, to be filled."""
        zeros, sums, totals = np.zeros(filters, np.int64), np.zeros(filters), np.zeros(filters, np.int64)
        peaks = np.full((candidates, filters), -np.inf, np.float32)
        return cls(zeros, sums, totals, peaks, np.full((candidates, filters), -1, np.int64))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return it as arrays by name, to send it to another process."""
        return {f"activation {name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self | None:
        """Return what `arrays` gave, None if it is not among them."""
        if "activation zeros" not in arrays:
            return None
        return cls(*(arrays[f"activation {name}"] for name in ("zeros", "sums", "totals", "peaks", "images")))

    def columns(self, rows: IntArray) -> dict[str, NDArray[Any]]:
        """Return the columns to store.

        Args:
            rows: Row of the tracked image at each position of the validation, -1 for one that is not tracked.
        """
        from dtui.store.format.rounding import round_mantissa  # on the writer's thread, which has the store

        is_seen = self.totals > 0
        with np.errstate(all="ignore"):
            zeros = np.where(is_seen, self.zeros / np.maximum(self.totals, 1), np.nan)
            mean = np.where(is_seen, self.sums / np.maximum(self.totals, 1), np.nan)
        # never up to 1, which says that the filter is silent
        is_some = is_seen & (self.zeros < self.totals)
        zeros = np.where(is_some, np.floor(zeros * (1 << _BITS)) / (1 << _BITS), zeros)
        return {
            ZEROS: zeros.astype("<f4"),
            MEAN: round_mantissa(mean.astype("<f4"), _BITS),
            MOST_EXCITING: self._nine(rows).T.reshape(-1).astype("<u4"),
        }

    def _nine(self, rows: IntArray) -> IntArray:
        """Return the tracked images that excite each filter most, each once, shape (IMAGES_A_FILTER, F)."""
        known = np.append(rows, -1)  # position -1 is no image
        found = np.where(np.isneginf(self.peaks), -1, known[self.images])
        is_new = found >= 0
        for place in range(1, len(found)):
            is_new[place] &= ~(found[:place] == found[place]).any(axis=0)
        order = np.argsort(~is_new, axis=0, kind="stable")[:IMAGES_A_FILTER]
        nine = np.take_along_axis(np.where(is_new, found, MISSING), order, axis=0)
        missing = np.full((IMAGES_A_FILTER - len(nine), nine.shape[1]), MISSING)
        return np.concatenate([nine, missing])


def merge_parts(parts: Sequence[ActivationPart], starts: Sequence[int]) -> ActivationPart:
    """Return the parts of several processes as one.

    Args:
        parts: Of the same network.
        starts: Where the images of each begin among all.
    """
    peaks = np.concatenate([part.peaks for part in parts])
    moved = [np.where(part.images < 0, -1, part.images + start) for part, start in zip(parts, starts, strict=True)]
    order = np.argsort(-peaks, axis=0, kind="stable")
    return ActivationPart(
        np.sum([part.zeros for part in parts], axis=0),
        np.sum([part.sums for part in parts], axis=0),
        np.sum([part.totals for part in parts], axis=0),
        np.take_along_axis(peaks, order, axis=0),
        np.take_along_axis(np.concatenate(moved), order, axis=0),
    )


def part_of_all(sent: Sequence[Mapping[str, NDArray[Any]]]) -> ActivationPart | None:
    """Return the parts among the arrays that processes sent, as one; None where none sent any.

    Args:
        sent: Of each process, with the ids of its images.
    """
    starts = np.cumsum([0, *(len(arrays["ids"]) for arrays in sent)]).tolist()
    parts = [(ActivationPart.of_arrays(arrays), start) for arrays, start in zip(sent, starts, strict=False)]
    known = [(part, start) for part, start in parts if part is not None]
    return merge_parts([part for part, _ in known], [start for _, start in known]) if known else None
