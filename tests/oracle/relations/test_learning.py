from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from dtui.analysis.correctness import PackedLayout
from dtui.analysis.relations.confusion import (
    confusions_over_time,
    count_confusions,
    find_changes,
    find_growth,
    labels_that_matter,
    tabulate,
)
from dtui.analysis.relations.learning import find_learning, images_of_list
from dtui.analysis.relations.partners import Flipping
from dtui.analysis.stages import count_in_stages
from dtui.model import Stage
from dtui.model.learning import IMAGE_LISTS

PER_CLASS = (65, 3, 64, 0, 1)


def layout_and_judgements(seed: int, validations: int, lost_share: float):
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(PER_CLASS)), PER_CLASS).astype(np.uint16)
    stays = random.random((validations, len(targets))) < random.choice([0.3, 0.8, 0.98, 1.0], len(targets))
    right = np.logical_xor.accumulate(~stays, axis=0)
    lost = random.random(right.shape) < lost_share
    lost[:, 5] = True  # one that was never judged
    return PackedLayout.of(targets, len(PER_CLASS)), right, lost


def history(right, lost, image: int) -> list[tuple[int, bool]]:
    """The judgements of an image: at which validation, and whether right."""
    return [(at, bool(right[at, image])) for at in range(len(right)) if not lost[at, image]]


@pytest.mark.parametrize("validations", [0, 1, 2, 3, 40, 300])
@pytest.mark.parametrize("lost_share", [None, 0.0, 0.02, 0.5])
def test_each_image_is_followed_through_its_judgements(validations, lost_share):
    layout, right, lost = layout_and_judgements(validations, validations, lost_share or 0.0)
    if lost_share is None:
        lost[:] = False
    found = find_learning(layout, layout.pack(right & ~lost), None if lost_share is None else layout.pack(lost))
    for image in range(right.shape[1]):
        told = history(right, lost, image)
        verdicts = [verdict for _, verdict in told]
        pairs = list(pairwise(verdicts))
        assert found.judged[image] == len(told)
        assert found.wrong[image] == verdicts.count(False)
        assert found.forgotten[image] == pairs.count((True, False))
        assert found.first_right[image] == next((at for at, verdict in told if verdict), -1)
        assert found.is_learned[image] == ((True, True) in pairs)
        assert found.is_right_at_last[image] == bool(verdicts and verdicts[-1])


def expected_list(name, right, lost) -> list[int]:
    """Judge each image by its history alone, in words of the definition."""
    keyed = []
    for image in range(right.shape[1]):
        verdicts = [verdict for _, verdict in history(right, lost, image)]
        pairs = list(pairwise(verdicts))
        forgettings, learned = pairs.count((True, False)), (True, True) in pairs
        share_wrong = verdicts.count(False) / len(verdicts) if verdicts else 0
        if name == "always-wrong" and verdicts and not any(verdicts):
            keyed.append((image,))
        elif name == "never-learned" and len(verdicts) > 1 and not learned:
            keyed.append((-share_wrong, image))
        elif name == "easy" and learned and forgettings == 0:
            keyed.append((history(right, lost, image)[verdicts.index(True)][0], image))
        elif name == "hard" and False in verdicts:
            keyed.append((-forgettings, -share_wrong, image))
        elif name == "forgotten" and learned and not verdicts[-1]:
            keyed.append((share_wrong, image))
    return [key[-1] for key in sorted(keyed)]


