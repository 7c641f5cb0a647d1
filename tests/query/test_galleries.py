"""Galleries, histories of images, and confusion matrices, on a run in memory with lost labels."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import TimeAxis
from dtui.model.learning import GalleryRequest
from dtui.query import RunQuery
from tests.query.fake_reader import EVERY, FakeReader
from tests.query.test_learning import HolesReader, history, query_of

FIRST = 12


@pytest.fixture
def reader() -> HolesReader:
    return HolesReader()


@pytest.fixture
def query(reader) -> RunQuery:
    return query_of(reader)


def labels_at(reader: HolesReader, at: int) -> list[int | None]:
    """The label of each image at a validation, None where it was not judged."""
    return [dict(history(reader, image)).get(at) for image in range(len(reader.targets))]


# --- what became of a class
@pytest.mark.parametrize(("iteration", "at"), [(22, 1), (31, 1), (9_999, 49)])
@pytest.mark.parametrize("classes", [(2,), (3, 0), ()])
def test_what_classes_are_taken_for_is_counted(query, reader, iteration, at, classes):
    found = query.taken_for(classes, iteration)
    told = labels_at(reader, at)
    own = [label for image, label in enumerate(told) if reader.targets[image] in classes]
    targets = [int(target) for target in reader.targets if target in classes]
    wrong = Counter(pair for pair in zip(targets, own, strict=True) if pair[1] not in (None, pair[0]))
    assert found.iteration == FIRST + at * EVERY
    pairs = zip(found.targets.tolist(), found.labels.tolist(), strict=True)
    assert dict(zip(pairs, found.counts.tolist(), strict=True)) == wrong
    assert found.counts.tolist() == sorted(found.counts.tolist(), reverse=True)
    assert found.right == sum(label == target for label, target in zip(own, targets, strict=True))


def test_a_step_of_the_crosshair_reads_the_labels_of_the_next_steps_too(query, reader, monkeypatch):
    monkeypatch.setattr("dtui.query.labels.labels_around.TOGETHER", 16)
    reads, read = [], type(reader).read_labels
    monkeypatch.setattr(type(reader), "read_labels", lambda self, *where: reads.append(where) or read(self, *where))
    for at in range(16, 32):
        assert query.taken_for((0, 1), FIRST + at * EVERY).iteration == FIRST + at * EVERY
    assert len(reads) == 1
    query.taken_for((0, 1), FIRST + 32 * EVERY)
    assert len(reads) == 2


def test_labels_of_very_many_images_are_read_for_one_validation(reader, monkeypatch):
    monkeypatch.setattr("dtui.query.labels.validation_data.LABELS_AROUND", 8)
    query = query_of(reader)
    reads, read = [], type(reader).read_labels
    monkeypatch.setattr(type(reader), "read_labels", lambda self, *where: reads.append(where) or read(self, *where))
    query.taken_for((0, 1), FIRST + 17 * EVERY)
    assert reads[-1][1] == slice(17, 18)


def test_before_the_first_validation_nothing_is_taken_for_anything(query):
    found = query.taken_for((0, 1), 5)
    assert (found.iteration, found.labels.tolist(), found.right) == (None, [], 0)
    with pytest.raises(UsageError, match="class 9: the run has classes 0–3"):
        query.taken_for((9,), 100)


# --- galleries
@pytest.mark.parametrize("at", [0, 30])
def test_a_gallery_of_a_class_shows_wrong_images_first_by_their_label(query, reader, at):
    found = query.gallery(GalleryRequest(FIRST + at * EVERY + 3, 0, 999, classes=(2, 0)))
    told = labels_at(reader, at)
    images = [*range(90, 154), *range(70)]
    wrong = [image for image in images if told[image] not in (None, reader.targets[image])]
    often = Counter(told[image] for image in wrong)

    def rank(image):
        if image in wrong:
            return (0, -often[told[image]], told[image])
        return (1,) if told[image] is not None else (2,)

    assert found.order.tolist() == sorted(images, key=rank)
    assert found.wrong == len(wrong)
    assert found.iteration == FIRST + at * EVERY
    assert [one.image for one in found.shown] == found.order.tolist()
    assert [one.label for one in found.shown] == [told[image] for image in found.order]


def test_a_gallery_of_a_confusion_shows_the_images_that_got_that_label(query, reader):
    told = labels_at(reader, 30)
    for label in range(4):
        found = query.gallery(GalleryRequest(FIRST + 30 * EVERY, 0, 999, classes=(2,), sort="index", taken_for=label))
        assert found.order.tolist() == [image for image in range(90, 154) if told[image] == label]


def test_a_gallery_shows_a_window_of_its_images(query):
    whole = query.gallery(GalleryRequest(300, 0, 999, classes=(0,), sort="index"))
    assert whole.order.tolist() == list(range(70))
    some = query.gallery(GalleryRequest(300, 10, 5, classes=(0,), sort="index"))
    assert [one.image for one in some.shown] == [10, 11, 12, 13, 14]
    assert some.forgotten.tolist() == whole.forgotten[10:15].tolist()
    late = query.gallery(GalleryRequest(300, 500, 5, classes=(0,)))
    assert (late.request.first, len(late.shown)) == (69, 1)


@pytest.mark.parametrize("name", ["hard", "always-wrong"])
def test_a_gallery_of_a_list_has_the_list(query, reader, name):
    reader.labels[3] = 1
    listed = query.image_list(name)
    found = query.gallery(GalleryRequest(300, 0, 10, listed=name))
    assert found.order.tolist() == [image.image for image in listed.images]
    assert found.forgotten.tolist() == [image.forgotten for image in listed.images[:10]]
    told = labels_at(reader, 28)
    assert found.wrong == sum(told[image] not in (None, reader.targets[image]) for image in found.order)


def test_an_impossible_gallery_is_refused(query):
    for request, says in (
        (GalleryRequest(0, 0, 9, classes=(4,)), "class 4: the run has classes 0–3"),
        (GalleryRequest(0, 0, 9, listed="nice"), "list of images 'nice' is unknown"),
        (GalleryRequest(0, 0, 9, sort="nice"), "order of a gallery 'nice' is unknown; use one of wrong, index"),
    ):
        with pytest.raises(UsageError, match=says):
            query.gallery(request)


@pytest.mark.parametrize("reader", [FakeReader(validations=0), FakeReader(with_images=False, validations=0)])
@pytest.mark.parametrize("listed", ["", "hard"])
def test_a_gallery_without_images_or_validations(reader, listed):
    classes = (0,) if reader.with_images else ()
    found = query_of(reader).gallery(GalleryRequest(0, 0, 9, classes, listed))
    assert (found.wrong, found.iteration, found.validations) == (0, None, 0)
    assert len(found.order) == (70 if classes and not listed else 0)


# --- one image
@pytest.mark.parametrize("image", [0, 11, 156])
def test_a_history_is_cut_where_the_label_changes(query, reader, image):
    found = query.image_history(image)
    told = dict(history(reader, image))
    labels = [(at, told.get(at)) for at in range(50)]
    expected = []
    for label, group in groupby(labels, key=lambda item: item[1]):
        places = [at for at, _ in group]
        expected.append((FIRST + places[0] * EVERY, FIRST + places[-1] * EVERY, label, len(places)))
    assert [(one.first, one.last, one.label, one.validations) for one in found.stretches] == expected
    assert found.learned == next((one for one in query.image_list("hard").images if one.image == image), found.learned)
    assert (found.learned.image, found.learned.judged) == (image, len(told))


def test_images_with_equal_labels_are_partners(query, reader):
    reader.labels[150], reader.holes[150] = reader.labels[1], reader.holes[1]
    reader.labels[150] = np.where(reader.labels[1] == 0, 2, 0)
    found = query_of(reader).image_history(1, partners=3)
    assert (found.partners[0], found.shared[0]) == (150, found.flips)
    assert found.partner_flips[0] == found.flips > 3
    assert found.partner_targets.tolist() == reader.targets[found.partners].tolist()
    assert found.pixels is None
    assert found.partner_pixels == (None, None, None)
    assert len(found.partners) == 3
    for number in (-1, 101):
        with pytest.raises(UsageError, match="ask for 0 to 100"):
            query.image_history(1, number)
    with pytest.raises(UsageError, match="image 157: the run has images 0–156"):
        query.image_history(157)


def test_strips_hold_labels_and_confidences(query, reader):
    axis = TimeAxis(12.0, 12.0 + 50 * EVERY, 25)
    strips = query.label_strips((1, 156, 11), axis)
    for row, image in enumerate((1, 156, 11)):
        told = dict(history(reader, image))
        for column in range(25):
            own = [at for at in (2 * column, 2 * column + 1) if at in told]
            right = [told[at] == reader.targets[image] for at in own]
            assert strips.correct[row, column] == pytest.approx(np.mean(right) if own else np.nan, nan_ok=True)
            sure = np.mean([reader.confidences[image, at] / 255 for at in own]) if own else np.nan
            assert strips.confidence[row, column] == pytest.approx(sure, nan_ok=True)
            wrong = Counter(told[at] for at in own if told[at] != reader.targets[image])
            best = min((label for label in wrong if wrong[label] == max(wrong.values())), default=-1)
            assert strips.wrong_label[row, column] == best
    with pytest.raises(UsageError, match="65 images; ask for at most 64"):
        query.label_strips(tuple(range(65)), axis)


# --- matrices
@pytest.mark.parametrize(("since", "reference"), [(None, 29), (200, 18), (202, 18), (203, 19), (9_999, 29), (3, None)])
def test_a_matrix_counts_and_compares(query, reader, since, reference):
    found = query.confusion_matrix(FIRST + 30 * EVERY, since)
    told = labels_at(reader, 30)
    pairs = Counter(
        (int(target), label) for target, label in zip(reader.targets, told, strict=True) if label is not None
    )
    assert found.rows.tolist() == found.columns.tolist() == [0, 1, 2, 3]
    assert found.counts.tolist() == [[pairs[row, column] for column in range(4)] for row in range(4)]
    assert found.judged.tolist() == found.counts.sum(axis=1).tolist()
    assert (found.others.tolist(), found.more_rows, found.more_columns) == ([0] * 4, 0, 0)
    assert found.reference == (None if reference is None else FIRST + reference * EVERY)
    assert bool(found.changed) == (reference is not None)
    if reference is not None:
        before = Counter(zip(reader.targets.tolist(), labels_at(reader, reference), strict=True))
        judged = {
            target: sum(count for (own, label), count in before.items() if own == target and label is not None)
            for target in range(4)
        }
        for one in found.changed:
            assert one.before == before[one.target, one.label] / judged[one.target]
            assert one.after == pairs[one.target, one.label] / found.judged[one.target]
        assert [one.score for one in found.changed] == sorted((one.score for one in found.changed), reverse=True)


def test_a_small_matrix_holds_what_changed_most(reader):
    reader.holes[:] = 0
    reader.labels[:] = reader.targets[:, None]
    reader.labels[:5] = 1
    reader.labels[100:130, 20:] = 3
    query = query_of(reader)
    found = query.confusion_matrix(FIRST + 20 * EVERY, None, 1, 2)
    assert (found.rows.tolist(), found.columns.tolist()) == ([2], [2, 3])
    assert found.counts.tolist() == [[34, 30]]
    assert (found.more_rows, found.more_columns) == (1, 1)
    picked = query.confusion_matrix(FIRST + 20 * EVERY, None, 1, 2, (0, None))
    assert (picked.rows.tolist(), picked.columns.tolist()) == ([0], [1, 0]), "a picked class is always there"
    picked = query.confusion_matrix(FIRST + 20 * EVERY, None, 2, 3, (0, 3))
    assert (picked.rows.tolist(), picked.columns.tolist()) == ([0, 2], [3, 1, 0]), "and what it is taken for"
    quiet = query.confusion_matrix(FIRST + 22 * EVERY, None, 1, 1)
    assert quiet.changed == ()
    assert (quiet.rows.tolist(), quiet.columns.tolist(), quiet.others.tolist()) == ([2], [3], [34])
    nothing = query.confusion_matrix(0)
    assert (nothing.iteration, nothing.rows.tolist(), nothing.changed) == (None, [], ())
    with pytest.raises(UsageError, match="0 × 3 classes; ask for at least 1 × 1"):
        query.confusion_matrix(100, None, 0, 3)


def test_shares_of_confusions_over_time(query, reader):
    axis = TimeAxis(12.0, 12.0 + 50 * EVERY, 50)
    pairs = [(2, 3), (0, 1), (2, 0), (1, 99)]
    shares = query.confusion_shares(pairs, axis)
    for at in range(50):
        told = labels_at(reader, at)
        for row, (target, label) in enumerate(pairs):
            own = [told[image] for image in np.flatnonzero(reader.targets == target) if told[image] is not None]
            assert shares[row, at] == pytest.approx(own.count(label) / len(own))
