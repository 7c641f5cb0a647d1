"""Mini-sets are the coarsest partition, anomaly filters follow what they are told, images are learned and forgotten."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dtui.analysis.clusters import average_linkage
from dtui.analysis.correctness import PackedLayout
from dtui.analysis.relations.anomaly_filters import most_changed, most_changed_at_all
from dtui.analysis.relations.learning import find_learning, images_of_list
from dtui.analysis.relations.minisets import partition
from dtui.model.learning import IMAGE_LISTS

FEW = settings(max_examples=40)
FILTERS = 24
sets_of_filters = st.lists(st.sets(st.integers(0, FILTERS - 1)), max_size=8)
seeds = st.integers(0, 2**32 - 1)
layers = arrays.arrays(np.int64, FILTERS, elements=st.integers(0, 3)).map(np.sort)
changes = arrays.arrays(np.float32, (FILTERS, 3), elements=st.floats(0, 4, width=32) | st.just(np.nan))


def as_rows(sets: list[set[int]]) -> list[np.ndarray]:
    return [np.array(list(one), dtype=np.int64) for one in sets]


@FEW
@given(sets_of_filters, layers)
def test_every_set_is_a_union_of_parts_and_no_two_share_a_filter(sets, layer_of):
    parts = [set(part.filters.tolist()) for part in partition(as_rows(sets), layer_of)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(set().union(*sets))
    for one in sets:
        assert one == set().union(*(part for part in parts if part & one))


@FEW
@given(sets_of_filters, layers)
def test_no_two_parts_of_a_layer_could_be_one(sets, layer_of):
    parts = partition(as_rows(sets), layer_of)
    signatures = [(int(layer_of[part.filters[0]]), tuple(part.sets.tolist())) for part in parts]
    assert len(set(signatures)) == len(signatures)
    for part, (layer, held_by) in zip(parts, signatures, strict=True):
        assert set(layer_of[part.filters].tolist()) == {layer}
        for row in part.filters.tolist():
            assert held_by == tuple(at for at, one in enumerate(sets) if row in one)


@FEW
@given(sets_of_filters, layers, seeds)
def test_the_order_of_sets_and_filters_changes_no_part(sets, layer_of, seed):
    random = Random(seed)
    shuffled = random.sample(sets, len(sets))
    rows = [random.sample(sorted(one), len(one)) for one in shuffled]
    first = {frozenset(part.filters.tolist()) for part in partition(as_rows(sets), layer_of)}
    again = partition([np.array(one, dtype=np.int64) for one in rows], layer_of)
    assert first == {frozenset(part.filters.tolist()) for part in again}


@FEW
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


@st.composite
def judgements(draw):
    """A layout, right and lost, each shape (validations, images)."""
    per_class = draw(st.lists(st.integers(0, 70), min_size=1, max_size=3))
    validations = draw(st.integers(0, 20))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lost = random.random((validations, sum(per_class))) < draw(st.sampled_from([0.0, 0.1, 0.9]))
    right = (random.random(lost.shape) < draw(st.sampled_from([0.1, 0.5, 0.9]))) & ~lost
    targets = np.repeat(np.arange(len(per_class)), per_class).astype(np.uint16)
    return PackedLayout.of(targets, len(per_class)), right, lost


@FEW
@given(judgements(), seeds)
def test_what_was_not_judged_changes_nothing(case, seed):
    layout, right, lost = case
    random = Random(seed)
    found = find_learning(layout, layout.pack(right), layout.pack(lost))
    places = sorted(random.sample(range(len(right) + 3), len(right)))
    wider, unjudged = np.zeros((2, len(right) + 3, right.shape[1]), dtype=bool)
    wider[places], unjudged[:] = right, True
    unjudged[places] = lost
    again = find_learning(layout, layout.pack(wider), layout.pack(unjudged))
    for name in ("judged", "wrong", "forgotten", "is_learned", "is_right_at_last"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    for at, first in zip(again.first_right.tolist(), found.first_right.tolist(), strict=True):
        assert at == (places[first] if first >= 0 else -1)


@FEW
@given(judgements())
def test_lists_of_images_fit_each_other(case):
    layout, right, lost = case
    learned = find_learning(layout, layout.pack(right), layout.pack(lost))
    lists = {name: images_of_list(name, learned).tolist() for name in IMAGE_LISTS}
    assert all(len(set(images)) == len(images) for images in lists.values())
    assert not set(lists["easy"]) & {*lists["forgotten"], *lists["never-learned"], *lists["always-wrong"]}
    assert not set(lists["forgotten"]) & set(lists["never-learned"])
    assert {image for image in lists["always-wrong"] if learned.judged[image] > 1} <= set(lists["never-learned"])
    assert {*lists["always-wrong"], *lists["forgotten"], *np.flatnonzero(learned.forgotten)} <= set(lists["hard"])


@FEW
@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 14), st.integers(1, 3)), elements=st.floats(-9, 9)))
def test_more_clusters_only_split_clusters(points):
    assigned = [average_linkage(points, count) for count in range(1, len(points) + 1)]
    for coarse, fine in pairwise(assigned):
        inside = {(int(one), int(other)) for one, other in zip(fine, coarse, strict=True)}
        assert len(inside) == len(set(fine.tolist()))
        assert len(set(fine.tolist())) - len(set(coarse.tolist())) in (0, 1)
