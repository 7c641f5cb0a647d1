"""What is kept of labels: the same answers as without it, no label read twice, and what a bad one costs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.correctness import PackedLayout
from dtui.analysis.relations.learning import find_learning
from dtui.model import ImageSet, ImagesRequest, RunStatus, TimeAxis, Validation
from dtui.model.learning import IMAGE_LISTS, TURNED_WRONG, GalleryRequest, ImageLearning
from dtui.query import RunQuery, open_run
from dtui.query.labels import kept_learning
from dtui.store import RunReader, RunWriter, pack_run
from dtui.store.run.anomaly_cache import FindingsFile
from dtui.store.write.resume import find_past
from tests.properties.test_findings import make_run
from tests.query.test_anomaly_cache import damage
from tests.store.builders import METADATA, STRUCTURE
from tests.store.folding import fold
from tests.store.noting import note_reads

PER_CLASS = [8, 5, 9]


@pytest.fixture(autouse=True)
def _keeps_small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_learning, "WORTH_KEEPING", 1)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[slice]:
    """The validations whose labels were read from the files."""
    return note_reads(monkeypatch, "read_labels", told=lambda _, images, validations: validations)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, 3, PER_CLASS, 64)


def learned(path: Path) -> ImageLearning:
    with open_run(path) as query:
        return kept_learning.learning(query._data)


def assert_same(found: ImageLearning, expected: ImageLearning) -> None:
    for one, other in zip(astuple(found), astuple(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def afresh(path: Path) -> ImageLearning:
    """The answer without the cache, which stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_learning, "WORTH_KEEPING", 10**9)
        return learned(path)


def asked_of(query: RunQuery) -> tuple[object, ...]:
    """All that a report asks of labels."""
    last = query.validation_iterations().tolist()
    with query.keeping_labels():
        lists = [query.image_list(name, label, 5) for name in IMAGE_LISTS for label in (None, 1)]
        grown = query.grown_confusions(last[::7], 3, 4)
        pixels = [query.image_verdict(image, last[-1]) for image in (0, 3)]
        return lists, grown, [(one.times_wrong, one.validations) for one in pixels], query.advise(), query.anomalies()


@st.composite
def judgements(draw: st.DrawFn) -> tuple[PackedLayout, np.ndarray, np.ndarray | None]:
    sizes = draw(st.lists(st.integers(0, 70), min_size=1, max_size=4))
    layout = PackedLayout.of(np.repeat(np.arange(len(sizes)), sizes).astype(np.uint16), len(sizes))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    shape = (draw(st.integers(1, 30)), layout.total_images)
    lost = random.random(shape) < draw(st.sampled_from((0.0, 0.3)))
    right = (random.random(shape) < 0.5) & ~lost
    return layout, layout.pack(right), layout.pack(lost) if lost.any() else None


@given(judgements(), st.data())
@settings(max_examples=60, deadline=None)
def test_going_on_finds_what_is_found_in_one_go(
    of: tuple[PackedLayout, np.ndarray, np.ndarray | None], data: st.DataObject
) -> None:
    layout, right, lost = of
    found, first = None, 0
    for stop in [*sorted(data.draw(st.lists(st.integers(0, len(right)), max_size=3))), len(right)]:
        part = slice(first, stop)
        found = find_learning(layout, right[part], None if lost is None else lost[part], found, first)
        first = stop
    assert found is not None
    assert_same(found, find_learning(layout, right, lost))


def test_what_was_kept_needs_no_label_and_is_the_same(run: Path, read: list[slice]) -> None:
    expected = afresh(run)
    assert_same(learned(run), expected)
    read.clear()
    assert_same(learned(run), expected)
    assert not read


def test_a_second_report_reads_few_labels_and_says_the_same(run: Path, tmp_path: Path, read: list[slice]) -> None:
    shutil.copytree(run, tmp_path / "other.dtui")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_learning, "WORTH_KEEPING", 10**9)
        with open_run(tmp_path / "other.dtui") as query:
            expected = asked_of(query)
    assert not (tmp_path / "other.dtui" / "findings.h5").exists(), "small runs are left alone"
    for is_first in (True, False, False):
        read.clear()
        with open_run(run) as query:
            assert asked_of(query) == expected
        assert {some.stop - some.start for some in read} == ({64} if is_first else {1})
    with open_run(run) as query, query.keeping_labels():  # what nobody asked before is found without all labels
        assert query.grown_confusions([30], 3, 4)
    assert all(some.stop - some.start <= 6 for some in read[-1:])


def test_a_small_run_is_left_alone(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_learning, "WORTH_KEEPING", 22 * 64 + 1)
    learned(run)
    assert not (run / "findings.h5").exists()


@contextmanager
def live(path: Path) -> Iterator[RunQuery]:
    with pytest.MonkeyPatch.context() as patch, open_run(path) as query:
        patch.setattr(RunReader, "status", lambda _: RunStatus.LIVE)
        yield query


def add(writer: RunWriter, positions: range) -> None:
    random = np.random.default_rng(positions.start)
    targets = np.repeat(np.arange(len(PER_CLASS)), PER_CLASS).astype(np.uint16)
    for position in positions:
        labels = np.where(random.random(len(targets)) < 0.6, targets, (targets + 1) % len(PER_CLASS))
        writer.append_validation(Validation(position * 10, labels.astype(np.uint16), np.zeros(len(targets), np.uint8)))


