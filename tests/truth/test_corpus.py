"""What the corpus is made of: its plan, its data, and that each fault hits what it says and nothing else."""

from __future__ import annotations

import io
import pickle
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from tests.truth.corpus import data as corpus_data
from tests.truth.corpus import networks
from tests.truth.corpus.data import MissingData, load
from tests.truth.corpus.faults import Fault, Target, target_of
from tests.truth.corpus.kinds import KINDS
from tests.truth.corpus.seeds import BLOCKS, JUDGING, OF_CLASSES, TUNING, Plan, _plans, plan_of, seeds_of
from tests.truth.corpus.visibility import Look, compare

# --- the plan


def test_tuning_and_judging_seeds_are_disjoint_and_a_seed_always_trains_the_same() -> None:
    assert not any(set(block) & set(JUDGING) for name, block in BLOCKS.items() if name != "judging")
    before = [plan_of(seed) for seed in (*TUNING, *JUDGING)]
    _plans.cache_clear()
    assert [plan_of(seed) for seed in (*TUNING, *JUDGING)] == before


@pytest.mark.parametrize("block", [name for name in BLOCKS if name != "classes"])
@pytest.mark.parametrize("is_large", [False, True])
def test_a_block_deals_out_everything_evenly(block: str, is_large: bool) -> None:
    plans = [plan for plan in map(plan_of, BLOCKS[block]) if (plan.data == "characters") is is_large]
    assert len(plans) == len(BLOCKS[block]) // 2
    assert sum(not plan.faults for plan in plans) == len(plans) // 4
    for dealt in (
        Counter((plan.network, plan.optimizer) for plan in plans),
        Counter(plan.data for plan in plans),
        Counter(plan.every for plan in plans),
        Counter(kind for plan in plans for kind, _ in plan.faults),
    ):
        assert max(dealt.values()) - min(dealt.values()) <= 2, dealt
    assert {plan.schedule for plan in plans} == set(networks.SCHEDULES)
    assert {kind for plan in plans for kind, _ in plan.faults} == set(KINDS)
    assert len({plan.network for plan in plans if not plan.faults}) == len(networks.NETWORKS)
    if block == "judging":
        assert sum(len(plan.faults) for plan in plans) >= 100


def test_a_block_has_faults_of_single_classes_alone() -> None:
    plans = [plan_of(seed) for seed in OF_CLASSES]
    assert {plan.data for plan in plans} == {"characters"}
    assert Counter(kind for plan in plans for kind, _ in plan.faults) == {"poisoned labels": 24, "dropped class": 24}
    assert len({(plan.network, plan.optimizer) for plan in plans}) == 10


def test_faults_are_apart_and_what_ruins_a_training_comes_last() -> None:
    for plan in map(plan_of, (*TUNING, *OF_CLASSES, *JUDGING)):
        begins = [record for _, record in plan.faults]
        assert all(later - sooner >= 25 for sooner, later in pairwise(begins))
        assert all(record + 25 <= plan.records for record in begins)
        assert not any(KINDS[kind].is_fatal for kind, _ in plan.faults[:-1])


def test_seeds_are_read_and_unknown_ones_refused() -> None:
    assert seeds_of("tuning,3000-3002,1095") == [*TUNING, 3000, 3001, 3002, 1095]
    for words, told in (
        ("48", "seed 48 is in no block"),
        ("all", f"give {', '.join(BLOCKS)}, a number"),
        ("3-", "give"),
        ("", "give"),
    ):
        with pytest.raises(ValueError, match=told):
            seeds_of(words)


# --- the data


@pytest.mark.parametrize("name", corpus_data.DATA)
def test_each_class_has_twenty_validation_images_and_more_to_train_with(name: str) -> None:
    data = _load(name)
    tracked, trained = (np.bincount(labels) for labels in (data.validation_labels, data.train_labels))
    assert len(tracked) == len(trained) == len(data.classes)
    assert tracked.min() >= 20
    assert trained.min() >= 90
    everything = torch.cat([data.train_images, data.validation_images])
    assert abs(float(everything.mean())) < 0.05
    assert abs(float(everything.std()) - 1) < 0.05
    assert data.rendered is (name == "characters")


def test_a_missing_package_is_told_with_what_to_do() -> None:
    with pytest.raises(MissingData, match=re.escape("the corpus needs no-such-package; pip install '.[corpus]'")):
        corpus_data._package_file("no_such_package", "data")


