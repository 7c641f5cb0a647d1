"""Validations at their edges: ties, infinity, NaN, half a set of images, and batches of which a part is meant."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dtui.model.judging import HIGHER, LOWER
from dtui.record import RecorderWarning
from dtui.record.validation.loader_tap import Batch
from dtui.record.validation.ranks import MISSING, ranked, top_error
from dtui.record.validation.score_limit import ScoreLimit, worst_tenth
from dtui.record.validation.scores import find_scores, predict, rows_of
from dtui.record.validation.targets import UnusableLoaderError, images_of, targets_of
from dtui.record.validation.tracked_images import ImagesChangedError, ImageTracker, Judgements
from dtui.record.validation.watched import match
from dtui.record.writing.warn import forget_told
from tests.record.telling import untold

INF, NAN = float("inf"), float("nan")

# --- class scores


def test_a_tie_of_one_output_is_the_first_class() -> None:
    assert predict(torch.tensor([[0.0], [0.5]]), 1).labels.tolist() == [[0, 0], [1, 0]]


def test_of_one_logit_the_confidence_is_that_in_the_label() -> None:
    found = predict(torch.tensor([[-2.0], [3.0]]), 1).confidences[:, 0]
    torch.testing.assert_close(found, torch.tensor([2.0, 3.0]).sigmoid())


def test_an_infinite_score_is_certain() -> None:
    found = predict(torch.tensor([[INF, INF, 0.0]]), 1, top=2)
    assert found.seconds is not None
    assert [float(one[0, 0]) for one in (found.confidences, found.seconds)] == [1, 1]


def test_scores_in_double_are_told_apart_as_such() -> None:
    assert predict(torch.tensor([[1.0, 1.0 + 1e-12]], dtype=torch.float64), 1).labels.tolist() == [[1, 1]]


def test_neither_rounding_nor_nan_speaks_against_probabilities() -> None:
    scores = torch.randn(50, 10, generator=torch.Generator().manual_seed(1))
    rounded, spoilt = scores.bfloat16().softmax(1), scores.softmax(1)
    spoilt[3, 2] = NAN
    assert all(float(predict(one, 1).looks[2]) <= 1 for one in (rounded, spoilt))
    assert float(predict(scores.sigmoid(), 1).looks[2]) > 1


@pytest.mark.parametrize(
    ("output", "count", "shape"),
    [
        ((torch.ones(2, 7), torch.ones(5, 3)), 5, (5, 3)),
        ((torch.tensor(1.0), torch.ones(5)), 5, (5, 1)),
        (torch.ones(3), 1, (1, 3)),
        (torch.ones(3), 3, (3, 1)),
    ],
    ids=["as many rows as images", "a loss first", "one image, squeezed", "one output"],
)
def test_the_scores_are_the_part_with_a_row_an_image(output: Any, count: int, shape: tuple[int, int]) -> None:
    assert find_scores(output, count, choosing=pytest.fail).shape == shape


def test_a_number_before_the_images_is_none_of_them() -> None:
    assert rows_of((torch.tensor(0.5), "x"), {"images": torch.ones(5, 2)}) == 5


def test_a_second_label_as_sure_as_the_first_is_known() -> None:
    columns = ranked(np.array([0]), np.array([[0, 1]]), np.array([1.0]))
    assert columns["second_confidence"].tolist() == [254]


def test_where_no_rank_is_known_nothing_is_logged() -> None:
    assert top_error(np.array([MISSING, MISSING]), 5) == {}


# --- the limit of scores


def test_the_worst_tenth_is_rounded_down_and_leaves_nan_out() -> None:
    scores = np.array([*range(19), *[NAN] * 9], np.float32)
    assert (worst_tenth(scores, HIGHER), worst_tenth(scores, LOWER)) == (1, 17)


def test_a_validation_without_scores_leaves_the_limit_as_it_is() -> None:
    limit = ScoreLimit(HIGHER)
    found = [limit.pass_on(tenth) for tenth in (NAN, 2.0, NAN)]
    assert found[0] != found[0]
    assert found[1:] == [2.0, 2.0]


# --- labels and images in a batch


def test_labels_that_count_up_as_the_positions_do_are_labels() -> None:
    batch = (torch.ones(3, 1), torch.arange(3))
    assert targets_of(batch, drawn=np.arange(3)).tolist() == [0, 1, 2]


def test_several_labels_an_image_are_told_before_weights() -> None:
    with pytest.raises(UnusableLoaderError, match="several true labels an image"):
        targets_of((torch.ones(2, 1), torch.tensor([0.5, 0.5]), torch.ones(2, 3)))


@pytest.mark.parametrize("wrap", [lambda x: (x, 1), lambda x: {"image": x}, lambda x: [{"img": x}, 1]])
def test_pictures_are_the_inputs_of_as_many_images(wrap: Any) -> None:
    inputs = torch.ones(2, 3, 4, 4)
    found = images_of(wrap(inputs), 2)
    assert isinstance(found, Tensor)
    assert found.data_ptr() == inputs.data_ptr()
    assert images_of(wrap(inputs), 3) is None


# --- passes and batches


def batches(*sizes: int) -> list[Batch]:
    return [Batch(np.zeros(size, np.int64), None) for size in sizes]


def test_a_loop_that_breaks_early_is_told_nothing() -> None:
    first, second = (predict(torch.ones(4, 2), number) for number in (1, 2))
    with untold():
        assert match(batches(4, 4, 4), [first, second]) == [first, second, None]


@pytest.mark.parametrize("rows", [3, 5])
def test_a_pass_about_another_number_of_images_is_refused(rows: int) -> None:
    with pytest.raises(UnusableLoaderError, match=f"the model answered for {rows} images, the batch holds 4"):
        match(batches(4), [predict(torch.ones(rows, 2), 1)])


def test_a_loader_that_runs_ahead_of_a_loop_that_breaks_is_refused() -> None:
    with pytest.raises(UnusableLoaderError, match="2 calls of the model do not match 3 batches"):
        match(batches(4, 4, 4), [predict(torch.ones(4, 2), number) for number in (2, 3)])


# --- the images that are followed


def judged(ids: range, targets: list[int] | None = None, labels: int = 0, classes: int = 3) -> Judgements:
    count = len(ids)
    true = np.array(targets if targets is not None else [0] * count, np.int64)
    return Judgements(np.array(ids), true, np.full(count, labels), np.ones(count), classes)


def told_at(ids: range, labels: int = 0) -> list[str]:
    """What is told of a second validation, after one of the images 0 to 19."""
    forget_told()
    tracker = ImageTracker(None)
    tracker.begin(judged(range(20)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RecorderWarning)
        tracker.place(judged(ids, labels=labels))
    return [str(one.message) for one in caught]


def test_of_other_images_those_that_are_new_and_those_that_are_missing_are_counted() -> None:
    for last, new in ((25, 5), (35, 15)):
        more, fewer = told_at(range(10, last))
        assert f"{new} of {new + 10} images were not in the first validation" in more
        assert "10 of 20 tracked images were not judged" in fewer
    assert told_at(range(20)) == []


def test_of_a_part_of_the_images_those_with_nan_are_counted() -> None:
    assert any("the outputs of 5 of 5 images are NaN" in line for line in told_at(range(5), labels=-1))


def test_a_label_behind_the_last_name_is_told() -> None:
    with pytest.raises(ImagesChangedError, match=r"2 class names were given.*labels go up to 2"):
        ImageTracker(("cat", "dog")).begin(judged(range(3), [0, 1, 2], classes=5))


def test_images_none_of_which_has_a_label_are_told() -> None:
    forget_told()
    with pytest.warns(RecorderWarning, match="2 images have"), pytest.raises(ImagesChangedError, match="no image has"):
        ImageTracker(None).begin(judged(range(2), [-100, -100]))


def test_the_row_of_an_image_that_is_not_followed_is_none() -> None:
    tracker = ImageTracker(None)
    tracker.begin(judged(range(3), [1, 0, 0]))
    assert tracker.rows_of(np.array([0, 7, 2, -1])).tolist() == [2, -1, 1, -1]


def test_a_resumed_run_finds_its_images_by_their_numbers() -> None:
    """Also from ten on, where names have another order; and with fewer names than outputs."""
    tracker, targets = ImageTracker(("cat", "dog")), [0, 1] * 6
    images, _ = tracker.begin(judged(range(12), targets, classes=5))
    again = ImageTracker(("cat", "dog"))
    again.go_on(images)
    seen = judged(range(12), targets, classes=5)
    seen.labels[:] = np.arange(12) % 5
    for _ in range(2):
        labels, _, _ = again.place(seen)
        assert labels.tolist() == [int(one) % 5 for one in images.ids]
    assert again.rows_of(np.arange(12)).tolist() == [images.ids.index(str(one)) for one in range(12)]
