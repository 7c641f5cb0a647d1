"""Which images turned wrong around an incident that names no class: compared with every label, read one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from dtui.model import Incident
from dtui.model.learning import TURNED_WRONG, GalleryRequest
from dtui.query import open_run


@pytest.fixture(scope="module")
def faults(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        yield query


def incident_at(query, first: int, last: int) -> Incident:
    return replace(query.incidents()[0], first=first, last=last)


@pytest.mark.parametrize(
    ("first", "last"), [(1010, 1010), (1001, 1004), (1351, 1400), (750, 780), (2380, 9999), (20, 60)]
)
def test_it_is_what_the_labels_say(faults, first: int, last: int):
    labels, targets = faults._data.reader.read_labels(slice(None), slice(None)), faults._data.images.targets
    validations = faults._data.validations.tolist()

    def turned(since: int, at: int) -> list[int]:
        rows = zip(labels[:, since], labels[:, at], targets, strict=True)
        return [image for image, (old, new, target) in enumerate(rows) if old == target != new >= 0]

    begun = next(place for place, at in enumerate(validations) if at >= first)
    inside = [place for place, at in enumerate(validations) if first <= at <= last][:8] or [begun]
    at = max(inside, key=lambda place: len(turned(begun - 1, place)))
    lag = at - begun + 1
    pairs = [(place - lag, place) for place in range(begun - 1, begun - 9, -1) if place - lag >= 0]
    found = faults.turned_wrong(incident_at(faults, first, last))
    there = turned(begun - 1, at)
    assert (found.since, found.moment, found.count) == (validations[begun - 1], validations[at], len(there))
    np.testing.assert_equal(found.usual, median(len(turned(*pair)) for pair in pairs) if pairs else np.nan)
    counts = Counter(int(targets[image]) for image in there)
    assert list(found.classes) == sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    assert set(found.images) <= set(there)
    assert len(found.images) == min(24, found.count)
    kinds = [targets[image] for image in found.images]
    assert kinds[:1] == [label for label, _ in found.classes[:1]]
    assert [counts[kind] for kind in kinds] == sorted((counts[kind] for kind in kinds), reverse=True)
    listed = faults.gallery(GalleryRequest(found.moment, 0, 1, listed=TURNED_WRONG, since=first)).order
    assert listed[: len(found.images)].tolist() == list(found.images), "the gallery shows the same images"


def test_nothing_is_said_where_no_validation_stands_on_both_sides(faults):
    first, last = (int(at) for at in faults._data.validations[[0, -1]])
    assert faults.turned_wrong(incident_at(faults, first, first)) is None
    assert faults.turned_wrong(incident_at(faults, last + 1, last + 5)) is None


def test_few_labels_are_read_once_however_long_the_incident_is(faults, monkeypatch):
    read, own = [], faults._data.reader.read_labels
    monkeypatch.setattr(faults._data.reader, "read_labels", lambda images, at: read.append(at) or own(images, at))
    faults.turned_wrong(incident_at(faults, 1200, 2390))
    assert [at.stop - at.start <= 3 * 8 for at in read] == [True]