def test_the_pickle_of_an_array_is_read_and_any_other_refused() -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    # As the package has it: with the name that the module had before NumPy 2.
    written = pickle.dumps(array, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert np.array_equal(corpus_data._ArraysOnly(io.BytesIO(written)).load(), array)
    for hostile in (b"cos\nsystem\n(S'true'\ntR.", b"cnumpy\nload\n(S'x'\ntR.", b"cevil.multiarray\n_reconstruct\n."):
        with pytest.raises(pickle.UnpicklingError, match="has no place in an array"):
            corpus_data._ArraysOnly(io.BytesIO(hostile)).load()


def _load(name: str) -> corpus_data.DataSet:
    try:
        return load(name)
    except MissingData as missing:
        pytest.skip(str(missing))


# --- faults

EVERY = 4


def _network(network: str) -> tuple[nn.Module, Target]:
    torch.manual_seed(3)
    model = networks.build(network, 8, 10)
    return model, target_of(model, 10)


def _able(kind: str, target: Target) -> bool:
    return {"": True, "batch": bool(target.batch_norms), "any": bool(target.norms)}[KINDS[kind].needs]


CASES = [(kind, network) for kind in KINDS for network in networks.NETWORKS if _able(kind, _network(network)[1])]


@pytest.mark.parametrize(("kind", "network"), CASES)
def test_a_fault_changes_the_layers_and_filters_that_it_names_and_no_others(kind: str, network: str) -> None:
    for seed in range(4):
        model, target = _network(network)
        fault = KINDS[kind].draw(np.random.default_rng(seed), target, 40, EVERY)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        KINDS[kind].strike(fault, model)
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert {name.rpartition(".")[0] for name in changed} <= set(fault.layers)
        if fault.filters:
            assert changed
            for name in changed:
                apart = (model.state_dict()[name] != before[name]).flatten(1 - (before[name].dim() == 1))
                rows = apart if apart.dim() == 1 else apart.any(1)
                assert set(torch.nonzero(rows).flatten().tolist()) == set(fault.filters), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_lasts_as_long_as_its_kind_says_and_is_drawn_the_same_again(kind: str) -> None:
    target = _network("normalised")[1]
    drawn = [KINDS[kind].draw(np.random.default_rng(7), target, 40, EVERY) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].begin == 40
    assert [drawn[0].acts(iteration) for iteration in (39, 40, drawn[0].end, drawn[0].end + 1)] == [
        False,
        True,
        True,
        False,
    ]
    assert drawn[0].end < 40 + 17 * EVERY


def test_each_kind_of_fault_says_which_causes_are_right_for_it() -> None:
    known = {"nonfinite", "filter", "dead", "frozen", "norm", "layer", "update", "gradient", "loss", "inputs"}
    known |= {"network", "class"}
    for kind in KINDS.values():
        assert kind.causes, kind.name
        assert set(kind.causes) <= known, kind.name
    assert {cause for kind in KINDS.values() for cause in kind.causes} == known


def test_a_flip_turns_one_bit_of_one_weight_a_filter() -> None:
    for kind in ("bit flip, small", "bit flip, large", "bit flip, huge", "several bit flips"):
        model, target = _network("plain")
        fault = KINDS[kind].draw(np.random.default_rng(1), target, 40, EVERY)
        weight = model.get_parameter(f"{fault.layers[0]}.weight")
        before = weight.detach().clone()
        KINDS[kind].strike(fault, model)
        bits = (weight.detach().view(torch.int32) ^ before.view(torch.int32)).flatten(1)
        hit = bits[bits != 0].tolist()
        assert hit == [1 << int(fault.amount)] * len(fault.filters)
        assert bool((weight.detach().abs() >= before.abs()).all())


def test_data_faults_hit_the_classes_that_they_name() -> None:
    images, labels = torch.randn(200, 1, 8, 8), torch.arange(200) % 10
    batch = (images, labels)
    target = _network("plain")[1]

    def changed(kind: str) -> tuple[Fault, tuple[torch.Tensor, torch.Tensor]]:
        fault = KINDS[kind].draw(np.random.default_rng(2), target, 40, EVERY)
        return fault, KINDS[kind].batch(fault, batch, 41)

    poisoned, (same, called) = changed("poisoned labels")
    assert same is images
    assert set(called[labels == poisoned.classes[0]].tolist()) == {poisoned.becomes}
    assert torch.equal(called[labels != poisoned.classes[0]], labels[labels != poisoned.classes[0]])
    dropped, (fewer, kept) = changed("dropped class")
    assert torch.equal(kept, labels[labels != dropped.classes[0]])
    assert torch.equal(fewer, images[labels != dropped.classes[0]])
    _, (same, shuffled) = changed("shuffled labels")
    assert same is images
    assert not torch.equal(shuffled, labels)
    assert torch.equal(shuffled.sort().values, labels.sort().values)
    wrong, (other, given) = changed("inputs normalised wrongly")
    assert given is labels
    assert torch.allclose(other, images * wrong.amount + wrong.becomes)


def test_a_frozen_layer_trains_again_afterwards() -> None:
    model, target = _network("plain")
    fault = KINDS["frozen layer"].draw(np.random.default_rng(0), target, 40, EVERY)
    KINDS[fault.kind].strike(fault, model)
    frozen = {name.rpartition(".")[0] for name, each in model.named_parameters() if not each.requires_grad}
    assert frozen == set(fault.layers)
    KINDS[fault.kind].leave(fault, model)
    assert all(each.requires_grad for each in model.parameters())


# --- what is visible


def _look(iteration: int, errors: float | list[float] = 0.1, weight: float = 1.0, **rest: object) -> Look:
    errors = [errors] * 10 if isinstance(errors, float) else errors
    weights = {"conv": np.full((10, 4), weight)}
    gradients = {"conv": np.ones(10)}
    return Look(iteration, np.array(errors), rest.pop("weights", weights), rest.pop("gradients", gradients), True)


def _series(count: int = 6, **rest: object) -> list[Look]:
    """A healthy training whose weights move by 1 % a record."""
    return [_look(4 * number, weight=1 + 0.01 * number, **rest) for number in range(1, count + 1)]


BEFORE = _look(0)


def test_the_same_training_twice_shows_nothing() -> None:
    effect = compare(BEFORE, _series(), _series())
    assert not effect.is_visible
    assert (effect.class_rise, effect.network_rise, effect.filter_change, effect.dead, effect.still) == (0, 0, 0, 0, ())


@pytest.mark.parametrize(("records", "rise", "is_visible"), [(2, 0.2, True), (1, 0.4, False), (2, 0.15, False)])
def test_a_class_is_visible_where_its_error_rises_by_a_fifth_for_two_records(
    records: int, rise: float, is_visible: bool
) -> None:
    faulty = _series()
    for number in range(2, 2 + records):
        faulty[number].class_errors[3] += rise
    effect = compare(BEFORE, faulty, _series())
    assert effect.is_visible is is_visible
    if is_visible:
        assert effect.worst_class == 3


def test_a_rise_that_other_classes_fall_by_is_chance() -> None:
    faulty, twin = _series(), _series()
    for number in (2, 3):
        faulty[number].class_errors[3] += 0.3
        twin[number].class_errors[5] += 0.25
    assert not compare(BEFORE, faulty, twin).is_visible


@pytest.mark.parametrize(("rise", "is_visible"), [(0.06, True), (0.04, False)])
def test_the_network_is_visible_where_its_error_rises_by_a_twentieth(rise: float, is_visible: bool) -> None:
    faulty = _series()
    faulty[2].class_errors[:] += rise
    assert compare(BEFORE, faulty, _series()).is_visible is is_visible


def test_weights_are_visible_where_a_filter_jumps_soon_and_further_than_it_moves_by_itself() -> None:
    soon, late, moving = _series(), _series(), _series()
    soon[0].weights["conv"][2] *= 1.3
    late[4].weights["conv"][2] *= 1.3
    assert compare(BEFORE, soon, _series()).filter_change == pytest.approx(0.3)
    assert not compare(BEFORE, late, _series()).is_visible
    twin = _series()
    for look in (*moving, *twin):
        look.weights["conv"][2] += 3.0  # the twin itself goes three times as far as the filter was long
    moving[0].weights["conv"][2] *= 1.3
    assert not compare(BEFORE, moving, twin).is_visible


def test_a_layer_that_stands_still_and_filters_without_gradient_are_visible_from_three_records_on() -> None:
    for records, is_visible in ((2, False), (3, True)):
        still, dead, least = _series(), _series(), _series()
        for look in still[:records]:
            look.weights["conv"][:] = BEFORE.weights["conv"]
        for look in dead[:records]:
            look.gradients["conv"][:1] = 0.0
        for look in least[:records]:
            look.gradients["conv"][:] = 0.0  # no filter of it has died where none gets a gradient
        assert compare(BEFORE, still, _series()).is_visible is is_visible
        assert compare(BEFORE, dead, _series()).is_visible is is_visible
        assert compare(BEFORE, least, _series()).dead == 0


def test_what_is_not_finite_is_visible_and_a_training_that_ended_is_compared_as_far_as_it_went() -> None:
    nan = [Look(4, np.full(10, 0.1), {"conv": np.full((10, 4), np.nan)}, {"conv": np.full(10, np.nan)}, False)]
    effect = compare(BEFORE, nan, _series())
    assert effect.nonfinite
    assert effect.is_visible
    with pytest.raises(ValueError, match="different iterations"):
        compare(BEFORE, _series()[1:], _series())


def test_a_plan_ends_with_a_record() -> None:
    plan = Plan(0, "mnist", "plain", "sgd", "constant", 4, 10)
    assert (plan.iterations - 1) % plan.every == 0
    assert (plan.iterations - 1) // plan.every + 1 == plan.records
