from __future__ import annotations

import math

import numpy as np

from dtui.analysis.ordering import by_peak


def peak(row: list[float]) -> float:
    """The first place of the largest value, beyond all places where there is none."""
    known = [value for value in row if not math.isnan(value)]
    return row.index(max(known)) if known else math.inf


def test_rows_are_ordered_by_their_peak_and_those_without_one_come_last():
    values = np.random.default_rng(0).integers(0, 5, (40, 12)).astype(float)
    values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
    values[[3, 17]] = np.nan
    rows = values.tolist()
    expected = sorted(range(40), key=lambda row: peak(rows[row]))
    assert by_peak(values).tolist() == expected
    assert by_peak(values)[-2:].tolist() == [3, 17]
    assert by_peak(np.zeros((4, 0))).tolist() == [0, 1, 2, 3]
