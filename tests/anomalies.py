"""Anomalies as the detectors would make them, for tests of what is drawn and said of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.anomalies import check_settings
from dtui.analysis.detectors.registry import RunValues, detector_named
from dtui.analysis.flip_table import ClassFlips, find_flip_table
from dtui.model import Anomaly, AnomalySettings, Evidence, Trigger
from tests.query.fake_reader import small_structure


def anomaly_of(evidence: Evidence, id: str | None = None, status: str = "new", note: str = "") -> Anomaly:
    """Return what a person reviews, with the words of the detector that the evidence names."""
    detector = detector_named(evidence.detector)
    shown = detector.describe(evidence)
    return Anomaly(id or detector.identify(evidence), detector.kind or detector.name, evidence, shown, status, note)


def class_anomaly(
    iteration: int,
    direction: str = "lost",
    share: float = 0.4,
    label: int = 0,
    status: str = "new",
    note: str = "",
    *,
    rule: str = "left",
    count: int = 8,
    score: float | None = None,
    threshold: float = 0.2,
) -> Anomaly:
    """Return an anomaly iteration of a class; its score is its share unless one is given."""
    strength = share if score is None else score
    evidence = Evidence(
        "class_rules", iteration, rule, direction, None, (), (label,), strength, count, share, None, threshold
    )
    return anomaly_of(evidence, None, status, note)


def watch_anomaly(iteration: int, rule: str, layer: str | None = None, filters: Sequence[int] = ()) -> Anomaly:
    """Return what the flight recorder fired on, in a layer of 64 filters or in the whole network."""
    share, count = (None, None) if layer is None else (len(filters) / 64, len(filters))
    return anomaly_of(
        Evidence("watch", iteration, rule, None, layer, tuple(filters), strength=50.0, count=count, share=share)
    )


class FewNumbers:
    """A run for the detectors that look at validations and triggers alone."""

    def __init__(self, validations: np.ndarray, class_sizes: np.ndarray, triggers: Sequence[Trigger] = ()) -> None:
        self.validations, self.class_sizes, self.triggers = validations, class_sizes, tuple(triggers)
        self.structure = small_structure()


def values_of(
    judged: ClassFlips, settings: AnomalySettings | None = None, triggers: Sequence[Trigger] = ()
) -> RunValues:
    """Return what detectors are given of a run in which that was judged."""
    settings = settings or AnomalySettings()
    run = FewNumbers(judged.iterations, judged.images, triggers)
    return RunValues(run, settings, lambda: find_flip_table(judged, settings))  # type: ignore[arg-type]


def find_anomalies(judged: ClassFlips, settings: AnomalySettings) -> tuple[Anomaly, ...]:
    """Return what the class rules find, by iteration, then by falling score."""
    check_settings(settings)
    found = detector_named("class_rules").find(values_of(judged, settings))
    return tuple(anomaly_of(one) for one in sorted(found, key=lambda one: (one.iteration, -one.strength)))