def begin(folder: Path) -> RunWriter:
    targets = np.repeat(np.arange(len(PER_CLASS)), PER_CLASS).astype(np.uint16)
    writer = RunWriter(folder / "run", STRUCTURE, METADATA, compact=False)
    writer.set_images(ImageSet(("a", "b", "c"), targets, tuple(map(str, range(len(targets))))))
    return writer


def test_of_a_live_run_only_new_validations_are_read(tmp_path: Path, read: list[slice]) -> None:
    with begin(tmp_path) as writer:
        for begun, stop, known in ((0, 40, 0), (40, 70, 32), (70, 75, 64)):
            add(writer, range(begun, stop))
            fold(writer.path)
            expected = afresh(writer.path)
            read.clear()
            with live(writer.path) as query:
                assert_same(kept_learning.learning(query._data), expected)
            assert {(some.start, some.stop) for some in read} == {(known, stop)}


def test_what_a_resumed_training_superseded_counts_no_more(tmp_path: Path, read: list[slice]) -> None:
    with begin(tmp_path) as writer:
        add(writer, range(64))
        fold(writer.path)
        with live(writer.path) as query:
            kept_learning.learning(query._data)
    past = find_past(writer.path)
    assert past is not None
    with RunWriter.resume(past, 410, compact=False) as again:
        add(again, range(41, 50))
    expected = afresh(writer.path)
    read.clear()
    assert_same(learned(writer.path), expected)
    assert int(expected.judged.max()) == 50
    assert {(some.start, some.stop) for some in read} == {(0, 50)}
    read.clear()
    assert_same(learned(writer.path), expected)
    assert not read


def test_damage_that_came_later_is_told_and_read_around(run: Path) -> None:
    fold(run, finish=True)
    with open_run(run) as query:
        asked_of(query)
    part = next((run / "parts").glob("validations-*"))
    with tables.open_file(str(part)) as file:
        label = file.root.validation.label.chunk_info((0, 0))
    damage(part, label.offset + label.size // 2)
    kept = (run / "findings.h5").read_bytes()
    for _ in range(2):
        with open_run(run) as query:
            assert not kept_learning.learning(query._data).judged.any()
            assert query.faults()
            asked_of(query)
    assert (run / "findings.h5").read_bytes() == kept, "answers from damaged labels are not kept"


def test_a_folder_that_cannot_be_written_to_gives_the_same(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    expected = afresh(run)
    monkeypatch.setattr("dtui.store.disk.sealed_builder.publish", refuse)
    for _ in range(2):
        assert_same(learned(run), expected)
        with open_run(run) as query:
            asked_of(query)
    assert not (run / "findings.h5").exists()


def test_a_packed_run_gives_the_same_and_keeps_nothing(run: Path, tmp_path: Path) -> None:
    with open_run(run) as query:
        expected = asked_of(query)
    pack_run(run, tmp_path / "run.h5")
    with open_run(tmp_path / "run.h5") as query:
        assert asked_of(query) == expected
    assert {path.name for path in tmp_path.iterdir()} == {"run.dtui", "run.h5"}


LIES = {
    "more images": lambda table: np.concatenate([table, table[:1]]),
    "negative": lambda table: -table - 2,
    "more than there are": lambda table: table + 1000,
    "huge": lambda table: np.full_like(table, 2**62),
}


@pytest.mark.parametrize("lie", LIES)
def test_impossible_numbers_from_outside_are_not_believed(run: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    with open_run(run) as query:
        expected = asked_of(query)
    whole = FindingsFile.read_first

    def lying(file: FindingsFile, keys: list[dict[str, object]], *asked: int | None) -> tuple[int, np.ndarray] | None:
        found = whole(file, keys, *asked)  # type: ignore[arg-type]
        return found if found is None or "of" not in keys[0] else (found[0], LIES[lie](found[1]))

    monkeypatch.setattr(FindingsFile, "read_first", lying)
    with open_run(run) as query:
        assert asked_of(query) == expected


SORTS = ("index", "error", "similarity", "peak")


@pytest.mark.parametrize("classes", [(1,), (2, 0)])
def test_images_of_few_classes_need_no_other_labels(run: Path, classes: tuple[int, ...]) -> None:
    def shown(query: RunQuery) -> list[np.ndarray]:
        low, high = query.limits()
        found = []
        for sort in SORTS:
            asked = ImagesRequest(classes, TimeAxis(low, high, 40), 0, 30, 12, sort, "label")
            answer = query.image_rows(asked)
            found += [answer.correct, answer.wrong_label, answer.order, answer.always_wrong]
        gallery = query.gallery(GalleryRequest(300, 0, 30, classes))
        turned = query.gallery(GalleryRequest(300, 0, 30, listed=TURNED_WRONG, since=200))
        return [*found, gallery.order, np.array([gallery.wrong]), gallery.forgotten, turned.order]

    learned(run)  # which is kept
    with open_run(run) as query:
        few = shown(query)
        assert not query._data.has_judgements
    with open_run(run) as query:
        query._data.judgements()
        whole = shown(query)
    for one, other in zip(few, whole, strict=True):
        np.testing.assert_array_equal(one, other)
