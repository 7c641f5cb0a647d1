"""Keeps how images were learned in the run's cache, and goes on from there: old labels are not read again.

Owns the meaning of its columns.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from dtui.analysis.relations.learning import find_learning
from dtui.model import IntArray, RunStatus
from dtui.model.learning import NEVER, ImageLearning
from dtui.query.data import RunData
from dtui.query.kept.tables import Key, find_kept, keep, keys_of_validations
from dtui.query.labels.judgements import Judgements

VERSION = 1
"""Raised when the columns or the rules of `find_learning` change: what an earlier one kept is not believed."""
WORTH_KEEPING = 10_000_000
"""Labels of a run from which on answers from them are kept; those from fewer are found quickly."""
_COLUMNS = len(fields(ImageLearning))


def is_worth_keeping(data: RunData) -> bool:
    """Whether the run has so many labels that answers from them are kept."""
    return len(data.validations) * data.layout.total_images >= WORTH_KEEPING


def learning(data: RunData) -> ImageLearning:
    """Return how each image was learned and forgotten over the run; by dtui's rules, see `ImageLearning`."""
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
    keys = _keys(data) if is_worth_keeping(data) else {}
    stops = [stop for stop, (_, is_settled) in keys.items() if (is_settled or is_ended) and stop > done]
    judged = _judged(data, done)
    first = done
    for stop in dict.fromkeys([*stops[-1:], count]):
        part = slice(done - first, stop - first)
        lost = None if judged.lost is None else judged.lost[part]
        learned = find_learning(data.layout, judged.right[part], lost, learned, done)
        if stop in stops:
            keep(data, [(keys[stop][0], _table(learned))], data.reader.validation_faults)
        done = stop
    return learned if learned is not None else find_learning(data.layout, judged.right, judged.lost)


def _judged(data: RunData, first: int) -> Judgements:
    """Return right or wrong from a validation on: of all that were read already, else of those alone."""
    if not data.has_judgements and first:
        return data.judge(slice(first, len(data.validations)))
    whole = data.judgements()
    return whole if not first else whole.from_validation(first)


def _keys(data: RunData) -> dict[int, tuple[Key, bool]]:
    return keys_of_validations(data, "learning", VERSION)


def _kept(data: RunData) -> tuple[int, ImageLearning] | None:
    """Return the learning that was kept, and of how many validations; None if none is valid."""

    def find() -> tuple[int, ImageLearning] | None:
        keys = [*reversed(_keys(data).items())] if is_worth_keeping(data) else []

        def decode(table: IntArray, place: int) -> tuple[int, ImageLearning] | None:
            learned = _decoded(table, data.layout.total_images, keys[place][0])
            return None if learned is None else (keys[place][0], learned)

        return find_kept(data, [key for _, (key, _) in keys], _COLUMNS, decode)

    return data.remembered("kept learning", find)


def _table(learned: ImageLearning) -> IntArray:
    return np.stack([getattr(learned, field.name).astype(np.int64) for field in fields(ImageLearning)], axis=1)


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
