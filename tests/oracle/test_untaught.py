"""Classes that are not taught: against the slow way, and in pieces."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.detectors.online.class_error import ClassError
from dtui.analysis.detectors.stream.block import Network
from dtui.analysis.rises.output_rows import OutputRows, output_layer
from dtui.analysis.rises.untaught import UntaughtClasses
from dtui.model import Layer
from tests.oracle.online.blocks import LAYERS, calm, cut
from tests.oracle.untaught import among, taught, untaught

SIZES = np.array([20, 30, 20, 25])
NETWORK = Network(LAYERS, SIZES, output=LAYERS[-1])


def run(seed: int, records: int = 90):
    """Return records and validations of a training in which classes are missing for a while, and others only fail."""
    random = np.random.default_rng(seed)
    every = int(random.choice([1, 1, 1, 2, 3]))
    iterations = np.arange(records) * 10 + int(random.integers(0, 10))
    validations = iterations[::every] if seed % 4 else np.arange(0, records * 10, 7)
    gradients = np.exp(random.normal(0, 1.2, (4, records)))
    updates = 0.02 * np.exp(random.normal(0, 0.3, (4, records)))
    errors = np.clip(random.normal(0.1, 0.05, (4, len(validations))), 0, 1)
    for label in (0, 2):
        at, held = int(random.integers(5, len(validations))), int(random.integers(4, 20))
        errors[label, at : at + held] += random.uniform(0.2, 0.9)
        begin, end = np.searchsorted(iterations, [validations[at], validations[min(at + held, len(validations) - 1)]])
        if label == 0 or seed % 2:
            gradients[label, begin:end] *= 10 ** -random.uniform(0.5, 4)
            updates[label, begin:end] *= 10 ** -random.uniform(0.1, 1)
        if label == 2 and seed % 2:  # class 3 takes its place
            gradients[3, begin:end] *= 30
            updates[2:, begin:end] *= 10
    if seed % 5 == 0:
        errors[1, :] = np.nan
        gradients[:, int(random.integers(records))] = np.nan
        updates[3, : records // 2] = np.nan
    if seed % 7 == 0:
        gradients[:, 40:] = 0.0
    return iterations, gradients, updates, validations, np.clip(errors, 0, 1)


def labels_of(seed: int, errors):
    """Return what images were taken for: where class 2 fails it is taken for class 3, others for any."""
    random = np.random.default_rng((seed, 1))
    drawn = random.random((4, int(SIZES.max()), errors.shape[1]))
    others = random.integers(-1, 4, drawn.shape)

    def taken_for(label, some):
        wrong = drawn[label, : SIZES[label], some] < np.nan_to_num(errors[label, some])
        becomes = 3 if label == 2 else others[label, : SIZES[label], some]
        return np.where(wrong, becomes, label)

    return taken_for


def in_pieces(iterations, gradients, updates, validations, errors, edges, taken_for=None):
    rows, finder, found = OutputRows(), UntaughtClasses(), []
    for begin, end in pairwise([0, *sorted(edges), len(iterations)]):
        low = iterations[begin - 1] if begin else -1
        high = np.inf if end == len(iterations) else (iterations[end - 1] if end > begin else low)
        judged = (validations > low) & (validations <= high)
        rows.add(iterations[begin:end], gradients[:, begin:end], updates[:, begin:end], validations[judged])
        found += finder.add(validations[judged], errors[:, judged], rows, taken_for)
    return found


@pytest.mark.parametrize("sees_labels", [False, True])
def test_they_are_those_of_the_slow_way(sees_labels):
    told = [0, 0, 0, 0]
    for seed in range(24):
        parts = run(seed)
        taken_for = labels_of(seed, parts[4]) if sees_labels else None
        expected = untaught(parts[0].tolist(), *parts[1:3], parts[3].tolist(), parts[4], taken_for)
        found = in_pieces(*parts, [], taken_for)
        assert [(one.validation, one.label) for one in found] == [one[:2] for one in expected], seed
        for one, twin in zip(found, expected, strict=True):
            assert (one.rise, one.usual, one.strength) == pytest.approx(twin[2:], rel=1e-9)
            told[one.label] += 1
    assert told[0] > 4
    assert told[2] > 2 if sees_labels else not told[2]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 60), edges=st.lists(st.integers(0, 90), max_size=12))
def test_a_run_in_pieces_tells_the_same(seed, edges):
    parts = run(seed)
    taken_for = labels_of(seed, parts[4])
    assert in_pieces(*parts, edges, taken_for) == in_pieces(*parts, [], taken_for)


def test_how_much_a_class_is_taught_is_that_of_the_slow_way():
    iterations, gradients, updates, validations, _ = run(1)
    rows = OutputRows()
    for begin in range(0, 90, 10):
        span = slice(begin, begin + 10)
        judged = (validations >= iterations[span][0]) & (validations <= iterations[span][-1])
        rows.add(iterations[span], gradients[:, span], updates[:, span], validations[judged])
    at = int(validations[-12])
    found = rows.taught(at)
    asked = (found.among, found.soon, found.moved, found.own)
    of_all = [ask(np.arange(4)) for ask in asked]
    for label in range(4):
        *expected, known = taught(iterations.tolist(), among(gradients), among(updates), at, label)
        assert [one[label] for one in of_all] == pytest.approx(expected)
        assert found.known == known
    assert rows.taught(int(validations[-2])) is None
    assert rows.awaits(int(validations[-2]))


def test_the_output_layer_is_the_last_with_a_row_for_each_class():
    assert output_layer(LAYERS, 4) is LAYERS[-1]
    assert output_layer(LAYERS, 12) is LAYERS[2]
    assert output_layer(LAYERS, 3) is None
    assert output_layer((Layer(0, "fc", "Linear", (1, 4), 0),), 1) is None


# --- the detector
def failing(seed: int, *, gradients: float, network: Network = NETWORK):
    """Return the evidence of a run in which class 1 fails for eight validations from 50 on."""
    block = calm(seed, 90)
    block.errors.resize((4, 90), refcheck=False)
    block.errors[3] = 0.1
    block.errors[1, 50:58] = 0.9
    block.gradient_norm[33, 50:58] = gradients
    whole = network_evidence(network, [block])
    assert network_evidence(network, cut(block, [20, 51, 53, 56, 57, 58, 59, 60, 70])) == whole
    return whole


def network_evidence(network, blocks):
    stream = ClassError().begin(network)
    return sorted((one for block in blocks for one in stream.add(block)), key=repr)


def test_a_class_that_is_left_alone_is_told_so_and_one_that_is_taught_is_not():
    alone = failing(3, gradients=1e-4)
    assert {one.rule for one in alone} >= {"", "stays", "untaught"}
    for one in alone:
        assert one.rule != "untaught" or (one.classes == (1,) and one.times < 0.1 and one.known >= 569)
    assert {one.rule for one in failing(3, gradients=10.0)} == {"", "stays"}


@pytest.mark.parametrize("becomes", [0, 2, None])
def test_a_class_whose_place_another_one_takes_is_told_so(becomes):
    """Class 1 fails for six validations and is taken for class 2, whose row is taught ten times as much."""
    block = calm(3, 90)
    block.errors.resize((4, 90), refcheck=False)
    block.errors[3] = 0.1
    block.errors[1, 50:56] = 0.9
    block.gradient_norm[33, 50:57] = 1e-4
    block.gradient_norm[34, 50:58] *= 10
    block.update_ratio[34, 50:58] *= 10

    def taken_for(label, some):
        fails = (np.arange(90) >= 50) & (np.arange(90) < 56)
        return np.tile(np.where(fails, becomes, label)[some], (30, 1))

    whole = network_evidence(NETWORK, [replace(block, taken_for=None if becomes is None else taken_for)])
    told = [one for one in whole if one.rule == "missing"]
    assert [(one.classes, one.iteration, round(one.amount, 1)) for one in told] == (
        [((1,), 509, 0.6)] if becomes == 2 else []
    )


@pytest.mark.parametrize("gradients", [1e-4, 10.0])
def test_a_run_that_does_not_say_how_much_its_classes_are_taught_says_that(gradients):
    unseen = failing(3, gradients=gradients, network=Network(LAYERS, SIZES))
    assert {one.rule for one in unseen} == {"unseen", "stays"}
    assert {one.rule for one in failing(3, gradients=np.nan)} == {"", "stays", "unseen"}
