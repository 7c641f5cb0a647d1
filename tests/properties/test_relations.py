"""Mini-sets are the coarsest partition, and anomaly filters follow what they are told."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dtui.analysis.relations.anomaly_filters import most_changed, most_changed_at_all
from dtui.analysis.relations.minisets import partition

FILTERS = 24
sets_of_filters = st.lists(st.sets(st.integers(0, FILTERS - 1)), max_size=8)
layers = arrays.arrays(np.int64, FILTERS, elements=st.integers(0, 3)).map(np.sort)
changes = arrays.arrays(np.float32, (FILTERS, 3), elements=st.floats(0, 4, width=32) | st.just(np.nan))


def as_rows(sets: list[set[int]]) -> list[np.ndarray]:
    return [np.array(list(one), dtype=np.int64) for one in sets]


@given(sets_of_filters, layers)
def test_every_set_is_a_union_of_parts_and_no_two_share_a_filter(sets, layer_of):
    parts = [set(part.filters.tolist()) for part in partition(as_rows(sets), layer_of)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(set().union(*sets))
    for one in sets:
        assert one == set().union(*(part for part in parts if part & one))


@given(sets_of_filters, layers)
def test_no_two_parts_of_a_layer_could_be_one(sets, layer_of):
    parts = partition(as_rows(sets), layer_of)
    signatures = [(int(layer_of[part.filters[0]]), tuple(part.sets.tolist())) for part in parts]
    assert len(set(signatures)) == len(signatures)
    for part, (layer, held_by) in zip(parts, signatures, strict=True):
        assert set(layer_of[part.filters].tolist()) == {layer}
        for row in part.filters.tolist():
            assert held_by == tuple(at for at, one in enumerate(sets) if row in one)


@given(sets_of_filters, layers, st.randoms())
def test_the_order_of_sets_and_filters_changes_no_part(sets, layer_of, random):
    shuffled = random.sample(sets, len(sets))
    rows = [random.sample(sorted(one), len(one)) for one in shuffled]
    first = {frozenset(part.filters.tolist()) for part in partition(as_rows(sets), layer_of)}
    again = partition([np.array(one, dtype=np.int64) for one in rows], layer_of)
    assert first == {frozenset(part.filters.tolist()) for part in again}


@given(changes, layers, st.integers(1, 30), st.integers(1, 5))
def test_fewer_filters_are_the_first_of_more(values, layer_of, count, per_layer):
    every = np.ones(FILTERS, dtype=bool)
    for quota in (None, per_layer):
        some = most_changed(values[:, 0], layer_of, every, count, quota)
        assert some.tolist() == most_changed(values[:, 0], layer_of, every, None, quota)[:count].tolist()
        assert quota is None or not len(some) or np.bincount(layer_of[some]).max() <= quota
    rows, ranks = most_changed_at_all(values, layer_of, every, None, None)
    assert ranks.max(axis=1, initial=0).tolist() == sorted(ranks.max(axis=1, initial=0).tolist())
    assert set(rows.tolist()) == set(np.flatnonzero((values > 0).all(axis=1)).tolist())
