"""How filters and layers stand at the end, against a slow count."""

from __future__ import annotations

import statistics

import numpy as np

from dtui.analysis.standing import dead_since, find_moving, layers_without, moving_since

ITERATIONS = np.arange(40, dtype=np.int64) * 10


def layer(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    ratios = 0.01 * np.exp(random.normal(0, 0.3, (20, 40)))
    for row in range(random.integers(0, 4)):
        ratios[row, random.integers(0, 30) :] *= random.uniform(2, 20)
    ratios[random.integers(20), random.integers(40)] = np.nan
    return ratios


def moves(ratios: np.ndarray, row: int, at: int) -> bool:
    middle = statistics.median([value for value in ratios[:, at].tolist() if value == value])
    return bool(ratios[row, at] >= 4 * middle)


def test_moving_filters():
    hits = 0
    for seed in range(40):
        ratios = layer(seed)
        last = ratios[:, -20:]
        expected = []
        for row in range(20):
            known = [at for at in range(20) if last[row, at] == last[row, at]]
            expected.append(sum(moves(last, row, at) for at in known) / len(known) >= 0.75)
        if sum(expected) > 2:
            expected = [False] * 20
        assert find_moving(last).tolist() == expected, seed
        hits += any(expected)
        since = moving_since(ratios, np.arange(len(ratios)), ITERATIONS)
        for row in range(20):
            slow = None
            for at in range(40):
                later = [k for k in range(at, 40) if ratios[row, k] == ratios[row, k]]
                if moves(ratios, row, at) and sum(moves(ratios, row, k) for k in later) / len(later) >= 0.75:
                    slow = at * 10
                    break
            assert since[row] == slow, (seed, row)
    assert 5 < hits < 40


def test_moving_since_with_values_of_every_kind():
    random = np.random.default_rng(3)
    values = np.array([0, 1, 2, 4, 8, 8, 33, 4e-38, 1e-45, np.nan, np.inf, -np.inf], np.float32)
    found = 0
    for _ in range(300):
        ratios = random.choice(values, (random.integers(1, 14), random.integers(1, 12)))
        rows = random.permutation(len(ratios))
        since = moving_since(ratios, rows, ITERATIONS)
        for row, told in zip(rows.tolist(), since, strict=True):
            moved = [_is_moving(ratios[:, at], row) for at in range(ratios.shape[1])]
            known = np.isfinite(ratios[row])
            later = [sum(moved[at:]) / max(1, known[at:].sum()) for at in range(len(moved))]
            slow = [at for at in range(len(moved)) if moved[at] and (later[at] >= 0.75 or not known[at:].any())]
            assert told == (slow[0] * 10 if slow else None)
            found += told is not None
    assert found > 100


def _is_moving(column: np.ndarray, row: int) -> bool:
    finite = [value for value in column.tolist() if np.isfinite(value)]
    return bool(finite) and column[row] > 0 and column[row] >= 4 * statistics.median(finite)


def test_too_few_records_move_nothing():
    assert not find_moving(layer(1)[:, :19]).any()
    assert not find_moving(np.full((3, 20), np.nan)).any()


def test_dead_since_the_record_behind_the_last_gradient():
    norms = np.full((9, 40), 0.1)
    norms[0, 25:] = 0
    norms[1, :] = 1e-9
    norms[2, 30:] = 1e-6
    norms[2, 33] = np.nan
    assert dead_since(norms, np.array([0, 1, 2, 3]), ITERATIONS) == [250, 0, 300, None]


def test_layers_that_do_not_learn():
    gradients, updates = np.full((8, 40), 0.3), np.full((8, 40), 0.1)
    gradients[[0, 3, 7]] = np.linspace(0.2, 0.4, 40)
    gradients[1], updates[1] = np.nan, 0
    gradients[2, 20:], updates[2, 20:] = np.nan, 0
    updates[3, 12:] = 0
    updates[4] = np.nan  # updates are not known: nothing is told
    updates[5] = 0  # a gradient that nobody cleared when it was frozen, before the first record
    updates[6, 12:], gradients[6, :12] = 0, np.linspace(0.2, 0.4, 12)  # the same, later
    updates[7] = 0
    found = layers_without(gradients, updates, ITERATIONS)
    assert found == {
        1: ("no gradient", None),
        2: ("frozen", 200),
        3: ("unchanged", 120),
        5: ("no gradient", None),
        6: ("frozen", 120),
        7: ("unchanged", 0),
    }
    gradients[:, -1] = np.nan  # the record that closed the run
    assert layers_without(gradients, updates, ITERATIONS) == found
    gradients[:] = 0.3  # nothing changes: that tells of no layer by itself
    assert layers_without(gradients, updates, ITERATIONS)[5] == ("unchanged", 0)