@pytest.mark.parametrize("name", IMAGE_LISTS)
@pytest.mark.parametrize("validations", [0, 1, 6, 40])
def test_lists_hold_whom_the_definition_names(name, validations):
    layout, right, lost = layout_and_judgements(validations, validations, 0.05)
    right[:, 7:10] = False
    right[validations // 2 : validations // 2 + 1, 7] = True
    learned = find_learning(layout, layout.pack(right & ~lost), layout.pack(lost))
    found = images_of_list(name, learned).tolist()
    assert found == expected_list(name, right, lost)
    assert found or validations < 2


# --- partners
def flips_of(right, lost, image: int) -> set[tuple[int, bool]]:
    """The flips of an image: at which validation, and whether it turned right."""
    told = history(right, lost, image)
    return {(at, now) for (_, before), (at, now) in pairwise(told) if before != now}


@pytest.mark.parametrize("validations", [0, 1, 2, 40])
@pytest.mark.parametrize("lost_share", [None, 0.1])
def test_partners_flip_at_the_same_validations_in_the_same_direction(validations, lost_share):
    layout, right, lost = layout_and_judgements(validations, validations, lost_share or 0.0)
    if lost_share is None:
        lost[:] = False
    images = right.shape[1]
    busy = int((right[1:] != right[:-1]).sum(axis=0).argmax()) if validations else 3
    right[:, 100], lost[:, 100] = right[:, busy], lost[:, busy]
    found = Flipping(layout, layout.pack(right & ~lost), None if lost_share is None else layout.pack(lost))
    flips = [flips_of(right, lost, image) for image in range(images)]
    assert found.counts.tolist() == [len(one) for one in flips]
    for image in (0, 5, 66, busy, images - 1):
        assert found.shared_with(image).tolist() == [len(flips[image] & one) for one in flips]
        alike = {
            other: len(flips[image] & one) / len(flips[image] | one)
            for other, one in enumerate(flips)
            if other != image and flips[image] & one
        }
        partners, shared = found.partners(image, 7)
        assert partners.tolist() == sorted(alike, key=lambda other: (-alike[other], other))[:7]
        assert shared.tolist() == [len(flips[image] & flips[other]) for other in partners]
    assert validations < 40 or found.partners(busy, 1)[0].tolist() == [100]


def test_an_unknown_list_is_refused():
    layout, right, _ = layout_and_judgements(0, 3, 0.0)
    with pytest.raises(ValueError, match="list of images 'nice': use one of always-wrong, never-learned"):
        images_of_list("nice", find_learning(layout, layout.pack(right), None))


# --- confusion
TARGETS = np.repeat(np.arange(4), [9, 0, 30, 1]).astype(np.uint16)
SIZES = np.bincount(TARGETS, minlength=4)


def labels_at(seed: int, validations: int) -> np.ndarray:
    """Predicted labels, one beyond all classes among them, and some not judged; class 3 never is in even ones."""
    random = np.random.default_rng(seed)
    labels = random.choice([0, 1, 2, 3, 65_534, -1, -2], (len(TARGETS), validations)).astype(np.int32)
    labels[random.random(labels.shape) < 0.5] = 2
    labels[-1, ::2] = -1
    return labels


def counted(labels) -> Counter:
    return Counter(
        (int(TARGETS[image]), int(label))
        for image, row in enumerate(labels)
        for label in row
        if label >= 0 and label != TARGETS[image]
    )


@pytest.mark.parametrize("validations", [0, 1, 4])
def test_confusions_are_counted(validations):
    labels = labels_at(validations, validations)
    found = count_confusions(labels, TARGETS, 4)
    pairs = zip(found.targets.tolist(), found.labels.tolist(), strict=True)
    assert dict(zip(pairs, found.counts.tolist(), strict=True)) == counted(labels)
    assert found.judged.tolist() == [int((labels[target == TARGETS] >= 0).sum()) for target in range(4)]


@pytest.mark.parametrize(("before", "after"), [(1, 1), (0, 1), (3, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_growth_is_that_of_shares(seed, before, after):
    labels = labels_at(seed, before + after)
    parts = labels[:, :before], labels[:, before:]
    found = find_growth(*(count_confusions(part, TARGETS, 4) for part in parts), SIZES)
    expected = []
    for target, label in set(counted(labels)):
        judged = [int((part[target == TARGETS] >= 0).sum()) for part in parts]
        if 0 in judged:
            continue
        shares = [counted(part)[target, label] / number for part, number in zip(parts, judged, strict=True)]
        growth = shares[1] - shares[0]
        if growth > 0:
            images = growth * int(SIZES[target])
            expected.append((-growth * images**0.5, target, label, *shares, images))
    expected.sort()
    assert list(zip(found.targets.tolist(), found.labels.tolist(), strict=True)) == [one[1:3] for one in expected]
    numbers = np.stack([-found.scores, found.before, found.after, found.counts], axis=1)
    np.testing.assert_allclose(numbers, np.reshape([(one[0], *one[3:]) for one in expected], (-1, 4)))
    assert bool(expected) == (before > 0)


@pytest.mark.parametrize("seed", range(4))
def test_changes_go_both_ways(seed):
    labels = labels_at(seed, 2)
    parts = [count_confusions(labels[:, at : at + 1], TARGETS, 4) for at in range(2)]
    found, back = find_changes(*parts, SIZES), find_changes(*parts[::-1], SIZES)
    pairs = [
        set(zip(one.targets.tolist(), one.labels.tolist(), one.counts.tolist(), strict=True)) for one in (found, back)
    ]
    assert pairs[0] == {(target, label, -count) for target, label, count in pairs[1]}
    assert min(found.counts) < 0 < max(found.counts)
    assert (
        found.scores.tolist()
        == sorted(found.scores.tolist(), reverse=True)
        == sorted(back.scores.tolist(), reverse=True)
    )


@pytest.mark.parametrize(("rows", "columns"), [([2, 0], [2, 3, 65_534, 0]), ([3], [0]), ([], [1]), ([1, 2], [])])
def test_a_table_holds_the_judgements_of_its_rows(rows, columns):
    labels = labels_at(5, 1)
    table, others = tabulate(count_confusions(labels, TARGETS, 4), np.array(rows, int), np.array(columns, int))
    assert table.shape == (len(rows), len(columns))
    for row, target in enumerate(rows):
        own = [int(label) for label in labels[target == TARGETS, 0] if label >= 0]
        assert table[row].tolist() == [own.count(label) for label in columns]
        assert others[row] == sum(label not in columns for label in own)


def test_labels_that_matter_are_told_ones_and_then_frequent_ones():
    counted_ = np.array([0, 5, 9, 9, 1, 0])
    assert labels_that_matter(np.array([4, 0, 4]), counted_, 9).tolist() == [4, 0, 2, 3, 1]
    assert labels_that_matter(np.array([4, 0, 4]), counted_, 3).tolist() == [4, 0, 2]


@pytest.mark.parametrize(("target", "validations"), [(0, 6), (1, 6), (2, 6), (2, 0)])
def test_confusions_over_time_add_up(target, validations):
    labels = labels_at(9, validations)[target == TARGETS]
    found, counts, judged = confusions_over_time(labels, target)
    assert counts.shape == (len(found), validations)
    for row, label in enumerate(found):
        assert counts[row].tolist() == [int((labels[:, at] == label).sum()) for at in range(validations)]
    wrong = {int(label) for label in labels.ravel() if label >= 0 and label != target}
    assert set(found.tolist()) == wrong
    totals = counts.sum(axis=1).tolist()
    assert totals == sorted(totals, reverse=True)
    assert judged.tolist() == [int((labels[:, at] >= 0).sum()) for at in range(validations)]


# --- stages
def test_counts_in_stages_are_those_between_their_beginnings():
    stages = (Stage(10, 0.1), Stage(40, 0.01), Stage(41, 0.001))
    iterations = np.array([99, 0, 9, 10, 39, 40, 40, 41, 500])
    bounds = [10, 40, 41, 10**9]
    expected = [sum(low <= at < high for at in iterations) for low, high in pairwise(bounds)]
    assert count_in_stages(stages, iterations).tolist() == expected == [2, 2, 3]
    assert count_in_stages((), iterations).tolist() == []
    assert count_in_stages(stages, iterations[:0]).tolist() == [0, 0, 0]
