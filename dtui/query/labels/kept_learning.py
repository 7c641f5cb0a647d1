"""Keeps how images were learned in the run's cache, and goes on from there: old labels are not read again.

Owns the meaning of its columns. A kept table is data from outside: one that cannot belong to this run is ignored.
"""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import fields

import numpy as np

from dtui.analysis.relations.learning import find_learning
from dtui.errors import DtuiError
from dtui.model import IntArray, RunStatus
from dtui.model.learning import NEVER, ImageLearning
from dtui.query.data import RunData
from dtui.query.labels.judgements import Judgements

VERSION = 1
"""Raised when the columns or the rules of `find_learning` change: what an earlier one kept is not believed."""
WORTH_KEEPING = 10_000_000
"""Labels of a run from which on answers from them are kept: small runs, and those under version control, stay as they
are."""
_COLUMNS = len(fields(ImageLearning))


def is_worth_keeping(data: RunData) -> bool:
    """Whether the run has so many labels that answers from them are kept."""
    return len(data.validations) * data.layout.total_images >= WORTH_KEEPING


def learning(data: RunData) -> ImageLearning:
    """Answer `RunQuery.image_learning`."""
    return data.remembered("image learning", lambda: _find(data))


def kept_validations(data: RunData) -> int:
    """Return how many of the first validations the kept learning holds; 0 if there is none."""
    kept = _kept(data)
    return 0 if kept is None else kept[0]


def _find(data: RunData) -> ImageLearning:
    """Follow the images through the validations that are not in what was kept; keep what others can go on from."""
    count, kept = len(data.validations), _kept(data)
    done, learned = (0, None) if kept is None else kept
    if learned is not None and done == count:
        return learned
    is_ended = data.reader.status() is not RunStatus.LIVE
    keys = _keys(data) if is_worth_keeping(data) else []
    stops = [stop for stop, is_settled, _ in keys if (is_settled or is_ended) and stop > done]
    judged = _judged(data, done)
    first = done
    for stop in dict.fromkeys([*stops[-1:], count]):
        part = slice(done - first, stop - first)
        lost = None if judged.lost is None else judged.lost[part]
        learned = find_learning(data.layout, judged.right[part], lost, learned, done)
        if stop in stops and not data.reader.validation_faults:
            _keep(data, learned, next(key for at, _, key in keys if at == stop))
        done = stop
    return learned if learned is not None else find_learning(data.layout, judged.right, judged.lost)


def _judged(data: RunData, first: int) -> Judgements:
    """Return right or wrong from a validation on: of all that were read already, else of those alone."""
    if not data.has_judgements and first:
        return data.judge(slice(first, len(data.validations)))
    whole = data.judgements()
    return whole if not first else whole.from_validation(first)


def _keys(data: RunData) -> list[tuple[int, bool, dict[str, object]]]:
    """Return where files of validations end, whether these are settled, and the key of what was found up to there."""
    iterations = data.validations.astype("<i8")
    images = zlib.crc32(data.layout.images.astype("<i8").tobytes())
    return [
        (
            one.frames,
            one.is_settled,
            {
                "of": "learning",
                "version": VERSION,
                "validations": one.frames,
                "iterations": zlib.crc32(iterations[: one.frames].tobytes()),
                "images": images,
                "files": one.stamp,
            },
        )
        for one in data.reader.validation_files()
        if one.frames <= len(iterations)
    ]


def _kept(data: RunData) -> tuple[int, ImageLearning] | None:
    """Return the learning that was kept, and of how many validations; None if none is valid."""

    def find() -> tuple[int, ImageLearning] | None:
        if not is_worth_keeping(data):
            return None
        keys = _keys(data)[::-1]
        found = data.reader.kept_of_validations([key for _, _, key in keys], _COLUMNS)
        learned = None if found is None else _decoded(found[1], data.layout.total_images, keys[found[0]][0])
        return None if found is None or learned is None else (keys[found[0]][0], learned)

    return data.remembered("kept learning", find)


def _keep(data: RunData, learned: ImageLearning, key: dict[str, object]) -> None:
    if all(key != now for _, _, now in _keys(data)):
        return  # a file was touched while its labels were read
    table = np.stack([getattr(learned, field.name).astype(np.int64) for field in fields(ImageLearning)], axis=1)
    with contextlib.suppress(OSError, DtuiError):  # a folder that cannot be written to, a full disk
        data.reader.keep_of_validations([(key, table)])


def _decoded(table: IntArray, images: int, validations: int) -> ImageLearning | None:
    """Return what a table from outside says; None if it cannot be so."""
    if len(table) != images:
        return None
    judged, wrong, forgotten, first_right, is_learned, is_right_at_last = np.ascontiguousarray(table.T)
    right = judged - wrong
    is_possible = (wrong >= 0) & (right >= 0) & (judged <= validations)
    is_possible &= (forgotten >= 0) & (forgotten <= np.minimum(right, wrong))
    is_possible &= (first_right >= NEVER) & (first_right < validations) & ((first_right == NEVER) == (right == 0))
    is_possible &= (is_learned == 0) | ((is_learned == 1) & (right > 1))
    is_possible &= (is_right_at_last == 0) | ((is_right_at_last == 1) & (right > 0))
    if not is_possible.all():
        return None
    return ImageLearning(judged, wrong, forgotten, first_right, is_learned == 1, is_right_at_last == 1)
