from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dtui.analysis.correctness import PackedLayout
from dtui.analysis.downsample import mean_rows, pool_farthest, pool_largest, pool_smallest, records_of_columns
from dtui.analysis.flips import find_flips
from dtui.analysis.ordering import by_largest_first, by_peak, by_similarity, by_smallest_first
from dtui.analysis.stages import find_stages
from dtui.model import TimeAxis

finite = st.floats(-1e6, 1e6, width=32)


@st.composite
def judgements(draw):
    """A layout and correctness, shape (validations, images)."""
    per_class = draw(st.lists(st.integers(0, 140), min_size=1, max_size=5))
    validations = draw(st.integers(0, 40))
    seed, stays = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.3, 0.8, 0.98]))
    flipped = np.random.default_rng(seed).random((validations, sum(per_class))) > stays
    targets = np.repeat(np.arange(len(per_class)), per_class).astype(np.uint16)
    return PackedLayout.of(targets, len(per_class)), np.logical_xor.accumulate(flipped, axis=0)


def unpacked(layout, packed):
    return np.concatenate([layout.unpack(packed, label) for label in range(len(layout.images))], axis=1)


@given(judgements())
def test_packing_is_undone_by_unpacking(case):
    layout, correct = case
    packed = layout.pack(correct)
    assert packed.shape == (len(correct), layout.total_words)
    np.testing.assert_array_equal(unpacked(layout, packed), correct)
    assert int(np.bitwise_count(packed).sum()) == int(correct.sum())


@given(judgements(), st.sampled_from(["left", "right"]))
def test_flips_are_reversible(case, rule):
    """The first validation and the flips of window 1 are all there is to know."""
    layout, correct = case
    packed = layout.pack(correct)
    flips = find_flips(packed, rule, 1)
    again = packed[:1].copy()
    for gained, lost in zip(flips.gained[1:], flips.lost[1:], strict=True):
        again = np.concatenate([again, ((again[-1] | gained) & ~lost)[None]])
    np.testing.assert_array_equal(again, packed)


@given(judgements(), st.integers(1, 12))
def test_the_right_rule_is_the_left_rule_backwards(case, window):
    layout, correct = case
    if len(correct) < 2:
        return
    right = find_flips(layout.pack(correct), "right", window)
    left = find_flips(layout.pack(correct[::-1]), "left", window)
    # Read backwards, a flip at t is one at validations - t, and what was gained is lost.
    np.testing.assert_array_equal(right.gained[1:], left.lost[1:][::-1])
    np.testing.assert_array_equal(right.lost[1:], left.gained[1:][::-1])


@given(judgements(), st.sampled_from(["left", "right"]), st.integers(1, 12))
def test_a_longer_window_only_takes_flips_away(case, rule, window):
    layout, correct = case
    packed = layout.pack(correct)
    shorter, longer = find_flips(packed, rule, window), find_flips(packed, rule, window + 1)
    assert not (longer.gained & ~shorter.gained).any()
    assert not (longer.lost & ~shorter.lost).any()
    assert not (shorter.gained & shorter.lost).any()


@st.composite
def recorded(draw):
    """Records and an axis that shows all of them."""
    steps = draw(st.lists(st.integers(1, 30), min_size=1, max_size=60))
    iterations = np.cumsum(steps)
    columns = draw(st.integers(1, 80))
    interval = draw(st.integers(1, 30))
    axis = TimeAxis(float(iterations[0]), float(iterations[-1] + interval), columns)
    values = draw(arrays.arrays(np.float32, (2, len(iterations)), elements=finite))
    return iterations, axis, interval, values


@given(recorded())
def test_downsampling_keeps_extremes(case):
    iterations, axis, interval, values = case
    held = records_of_columns(axis, iterations, interval)
    assert held.has_value.all()
    high, low, far = pool_largest(values, held), pool_smallest(values, held), pool_farthest(values, held)
    np.testing.assert_array_equal(high.max(axis=1), values.max(axis=1))
    np.testing.assert_array_equal(low.min(axis=1), values.min(axis=1))
    np.testing.assert_array_equal(np.abs(far).max(axis=1), np.abs(values).max(axis=1))
    assert np.isin(far, values).all()


@given(recorded())
def test_every_record_lies_in_its_own_column(case):
    iterations, axis, interval, _ = case
    held = records_of_columns(axis, iterations, interval)
    for position, iteration in enumerate(iterations.tolist()):
        column = axis.column_of(iteration)
        assert held.starts[column] <= position < held.stops[column]


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=finite), st.integers(1, 50))
def test_averaging_rows_stays_within_them(values, pixels):
    mean = mean_rows(values, pixels)
    assert len(mean) == min(len(values), pixels)
    assert (mean.max(axis=0) <= values.max(axis=0) + 1e-6 * np.abs(values).max()).all()
    assert (mean.min(axis=0) >= values.min(axis=0) - 1e-6 * np.abs(values).max()).all()


@given(arrays.arrays(np.float32, st.tuples(st.integers(0, 30), st.integers(0, 6)), elements=st.floats(0, 1, width=32)))
def test_orders_are_permutations(values):
    sums = values.sum(axis=1)
    for order in (by_similarity(values), by_peak(values), by_largest_first(sums), by_smallest_first(sums)):
        assert sorted(order.tolist()) == list(range(len(values)))


@settings(max_examples=50)
@given(
    st.integers(40, 300),
    st.floats(1e-5, 1),
    st.lists(st.tuples(st.floats(0.1, 0.9), st.sampled_from([0.1, 0.2, 0.5, 10.0])), max_size=3),
)
def test_stages_begin_with_the_run_and_ascend(records, rate, drops):
    rates = np.full(records, rate)
    for where, factor in drops:
        rates[int(where * records) :] *= factor
    stages = find_stages(np.arange(records) * 5, rates)
    starts = [stage.iteration for stage in stages]
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert len(stages) <= len(drops) + 1
