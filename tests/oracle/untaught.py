"""The slow, obvious way to classes that fail and are not taught: plain loops over what the rule says."""

from __future__ import annotations

import math
from statistics import mean, median

import numpy as np


def is_known(value: float) -> bool:
    return math.isfinite(value)


def among(values: np.ndarray) -> list[list[float]]:
    """Logarithm of each row against the middle row at each record, at most 4 either way."""
    found = []
    for column in values.T.tolist():
        finite = [value for value in column if is_known(value)]
        middle = median(finite) if finite else 0.0
        found.append([ratio(value, middle) for value in column])
    return found


def ratio(value: float, middle: float) -> float:
    return max(-4.0, min(4.0, math.log(max(value, 1e-30) / middle))) if middle > 0 and is_known(value) else math.nan


def mean_of(records: list[list[float]], label: int, fewest: int) -> float:
    known = [record[label] for record in records if is_known(record[label])]
    return mean(known) if len(known) >= fewest else math.nan


def taught(records, of_gradients, of_updates, at: int, label: int) -> tuple[float, float, float, int] | None:
    """How much a class was taught behind iteration `at`: among all, soon, against before, and when that is known.

    Takes what `among` makes of gradients and of updates.
    """
    behind = [k for k, iteration in enumerate(records) if iteration > at][:7]
    if len(behind) < 7:
        return None
    before = [k for k, iteration in enumerate(records) if iteration < at][-20:]
    own = mean_of([of_updates[k] for k in behind], label, 7) - mean_of([of_updates[k] for k in before], label, 10)
    every = mean_of([of_gradients[k] for k in behind], label, 7)
    soon = mean_of([of_gradients[k] for k in behind[:6]], label, 6)
    return every, soon, own, records[behind[-1]]


def untaught(records, gradients, updates, validations, errors, sizes) -> list[tuple]:
    """(validation, label, rise, usual, score) of all that a run has, in order."""
    found, told = [], {}
    classes = len(sizes)
    of_gradients, of_updates = among(gradients), among(updates)
    for begin in range(15, len(validations) - 7):
        old, new = errors[:, begin - 10 : begin], errors[:, begin : begin + 8]
        means = [mean([v for v in column if is_known(v)]) for column in old.T.tolist() if any(map(is_known, column))]
        if len(means) >= 5 and median(means) > 0.75:
            continue
        usual = [median(row) if all(map(is_known, row)) else math.nan for row in old.tolist()]
        middle = []
        for step in range(8):
            above = [new[k, step] - usual[k] for k in range(classes)]
            above = [value for value in above if is_known(value)]
            middle.append(max(0.0, median(above)) if above else 0.0)
        for label in range(classes):
            values = [*old[label], *new[label]]
            answer = taught(records, of_gradients, of_updates, validations[begin], label)
            if not all(map(is_known, values)) or answer is None or begin - told.get(label, -8) < 8:
                continue
            every, _, own, known = answer
            latest = validations[min(len(validations) - 1, begin + 16)]
            rise = mean([new[label, step] - usual[label] - middle[step] for step in range(8)])
            share = min(0.9, max(0.02, mean(old[label])))
            unit = math.sqrt(math.sqrt(share * (1 - share) / sizes[label]))
            if not (every < 0 and own < 0 and rise >= 0.2 and known <= latest):
                continue
            score = rise / unit * every * own
            if score < 4.5:
                continue
            told[label] = begin
            high = [float(new[label, step] - usual[label]) for step in range(8)]
            onset = next(step for step in range(8) if high[step] >= max(high) / 2)
            found.append((begin + onset, label, mean(high), usual[label], score))
    return found
