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


def taught(records, of_gradients, of_updates, at: int, label: int) -> tuple[float, float, float, float, int] | None:
    """How much a class was taught behind iteration `at`: among all, soon, moved, against before, and when it is known.

    Takes what `among` makes of gradients and of updates.
    """
    behind = [k for k, iteration in enumerate(records) if iteration > at][:7]
    if len(behind) < 7:
        return None
    before = [k for k, iteration in enumerate(records) if iteration < at][-20:]
    moved = mean_of([of_updates[k] for k in behind], label, 7)
    own = moved - mean_of([of_updates[k] for k in before], label, 10)
    every = mean_of([of_gradients[k] for k in behind], label, 7)
    soon = mean_of([of_gradients[k] for k in behind[:6]], label, 6)
    return every, soon, moved, own, records[behind[-1]]


def untaught(records, gradients, updates, validations, errors, taken_for=None) -> list[tuple]:
    """(validation, label, rise, usual, strength) of all that a run has, in order."""
    found, told = [], {}
    classes = len(errors)
    of_gradients, of_updates = among(gradients), among(updates)
    for begin in range(15, len(validations) - 7):
        old, new = errors[:, begin - 10 : begin], errors[:, begin : begin + 8]
        means = [mean([v for v in column if is_known(v)]) for column in old.T.tolist() if any(map(is_known, column))]
        network = median(means) if len(means) >= 5 else math.nan
        if network > 0.75:
            continue
        usual = [median(row) if all(map(is_known, row)) else math.nan for row in old.tolist()]
        middle = []
        for step in range(8):
            above = [new[k, step] - usual[k] for k in range(classes)]
            above = [value for value in above if is_known(value)]
            middle.append(max(0.0, median(above)) if above else 0.0)
        latest = validations[min(len(validations) - 1, begin + 16)]
        ask = [taught(records, of_gradients, of_updates, validations[begin], label) for label in range(classes)]
        for label in range(classes):
            values = [*old[label], *new[label]]
            if not all(map(is_known, values)) or ask[label] is None or begin - told.get(label, -8) < 8:
                continue
            every, soon, moved, own, known = ask[label]
            rises = [new[label, step] - usual[label] - middle[step] for step in range(8)]
            if known > latest:
                continue
            strength = 0.0
            if mean(rises) >= 0.2 and every < 0 and moved + own < 0:
                strength = (usual[label] + mean(rises) - network) * every * (moved + own) / 2 / 0.9
            fails = min(new[label, :6]) * max(0.0, mean(rises[:6])) * max(0.0, -soon)
            if not strength >= 1 and fails >= 0.5 and taken_for is not None:
                strength = fails * place(taken_for(label, slice(begin - 10, begin + 6)), label, classes, ask) / 2
            if not strength >= 1:
                continue
            told[label] = begin
            high = [float(new[label, step] - usual[label]) for step in range(8)]
            onset = next(step for step in range(8) if high[step] >= max(high) / 2)
            found.append((begin + onset, label, mean(high), usual[label], strength))
    return found


def place(taken, label: int, classes: int, ask) -> float:
    """How much the class is taught that took the images of another: gradient among all × what it moves and moved."""
    best, other = 0.0, -1
    for one in range(classes):
        counts = [sum(int(got) == one for got in column) for column in taken.T]
        more = mean(counts[10:]) - max(counts[:10])
        if one != label and more > best:
            best, other = more, one
    if other < 0:
        return 0.0
    every, _, moved, own, _ = ask[other]
    return every * (moved + own) if every > 0 and moved + own > 0 else 0.0
