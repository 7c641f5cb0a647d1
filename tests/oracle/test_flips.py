from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.correctness import PackedLayout
from dtui.analysis.flip_table import count_flips
from dtui.analysis.flips import find_flips
from tests.oracle import twins


def layout_and_judgements(seed: int, per_class: tuple[int, ...], validations: int):
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(per_class)), per_class).astype(np.uint16)
    stays = random.random((validations, len(targets))) < 0.8
    correct = np.logical_xor.accumulate(~stays, axis=0)
    return PackedLayout.of(targets, len(per_class)), correct


@pytest.mark.parametrize("rule", ["left", "right"])
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 7, 8, 9, 40, 100])
@pytest.mark.parametrize("per_class", [(65, 3, 64, 0, 1), (20, 20, 20)])
def test_flips_are_those_of_the_definition(rule, window, per_class):
    layout, correct = layout_and_judgements(window, per_class, 40)
    found = find_flips(layout.pack(correct), rule, window)
    expected = twins.flips(correct, rule, window)
    for label in range(len(per_class)):
        images = slice(int(layout.first_image[label]), int(layout.first_image[label] + layout.images[label]))
        np.testing.assert_array_equal(layout.unpack(found.gained, label), expected[:, images] == 1)
        np.testing.assert_array_equal(layout.unpack(found.lost, label), expected[:, images] == -1)


@pytest.mark.parametrize("rule", ["left", "right"])
@pytest.mark.parametrize("per_class", [(65, 3, 64, 0, 1), (20, 20, 20), (0, 0, 5)])
def test_counts_are_those_of_each_class(rule, per_class):
    layout, correct = layout_and_judgements(3, per_class, 30)
    counts = count_flips(layout, layout.pack(correct), rule, 3)
    expected = twins.flips(correct, rule, 3)
    for label in range(len(per_class)):
        images = slice(int(layout.first_image[label]), int(layout.first_image[label] + layout.images[label]))
        np.testing.assert_array_equal(counts.gained[:, label], (expected[:, images] == 1).sum(axis=1))
        np.testing.assert_array_equal(counts.lost[:, label], (expected[:, images] == -1).sum(axis=1))


@pytest.mark.parametrize("rule", ["left", "right"])
@pytest.mark.parametrize("window", [1, 2, 5, 8, 40])
def test_no_flip_is_told_where_the_rule_looks_at_a_lost_judgement(rule, window):
    per_class = (65, 3, 64, 0, 1)
    layout, correct = layout_and_judgements(window, per_class, 40)
    lost = np.random.default_rng(window).random(correct.shape) < 0.0005
    lost[7, 70:75] = True
    counts = count_flips(layout, layout.pack(correct & ~lost), rule, window, layout.pack(lost))
    whole = count_flips(layout, layout.pack(correct), rule, window)
    for at in range(len(correct)):
        looked_at = range(at - window, at + 1) if rule == "left" else range(at - 1, at + window)
        looked_at = [position for position in looked_at if 0 <= position < len(correct)]
        for label in range(len(per_class)):
            images = slice(int(layout.first_image[label]), int(layout.first_image[label] + layout.images[label]))
            is_told = not any(lost[position, images].any() for position in looked_at)
            for ours, theirs in ((counts.gained, whole.gained), (counts.lost, whole.lost)):
                assert ours[at, label] == (theirs[at, label] if is_told else 0), (at, label)
    assert 0 < counts.gained.sum() < whole.gained.sum() or window > 8


def test_padding_never_flips():
    layout, _ = layout_and_judgements(0, (1, 1), 1)
    correct = np.array([[False, False], [True, True], [False, True]])
    packed = layout.pack(correct)
    flips = find_flips(packed, "left", 1)
    assert int(np.bitwise_count(flips.gained).sum()) == 2
    assert int(np.bitwise_count(flips.lost).sum()) == 1


@pytest.mark.parametrize(("rule", "window"), [("left", 0), ("middle", 3)])
def test_what_makes_no_sense_is_refused(rule, window):
    with pytest.raises(ValueError, match="flips: rule"):
        find_flips(np.zeros((3, 1), dtype=np.uint64), rule, window)
