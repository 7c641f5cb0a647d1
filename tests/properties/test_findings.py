"""What the cache of findings answers is what is computed, whatever was kept in it before."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.flips import find_flips
from dtui.model import DEFAULT_WINDOW, Anomaly, AnomalySettings, ImageSet, Validation
from dtui.query import class_table, open_run
from dtui.store import RunWriter
from tests.anomalies import class_anomaly
from tests.store.builders import METADATA, STRUCTURE

SETTINGS = st.builds(
    AnomalySettings,
    rule=st.sampled_from(["left", "right", "either"]),
    window=st.sampled_from([None, 1, 2, 4]),
    unit=st.just("share"),
    threshold=st.sampled_from([0.1, 0.2, 0.34, 1.0]),
)


def make_run(folder: Path, seed: int, per_class: list[int], validations: int) -> Path:
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(per_class)), per_class).astype(np.uint16)
    images = ImageSet(tuple(f"c{n}" for n in range(len(per_class))), targets, tuple(map(str, range(len(targets)))))
    with RunWriter(folder / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(images)
        right = random.random(len(targets)) < 0.5
        for position in range(validations):
            right ^= random.random(len(targets)) < 0.15
            labels = np.where(right, targets, (targets + 1) % len(per_class)).astype(np.uint16)
            writer.append_validation(Validation(position * 10, labels, np.zeros(len(targets), np.uint8)))
    return writer.path


def slow_anomalies(path: Path, wanted: AnomalySettings) -> list[Anomaly]:
    """Return the anomalies by a loop over validations and classes, by iteration, then by falling score."""
    with open_run(path) as query:
        data = query._data
        layout, packed, iterations = data.layout, data.judgements().right, data.validations
    window = wanted.window or DEFAULT_WINDOW
    found = []
    for rule in ("left", "right") if wanted.rule == "either" else (wanted.rule,):
        flips = find_flips(packed, rule, window)
        gained, lost = layout.count(flips.gained), layout.count(flips.lost)
        for at, iteration in enumerate(iterations.tolist()):
            for label, size in enumerate(layout.images.tolist()):
                up, down = (int(counts[at, label]) for counts in (gained, lost))
                passed = [n for n in (up, down) if size and n >= 1 and n >= wanted.threshold * size - 1e-9]
                if not passed:
                    continue
                direction = "both" if len(passed) == 2 else "gained" if passed[0] == up and up >= down else "lost"
                count = sum(passed)
                share = count / size
                score = share * float(np.sqrt(count))
                said = class_anomaly(
                    iteration, direction, share, label, rule=rule, count=count, score=score, threshold=wanted.threshold
                )
                found.append(replace(said, id=f"class-{rule}-{label}-{iteration}-{direction}"))
    return sorted(found, key=lambda one: (one.iteration, -one.score))


@given(
    seed=st.integers(0, 1000),
    per_class=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    validations=st.integers(1, 25),
    asked=st.lists(st.tuples(SETTINGS, st.one_of(st.none(), st.integers(1, 30))), min_size=1, max_size=6),
)
@settings(max_examples=25)
def test_the_cache_answers_what_is_computed(
    seed: int, per_class: list[int], validations: int, asked: list[tuple[AnomalySettings, int | None]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_table, "WORTH_KEEPING_SECONDS", -1.0)
        path = make_run(Path(folder), seed, per_class, validations)
        for wanted, top in asked:
            expected = slow_anomalies(path, wanted)
            for _ in range(2):  # computed or kept from before, then certainly kept
                with open_run(path) as query:
                    if top is None:
                        assert list(query.anomalies(wanted)) == expected
                    else:
                        strongest = sorted(expected, key=lambda one: -one.score)[:top]
                        assert list(query.top_anomalies(top, wanted)) == strongest
            assert (path / "findings.h5").exists()
