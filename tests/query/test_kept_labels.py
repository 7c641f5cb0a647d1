"""Labels that are read once and kept: the same labels, the same answers, and nothing is read again."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.correctness import PackedLayout
from dtui.errors import RunDamagedError, UsageError
from dtui.query import RunQuery
from dtui.query.labels import judgements, wrong_labels
from dtui.query.labels.judgements import Judgements
from dtui.query.labels.kept_learning import learning
from dtui.store import RunReader
from dtui.store.format.part_arrays import LABEL_NODE, part_nodes
from dtui.store.format.schema import Stream
from tests.query.fake_reader import FakeReader
from tests.query.test_lost_labels import LossyReader

SAMPLES = Path(__file__).parents[2] / "sample_runs"


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Return true labels, ascending, and labels over time, some of them lost or not judged."""
    sizes = draw(st.lists(st.integers(0, 70), min_size=1, max_size=5))
    targets = np.repeat(np.arange(len(sizes)), sizes).astype(np.uint16)
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    shape = (len(targets), draw(st.integers(1, 40)))
    labels = np.where(random.random(shape) < 0.6, targets[:, None], random.integers(0, 65_536, shape)).astype(np.int32)
    if draw(st.booleans()):
        labels[random.random(shape) < 0.1] = random.choice([-1, -2])
    return targets, labels


@given(judged(), st.data())
@settings(max_examples=60, deadline=None)
def test_kept_labels_are_those_that_were_read(of: tuple[np.ndarray, np.ndarray], data: st.DataObject) -> None:
    targets, labels = of
    images, count = labels.shape
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judgements, "IMAGES_A_BLOCK", 16)
        patch.setattr(wrong_labels, "IMAGES_A_BLOCK", 16)
        patch.setattr(judgements, "TOGETHER", 8)
        patch.setattr(judgements, "LABELS_AT_ONCE", data.draw(st.sampled_from((1, 20 * images, 10**6))))
        kept = Judgements(PackedLayout.of(targets, 5), most_labels=10**6)
        for grown in [*sorted(data.draw(st.lists(st.integers(1, count), max_size=3))), count]:
            kept.extend(grown, targets, lambda rows, part: labels[rows, part])
        first, stop = sorted(data.draw(st.tuples(st.integers(0, images), st.integers(0, images))))
        begin, end = sorted(data.draw(st.tuples(st.integers(0, count), st.integers(0, count))))
        found = kept.labels(slice(first, stop), slice(begin, end), targets)
    assert found is not None
    np.testing.assert_array_equal(found, np.maximum(labels[first:stop, begin:end], -1))
    np.testing.assert_array_equal(kept.times_right, (labels == targets[:, None]).sum(axis=1))
    np.testing.assert_array_equal(kept.times_judged, (labels >= 0).sum(axis=1))


def test_a_file_that_is_lost_while_labels_are_read_costs_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = FakeReader()
    monkeypatch.setattr(judgements, "LABELS_AT_ONCE", 10 * 157)
    calls = []

    def read(images: slice, validations: slice) -> np.ndarray:
        calls.append(validations)
        if len(calls) == 3:
            raise RunDamagedError("part: was lost while it was read")
        return reader.read_labels(images, validations)

    kept = Judgements(PackedLayout.of(reader.targets, 4), most_labels=10**6)
    with pytest.raises(RunDamagedError):
        kept.extend(50, reader.targets, read)
    kept.extend(50, reader.targets, read)
    assert calls[3] == calls[2], "it goes on where it stopped"
    labels = reader.labels[:, :50]
    np.testing.assert_array_equal(kept.times_right, (labels == reader.targets[:, None]).sum(axis=1))
    np.testing.assert_array_equal(kept.labels(slice(0, 157), slice(0, 50), reader.targets), labels)
    assert Judgements(kept.layout, 9).labels(slice(0, 157), slice(0, 0), reader.targets).shape == (157, 0)


