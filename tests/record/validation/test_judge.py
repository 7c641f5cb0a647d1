"""`Recorder.judge`: items by a number each, whatever the task; the calls at one iteration make one validation."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dtui.model import NOT_JUDGED_STORED, RunStatus
from dtui.model.judging import TENTH_VALIDATIONS, Judging
from dtui.record import RecorderWarning, Thumbnails
from tests.record.conftest import MemoryStore, RecorderUnderTest, small_net

Make = Callable[..., RecorderUnderTest]
IDS = ("a", "b", "c", "d")


class Training:
    """A tiny training whose items are judged."""

    def __init__(self, record: Make, **options: Any) -> None:
        self.model = small_net()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01)
        self.recorder = record(self.model, self.optimizer, every=1, **options)

    def update(self) -> None:
        self.model(torch.zeros(2, 1, 8, 8)).sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def judge(self, *arguments: Any, **options: Any) -> None:
        """One update, and one call."""
        self.update()
        self.recorder.judge(*arguments, **options)

    def judge_and_end(self, *arguments: Any, **options: Any) -> MemoryStore:
        self.judge(*arguments, **options)
        return self.end()

    def judge_and_write(self, *arguments: Any, **options: Any) -> None:
        """One update and one call; the validation is written."""
        self.judge(*arguments, **options)
        self.update()
        sink = self.recorder._recording.sink
        assert sink is not None
        sink.drain()

    def end(self) -> MemoryStore:
        self.recorder.close()
        return self.recorder.store


@pytest.fixture
def training(record: Make) -> Callable[..., Training]:
    return lambda **options: Training(record, **options)


def judged(store: MemoryStore, place: int = -1) -> dict[str, tuple[str, str]]:
    """Group and label of each item of a validation, by its id."""
    assert store.images is not None
    names, validation = (*store.images.classes, "?"), store.validations[place]
    labels = [len(names) - 1 if label == NOT_JUDGED_STORED else int(label) for label in validation.labels]
    targets = store.images.targets.tolist()
    return {one: (names[own], names[said]) for one, own, said in zip(store.images.ids, targets, labels, strict=True)}


def scores_of(store: MemoryStore, place: int = -1) -> dict[str, float]:
    assert store.images is not None
    return dict(zip(store.images.ids, store.validations[place].columns["score"].tolist(), strict=True))


def logged(store: MemoryStore) -> dict[int, dict[str, float]]:
    return dict(store.logged)


def told(warned: Any) -> list[str]:
    return [str(one.message) for one in warned if issubclass(one.category, RecorderWarning)]


def test_items_are_right_from_the_threshold_on_within_their_groups(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(IDS, torch.tensor([0.5, 0.2, 0.9, 0.49]), ["street", "street", "sky", "sky"], threshold=0.5, name="IoU")
    store = one.end()
    assert store.images is not None
    assert store.images.classes == ("street", "sky", "not right")
    assert store.images.judging == Judging("IoU", "higher", "threshold", 0.5, other=2)
    assert judged(store) == {
        "a": ("street", "street"),
        "b": ("street", "not right"),
        "c": ("sky", "sky"),
        "d": ("sky", "not right"),
    }
    assert scores_of(store) == pytest.approx({"a": 0.5, "b": 0.2, "c": 0.9, "d": 0.49})
    assert logged(store)[0] == pytest.approx({"IoU_mean": 0.5225})


def test_of_losses_the_lower_ones_are_right(training: Callable[..., Training]) -> None:
    one = training()
    one.judge([3, 1], [0.7, 2.0], threshold=1, better="lower")
    assert judged(one.end()) == {"1": ("all", "not right"), "3": ("all", "all")}


@pytest.mark.parametrize("end", ["update", "context", "close"])
def test_the_calls_at_one_iteration_make_one_validation(training: Callable[..., Training], end: str) -> None:
    one = training()
    one.update()
    one.update()

    def calls() -> None:
        for first in (0, 2):
            one.recorder.judge(IDS[first : first + 2], torch.ones(2), threshold=0.5)

    if end == "context":
        with one.recorder.validation():
            calls()
        assert one.recorder._validator.judge.pending is None
    else:
        calls()
    if end == "update":
        one.update()
        assert one.recorder._validator.judge.pending is None
    store = one.end()
    assert [validation.iteration for validation in store.validations] == [1]
    assert store.images is not None
    assert store.images.ids == IDS


def test_a_validation_before_the_first_update_is_kept(training: Callable[..., Training]) -> None:
    one = training()
    one.recorder.judge(IDS, [1, 2, 3, 4])
    one.judge(IDS, [1, 2, 3, 4])
    one.judge(IDS, [1, 2, 3, 4])
    assert [validation.iteration for validation in one.end().validations] == [0, 1]


def test_items_keep_their_rows_in_any_order(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(IDS, [0.1, 0.2, 0.3, 0.4], threshold=0)
    one.judge(IDS[::-1], [0.8, 0.7, 0.6, 0.5], threshold=0)
    assert scores_of(one.end()) == pytest.approx({"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.8})


@pytest.mark.parametrize("kind", [torch.as_tensor, np.array])
def test_what_was_given_may_be_changed_afterwards(training: Callable[..., Training], kind: Callable[..., Any]) -> None:
    scores, ids = kind(np.array([1.0, 0.0], np.float32)), kind([7, 8])
    one = training()
    one.judge(ids, scores, threshold=0.5)
    scores[:] = 9.0
    ids[:] = 9
    store = one.end()
    assert scores_of(store) == {"7": 1.0, "8": 0.0}


def test_a_score_that_is_nan_is_neither_right_nor_wrong(training: Callable[..., Training]) -> None:
    one = training()
    with pytest.warns(RecorderWarning, match=r"judge: the scores of 1 of 4 items are NaN; they are neither right nor"):
        store = one.judge_and_end(IDS, [1.0, math.nan, 0.0, 1.0], threshold=0.5)
    assert judged(store)["b"] == ("all", "?")
    assert math.isnan(scores_of(store)["b"])
    assert logged(store)[0]["score_mean"] == pytest.approx(2 / 3)


def test_with_a_label_too_and_its_score_is_kept(training: Callable[..., Training]) -> None:
    one = training()
    with pytest.warns(RecorderWarning, match=r"judge: the scores of 1 of 4 items are NaN"):
        store = one.judge_and_end(IDS, [1.0, math.nan, 0.0, 1.0], ["cat"] * 4, ["cat", "cat", "dog", "dog"])
    assert [judged(store)[one][1] for one in IDS] == ["cat", "?", "dog", "dog"]


def test_where_every_score_is_nan_nothing_is_logged_and_no_item_is_wrong(training: Callable[..., Training]) -> None:
    one = training()
    with pytest.warns(RecorderWarning, match="judge: the scores of 4 of 4 items are NaN"):
        store = one.judge_and_end(IDS, [math.nan] * 4)
    assert {label for _, label in judged(store).values()} == {"?"}
    assert store.logged == []


def test_what_is_right_or_wrong_is_a_score_too(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(IDS, [True, False, True, True], threshold=torch.tensor(1))
    assert scores_of(one.end()) == {"a": 1, "b": 0, "c": 1, "d": 1}


def test_the_name_of_a_score_may_be_left_out_later(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(IDS, [1.0] * 4, threshold=0.5, name="IoU")
    one.judge(IDS, [1.0] * 4, threshold=0.5)
    assert [list(values) for _, values in one.end().logged] == [["IoU_mean"]] * 2


# --- groups


def test_a_group_for_all_items_of_a_call_is_that_of_each(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    for ids, group in (((), "none"), ("ab", "sky"), ("c", "street"), ("de", ["sky", "street"]), ("", "sky")):
        one.recorder.judge([*ids], [1.0] * len(ids), group, threshold=0.5)
    store = one.end()
    assert {item: group for item, (group, _) in judged(store).items()} == {
        "a": "sky", "b": "sky", "c": "street", "d": "sky", "e": "street"
    }  # fmt: skip
    assert store.images is not None
    assert store.images.classes == ("sky", "street", "not right")


def test_a_group_without_items_takes_no_item_of_another(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    one.recorder.judge([], [], "sky", threshold=0.5)
    one.recorder.judge(["a", "b"], [1.0, 1.0], "street", threshold=0.5)
    assert {group for group, _ in judged(one.end()).values()} == {"street"}


def test_groups_in_one_call_and_not_in_another_are_told(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    one.recorder.judge(IDS[:2], [1.0] * 2, "sky", threshold=0.5)
    one.recorder.judge(IDS[2:], [1.0] * 2, threshold=0.5)
    with pytest.warns(RecorderWarning, match="judge: groups are given in one call and not in another"):
        assert one.end().validations == []


def test_ids_of_two_kinds_are_told(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    one.recorder.judge([1, 2], [1.0] * 2, threshold=0.5)
    one.recorder.judge(["a", "b"], [1.0] * 2, threshold=0.5)
    with pytest.warns(RecorderWarning, match="judge: ids are given in one call .*or are of two kinds"):
        assert one.end().validations == []


def test_a_number_behind_the_last_class_is_no_group(training: Callable[..., Training]) -> None:
    one = training(classes=("sky", "street"))
    with pytest.warns(RecorderWarning, match="judge: group '2' is none of the 2 groups of the run"):
        assert one.judge_and_end(IDS, [1.0] * 4, torch.tensor([0, 1, 2, 1]), threshold=0.5).validations == []


# --- without a threshold


def test_without_a_threshold_the_worst_tenth_is_not_right(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(range(20), torch.arange(20.0))
    store = one.end()
    assert [label for _, label in judged(store).values()] == ["not right"] * 2 + ["all"] * 18
    assert logged(store)[0] == {"score_mean": 9.5, "score_worst_tenth": 2.0, "score_limit": 2.0}


def test_the_limit_is_that_of_the_best_of_the_last_validations(training: Callable[..., Training]) -> None:
    one = training()
    scores = torch.arange(20.0)
    rises = [0.0, 3.0, 1.0, *[0.0] * TENTH_VALIDATIONS]
    for rise in rises:
        one.judge(range(20), scores + rise)
    limits = [values["score_limit"] for _, values in sorted(logged(one.end()).items())]
    tenths = [2.0 + rise for rise in rises]
    assert limits == [max(tenths[max(0, at - 19) : at + 1]) for at in range(len(tenths))]


def test_of_losses_it_is_the_lowest(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(range(20), torch.arange(20.0), better="lower")
    one.judge(range(20), torch.arange(20.0) + 1, better="lower")
    store = one.end()
    assert [values["score_limit"] for _, values in sorted(logged(store).items())] == [17.0, 17.0]
    assert sum(label == "not right" for _, label in judged(store, 0).values()) == 2
    assert sum(label == "not right" for _, label in judged(store, 1).values()) == 3


# --- labels


def test_a_label_without_a_threshold_decides(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(IDS, None, ["cat", "dog", "cat", "dog"], ["cat", "cat", "fox", "dog"])
    store = one.end()
    assert store.images is not None
    assert store.images.classes == ("cat", "dog", "fox", "another label")
    assert store.images.judging is not None
    assert not store.images.judging.has_scores
    assert [label for _, label in judged(store).values()] == ["cat", "fox", "cat", "dog"]  # by class, then by id
    assert "score" not in store.validations[0].columns


def test_a_label_that_is_new_later_has_a_name(training: Callable[..., Training]) -> None:
    one = training()
    for label in ("cat", "lynx"):
        one.judge(["x"], [0.3], ["cat"], [label])
    assert judged(one.end()) == {"x": ("cat", "another label")}


def test_with_a_threshold_the_label_says_what_a_wrong_one_was_taken_for(training: Callable[..., Training]) -> None:
    one = training()
    groups, labels = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 1, 0])
    one.judge(IDS, [0.9, 0.1, 0.1, 0.9], groups, labels, threshold=0.5)
    assert [label for _, label in judged(one.end()).values()] == ["0", "1", "not right", "1"]


def test_a_label_that_is_no_group_names_none(training: Callable[..., Training]) -> None:
    one = training(classes=("sky", "street"))
    groups, labels = torch.tensor([0, 0, 1, 1]), torch.tensor([-1, 2, 0, 1])
    one.judge(IDS, [0.0] * 4, groups, labels, threshold=0.5)
    assert [label for _, label in judged(one.end()).values()] == ["not right", "not right", "sky", "not right"]
    named = training()
    named.judge(IDS, [0.0] * 4, ["cat"] * 4, ["fox"] * 4, threshold=0.5)
    store = named.end()
    assert store.images is not None
    assert store.images.classes == ("cat", "not right")


def test_numbers_of_groups_are_those_of_the_classes(training: Callable[..., Training]) -> None:
    one = training(classes=("sky", "street"))
    one.judge(IDS, [1, 1, 1, 0], torch.tensor([1, 0, 1, 0]), threshold=0.5)
    store = one.end()
    assert store.images is not None
    assert store.images.classes == ("sky", "street", "not right")
    assert judged(store)["d"] == ("sky", "not right")
    assert judged(store)["c"] == ("street", "street")


def test_groups_with_numbers_are_in_their_order(training: Callable[..., Training]) -> None:
    one = training()
    one.judge(IDS, [1, 1, 1, 0], torch.tensor([10, 9, -1, 9]), threshold=0.5)
    store = one.end()
    assert store.images is not None
    assert store.images.classes == ("-1", "9", "10", "not right")


# --- pictures


def test_pictures_are_those_of_the_items(training: Callable[..., Training]) -> None:
    images = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 8, 8) / 3
    one = training(thumbnails=Thumbnails(size=8))
    one.judge(IDS, [1, 1, 1, 1], threshold=0.5, images=images)
    store = one.end()
    assert store.images is not None
    assert len(set(store.images.thumbnails)) == 4


@pytest.mark.parametrize(("count", "is_given"), [(4, True), (2, False)], ids=["others are given", "fewer items"])
def test_pictures_of_a_loader_that_are_not_those_of_the_items_are_left(
    training: Callable[..., Training], count: int, is_given: bool
) -> None:
    one = training(thumbnails=Thumbnails(size=8))
    one.update()
    images = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 8, 8) / 3
    with one.recorder.validation([(images, torch.zeros(4).long())]):
        outputs = one.model(images)[:count].mean(1)
        one.recorder.judge(IDS[:count], outputs, threshold=0, images=images.flip(0) if is_given else None)
    store = one.end()
    assert store.images is not None
    whites = [int(np.asarray(Image.open(io.BytesIO(one))).max()) for one in store.images.thumbnails]
    assert whites == ([255, 170, 85, 0] if is_given else [])


def test_a_loader_gives_the_pictures(training: Callable[..., Training]) -> None:
    one = training(thumbnails=Thumbnails(size=8))
    one.update()
    batches = [(torch.rand(2, 1, 8, 8), torch.tensor([0, 1])) for _ in range(2)]
    with one.recorder.validation(batches):
        for place, (images, _) in enumerate(batches):
            outputs = one.model(images)
            one.recorder.judge(IDS[2 * place : 2 * place + 2], outputs.mean(1), threshold=0)
    store = one.end()
    assert store.images is not None
    assert all(store.images.thumbnails)
    assert len(store.images.thumbnails) == 4


# --- bad input


BAD: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "lengths": ((IDS, [1.0, 2.0]), {}, "judge: 4 ids, 2 scores; give one of each an item"),
    "groups": ((IDS, [1.0] * 4, ["a", "b"]), {}, "judge: 4 ids, 2 groups; give one of each an item"),
    "no scores": ((IDS, None), {"threshold": 0.5}, "judge: threshold=0.5 without scores; give a number for each id"),
    "nothing": ((IDS, None), {}, "judge: neither scores nor labels; give a number for each id"),
    "better": ((IDS, [1.0] * 4), {"better": "more"}, "judge: better='more': give 'higher', or 'lower' for losses"),
    "threshold": ((IDS, [1.0] * 4), {"threshold": math.nan}, "judge: threshold=nan: give one finite number, or None"),
    "infinite": ((IDS, [1.0] * 4), {"threshold": math.inf}, "judge: threshold=inf: give one finite number, or None"),
    "switch": ((IDS, [1.0] * 4), {"threshold": True}, "judge: threshold=True: give one finite number, or None"),
    "name": ((IDS, [1.0] * 4), {"threshold": 0.5, "name": ""}, "judge: name='': give 1 to "),
    "labels": ((IDS, [1.0] * 4, None, ["a"]), {"threshold": 0.5}, "judge: 4 ids, 1 labels; give one of each an item"),
    "switches": ((torch.ones(4) > 0, [1.0] * 4), {"threshold": 0.5}, "judge: ids of torch.bool; give integers or str"),
    "words": ((IDS, ["x"] * 4), {}, "judge: scores of type <U1; give numbers"),
    "matrix": ((IDS, torch.ones(4, 3)), {}, r"judge: scores of shape \(4, 3\); give one an item, shape \(n,\)"),
    "float ids": (([0.5, 1.5], [1.0, 2.0]), {}, "judge: ids of type float64; give integers or strings, one an item"),
    "complex": ((IDS, torch.ones(4, dtype=torch.cfloat)), {}, "judge: scores of torch.complex64; give real numbers"),
    "none": (([], []), {"threshold": 0.5}, "judge: no item was judged"),
    "group": (
        (IDS, [1.0] * 4, "e"),
        {"threshold": 0.5},
        r"judge: group 'e' is none of the 1 groups of the run \(all\); give all of them in the first validation, or as",
    ),
    "other ids": (
        (["e", "f"], [1.0, 2.0]),
        {"threshold": 0.5},
        "judge: none of the 4 tracked items were judged; validate on the same items every time",
    ),
    "kind of ids": (
        (range(4), [1.0] * 4),
        {"threshold": 0.5},
        "judge: the items' ids are of another kind than in the first validation",
    ),
    "another rule": (
        (IDS, [1.0] * 4),
        {"threshold": 0.7},
        r"judge: this call is judged by threshold=0.7 \(higher is better\), the first was by threshold=0.5",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_the_rest_is_recorded(training: Callable[..., Training], case: str) -> None:
    arguments, options, line = BAD[case]
    one = training()
    good = ((IDS, [1.0] * 4), {"threshold": 0.5})
    one.judge(*good[0], **good[1])
    with pytest.warns(RecorderWarning) as warned:
        one.judge_and_write(*arguments, **options)
    one.judge(*good[0], **good[1])
    store = one.end()
    (said,) = told(warned)
    assert re.search(line, said)
    assert [validation.iteration for validation in store.validations] == [0, 3]
    assert [gap.first for gap in store.gaps] == [1]
    assert store.status is RunStatus.DONE


def test_each_kind_of_bad_input_is_told_once(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    calls = (((IDS, [1.0]), {}), ((IDS, [1.0, 2.0]), {}), ((IDS, [1.0] * 4), {"better": "more"}))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for arguments, options in calls:
            one.recorder.judge(*arguments, **options)
    assert [line.rpartition("judge: ")[2] for line in told(warned)] == [
        "4 ids, 1 scores; give one of each an item",
        "better='more': give 'higher', or 'lower' for losses",
    ]
    one.end()


def test_items_that_come_twice_are_told(training: Callable[..., Training]) -> None:
    one = training()
    with pytest.warns(RecorderWarning, match="judge: 1 of 4 ids come a second time in one validation, and the first c"):
        store = one.judge_and_end(["a", "b", "c", "a"], [1.0, 1.0, 1.0, 0.0], threshold=0.5)
    assert scores_of(store)["a"] == 1.0


def test_class_scores_and_scores_do_not_mix(training: Callable[..., Training]) -> None:
    one = training()
    batch = [(torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]))]
    one.update()
    with one.recorder.validation(batch):
        one.model(batch[0][0])
    one.recorder._recording.sink.drain()  # type: ignore[union-attr]
    with pytest.warns(RecorderWarning, match="judge: the validations before recorded class scores; a run records one"):
        one.judge(IDS, [1.0] * 4, threshold=0.5)
    assert len(one.end().validations) == 1


def test_an_evaluation_that_breaks_leaves_no_half_validation(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    with pytest.raises(TypeError), one.recorder.validation():
        one.recorder.judge(IDS[:2], [1.0, 1.0], threshold=0.5) + 1  # type: ignore[operator]
    one.judge(IDS, [1.0] * 4, threshold=0.5)
    store = one.end()
    assert [validation.iteration for validation in store.validations] == [1]
    assert [gap.reason for gap in store.gaps] == ["the evaluation was interrupted"]


def test_a_closed_recorder_says_so(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    one.recorder.close()
    with pytest.warns(RecorderWarning, match="judge: .* is closed, and nothing is recorded"):
        one.recorder.judge(IDS, [1.0] * 4)


def test_no_random_number_is_drawn_and_no_graph_is_kept(training: Callable[..., Training]) -> None:
    one = training()
    one.update()
    weight, before = torch.ones(4, requires_grad=True), torch.get_rng_state()
    one.recorder.judge(IDS, weight * 2, threshold=0.5)
    assert torch.equal(before, torch.get_rng_state())
    pending = one.recorder._validator.judge._pending
    assert pending is not None
    assert isinstance(pending.calls[0].scores, torch.Tensor)
    assert pending.calls[0].scores.grad_fn is None
