"""The slow, obvious way to the rises of the network's mean error."""

from __future__ import annotations

import itertools
import math


def median(values: list[float | None], fewest: int) -> float | None:
    known = sorted(value for value in values if value is not None)
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if len(known) >= fewest else None


def network_rises(mean_errors: list[float], images: int = 1000) -> list[tuple[int, int, float]]:
    """(validation, late, rise) in the order in which they are known."""
    scale = max(min(1.0, math.sqrt(1000 / images)), 0.4)
    errors = [error if math.isfinite(error) else None for error in mean_errors]
    usual = [median(errors[max(0, at - 10) : at], 5) for at in range(len(errors))]
    rises = [
        None if error is None or before is None else error - before for error, before in zip(errors, usual, strict=True)
    ]
    told = []  # (validation when it is known, those that had to hold first, validation, rise)
    for at in range(15, len(errors)):
        if errors[at] is None:
            continue
        known = sorted(rise for rise in rises[max(0, at - 30) : at - 1] if rise is not None)
        second = known[-2] if len(known) > 1 else 0.12
        least = max(0.05 * scale, 1.25 * min(second, 0.12))
        scatter = median([None if rise is None else abs(rise) for rise in rises[max(0, at - 20) : at]], 1)
        trail = errors[max(0, at - 20) : at]
        steps = [None if a is None or b is None else abs(b - a) for a, b in itertools.pairwise(trail)]
        step, recent = median(steps, 5), median(errors[max(0, at - 5) : at], 3)
        ways = [(usual[at], scatter), (recent, None if step is None else step / math.sqrt(2))]
        for before, spread in ways:
            if before is None or spread is None:
                continue
            rise = errors[at] - before
            if rise < least - 1e-6 or rise <= 5 * (1.4826 * spread + 0.006 * scale):
                continue
            after = next((later for later in range(at + 1, len(errors)) if errors[later] is not None), None)
            if rise >= 0.25 - 1e-6:
                told.append((at, 0, at, rise))
            elif after is not None and errors[after] - before >= rise / 2 - 1e-6:
                told.append((after, -1, at, rise))
            break
    return [(at, known - at, rise) for known, _, at, rise in sorted((k, w, a, r) for k, w, a, r in told)]
