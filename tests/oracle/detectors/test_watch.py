"""What the flight recorder fired on, trigger by trigger, against the detector."""

from __future__ import annotations

import itertools
import math

import numpy as np

from dtui.analysis.detectors.registry import detector_named
from dtui.analysis.flip_table import ClassFlips
from dtui.model import TRIGGER_KINDS, Evidence, Trigger
from tests.anomalies import values_of

SIZES = {"conv1": 4, "layer1.0.conv1": 6, "layer1.0.conv2": 6, "layer1.1.conv1": 5, "fc": 3}


def triggers() -> list[Trigger]:
    """Every kind in every layer, in none, and in one that is not there, with filters that are there or not."""
    places = itertools.product(TRIGGER_KINDS, (*SIZES, "", "nowhere"), ((), (0,), (1, 2), (2, 4, 99, -1)))
    numbers = itertools.cycle((0.0, 7.5, math.inf, math.nan, 60.25))
    return [
        Trigger(at, kind, layer, filters, next(numbers), next(numbers))
        for at, (kind, layer, filters) in enumerate(places)
    ]


def twin(trigger: Trigger) -> Evidence:
    size, layer, share = 0, None, None
    for name, filters in SIZES.items():
        if name == trigger.layer:
            size, layer = filters, name
    kept = [number for number in range(size) if number in trigger.filters]
    if layer is not None:
        share = len(kept) / size
    strength = trigger.score
    if math.isnan(strength) or math.isinf(strength):
        strength = 0.0
    if trigger.kind == "nonfinite":
        strength = 1000.0
    times = None if math.isnan(trigger.times) or math.isinf(trigger.times) else trigger.times
    count = None if trigger.layer == "" else len(kept)
    return Evidence(
        "watch", trigger.iteration, trigger.kind, None, layer, tuple(kept), (), strength, count, share, times, None
    )


def test_the_evidence_is_that_of_each_trigger():
    nothing = ClassFlips(np.zeros(0, int), np.zeros(0, int), lambda rule, window: None)
    found = detector_named("watch").find(values_of(nothing, triggers=triggers()))
    assert found == [twin(trigger) for trigger in triggers()]
    assert len(found) > 100
