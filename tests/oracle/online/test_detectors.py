"""Detectors of evidence against their slow twins, and against themselves when a run comes in pieces."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import online_detectors
from dtui.model import Evidence, Layer, Trigger
from tests.oracle.online import twins
from tests.oracle.online.blocks import NETWORK, calm, cut, troubled

SEEDS = range(24)
DETECTORS = {one.name: one for one in online_detectors()}


def found(name: str, *blocks: Block) -> list[Evidence]:
    stream = DETECTORS[name].begin(NETWORK)
    return [evidence for block in blocks for evidence in stream.add(block)]


def check(name: str, twin, shape) -> None:
    """The same evidence in many runs, some of it and not everywhere."""
    fired = 0
    for seed in SEEDS:
        block = troubled(seed)
        expected = twin(block)
        assert {shape(one) for one in found(name, block)} == expected, seed
        fired += bool(expected)
    assert fired > 0


def test_jumps_of_filters():
    check("filter", twins.filter_jumps, lambda one: (one.iteration, one.layer, one.filters))


def test_dying_filters():
    check("dead", twins.dead_filters, lambda one: (one.iteration, one.layer, one.filters))


def test_layers_that_stop():
    check("frozen", twins.frozen_layers, lambda one: (one.iteration, one.layer))


def test_jumps_of_layers():
    check("layer", twins.layer_jumps, lambda one: (one.iteration, one.layer))


@pytest.mark.parametrize("name", ["update", "gradient", "loss"])
def test_jumps_of_the_network(name):
    check(name, getattr(twins, f"{name}_jumps"), lambda one: (one.iteration,))


def test_shifts_of_normalisation_layers():
    check("norm", twins.norm_shifts, lambda one: (one.iteration, one.norm))


def test_leaps_of_the_learning_rate():
    check("rate", twins.rate_jumps, lambda one: (one.iteration,))


def test_nonfinite_values():
    for seed in SEEDS:
        block = troubled(seed)
        of_records = [one for one in found("nonfinite", block) if one.rule != "watch"]
        assert {(one.iteration, one.rule, one.layer) for one in of_records} == twins.nonfinite(block), seed


@pytest.mark.parametrize(("count", "is_named"), [(1, True), (63, True), (64, False), (100, False)])
def test_a_layer_of_which_all_may_be_broken_is_not_named(count, is_named):
    layer = Layer(0, "wide", "Linear", (100, 3), 0)
    trigger = Trigger(300, "nonfinite", "wide", tuple(range(min(count, 64))), 9.0, math.nan)
    block = replace(calm(0, 40), triggers=(trigger,))
    (one,) = DETECTORS["nonfinite"].begin(Network((layer,), np.full(2, 20))).add(block)
    assert one.layer == ("wide" if is_named else None)
    assert bool(one.filters) is is_named


def test_triggers_of_filters_wait_for_the_record_that_confirms_them():
    confirmed = 0
    for seed in SEEDS:
        block = troubled(seed)
        expected = set()
        for trigger in block.triggers:
            sizes = {layer.name: layer for layer in block.layers}
            layer = sizes.get(trigger.layer)
            if trigger.kind == "nonfinite":
                continue
            if trigger.kind == "filter":
                at = next((k for k, it in enumerate(block.iterations) if it >= trigger.iteration), None)
                numbers = [] if layer is None else [f for f in trigger.filters if f < layer.filters]
                if (
                    at is None
                    or layer is None
                    or max(block.update_ratio[layer.first_filter + f, at] for f in numbers) < 0.15
                ):
                    continue
                confirmed += 1
            expected.add((trigger.iteration, trigger.kind, None if layer is None else layer.name))
        assert {(one.iteration, one.rule, one.layer) for one in found("watch", block)} == expected
    assert 0 < confirmed < len(SEEDS)


@pytest.mark.parametrize("name", DETECTORS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 23), cuts=st.lists(st.integers(0, 90), max_size=12))
def test_a_run_in_pieces_gives_the_same_evidence(name, seed, cuts):
    block = troubled(seed)
    assert sorted(found(name, *cut(block, cuts)), key=repr) == sorted(found(name, block), key=repr)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_calm_run_and_no_run_tell_nothing(name):
    assert found(name, calm(5, 120)) == []
    assert found(name, cut(calm(5, 20), [0])[0]) == []
