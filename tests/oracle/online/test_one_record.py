"""What detectors pass over, record by record, against the whole formula: nothing that it would find is passed over."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from dtui.analysis.detectors.online.dead_filters import OF_QUANTILE, SHARE, DeadFilters
from dtui.analysis.detectors.online.filter_jump import FilterJump
from dtui.analysis.detectors.online.network_jump import NetworkJump
from dtui.analysis.detectors.stream.block import Block
from dtui.analysis.detectors.stream.by_layer import layer_quantiles
from dtui.analysis.detectors.stream.detector import online_detectors
from dtui.analysis.detectors.stream.trailing import WARM_UP, WINDOW, Tail, recent_z, robust_z, windows_before
from dtui.analysis.rises.class_drops import ClassDrops
from dtui.analysis.rises.class_scores import _sum_of
from tests.oracle.online import twins
from tests.oracle.online.blocks import LAYERS, NETWORK, calm, cut

JUMPS = [one for one in online_detectors() if isinstance(one, NetworkJump)]


def one_by_one(block: Block) -> list[Block]:
    return cut(block, list(range(1, len(block.iterations))))


@pytest.mark.parametrize("jumps", [(25,), (25, 26), (25, 44, 45, 46), (12,), (11,), (60, 81)])
@pytest.mark.parametrize("hole", [None, 24, 25, 50])
def test_records_that_were_not_compared_are_when_a_filter_changes(jumps, hole):
    block = calm(3, 90)
    block.update_ratio[:, 0] = np.nan
    if hole is not None:
        block.update_ratio[:, hole] = np.nan
    block.update_ratio[5, list(jumps)] = 0.9
    block.update_ratio[LAYERS[2].filter_rows, 30:] *= 3  # the middle of a layer moves
    expected = twins.filter_jumps(block)
    assert expected or max(jumps) < WARM_UP or hole == max(jumps)
    for blocks in ([block], one_by_one(block), cut(block, [7, 27, 28, 70])):
        stream = FilterJump().begin(NETWORK)
        found = [evidence for each in blocks for evidence in stream.add(each)]
        assert {(one.iteration, one.layer, one.filters) for one in found} == expected


def test_strengths_do_not_depend_on_when_records_were_compared():
    block = calm(5, 90)
    block.update_ratio[5, [40, 70]] = 0.9, 4.0
    found = []
    for blocks in ([block], one_by_one(block)):
        stream = FilterJump().begin(NETWORK)
        found.append([one.strength for each in blocks for one in stream.add(each)])
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.parametrize("few", [0, 8])
def test_no_filter_without_a_gradient_is_passed_over(few, monkeypatch):
    """Of layers whose lowest gradient, or highest, is zero, infinite, missing or just at the limit."""
    monkeypatch.setattr("dtui.analysis.detectors.online.dead_filters.FEW_LAYERS", few)
    random, told, quiet = np.random.default_rng(0), 0, 0
    for _ in range(60):
        gradients = np.exp(random.normal(0, 1, (36, 5))).astype(np.float32)
        for _ in range(int(random.integers(0, 4))):
            value = random.choice([0.0, np.nan, np.inf, -np.inf, -1.0, 1e-5, 3e-6, 1e9])
            gradients[random.integers(36), random.integers(5)] = value
        if random.random() < 0.3:
            gradients[LAYERS[random.integers(4)].filter_rows, random.integers(5)] = random.choice(
                [0.0, np.nan, -np.inf]
            )
        if random.random() < 0.3:  # one that is missing hides none that is without
            gradients[20:22, random.integers(5)] = np.nan, random.choice([0.0, 1e-9])
        usual = layer_quantiles(LAYERS, gradients, OF_QUANTILE)
        limits = np.where(usual > 0, SHARE * usual, np.nan)
        expected = gradients < np.repeat(limits, [layer.filters for layer in LAYERS], axis=0)
        found = DeadFilters().begin(NETWORK)._without_gradient(replace(calm(0, 5), gradient_norm=gradients))
        np.testing.assert_array_equal(np.zeros_like(expected) if found is None else found, expected)
        told, quiet = told + bool(expected.any()), quiet + (found is None)
    assert told > 10
    assert quiet > 10


def plain(rule: NetworkJump, values: np.ndarray) -> list[int]:
    """The rule of jumps, with nothing passed over."""
    with np.errstate(invalid="ignore", divide="ignore"):
        joined = Tail(1).extend(np.log(values)[None])
        now, before = joined[0, WINDOW:], windows_before(joined)[0]
        both = [measure(now, before, rule.floor) for measure in (robust_z, recent_z)]
        passed = [(z > rule.least_z) & (rise > math.log(rule.times)) for z, rise in both]
    fired = (passed[0] | passed[1]) & (values > rule.least)
    fired[:WARM_UP] = False
    return np.flatnonzero(fired).tolist()


@pytest.mark.parametrize("rule", JUMPS, ids=lambda rule: rule.name)
def test_no_jump_of_the_network_is_passed_over(rule, monkeypatch):
    """With zeros, infinities and gaps among the records before, in a course that rises and one that falls."""
    fired = 0
    for seed in range(24):
        random = np.random.default_rng(seed)
        values = np.exp(random.normal(0, 0.1, 80) + np.arange(80) * random.choice([-0.1, 0.0, 0.1]))
        values[random.integers(0, 80, 3)] *= random.uniform(2, 30, 3)
        values[random.integers(0, 80, 6)] = random.choice([0.0, np.nan, np.inf], 6)
        values[20 : 20 + int(random.integers(0, 25))] = np.nan
        monkeypatch.setattr(
            type(rule), "values", lambda self, block, values=values: values[block.first : block.first + len(block.loss)]
        )
        expected = plain(rule, values)
        for blocks in ([calm(0, 80)], one_by_one(calm(0, 80))):
            stream = rule.begin(NETWORK)
            with np.errstate(invalid="ignore"):  # an infinite value over an infinite rise
                found = [one.iteration for each in blocks for one in stream.add(each)]
            assert found == [9 + 10 * at for at in expected]
        fired += len(expected)
    assert fired > 10


@pytest.mark.parametrize("classes", [1, 2, 3, 40])
def test_scores_of_classes_are_the_same_to_the_bit_one_by_one(classes):
    """After a gap, in which a class was not judged, each number is known again in its own time."""
    random, drops = np.random.default_rng(classes), 0
    for _ in range(6):
        errors = random.binomial(50, 0.2, (classes, 120)) / 50 + random.normal(0, 0.01, (classes, 120))
        errors[random.integers(classes), random.choice([3, 30, 31, 60])] = random.choice([np.nan, np.inf])
        for at in random.integers(30, 110, 5).tolist():
            errors[random.integers(classes), at : at + int(random.integers(1, 9))] += random.uniform(0.3, 0.8)
        whole, pieces = ClassDrops(np.full(classes, 50)), ClassDrops(np.full(classes, 50))
        for first in range(0, 120, 8):
            known = whole._scores.add(
                np.ascontiguousarray(np.where(np.isfinite(errors), errors, np.nan).T[first : first + 8])
            )
            for row in range(8):
                one = np.where(np.isfinite(errors), errors, np.nan).T[first + row : first + row + 1].copy()
                for of_one, of_all in zip(pieces._scores.add(one), known, strict=True):
                    for name in ("rise", "score", "is_high", "may_drop"):
                        np.testing.assert_array_equal(getattr(of_one, name)[0], getattr(of_all, name)[row])
                    drops += int(of_one.may_drop[0])
    assert drops > 5


@pytest.mark.parametrize("classes", [1, 2, 3, 1000])
@pytest.mark.parametrize("width", [10, 20])
def test_sums_are_added_row_by_row(classes, width):
    """However few classes: numbers that stand behind each other would be added in pairs, and rounded otherwise."""
    rows = np.random.default_rng(width).random((width, classes))
    expected = [np.float64(0.0)] * classes
    for row in rows:
        expected = [total + value for total, value in zip(expected, row, strict=True)]
    np.testing.assert_array_equal(_sum_of(rows, width, is_whole=True)[0], expected)
