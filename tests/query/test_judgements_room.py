"""Right or wrong of all images of a long run is held once, also while it is read or gone through, and no longer."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from dtui.analysis import flip_table, flips
from dtui.analysis.correctness import PackedLayout, WordArray
from dtui.analysis.flip_table import ClassFlips, FlipCounts, count_flips, find_flip_table
from dtui.analysis.relations import learning
from dtui.analysis.relations.partners import Flipping
from dtui.model import DEFAULT_WINDOW, AnomalySettings, IntArray, RunStatus, TimeAxis
from dtui.query.labels import judgements, validation_data
from dtui.query.labels.judgements import Judgements
from tests.query.fake_reader import FakeReader
from tests.query.test_learning import query_of

IMAGES, VALIDATIONS = 2_048, 8_192
TARGETS = np.repeat(np.arange(4, dtype=np.uint16), IMAGES // 4)


def read(images: slice, validations: slice) -> IntArray:
    """Return labels of which one of seven is wrong, and of the last validations one of eleven is lost."""
    at = np.arange(validations.start, validations.stop)[None, :] + np.arange(images.start, images.stop)[:, None]
    labels: IntArray = np.where(at % 7 == 0, 4, TARGETS[images][:, None]).astype(np.int32)
    return np.where((at % 11 == 0) & (np.arange(validations.start, validations.stop) > 8_000), -1, labels)


def test_reading_takes_no_second_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what is held at the end there is one stretch of labels, however long the run."""
    monkeypatch.setattr(judgements, "LABELS_AT_ONCE", 8 * IMAGES)
    held = Judgements(PackedLayout.of(TARGETS, 4))
    tracemalloc.start()
    try:
        held.extend(VALIDATIONS, TARGETS, lambda *part: read(*part).clip(0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held.right.nbytes == IMAGES * VALIDATIONS // 8
    assert peak < 1.5 * held.right.nbytes


@pytest.mark.parametrize("steps", [(8_192,), (100, 100, 5_000, 8_192), (8_000, 8_192)])
def test_what_is_read_a_little_at_a_time_is_the_same(steps: tuple[int, ...]) -> None:
    held, whole = Judgements(PackedLayout.of(TARGETS, 4)), Judgements(PackedLayout.of(TARGETS, 4))
    for validations in steps:
        before = held.right
        while len(held.right) < validations:
            held.extend(validations, TARGETS, read, seconds=0.0)
        assert np.array_equal(held.right[: len(before)], before)
    whole.extend(VALIDATIONS, TARGETS, read)
    assert np.array_equal(held.right, whole.right)
    assert held.lost is not None
    assert whole.lost is not None
    assert np.array_equal(held.lost, whole.lost)
    assert np.array_equal(held.times_right, whole.times_right)
    assert np.array_equal(held.times_judged, whole.times_judged)


CLASSES, LENGTH = 1_024, 1_024
LAYOUT = PackedLayout.of_sizes(np.full(CLASSES, 64))
WORDS: WordArray = np.random.default_rng(5).integers(0, 2**63, (LENGTH, CLASSES), np.uint64)


def room_of(work: Callable[[], object]) -> int:
    """Return the most bytes that are taken meanwhile, with the answer."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "work",
    [
        lambda: count_flips(LAYOUT, WORDS, "left", 8),
        lambda: count_flips(LAYOUT, WORDS, "right", 8, WORDS),
        lambda: learning.find_learning(LAYOUT, WORDS, None),
        lambda: Flipping(LAYOUT, WORDS, None),
    ],
    ids=["flips", "flips, some lost", "learning", "images that flip together"],
)
def test_going_through_it_takes_no_second_room(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "BITS_AT_ONCE", 1 << 20)
    assert room_of(work) < WORDS.nbytes


def test_counting_flips_takes_as_little_room_in_a_long_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the answer there are blocks of as many bytes, however many validations they span."""
    monkeypatch.setattr(flips, "AT_ONCE", 64 << 10)
    beside = []
    for length in (LENGTH, 8 * LENGTH):
        words, layout = WORDS.reshape(length, -1), PackedLayout.of_sizes(np.full(WORDS.size // length, 64))
        answer = 2 * words.size  # gained and lost, a byte each
        beside.append(room_of(lambda layout=layout, words=words: count_flips(layout, words, "right", 8)) - answer)  # type: ignore[misc]
    assert beside[1] < 1.2 * beside[0]
    assert beside[0] < 16 * flips.AT_ONCE


def test_looking_for_flips_of_a_long_run_takes_no_second_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a table of a few rows: numbers as large as those that are looked through would be too much."""
    counts = np.zeros((8_192, 256), np.uint8)
    counts[100, 7] = counts[8_000, 7] = 60
    found = FlipCounts(counts, counts)
    judged = ClassFlips(np.arange(8_192), np.full(256, 64), lambda rule, window: found)
    at_once = find_flip_table(judged, AnomalySettings())
    assert at_once[:, 2].tolist() == [100, 100, 8_000, 8_000]
    assert room_of(lambda: find_flip_table(judged, AnomalySettings())) < counts.nbytes / 2
    monkeypatch.setattr(flip_table, "VALIDATIONS_AT_ONCE", 7)
    assert np.array_equal(find_flip_table(judged, AnomalySettings()), at_once)


@pytest.mark.parametrize("images", [np.full(1_024, 64), np.arange(1_024) % 65], ids=["one size", "many sizes"])
def test_packing_takes_no_second_room(images: IntArray) -> None:
    layout = PackedLayout.of_sizes(images)
    correct = np.ones((256, layout.total_images), np.bool_)
    assert room_of(lambda: layout.pack(correct)) < correct.nbytes / 2


@pytest.mark.parametrize("status", [RunStatus.DONE, RunStatus.LIVE])
def test_much_of_a_run_that_has_ended_is_held_only_until_the_answer(
    status: RunStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person asks next reads no label of all images again: another threshold, an image."""
    monkeypatch.setattr(validation_data, "BITS_KEPT", 0)
    reader = FakeReader(state=status)
    query, other = query_of(reader), query_of(FakeReader(state=status))
    query.anomalies()
    assert query._data.has_judgements
    query.tidy()
    assert query._data.has_judgements == (status is RunStatus.LIVE)
    read_labels, widths = reader.read_labels, list[int]()

    def counted(images: slice, part: slice) -> IntArray:
        widths.append(part.stop - part.start)
        labels: IntArray = read_labels(images, part)
        return labels

    monkeypatch.setattr(reader, "read_labels", counted)
    settings = AnomalySettings(threshold=0.2)
    assert query.prepare_anomalies(settings, 0.0)
    assert query.anomalies(settings) == other.anomalies(settings)
    told, expected = query.image_verdict(3, 200), other.image_verdict(3, 200)
    assert (told.times_wrong, told.validations) == (expected.times_wrong, expected.validations)
    assert widths == [1]


def test_what_is_freed_is_read_and_counted_again_to_the_same_answers() -> None:
    """For who asks about other things next."""
    reader = FakeReader(state=RunStatus.DONE)
    query = query_of(reader)

    def asked() -> tuple[object, ...]:
        axis = TimeAxis(*query.limits(), 20)
        return query.anomalies(), query.node_series([1, 2], "std", "weights", axis).values.tolist(), query.state()

    before = asked()
    held = query._data
    flips = [("flips", rule, DEFAULT_WINDOW) for rule in ("left", "right")]
    assert held._growing._bytes
    assert all(map(held.knows, flips))
    query.free()
    assert not held._growing._bytes
    assert not any(map(held.knows, flips))
    assert asked() == before
    settings = AnomalySettings(threshold=0.3)
    assert query.anomalies(settings) == query_of(reader).anomalies(settings)
    assert all(map(held.knows, flips))


def test_what_is_read_in_part_stays_for_the_next_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_data, "BITS_KEPT", 0)
    monkeypatch.setattr(judgements, "TOGETHER", 16)
    query = query_of(FakeReader(state=RunStatus.DONE))
    assert not query.prepare_anomalies(AnomalySettings(), 0.0)
    query.tidy()
    assert query._data.has_judgements
