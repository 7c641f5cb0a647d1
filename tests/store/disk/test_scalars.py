"""A NaN that was logged is told from a name that was not logged, in journals and in parts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dtui.model import LOGGED_NAN, was_logged
from tests.store.builders import make_record
from tests.store.conftest import Recording

LOSSES = {0: 0.5, 1: math.nan, 2: math.inf, 4: -math.inf, 5: -math.nan, 6: 1.5}


def test_a_logged_nan_stays_one_through_journals_and_parts(recording: Recording) -> None:
    for position in range(40):
        record = make_record(position)
        scalars = {"loss": LOSSES[position]} if position in LOSSES else {"other": 1.0}
        recording.writer.append_record(replace(record, scalars=scalars))
    journals = recording.reader().read_scalar("loss", slice(0, 40))
    recording.writer.close()
    recording.compact(finish=True)
    parts = recording.reader().read_scalar("loss", slice(0, 40))
    for values in (journals, parts):
        assert np.flatnonzero(was_logged(values)).tolist() == list(LOSSES)
        assert np.isnan(values[[1, 3, 5]]).all()
        assert values[[0, 2, 4, 6]].tolist() == [0.5, math.inf, -math.inf, 1.5]


def test_any_other_nan_says_that_nothing_was_logged() -> None:
    some = np.array([math.nan, LOGGED_NAN, 0.0, -math.nan, math.inf])
    assert was_logged(some).tolist() == [False, True, True, False, True]
    assert was_logged(some[::2]).tolist() == [False, True, True]
