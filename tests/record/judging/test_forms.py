"""The ready scores of `dtui.record.judging`, each beside a slow twin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dtui.record.judging import (
    absolute_error,
    by_class,
    class_iou,
    main_class,
    matched_boxes,
    mean_iou,
    share_right,
    token_loss,
    truth_probability,
)
from dtui.record.judging.detection import overlap


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def as_list(values: Tensor) -> list[float]:
    return [round(value, 6) for value in values.tolist()]


def slow_iou(seen: Tensor, truth: Tensor, classes: int, ignored: int) -> list[list[float]]:
    rows = []
    for one, other in zip(seen, truth, strict=True):
        pairs = [(a, b) for a, b in zip(one.flatten().tolist(), other.flatten().tolist(), strict=True) if b != ignored]
        row = []
        for label in range(classes):
            either = sum(label in pair for pair in pairs)
            row.append(sum(pair == (label, label) for pair in pairs) / either if either else math.nan)
        rows.append(row)
    return rows


def test_iou_of_classes_is_that_of_counted_pixels() -> None:
    outputs = torch.randn(5, 4, 6, 7, generator=seeded())
    masks = torch.randint(0, 3, (5, 6, 7), generator=seeded())  # class 3 is seen, and never there
    masks[0, :3], masks[1] = 255, 255
    wanted = slow_iou(outputs.argmax(1), masks, 4, 255)
    torch.testing.assert_close(class_iou(outputs, masks), torch.tensor(wanted), equal_nan=True)
    means = [[value for value in row if not math.isnan(value)] for row in wanted]
    assert as_list(mean_iou(outputs, masks[:, None]))[2:] == [round(sum(row) / len(row), 6) for row in means[2:]]
    assert math.isnan(float(mean_iou(outputs, masks)[1]))


def test_iou_of_one_output_is_that_of_its_sign() -> None:
    outputs = torch.tensor([[[[1.0, -1.0], [1.0, 1.0]]]])
    masks = torch.tensor([[[1, 0], [0, 1]]])
    assert as_list(class_iou(outputs, masks)[0]) == [0.5, round(2 / 3, 6)]


def test_the_main_class_is_that_of_most_pixels() -> None:
    masks = torch.tensor([[[0, 0], [0, 2]], [[1, 1], [2, 255]], [[255, 255], [255, 1]], [[0, 0], [0, 0]]])
    assert main_class(masks, 3).tolist() == [0, 1, 1, 0]
    assert main_class(masks, 3, background=0).tolist() == [2, 1, 1, 0]


def boxes(*corners: Sequence[float], scores: Sequence[float] = (), labels: Sequence[int] = ()) -> dict[str, Tensor]:
    found = {"boxes": torch.tensor(corners).reshape(-1, 4)}
    if scores:
        found["scores"] = torch.tensor(scores)
    if labels:
        found["labels"] = torch.tensor(labels)
    return found


A, B, FAR = (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 8.0), (50.0, 50.0, 60.0, 60.0)
NONE = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0)}


@pytest.mark.parametrize(
    ("found", "true", "f1"),
    [
        (boxes(A, scores=[0.9]), boxes(A), 1.0),
        (boxes(B, scores=[0.9]), boxes(A), 1.0),  # IoU 0.8
        (boxes(FAR, scores=[0.9]), boxes(A), 0.0),
        (boxes(A, B, scores=[0.9, 0.8]), boxes(A), 2 / 3),  # the second finds it again
        (boxes(B, A, scores=[0.8, 0.9]), boxes(A, FAR), 0.5),
        (boxes(A, B, scores=[0.4, 0.9]), boxes(A, B), 1.0),  # the surer one takes what it covers best
        (boxes(A, scores=[0.9], labels=[1]), boxes(A, labels=[2]), 0.0),
        (NONE, boxes(A), 0.0),
        (boxes(A, scores=[0.9]), {"boxes": torch.zeros(0, 4)}, 0.0),
        (NONE, {"boxes": torch.zeros(0, 4)}, 1.0),
    ],
)
def test_boxes_match_once_each(found: dict[str, Tensor], true: dict[str, Tensor], f1: float) -> None:
    assert as_list(matched_boxes([found], [true])) == [round(f1, 6)]


def test_labels_of_an_image_are_judged_one_by_one() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [math.nan, 3.0, -4.0]])
    targets = torch.tensor([[1, 1, -1], [0, 1, 0]])
    sure = truth_probability(logits, targets)
    assert as_list(sure[0, :2]) == as_list(torch.tensor([2.0, -1.0]).sigmoid())
    assert math.isnan(float(sure[0, 2]))
    assert math.isnan(float(sure[1, 0]))
    shares = share_right(logits, targets).tolist()
    assert shares[0] == 0.5
    assert math.isnan(shares[1])


def test_each_pair_of_item_and_class_is_an_item() -> None:
    scores = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    ids, flat, groups = by_class([7, "x", 8], scores, ["cat", "dog"])
    assert ids == ["7 cat", "7 dog", "x cat", "x dog", "8 cat", "8 dog"]
    assert list(groups) == ["cat", "dog"] * 3
    assert torch.equal(flat, scores.flatten())
    numbers, _, places = by_class(torch.tensor([5, 9, 0]), scores)
    assert numbers.tolist() == [10, 11, 18, 19, 0, 1]
    assert isinstance(places, Tensor)
    assert places.tolist() == [0, 1] * 3


def test_the_error_is_the_mean_of_an_items_numbers() -> None:
    outputs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert absolute_error(outputs, torch.tensor([[0.0, 4.0], [3.0, math.nan]])).tolist()[0] == 1.5
    assert absolute_error(outputs[:, :1], torch.tensor([0.0, 5.0])).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("shift", [False, True])
def test_the_loss_of_a_text_is_that_of_its_tokens(shift: bool) -> None:
    logits = torch.randn(3, 6, 11, generator=seeded())
    tokens = torch.randint(0, 11, (3, 6), generator=seeded())
    tokens[1, 3:], tokens[2] = -100, -100
    found = token_loss(logits, tokens, shift=shift)
    for text in range(2):
        places = [place for place in range(1 if shift else 0, 6) if tokens[text, place] >= 0]
        losses = [-functional.log_softmax(logits[text, place - shift], 0)[tokens[text, place]] for place in places]
        assert float(found[text]) == pytest.approx(float(sum(losses)) / len(losses), abs=1e-6)
    assert math.isnan(float(found[2]))


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "iou": (lambda: mean_iou(torch.ones(2, 3, 4, 4), torch.ones(2, 4, 5)), "IoU: outputs of shape"),
    "labels": (lambda: share_right(torch.ones(2, 3), torch.ones(2)), "share_right: logits of shape"),
    "boxes": (lambda: matched_boxes([NONE], []), "matched_boxes: 1 images found, 0 true ones"),
    "error": (lambda: absolute_error(torch.ones(2, 3), torch.ones(2)), "absolute_error: outputs of shape"),
    "loss": (lambda: token_loss(torch.ones(2, 3, 4), torch.ones(2, 4)), "token_loss: logits of shape"),
    "ids": (lambda: by_class([1], torch.ones(2, 3)), "by_class: 1 ids, scores of shape"),
    "names": (lambda: by_class([1, 2], torch.ones(2, 3), ["a"]), "by_class: 1 names, scores of 3 classes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_shapes_that_do_not_fit_are_told(case: str) -> None:
    call, line = WRONG[case]
    with pytest.raises(ValueError, match=line):
        call()


def test_an_absent_label_is_known_and_a_match_may_be_just_good_enough() -> None:
    known = truth_probability(torch.zeros(1, 2), torch.tensor([[0, -1]]))[0].tolist()
    assert known[0] == 0.5
    assert known[1] != known[1]
    half, whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[0.0, 0.0, 2.0, 1.0]])
    assert matched_boxes([{"boxes": half, "scores": torch.ones(1)}], [{"boxes": whole}]).tolist() == [1.0]


def test_the_surest_box_chooses_first_and_boxes_behind_the_hundredth_do_not_count() -> None:
    left, right = (0.0, 0.0, 10.0, 10.0), (4.0, 0.0, 14.0, 10.0)
    between = (2.0, 0.0, 12.0, 10.0)  # covers either by 2/3
    for scores, f1 in (([0.9, 0.8], 1.0), ([0.8, 0.9], 0.5)):
        found = boxes(left, between, scores=scores)
        assert as_list(matched_boxes([found], [boxes(left, right)])) == [f1]
    many = boxes(*[FAR] * 100, A, scores=[0.9] * 100 + [0.1])
    assert as_list(matched_boxes([many], [boxes(A)])) == [0.0]
    assert as_list(matched_boxes([many], [boxes(FAR)])) == [round(2 / 101, 6)]


def test_boxes_without_area_or_turned_round_cover_nothing() -> None:
    point, turned = (3.0, 3.0, 3.0, 3.0), (10.0, 10.0, 0.0, 0.0)
    some = torch.tensor([point, turned, (10.0, 0.0, 0.0, 10.0), A])
    assert overlap(some, some).tolist() == [[0] * 4, [0] * 4, [0] * 4, [0, 0, 0, 1]]
    assert as_list(matched_boxes([boxes(point, A, scores=[0.9, 0.8])], [boxes(point, A)])) == [0.5]
    beyond = torch.tensor([(19.0, 19.0, 29.0, 29.0)])  # away by nearly its own size in both directions
    assert overlap(some[3:], beyond).tolist() == [[0]]


def test_a_box_of_another_label_is_no_match_at_any_overlap() -> None:
    found, true = boxes(A, scores=[0.9], labels=[1]), boxes(A, labels=[2])
    assert as_list(matched_boxes([found], [true], iou=0.0)) == [0.0]


def test_no_images_have_no_scores() -> None:
    assert matched_boxes([], []).shape == (0,)
    assert token_loss(torch.ones(0, 3, 5), torch.ones(0, 3)).shape == (0,)


def test_of_labels_that_are_known_the_share_that_is_right() -> None:
    logits = torch.tensor([[-1.0, 2.0, 0.0, 0.0], [math.nan, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    targets = torch.tensor([[0.0, 0.0, 0.0, 1.0], [math.nan, 1.0, 1.0, 0.0], [-1.0, -1.0, math.nan, -1.0]])
    shares = share_right(logits, targets).tolist()
    assert shares[:2] == pytest.approx([0.5, 2 / 3])
    assert math.isnan(shares[2])


def test_a_row_of_errors_is_no_column_of_them() -> None:
    with pytest.raises(ValueError, match=r"absolute_error: outputs of shape \(4, 1\), targets \(1, 4\)"):
        absolute_error(torch.ones(4, 1), torch.ones(1, 4))


def test_pixels_that_count_nowhere_may_have_the_number_of_a_class() -> None:
    outputs = torch.zeros(1, 1, 2, 2)  # a tie is class 0
    assert as_list(class_iou(outputs, torch.tensor([[[0, 0], [0, 1]]]))[0]) == [0.75, 0.0]
    seen = torch.tensor([[[[9.0, 0.0]], [[0.0, 9.0]], [[0.0, 0.0]]]])
    found = class_iou(seen, torch.tensor([[[0, 2]]]), ignore_index=2)[0].tolist()
    assert found[0] == 1.0
    assert math.isnan(found[1])
    assert math.isnan(found[2])
    masks = torch.tensor([[[2, 2, 2, 0, 0, 0, 1]], [[0, 0, 0, 0, 0, 2, 2]]])
    assert main_class(masks, 3, ignore_index=2).tolist() == [0, 0]
    assert main_class(masks, 3, ignore_index=2, background=0).tolist() == [1, 0]  # by one pixel already
