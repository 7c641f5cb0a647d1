"""Clusters, class errors and images, each against the definition on a run in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import ImagesRequest, TimeAxis
from dtui.query import RunQuery
from tests.analysis.test_thumbnails import encoded
from tests.oracle import twins
from tests.query.fake_reader import EVERY, FakeReader

CLASSES = (0, 2, 3)
IMAGES = [*range(70), *range(90, 157)]


def right(reader: FakeReader) -> np.ndarray:
    return (reader.labels[:, : reader.validations] == reader.targets[:, None]).astype(float)


def test_class_errors_count_every_image_once(query, reader, axis):
    groups = [(0,), (3,), (1, 3), (0, 1, 2, 3), ()]
    errors = query.class_errors(groups, axis)
    raw = np.array([twins.class_error(reader.labels[:, :50], reader.targets, group) for group in groups])
    expected = twins.pooled(raw, axis, reader.validation_iterations, EVERY, "largest")
    np.testing.assert_allclose(errors.values, expected, rtol=1e-5)
    assert errors.groups == tuple(groups)


def test_a_class_without_images_has_no_error(axis):
    query = RunQuery(FakeReader.path, FakeReader(per_class=(5, 0, 5)))
    errors = query.class_errors([(1,), (0, 1)], axis)
    assert np.isnan(errors.values[0]).all()
    assert not np.isnan(errors.values[1]).all()
    assert sorted(label for cluster in query.clusters() for label in cluster.classes) == [0, 2]


def test_clusters_hold_every_class_once_by_rising_error(reader):
    reader.labels[:70] = 0
    reader.labels[90:154] = 1
    query = RunQuery(reader.path, reader)
    clusters = query.clusters(3)
    assert [cluster.index for cluster in clusters] == [0, 1, 2]
    assert clusters[0].classes == (0,)
    assert clusters[-1].classes == (2,)
    assert (clusters[0].label, clusters[-1].label) == ("easiest", "hardest")
    assert len({cluster.label for cluster in clusters}) == 3
    assert len(query.clusters(99)) == 1, "a cluster for each class says nothing"
    with pytest.raises(UsageError, match="clusters: 0 asked for"):
        query.clusters(0)


@pytest.mark.parametrize("method", ["k-means", "hierarchical"])
def test_clusters_by_course_do_not_see_the_level(method):
    """Of classes 0 and 1 a tenth is wrong, of 2 and 3 most; of 0 and 2 a tenth more early, of 1 and 3 late."""
    reader = FakeReader(per_class=(40, 40, 40, 40))
    reader.labels[:] = reader.targets[:, None]
    for label, (always, more_at) in enumerate([(4, 5), (4, 30), (28, 5), (28, 30)]):
        reader.labels[40 * label : 40 * label + always] = (label + 1) % 4
        reader.labels[40 * label + 36 : 40 * label + 40, more_at : more_at + 10] = (label + 1) % 4
    query = RunQuery(reader.path, reader)
    by_level = {cluster.classes for cluster in query.clusters(2, method=method, sort="index")}
    by_course = {cluster.classes for cluster in query.clusters(2, method=method, standardised=True, sort="index")}
    assert by_level == {(0, 1), (2, 3)}
    assert by_course == {(0, 2), (1, 3)}


@pytest.mark.parametrize("method", ["k-means", "hierarchical"])
def test_classes_of_a_cluster_are_in_the_order_asked_for(query, reader, method):
    errors = np.array([twins.class_error(reader.labels[:, :50], reader.targets, (label,)) for label in range(4)])
    orders = {
        "index": lambda label: label,
        "error": lambda label: errors[label].mean(),
        "peak": lambda label: errors[label].argmax(),
    }
    for sort, key in orders.items():
        (cluster,) = query.clusters(1, method=method, sort=sort)
        assert list(cluster.classes) == sorted(range(4), key=key)
    assert sorted(query.clusters(1, method=method, sort="similarity")[0].classes) == [0, 1, 2, 3]


@pytest.mark.parametrize("iteration", [22, 305, 509, None])
def test_the_worst_class_here_comes_first_and_its_cluster(reader, iteration):
    query = RunQuery(reader.path, reader)
    at = 49 if iteration is None else (iteration - 12) // EVERY
    wrong = (reader.labels != reader.targets[:, None])[:, at]
    error = [wrong[reader.targets == label].mean() for label in range(4)]
    found = query.clusters(2, sort="here", at=iteration)
    for cluster in found:
        assert list(cluster.classes) == sorted(cluster.classes, key=lambda label: (-error[label],))
    together = [wrong[np.isin(reader.targets, cluster.classes)].mean() for cluster in found]
    assert together == sorted(together, reverse=True)
    plain = {cluster.index: cluster for cluster in query.clusters(2)}
    assert {one.index: (one.label, sorted(one.classes)) for one in found} == {
        index: (one.label, sorted(one.classes)) for index, one in plain.items()
    }
    assert query.clusters(2, sort="here", at=0) == query.clusters(2)


def test_classes_by_name_are_in_the_order_in_which_people_count(reader):
    reader.classes = ("dog 10", "Dog 9", "cat", "9")
    reader.all_images = replace(reader.all_images, classes=reader.classes)
    (cluster,) = RunQuery(reader.path, reader).clusters(1, sort="name")
    assert [reader.classes[label] for label in cluster.classes] == ["9", "cat", "Dog 9", "dog 10"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"method": "spectral"}, "method 'spectral' is unknown; use one of k-means, hierarchical"),
        ({"sort": "size"}, "class order 'size' is unknown; use one of error, here, peak, similarity, name, index"),
    ],
)
def test_clusters_of_an_unknown_kind_are_refused(query, given, says):
    with pytest.raises(UsageError, match=says):
        query.clusters(2, **given)


def test_clusters_of_too_many_classes_for_all_distances_are_refused():
    query = RunQuery(FakeReader.path, FakeReader(per_class=(1,) * 4_001, total=3, records=3, validations=3))
    assert len(query.clusters(2)) == 2
    with pytest.raises(UsageError, match="4,001 classes are too many for hierarchical; use k-means"):
        query.clusters(2, method="hierarchical")


@pytest.mark.parametrize("validations", [1, 50])
def test_clusters_of_one_class(validations):
    query = RunQuery(FakeReader.path, FakeReader(per_class=(5,), validations=validations))
    for method in ("k-means", "hierarchical"):
        assert [cluster.classes for cluster in query.clusters(4, method=method, standardised=True)] == [(0,)]


def test_images_are_ordered_by_when_they_were_first_right(query, reader, axis):
    reader.labels[3] = 1
    rows = query.image_rows(ImagesRequest((0, 2), axis, 0, 999, 999, "peak"))
    right = reader.labels[:, :50] == reader.targets[:, None]
    images = [*range(70), *range(90, 154)]
    assert rows.order.tolist() == sorted(images, key=lambda at: right[at].argmax() if right[at].any() else 50)
    assert rows.order[-1] == 3


@pytest.mark.parametrize("sort", ["index", "error", "similarity", "peak"])
@pytest.mark.parametrize(("first", "count", "pixels"), [(0, 999, 999), (0, 999, 20), (30, 40, 60), (136, 5, 7)])
def test_image_rows(query, reader, axis, sort, first, count, pixels):
    rows = query.image_rows(ImagesRequest(CLASSES, axis, first, count, pixels, sort, "label"))
    assert sorted(rows.order.tolist()) == IMAGES
    assert (rows.images, rows.request.first, rows.request.count) == (137, first, min(count, 137 - first))
    shown = rows.order[first : first + count]
    pooled = twins.pooled(right(reader)[shown], axis, reader.validation_iterations, EVERY, "mean")
    np.testing.assert_allclose(rows.correct, twins.mean_rows(pooled, pixels), rtol=1e-4, atol=1e-6)
    assert rows.wrong_label.tolist() == twin_wrong_labels(reader, shown, axis, pixels)


def twin_wrong_labels(reader, shown, axis, pixels):
    pixels = min(pixels, len(shown))
    result = []
    for pixel in range(pixels):
        images = shown[pixel * len(shown) // pixels : (pixel + 1) * len(shown) // pixels]
        row = []
        for column in range(axis.columns):
            positions = twins.record_positions(axis, reader.validation_iterations, EVERY, column)
            wrong = Counter(
                int(reader.labels[image, position])
                for image in images
                for position in positions
                if reader.labels[image, position] != reader.targets[image]
            )
            most = max(wrong.values(), default=0)
            row.append(min(label for label, count in wrong.items() if count == most) if wrong else -1)
        result.append(row)
    return result


def test_coloured_by_correctness_no_label_is_read(query, reader, axis):
    reader.reads.clear()
    query.image_rows(ImagesRequest((0,), axis, 0, 70, 70))
    first = [(start, stop) for what, start, stop in reader.reads if what == "labels"]
    rows = query.image_rows(ImagesRequest((0,), axis, 10, 20, 70))
    assert [(start, stop) for what, start, stop in reader.reads if what == "labels"] == first == [(0, 50)]
    assert (rows.wrong_label == -1).all()


def test_sorted_by_error_the_most_often_right_come_first(query, reader, axis):
    rows = query.image_rows(ImagesRequest(CLASSES, axis, 0, 999, 999, "error"))
    times = right(reader).sum(axis=1)[rows.order]
    assert times.tolist() == sorted(times, reverse=True)


def test_sorted_by_similarity_the_alike_lie_together(reader, axis):
    chance = np.random.default_rng(0).permutation(70) < 35
    reader.labels[:70] = np.where(chance[:, None] ^ (np.arange(200) < 20)[None], 0, 1)
    rows = RunQuery(reader.path, reader).image_rows(ImagesRequest((0,), axis, 0, 70, 70, "similarity"))
    kinds = chance[rows.order].astype(int)
    assert kinds[0] == 1, "those that are right for longer come first"
    assert int(np.abs(np.diff(kinds)).sum()) == 1


def test_images_wrong_all_along(reader, axis):
    reader.labels[5] = 1
    rows = RunQuery(reader.path, reader).image_rows(ImagesRequest((0,), axis, 0, 70, 70, "error"))
    assert rows.order[rows.always_wrong].tolist() == [5]
    assert rows.always_wrong[-1]


def test_no_class_no_rows(query, axis):
    for colour in ("correctness", "label"):
        rows = query.image_rows(ImagesRequest((), axis, 3, 10, 10, "similarity", colour))
        assert (rows.images, rows.request.count, rows.correct.shape) == (0, 0, (0, 40))


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (ImagesRequest((4,), TimeAxis(0, 9, 3), 0, 9, 9), "class 4: the run has classes 0–3"),
        (ImagesRequest((0,), TimeAxis(0, 9, 3), 0, 9, 9, "size"), "image order 'size'"),
        (ImagesRequest((0,), TimeAxis(0, 9, 3), 0, 9, 9, "error", "hue"), "image colours 'hue'"),
    ],
)
def test_what_images_cannot_show_is_refused(query, request_, what):
    with pytest.raises(UsageError, match=what):
        query.image_rows(request_)


def test_a_verdict_is_the_last_at_or_before(reader):
    reader.thumbnails[80] = encoded()
    query = RunQuery(reader.path, reader)
    verdict = query.image_verdict(80, 261)
    assert (verdict.image, verdict.id, verdict.target, verdict.iteration) == (80, "id80", 1, 252)
    assert verdict.label == reader.labels[80, 24]
    assert verdict.confidence == pytest.approx(reader.confidences[80, 24] / 255)
    assert (verdict.times_wrong, verdict.validations) == (int((1 - right(reader)[80]).sum()), 50)
    assert verdict.pixels is not None
    assert query.image_verdict(81, 262).iteration == 262
    assert query.image_verdict(81, 262).pixels is None
    assert query.image_verdict(80, 11).label is None
    with pytest.raises(UsageError, match="image 157: the run has images 0–156"):
        query.image_verdict(157, 10)


def test_a_long_run_is_answered_in_batches(monkeypatch, reader, axis):
    whole = RunQuery(reader.path, FakeReader())
    monkeypatch.setattr("dtui.query.images.AT_ONCE", 300)
    monkeypatch.setattr("dtui.query.labels.judgements.LABELS_AT_ONCE", 300)
    batched = RunQuery(reader.path, reader)
    request = ImagesRequest(CLASSES, axis, 10, 100, 20, "error", "label")
    ours, theirs = batched.image_rows(request), whole.image_rows(request)
    for name in ("correct", "wrong_label", "order"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert len([1 for what, *_ in reader.reads if what == "labels"]) > 20
