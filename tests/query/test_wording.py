"""The words of an incident as people read them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dtui.analysis.detectors.registry import detector_named
from dtui.model import Cause, Evidence, Incident
from dtui.query import RunQuery
from dtui.query.wording import in_plain_numbers, of_groups, with_both_layers
from tests.query.fake_reader import FakeReader
from tests.query.test_watches import FILTER
from tests.query.troubled_reader import JUMP, troubled_reader

JUMPED = Incident("i1", Cause.FILTER, 9, 9, ("conv1",), (3,), (0,), (), "", 1.0)


@pytest.mark.parametrize(
    ("layer", "name", "sentence", "told"),
    [
        ("conv1", "cat", "filter 3 of conv1 changed by 1.2e+06 times their norm", "1.2 million times their norm"),
        ("conv1", "1e+06 times", "the error of class 1e+06 times rose from 0 % to 1 %", "class 1e+06 times rose from"),
        ("1e+06", "cat", "filter 3 of 1e+06 changed by 2e+07 times their norm", "3 of 1e+06 changed by 20 million ti"),
        ("0", "1", "filter 3 of 0 changed by 1e+06 times their norm", "of 0 changed by 1 million times their norm"),
        ("a 5% in one record", "cat", "layer a 5% in one record stopped changing", "layer a 5% in one record stopped"),
    ],
)
def test_its_numbers_are_plain_and_its_names_as_they_are(layer: str, name: str, sentence: str, told: str) -> None:
    evidence = (Evidence("filter", 9, layer=layer),)
    incident = replace(JUMPED, layers=(layer,), evidence=evidence, sentence=sentence)
    assert told in in_plain_numbers(incident, [name]).sentence


@pytest.mark.parametrize(
    ("layers", "sentence", "told"),
    [
        (
            ("0", "2"),
            "3 of the 8 filters of layer 0, and filters of 1 more layer, get no",
            "and filters of layer 2, get",
        ),
        (
            ("a", "b"),
            "3 of the 8 filters of b, and filters of 1 more layer, get no",
            "filters of b, and filters of a, get",
        ),
        (
            ("a", "b", "c"),
            "3 filters of a, and filters of 2 more layers, get no",
            "and filters of 2 more layers, get no",
        ),
    ],
)
def test_a_second_layer_with_dead_filters_is_named(layers: tuple[str, ...], sentence: str, told: str) -> None:
    evidence = tuple(Evidence("dead", 9, layer=layer) for layer in layers)
    incident = replace(JUMPED, layers=layers, evidence=evidence, sentence=f"{sentence} gradient any more")
    assert told in with_both_layers(incident).sentence


@pytest.mark.parametrize(
    ("names", "told"),
    [(("all", "not right"), "the error rose"), (("a", "b", "not right"), "the error rose, in many groups at once")],
)
def test_one_group_is_not_many(names: tuple[str, ...], told: str) -> None:
    incident = replace(JUMPED, classes=(), sentence="the error rose, in many classes at once")
    assert of_groups(incident, names).sentence == told


def test_an_incident_of_a_run_has_no_exponent() -> None:
    reader = troubled_reader()
    reader.filters[:, 11, JUMP][reader.filters[:, 11, JUMP] == 30.0] = 3e6
    (jumped,) = [one for one in RunQuery(reader.path, reader).incidents() if one.cause is Cause.FILTER]
    assert "changed by 3 million times their norm" in jumped.sentence


def test_what_the_flight_recorder_fired_on_has_no_exponent() -> None:
    reader = FakeReader(watched=tuple(range(20, 28)), triggers=(replace(FILTER, times=12_345.0),))
    query = RunQuery(reader.path, reader)
    (fired,) = [one for one in query.anomalies() if one.evidence.detector == detector_named("watch").name]
    assert fired.shown.detail == "to 12,300 times the usual"
    assert any("to 12,300 times the usual" in line for line in query.info().findings)
