"""Which images turned wrong around an incident that names no class: compared with every label, read one by one."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from dtui.model import NOT_JUDGED, Incident
from dtui.model.findings.incident_evidence import TurnedWrong
from dtui.model.learning import TURNED_WRONG, GalleryRequest
from dtui.query import open_run
from dtui.query.kept import pictures
from dtui.query.labels import kept_learning


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


def test_images_without_a_label_there_are_counted_and_not_taken_for_right(repository: Path):
    """Of a network that had become NaN it said "no image turned wrong"."""
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        data, read, at = query._data, query._data.labels, query._data.validations.tolist().index(1010)

        def without(images: slice, validations: slice) -> np.ndarray:
            labels = read(images, validations).copy()
            labels[:, max(0, at - validations.start) :] = NOT_JUDGED
            return labels

        data.labels = without
        found = query.turned_wrong(incident_at(query, 1010, 1010))
        labels = read(slice(0, 1000), slice(at - 1, at))[:, 0]
        right = int(np.count_nonzero(labels == data.images.targets))
    assert (found.moment, found.count, found.unlabelled) == (1010, 0, right)
    assert found.told(str).endswith(f"; {right} images that were right before could not be judged there")


def test_nothing_is_said_where_no_validation_stands_on_both_sides(faults):
    first, last = (int(at) for at in faults._data.validations[[0, -1]])
    assert faults.turned_wrong(incident_at(faults, first, first)) is None
    assert faults.turned_wrong(incident_at(faults, last + 1, last + 5)) is None


def test_few_labels_are_read_once_however_long_the_incident_is(faults, monkeypatch):
    read, own = [], faults._data.reader.read_labels
    monkeypatch.setattr(faults._data.reader, "read_labels", lambda images, at: read.append(at) or own(images, at))
    faults.turned_wrong(incident_at(faults, 1200, 2390))
    assert [at.stop - at.start <= 3 * 8 for at in read] == [True]


@pytest.fixture
def kept(repository: Path, tmp_path: Path, faults, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of which what the first screen shows is kept."""
    monkeypatch.setattr(kept_learning, "WORTH_KEEPING", 1)
    run = shutil.copytree(repository / "sample_runs" / "mnist-faults.dtui", tmp_path / "run.dtui")
    on_first_screen(run, incident_at(faults, 1010, 1400))
    return run


def on_first_screen(run: Path, incident: Incident) -> tuple[TurnedWrong | None, int]:
    """Return what turned wrong at an incident, and how many stretches of labels were read for it."""
    with open_run(run) as query:
        read, own = [], query._data.reader.read_labels
        query._data.reader.read_labels = lambda images, at: read.append(at) or own(images, at)
        with query.keeping_first_screen() as keep:
            turned = query.turned_wrong(incident)
        keep()
        return turned, len(read)


def test_the_next_first_screen_reads_no_label_for_it(kept: Path, faults):
    incident, other = (incident_at(faults, first, 1400) for first in (1010, 1351))
    before = (kept / "findings.h5").read_bytes()
    assert on_first_screen(kept, incident) == (faults.turned_wrong(incident), 0)
    assert (kept / "findings.h5").read_bytes() == before
    assert on_first_screen(kept, other) == (faults.turned_wrong(other), 1), "another incident is another question"
    assert [on_first_screen(kept, one)[1] for one in (incident, other)] == [0, 0]


LIES = {
    "an iteration without a validation": (0, 0, 7),
    "an end before the begin": (0, 1, 20),
    "more than there are": (0, 2, 10**9),
    "less than none": (1, 0, -1.0),
    "no such class": (2, (0, 0), 10),
    "a class without images": (2, (0, 1), 0),
    "no such image": (3, 0, -1),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_so_is_not_believed(kept: Path, faults, monkeypatch, lie: str):
    array, place, value = LIES[lie]

    def lying(words: np.ndarray, whole=pictures._decoded):
        found = tuple(one.copy() for one in whole(words))
        found[array][place] = value
        return found

    monkeypatch.setattr(pictures, "_decoded", lying)
    incident = incident_at(faults, 1010, 1400)
    assert on_first_screen(kept, incident) == (faults.turned_wrong(incident), 1)