def test_labels_that_are_too_many_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.query.labels.validation_data.LABELS_KEPT", 50)
    reader = FakeReader()
    with RunQuery(reader.path, reader) as query, query.keeping_labels():
        expected = reader.labels[:, :50]
        np.testing.assert_array_equal(query._data.labels(slice(0, 157), slice(0, 50)), expected)
        before = len(reader.reads)
        np.testing.assert_array_equal(query._data.labels(slice(3, 9), slice(40, 41)), expected[3:9, 40:41])
        assert reader.reads[before:] == [("labels", 40, 41)]


def test_nothing_is_kept_after_the_block_and_the_judgements_stay() -> None:
    reader = FakeReader()
    with RunQuery(reader.path, reader) as query:
        with query.keeping_labels():
            query.confusion(200)
        assert query._data.judgements().wrong is None
        before = len(reader.reads)
        learning(query._data)
        assert [what for what, *_ in reader.reads[before:]] == []


def brute_growth(labels: np.ndarray, targets: np.ndarray, at: int, window: int) -> list[tuple[int, int, float]]:
    """Return the pairs whose share of a class grew at a validation, and by how much, counting label by label."""
    parts = (range(max(0, at - window), at), range(at, min(at + window, labels.shape[1])))
    shares: list[dict[tuple[int, int], float]] = []
    for part in parts:
        counted, all_of = Counter[tuple[int, int]](), Counter[int]()
        for image, target in enumerate(targets.tolist()):
            for position in part:
                label = int(labels[image, position])
                all_of[target] += label >= 0
                counted[target, label] += label >= 0 and label != target
        shares.append({pair: count / all_of[pair[0]] for pair, count in counted.items() if all_of[pair[0]]})
        known = set(all_of) - {target for target, count in all_of.items() if not count}
        shares[-1] |= {(target, label): 0.0 for target in known for label in range(9) if not counted[target, label]}
    grown = [(*pair, shares[1][pair] - share) for pair, share in shares[0].items() if shares[1].get(pair, 0) > share]
    return sorted(grown)


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("reader_of", [FakeReader, LossyReader])
def test_growth_at_many_incidents_is_that_of_each(reader_of: type[FakeReader], is_kept: bool) -> None:
    reader = reader_of(validations=40)
    every = (slice(0, 157), slice(0, 40))
    labels = np.array(reader.read_labels(*every), dtype=np.int64)
    places = (0, 7, 21, 7, 39)
    with RunQuery(reader.path, reader) as query:
        iterations = [int(query.validation_iterations()[place]) for place in places]
        if is_kept:
            with query.keeping_labels():
                found = query.grown_confusions(iterations, 3, 1000)
        else:
            found = query.grown_confusions(iterations, 3, 1000)
        for place, iteration, grown in zip(places, iterations, found, strict=True):
            assert grown == query.confusion(iteration, 3).grown
            expected = brute_growth(labels, reader.targets, place, 3) if place else []
            assert sorted((one.target, one.label, one.after - one.before) for one in grown) == [
                (target, label, pytest.approx(by)) for target, label, by in expected
            ]
            scores = [one.score for one in grown]
            assert scores == sorted(scores, reverse=True)
        assert query.grown_confusions(iterations, 3, 2) == tuple(grown[:2] for grown in found)
        with pytest.raises(UsageError, match="the top 0; ask for at least 1"):
            query.grown_confusions(iterations, 3, 0)


def test_labels_are_read_in_the_stretches_that_the_store_keeps_together() -> None:
    with closing(RunReader(SAMPLES / "mnist-faults.dtui")) as reader:
        node = part_nodes(Stream.VALIDATIONS, reader._streams.sizes, 0, 1024)[LABEL_NODE]
    assert node.frames == judgements.TOGETHER
    assert wrong_labels.IMAGES_A_BLOCK % node.chunk[0] == 0
