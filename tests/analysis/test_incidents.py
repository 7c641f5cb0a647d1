"""From evidence to incidents: what belongs together, what caused it, what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.detectors.stream.block import Network
from dtui.analysis.incidents.build import incidents_of
from dtui.analysis.incidents.grouping import PRIORITY, Clock, group, kind_of
from dtui.model import Cause, Evidence, Incident, Layer

RECORDS = np.arange(200, dtype=np.int64) * 10 + 9
CLOCK = Clock(RECORDS, RECORDS)
NORMS = tuple(f"bn{k}" for k in range(6))
NETWORK = Network(
    tuple(Layer(k, f"c{k}", "Conv2d", (4, 3), 4 * k) for k in range(10)), np.full(4, 20), NORMS, ("",) * 6
)
NAMES = ("zero", "one", "two", "three")


def said(detector: str, record: int, **more) -> Evidence:
    rule = more.pop("rule", "")
    return Evidence(detector, int(RECORDS[record]), rule, **{"strength": 10.0, **more})


def drop(record: int, *classes: int, amount: float = 0.7, concentration: float = 0.9, rule="unseen") -> Evidence:
    figures = {"amount": amount, "usual": 0.02, "concentration": concentration, "strength": 1.5}
    return said("class", record, classes=classes, rule=rule, **figures)


def told(*evidence: Evidence, clock: Clock = CLOCK, network: Network = NETWORK) -> list[Incident]:
    return list(incidents_of(evidence, clock, network, NAMES))


# --- what belongs together
@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (said("update", 50), drop(58, 1), True),
        (said("update", 50), drop(59, 1), False),
        (said("update", 50), said("gradient", 58), True),
        (said("update", 50), said("frozen", 53, layer="conv1"), True),
        (said("update", 50), said("frozen", 54, layer="conv1"), False),
        (said("update", 50), said("filter", 51, layer="conv1"), True),
        (said("update", 50), said("filter", 52, layer="conv1"), False),
        (drop(50, 1), drop(51, 2), True),
        (drop(50, 1), drop(52, 2), False),
        (drop(50, 1), drop(57, 1), True),
        (drop(50, 1), said("frozen", 51, layer="conv1"), True),
        (drop(50, 1), said("frozen", 52, layer="conv1"), False),
    ],
)
def test_evidence_joins_what_it_belongs_to(first, second, together):
    assert len(group([second, first], CLOCK)) == (1 if together else 2)


def test_a_harmless_drop_does_not_swallow_the_layer_that_stops_behind_it():
    found = told(drop(50, 1), said("frozen", 53, layer="conv2"), drop(55, 3))
    assert [(one.cause, one.classes) for one in found] == [(Cause.CLASS, (1,)), (Cause.FROZEN, (3,))]


def test_a_class_alone_must_stay_bad_or_lose_most_of_what_all_lost_where_nobody_tells_whether_it_is_taught():
    small, own = drop(60, 1, amount=0.3, concentration=0.4), drop(60, 1, amount=0.3, concentration=0.6)
    assert told(small) == told(own) == []
    assert told(small, replace(small, iteration=int(RECORDS[61]))) == []
    assert told(own, replace(own, iteration=int(RECORDS[61]), classes=(2,))) == []
    assert len(told(own, replace(own, iteration=int(RECORDS[61])))) == 1
    stays, again = replace(small, rule="stays", known=int(RECORDS[64])), replace(small, iteration=int(RECORDS[61]))
    assert told(small, stays) == []
    assert told(small, stays, replace(again, classes=(2,))) == []
    assert len(told(small, stays, again)) == 1
    assert len(told(drop(60, 1, amount=0.9, concentration=0.8))) == 1
    assert len(told(small, said("loss", 60, times=4.0))) == 1


def test_a_class_that_is_taught_is_no_incident_unless_it_alone_loses_nearly_all():
    taught, other = drop(60, 1, rule=""), drop(60, 2, rule="untaught")
    stays = replace(taught, rule="stays", known=int(RECORDS[64]))
    assert told(taught, stays) == []
    assert told(stays, replace(other, amount=0.3)) == []
    again = replace(taught, iteration=int(RECORDS[61]))
    assert told(taught, again, stays) == []
    assert len(told(taught, again, stays, replace(taught, rule="untaught"))) == 1
    half = [replace(one, amount=0.5) for one in (taught, again, stays)]
    assert told(*half, replace(half[0], rule="untaught")) == []
    assert len(told(*half, replace(half[0], rule="unseen"))) == 1
    assert len(told(taught, again, stays, replace(taught, rule="unseen"))) == 1
    assert len(told(drop(60, 1, rule="", amount=0.9, concentration=0.9))) == 1
    assert len(told(said("class", 60, rule="missing", classes=(1,), amount=0.3, usual=0.1))) == 1
    assert len(told(taught, said("loss", 60, times=4.0))) == 1


def test_a_drop_that_is_told_in_two_ways_is_one_drop():
    own = drop(60, 1, amount=0.3, concentration=0.6, rule="")
    assert told(own, replace(own, rule="untaught")) == []


def test_a_validation_tells_of_all_records_since_the_one_before():
    sparse = Clock(RECORDS, RECORDS[::20])
    jump = said("filter", 101, layer="conv1", filters=(3,), amount=9.0)
    later = replace(drop(0, 2), iteration=int(RECORDS[120]))
    assert len(group([jump, later], sparse)) == 1
    assert len(group([jump, later], CLOCK)) == 2


# --- what it was
def test_a_learning_rate_that_leaps_is_no_incident_by_itself():
    assert told(said("rate", 60, times=8.0)) == []
    assert [one.cause for one in told(said("rate", 60, rule="spike", times=8.0))] == [Cause.UPDATE]
    assert told(said("rate", 60, times=8.0), drop(64, 1, amount=0.3, concentration=0.3)) == []


@pytest.mark.parametrize("kind", [kind for kind in PRIORITY if kind != "rate"])
def test_every_kind_of_evidence_alone_has_a_cause_and_a_sentence(kind):
    detector, _, rule = kind.partition(" ")
    more = {"layer": "conv1", "norm": "bn1", "filters": (2,), "classes": (1,), "times": 5.0, "amount": 0.9}
    one = said(detector, 60, rule=rule, concentration=0.9, **more)
    (incident,) = told(one)
    assert incident.sentence
    assert incident.first == one.iteration


JUMP = said("filter", 60, layer="a", filters=(1,), amount=5.0)
CASES = [
    ([said("layer", 60, layer="a", rule="norm", times=4.0), said("norm", 60, layer="a", norm="bn")], Cause.LAYER),
    ([said("norm", 60, layer="a", norm="bn", rule="mean_shift", amount=2.0)], Cause.NORM),
    ([said("filter", 60, layer="a", filters=(1,)), said("dead", 60, layer="a", filters=(1, 2), count=2)], Cause.DEAD),
    ([said("filter", 60, layer="a", filters=(1,)), said("dead", 61, layer="a", filters=(1, 2), count=2)], Cause.FILTER),
    ([said("update", 60, times=5.0), said("dead", 61, layer="a", count=3)], Cause.UPDATE),
    ([said("layer", 60, layer="a", rule="change", times=40.0, amount=1.4), said("dead", 61, layer="b")], Cause.LAYER),
    ([said("loss", 60, times=5.0), said("norm", 61, norm="bn", rule="mean_shift")], Cause.LOSS),
    ([JUMP, said("update", 60, amount=0.6), said("gradient", 60)], Cause.UPDATE),
    ([JUMP, said("update", 60, amount=0.1), said("gradient", 60)], Cause.FILTER),
    ([JUMP, said("update", 60, amount=0.6)], Cause.FILTER),
    ([JUMP, said("update", 60, amount=0.6), said("watch", 60, rule="filter"), said("rate", 60)], Cause.UPDATE),
    ([JUMP, said("update", 60, amount=0.6), said("gradient", 60), said("watch", 60, rule="filter")], Cause.FILTER),
    ([said("layer", 60, layer="a", rule="norm", times=0.7, amount=1.7), said("update", 60, amount=0.05)], Cause.LAYER),
    ([said("layer", 60, layer="a", rule="norm", times=0.7, amount=1.7), said("update", 60, amount=0.3)], Cause.UPDATE),
    (
        [said("filter", 60, layer="a", filters=(1,)), said("update", 60), said("layer", 60, layer="b", times=1.1)],
        Cause.UPDATE,
    ),
    ([said("layer", 60, layer="a", rule="change", times=1.1, amount=0.4), said("update", 60)], Cause.UPDATE),
    ([said("layer", 60, layer="a", rule="norm", times=9.0), said("update", 60)], Cause.LAYER),
    ([said("layer", 60, layer="a", rule="change", times=40.0, amount=1.4), said("update", 60)], Cause.LAYER),
    ([said("dead", 60, layer="a", count=3), said("dead", 60, layer="b", count=3), said("update", 60)], Cause.UPDATE),
    ([said("update", 60), drop(61, 2, concentration=0.8)], Cause.CLASS),
    ([said("update", 60), drop(61, 2, concentration=0.4)], Cause.UPDATE),
    ([said("network", 60, amount=0.2, usual=0.1), drop(60, 2, concentration=0.8)], Cause.CLASS),
    ([said("network", 60, amount=0.2, usual=0.1), drop(60, 2, concentration=0.3)], Cause.NETWORK),
    ([said("norm", 60, layer=f"c{k}", norm=f"bn{k}", rule="mean_shift", amount=1.0) for k in range(5)], Cause.INPUTS),
    ([said("norm", 60, layer=f"c{k}", norm=f"bn{k}", rule="mean_shift", amount=1.0) for k in range(1, 6)], Cause.NORM),
    ([said("layer", 60, layer=f"c{k}", rule="norm", times=1.5) for k in range(5)], Cause.UPDATE),
    ([said("rate", 60, times=8.0), said("layer", 60, rule="norm", layer="a", times=4.0)], Cause.UPDATE),
    ([said("rate", 60, times=8.0), drop(60, 2)], Cause.UPDATE),
    ([said("rate", 60, times=8.0), said("update", 60, times=5.0), said("gradient", 60)], Cause.UPDATE),
    ([said("rate", 60, times=8.0), said("filter", 60, layer="a", filters=(1,))], Cause.FILTER),
]


@pytest.mark.parametrize(("evidence", "cause"), CASES)
def test_the_cause_is_what_the_evidence_shows_together(evidence, cause):
    (incident,) = told(*evidence)
    assert incident.cause is cause


@pytest.mark.parametrize(
    ("moments", "cause"),
    [
        ({"gradient": 601, "update": 602, "loss": 603}, Cause.GRADIENT),
        ({"gradient": 602, "update": 601, "loss": 603}, Cause.UPDATE),
        ({"gradient": 601, "update": 601}, Cause.GRADIENT),
        ({"gradient": 602, "update": 602, "loss": 601}, Cause.LOSS),
        ({"gradient": 602, "update": 602, "loss": 602}, Cause.LOSS),
    ],
)
def test_the_flight_recorder_tells_what_moved_first(moments, cause):
    watches = [Evidence("watch", at, kind, strength=9.0, times=4.0) for kind, at in moments.items()]
    (incident,) = told(*watches, said("update", 60, times=3.0), said("gradient", 60, times=3.0))
    assert incident.cause is cause
    assert incident.first == min(moments.values())
    earliest = min(moments.values())
    if list(moments.values()).count(earliest) == 1:
        assert incident.moved_first


def watched(kind: str, at: int) -> Evidence:
    return replace(said("watch", 60, rule=kind), iteration=at)


UPDATES, RATE = said("update", 60, times=9.0), said("rate", 60, times=8.0)


@pytest.mark.parametrize(
    ("others", "known", "unknown"),
    [
        ([], Cause.UPDATE, Cause.UPDATE),
        ([said("gradient", 60, times=30.0), said("loss", 60, times=5.0)], Cause.GRADIENT, Cause.UPDATE),
        ([said("gradient", 60, times=5.0), said("loss", 60, times=30.0)], Cause.LOSS, Cause.UPDATE),
        ([said("gradient", 60, times=5.0), RATE], Cause.UPDATE, Cause.UPDATE),
        ([said("watch", 60, rule="update"), said("loss", 60, times=30.0)], Cause.LOSS, Cause.UPDATE),
        ([watched("update", 601), watched("loss", 602)], Cause.LOSS, Cause.UPDATE),
        ([watched("gradient", 601), watched("loss", 602)], Cause.GRADIENT, Cause.GRADIENT),
    ],
)
def test_updates_that_leap_at_a_rate_that_did_not_come_from_the_loss_or_the_gradients(others, known, unknown):
    (incident,) = told(UPDATES, *others, network=replace(NETWORK, has_rate=True))
    assert incident.cause is known
    (incident,) = told(UPDATES, *others)
    assert incident.cause is unknown


def test_nothing_is_told_after_weights_are_lost():
    lost = said("nonfinite", 60, rule="weights", count=3, share=0.3)
    (incident,) = told(lost, drop(61, 1), said("update", 70))
    assert incident.cause is Cause.NONFINITE
    passing = said("nonfinite", 60, rule="loss")
    assert [one.cause for one in told(passing, said("update", 80))] == [Cause.NONFINITE, Cause.UPDATE]


# --- sentences
WORDS = ("a", "b", "c0", "bn", "bn0", "conv1")


def numbers_in(incident: Incident) -> set[int]:
    return {number for one in incident.evidence for number in (*one.filters, one.count or 0)}


@pytest.mark.parametrize(("evidence", "cause"), CASES)
def test_a_sentence_names_nothing_that_its_evidence_does_not_hold(evidence, cause):
    (incident,) = told(*evidence)
    layers = {name for one in incident.evidence for name in (one.layer, one.norm) if name}
    classes = {NAMES[label] for one in incident.evidence for label in one.classes}
    words = incident.sentence.replace(",", " ").replace(":", " ").replace(";", " ").split()
    named = [word for word in words if word in WORDS and word != "a"]
    assert set(named) <= layers
    assert {word for word in words if word in NAMES} - {"one"} <= classes
    for detector, claim in (
        ("watch", "flight"),
        ("loss", "the loss"),
        ("gradient", "gradients of"),
        ("update", "updates"),
    ):
        if claim in incident.sentence:
            assert any(one.detector in (detector, "watch") for one in incident.evidence)
    assert set(incident.layers) <= layers | {None}
    assert set(incident.filters) <= numbers_in(incident)


def test_sentences_read_like_this():
    assert [one.sentence for one in told(drop(43, 3, amount=0.62, concentration=1.0))] == [
        "the error of class three rose from 2 % to 64 %: labels or data of class three"
    ]
    (jump,) = told(
        said("filter", 60, layer="conv1", filters=(17,), amount=14700.4, count=1), drop(60, 2, 1, amount=0.4)
    )
    assert jump.sentence == (
        "the weights of filter 17 of conv1 changed by 14,700 times their norm in one record; "
        "then the error of class two rose from 2 % to 42 %, and of 1 more class"
    )


def test_of_classes_that_fell_together_the_one_that_lost_most_is_named():
    """The other stands out more, for it is usually quieter."""
    lost_most, quieter = drop(60, 3, amount=0.98), replace(drop(60, 1, amount=0.4), strength=9.0)
    for together in ([lost_most, quieter], [quieter, lost_most]):
        (incident,) = told(*together)
        assert incident.classes == (3, 1)
        assert incident.sentence == ("the error of class three rose from 2 % to 100 %: labels or data of class three")
        (behind,) = told(said("update", 60, times=12.0), *(replace(one, concentration=0.1) for one in together))
        assert behind.sentence.endswith("; then the error of class three rose from 2 % to 100 %")


def test_a_class_that_goes_on_falling_is_told_where_it_lost_most():
    (incident,) = told(drop(60, 2, amount=0.11), drop(62, 2, amount=0.9))
    assert incident.sentence.startswith("the error of class two rose from 2 % to 92 %")


def test_a_layer_whose_name_is_a_number_is_called_a_layer():
    for evidence, words in (
        (said("filter", 60, layer="2", filters=(5,), amount=3.0, count=1), "filter 5 of layer 2 changed"),
        (said("dead", 60, layer="2.0", count=2, share=0.5), "2 of the 4 filters of layer 2.0 get"),
        (said("layer", 60, layer="0", rule="norm", times=4.0), "the weights of layer 0 is 4 times"),
    ):
        (incident,) = told(evidence)
        assert words in incident.sentence


def test_a_name_from_outside_stays_data():
    (incident,) = incidents_of([said("dead", 60, layer="{x} %s [b]", count=2, share=0.5)], CLOCK, NETWORK, NAMES)
    assert "{x} %s [b]" in incident.sentence
    (unnamed,) = incidents_of([drop(60, 7)], CLOCK, NETWORK, NAMES)
    assert "class 7" in unnamed.sentence


# --- online
DETECTORS = ("nonfinite", "filter", "dead", "frozen", "norm", "layer", "update", "gradient", "loss", "network", "class")


@settings(max_examples=60, deadline=None)
@given(
    told_of=st.lists(
        st.tuples(st.sampled_from(DETECTORS), st.integers(15, 180), st.integers(0, 3), st.integers(0, 7)), max_size=25
    ),
    now=st.integers(20, 199),
)
def test_final_incidents_of_a_prefix_are_those_of_the_whole_run(told_of, now):
    evidence = [
        said(
            name,
            at,
            rule={"nonfinite": "loss", "class": ("", "stays", "untaught", "missing")[late % 4]}.get(name, ""),
            layer=f"c{place}",
            classes=(place,),
            count=2,
            times=2.0,
            known=int(RECORDS[min(199, at + (late if name == "class" else late % 3))]),
        )
        for name, at, place, late in told_of
    ]
    whole = told(*evidence)
    seen = [one for one in evidence if one.known is not None and one.known <= RECORDS[now]]
    early = told(*seen, clock=Clock(RECORDS[: now + 1], RECORDS[: now + 1]))
    for one in early:
        if one.is_final:
            same = [
                other for other in whole if other.first == one.first and other.cause is one.cause and other.id == one.id
            ]
            assert same, (one, whole)


def test_ids_name_record_cause_and_place():
    ids = [one.id for one in told(said("filter", 60, layer="conv1", filters=(1,)), drop(90, 2), said("update", 120))]
    assert ids == ["incident-609-filter-conv1", "incident-909-class-class2", "incident-1209-update-network"]
    assert {kind_of(one) for one in [said("watch", 5, rule="loss")]} == {"watch loss"}
