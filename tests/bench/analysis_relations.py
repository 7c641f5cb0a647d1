"""Mini-sets at paper scale, and clusters of 1,000 classes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from dtui.analysis.clusters import average_linkage, error_features, k_means
from dtui.analysis.relations.minisets import partition
from tests.bench.analysis_flips import milliseconds
from tests.bench.registry import Measurement, benchmark

LAYERS, FILTERS = 54, 27_560
CLASSES, VALIDATIONS = 1_000, 1_000


@benchmark
def minisets() -> list[Measurement]:
    """Mini-sets of 27,560 filters: 10 a record network-wide, and 10 a layer, beside one sort and the paper's way."""
    layer_of = np.sort(np.random.default_rng(0).integers(0, LAYERS, FILTERS))
    found: list[Measurement] = []
    for records, each in ((1_000, 10), (1_000, 540), (10_000, 540)):
        sets = recurring_sets(records, each)
        pairs = np.concatenate(sets) * len(sets) + np.repeat(np.arange(len(sets)), each)
        references: list[tuple[str, Callable[[], object]]] = [
            ("one sort of the same pairs", lambda p=pairs: np.sort(p))
        ]
        if each == 10:
            parts, naive = partition(sets, layer_of), split_by_each(sets, layer_of)
            if {frozenset(part.filters.tolist()) for part in parts} != {frozenset(part) for part in naive}:
                raise AssertionError("the partition is not that of splitting by each set")
            references.append(("splitting by each set", lambda s=sets: split_by_each(s, layer_of)))
        ours = milliseconds(lambda s=sets: partition(s, layer_of))
        for name, work in references:
            value = milliseconds(work, repeats=3)
            found.append(Measurement(f"minisets, {records:,} × {each}", ours, name, value, "ms", ours / value))
    return found


def recurring_sets(records: int, each: int) -> list[np.ndarray]:
    """Return sets of filters, half of each taken from one of a hundred groups that come again."""
    random = np.random.default_rng(1)
    groups = [random.permutation(FILTERS)[: each // 2] for _ in range(100)]
    sets = []
    for _ in range(records):
        again = groups[random.integers(len(groups))]
        new = np.setdiff1d(random.integers(0, FILTERS, 2 * each), again, assume_unique=False)
        sets.append(np.concatenate([again, random.permutation(new)[: each - len(again)]]))
    return sets


def split_by_each(sets: list[np.ndarray], layer_of: np.ndarray) -> list[set[int]]:
    """The paper's way: split each part by each set in turn."""
    every = set(np.concatenate(sets).tolist())
    parts = [{row for row in every if layer_of[row] == layer} for layer in range(LAYERS)]
    for one in ({*rows.tolist()} for rows in sets):
        split: list[set[int]] = []
        for part in parts:
            inside = part & one
            split += [inside, part - one] if inside else [part]
        parts = [part for part in split if part]
    return parts


@benchmark
def clusters() -> list[Measurement]:
    """1,000 classes × 1,000 validations in 4 and 12 clusters (goal: 200 ms), beside scikit-learn and the distances."""
    random = np.random.default_rng(0)
    level = np.linspace(0.9, 0.1, VALIDATIONS) * random.uniform(0.3, 1.2, (CLASSES, 1))
    errors = np.clip(level + random.normal(0, 0.07, level.shape), 0, 1).astype(np.float32)
    features = error_features(errors)
    floor = milliseconds(lambda: features @ features.T)
    found = []
    for count in (4, 12):
        for name, ours in (("k-means", k_means), ("hierarchical", average_linkage)):
            taken = milliseconds(lambda ours=ours, count=count: ours(error_features(errors), count))
            references = [("one product of all classes", floor)]
            if find_spec("sklearn"):
                peer = sklearn_peer(name, count)
                references.append(("scikit-learn", milliseconds(lambda peer=peer: peer(features), repeats=3)))
            else:
                print("tests.bench: scikit-learn is not installed and left out", file=sys.stderr)
            label = f"clusters, {name}, {count}"
            found += [Measurement(label, taken, what, value, "ms", taken / value) for what, value in references]
    return found


def sklearn_peer(name: str, count: int) -> Callable[[np.ndarray], object]:
    """Return the same of scikit-learn: as many starts, the same linkage."""
    from sklearn.cluster import AgglomerativeClustering, KMeans

    if name == "k-means":
        return KMeans(count, n_init=4, random_state=0).fit
    return AgglomerativeClustering(count, linkage="average").fit
