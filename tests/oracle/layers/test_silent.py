"""Silent filters, against a walk backwards through the validations."""

from __future__ import annotations

import numpy as np

from dtui.analysis.layers.silent import NEVER, silent_since


def slow(row: list[float], iterations: list[int]) -> int:
    since = NEVER
    for share, iteration in zip(reversed(row), reversed(iterations), strict=True):
        if share == 1.0:
            since = iteration
        elif share == share:
            break
    return since


def test_silent_since() -> None:
    hits = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        filters, validations = random.integers(1, 9), random.integers(0, 12)
        zeros = random.choice([1.0, 1.0, 1.0, 0.999, np.nan], (filters, validations)).astype(np.float32)
        iterations = np.sort(random.choice(1000, validations, replace=False))
        expected = [slow(row, iterations.tolist()) for row in zeros.tolist()]
        assert silent_since(zeros, iterations).tolist() == expected, seed
        hits += sum(one != NEVER for one in expected)
    assert hits > 50
