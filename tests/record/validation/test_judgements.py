"""What is recorded is what the loop itself counts: whatever the model returns, wherever the loader puts the labels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from dtui.errors import RecorderError
from dtui.record import RecorderWarning
from dtui.record.validation.output_kind import LOGITS, PROBABILITIES, Evidence, OutputKind
from dtui.record.validation.scores import predict
from dtui.record.validation.tracked_images import ImagesChangedError
from dtui.record.validation.validator import _as_arrays, _merged
from dtui.record.validation.watched import Watched
from dtui.record.writing.warn import forget_told
from tests.record.evaluating import (
    COUNT,
    Headed,
    Make,
    accuracy,
    evaluate,
    largest,
    over_half,
    over_zero,
    pictures,
    same,
)
from tests.record.telling import untold


class Batch(NamedTuple):
    image: Tensor
    label: Tensor


@dataclass
class Reply:
    hidden: Tensor
    logits: Tensor


# outputs, head, scores in what the model returns, the loop's own rule
OUTPUTS: dict[str, tuple[int, Callable[[Tensor], Any], Callable[[Any], Tensor], Callable[[Tensor], Tensor]]] = {
    "logits": (3, same, same, largest),
    "softmax": (3, lambda x: x.softmax(1), same, largest),
    "softmax in bfloat16": (3, lambda x: x.bfloat16().softmax(1), same, largest),
    "log softmax": (3, lambda x: x.log_softmax(1), same, largest),
    "a sigmoid a class": (3, torch.sigmoid, same, largest),
    "double": (3, lambda x: x.double(), same, largest),
    "half": (3, lambda x: x.half(), same, largest),
    "spatial": (3, lambda x: x[..., None, None], same, lambda x: x.argmax(1).flatten()),
    "tuple": (3, lambda x: (x.sum(), x), lambda out: out[1], largest),
    "mapping": (3, lambda x: {"loss": x.sum(), "logits": x}, lambda out: out["logits"], largest),
    "dataclass": (3, lambda x: Reply(x[:, :2], x), lambda out: out.logits, largest),
    "one logit": (1, same, same, over_zero),
    "one squeezed logit": (1, lambda x: x.squeeze(), same, over_zero),
    "two logits": (2, same, same, largest),
    "one sigmoid": (1, torch.sigmoid, same, over_half),
    "one sigmoid module": (1, nn.Sigmoid(), same, over_half),
    "one squeezed sigmoid": (1, lambda x: torch.sigmoid(x).squeeze(), same, over_half),
    "one sigmoid in bfloat16": (1, lambda x: x.bfloat16().sigmoid(), same, over_half),
    "one cut sigmoid": (1, lambda x: torch.sigmoid(x).clamp(1e-7, 1 - 1e-7).float(), same, over_half),
}


@pytest.mark.parametrize("trained", [True, False], ids=["after a pass in training", "before any"])
@pytest.mark.filterwarnings("ignore::dtui.record.RecorderWarning")
@pytest.mark.parametrize("form", OUTPUTS)
def test_the_accuracy_is_the_loop_s_own_for_every_output(record: Make, form: str, trained: bool) -> None:
    outputs, head, scores, rule = OUTPUTS[form]
    images, labels = pictures(max(2, outputs))
    model = Headed(outputs, head)
    recorder = record(model, every=1)
    recorder.step()
    if trained:
        model(images[:4])
    own = evaluate(
        recorder, model, DataLoader(TensorDataset(images, labels), 9), rule, scores
    )  # the last batch has one
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(own)
    assert 0.1 < own < 0.9
    assert recorder.store.gaps == []


PROBABLE = {form: OUTPUTS[form] for form in ("softmax", "softmax in bfloat16", "one sigmoid", "one squeezed sigmoid")}


@pytest.mark.parametrize("form", PROBABLE)
def test_the_confidence_is_the_probability_that_the_model_gave(record: Make, form: str) -> None:
    outputs, head, _, _ = OUTPUTS[form]
    images, labels = pictures(max(2, outputs))
    model = Headed(outputs, head)
    recorder = record(model, every=1)
    recorder.step()
    model(images)
    with untold():
        evaluate(recorder, model, [(images, labels)], lambda scores: scores.reshape(COUNT, -1).argmax(1))
    recorder.close()
    given = model(images).detach().float().reshape(COUNT, -1)
    wanted = torch.maximum(given, 1 - given)[:, 0] if outputs == 1 else given.max(1).values
    assert recorder.store.images is not None
    order = [int(identity) for identity in recorder.store.images.ids]
    np.testing.assert_allclose(recorder.store.validations[0].confidences / 255, wanted[order], atol=0.003)


def test_what_the_outputs_are_can_be_said(record: Make) -> None:
    images, labels = pictures(2)
    for outputs, rule in (("logits", over_zero), ("probabilities", over_half)):
        model = Headed(1, torch.sigmoid)
        recorder = record(model, every=1, outputs=outputs)
        recorder.step()
        own = evaluate(recorder, model, [(images, labels)], rule)
        recorder.close()
        assert accuracy(recorder.store) == pytest.approx(own)
    with pytest.raises(RecorderError, match="outputs='scores': give 'logits', 'probabilities', or None"):
        record(Headed(1, same), every=1, outputs="scores")


def test_promised_probabilities_that_are_none_are_refused(record: Make) -> None:
    images, labels = pictures(3)
    recorder = record(model := Headed(3, same), every=1, outputs="probabilities")
    recorder.step()
    with pytest.warns(RecorderWarning, match="are not probabilities"):
        evaluate(recorder, model, [(images, labels)])
    recorder.close()
    assert recorder.store.validations == []


def between_0_and_1() -> Headed:
    """A model whose logits happen to lie between 0 and 1."""
    model = Headed(1, same, gain=1e-3)
    with torch.no_grad():
        model.net[4].bias.fill_(500.0)
    return model


def test_logits_that_happen_to_lie_between_0_and_1_are_logits_where_training_shows_it(record: Make) -> None:
    images, labels = pictures(2)
    model = between_0_and_1()
    recorder = record(model, every=1)
    recorder.step()
    model(images)
    with pytest.warns(RecorderWarning, match='taken as logits, as in training; give outputs="probabilities"'):
        own = evaluate(recorder, model, [(images, labels)], over_zero)
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(own)


def test_what_was_assumed_is_told_and_a_proof_changes_it(record: Make) -> None:
    images, labels = pictures(2)
    model = between_0_and_1()
    recorder = record(model, every=1)
    recorder.step()
    with pytest.warns(
        RecorderWarning, match='taken as probabilities, for all lie between 0 and 1; give outputs="logits"'
    ):
        evaluate(recorder, model, [(images, labels)], over_half)
    model.gain = 1.0
    recorder.step()
    with pytest.warns(RecorderWarning, match="iteration 1: the outputs are logits from here on"):
        own = evaluate(recorder, model, [(images, labels)], over_zero)
    recorder.step()
    model.gain = 1e-3
    kept = evaluate(recorder, model, [(images, labels)], over_zero)
    recorder.close()
    assert [accuracy(recorder.store, place) for place in (1, 2)] == pytest.approx([own, kept])


def test_probabilities_that_training_has_shown_are_not_told() -> None:
    forget_told()
    kind = OutputKind(None)
    kind._trained = PROBABILITIES
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert kind.decide(Evidence(0.2, 0.8, 1.0), 1, 0) == PROBABILITIES
    assert caught == []


def test_who_records_a_script_without_a_line_is_told_what_such_a_line_could_say(record: Make) -> None:
    images, labels = pictures(2)
    for has_trained, told in ((True, []), (False, ['a recorder of your own says otherwise with outputs="logits"'])):
        forget_told()
        model = Headed(1, same, gain=1e-3)
        with torch.no_grad():
            model.net[4].bias.fill_(500.0)
        recorder = record(model, every=1)
        recorder._outputs.is_launched = True
        recorder.step()
        if has_trained:
            model(images)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            evaluate(recorder, model, [(images, labels)], over_zero)
        recorder.close()
        assert [str(one.message).rpartition("; ")[2] for one in caught] == told


def test_a_pass_in_training_counts_more_than_what_was_assumed_before(record: Make) -> None:
    images, labels = pictures(2)
    model = between_0_and_1()
    recorder = record(model, every=1)
    recorder.step()
    with pytest.warns(RecorderWarning, match="taken as probabilities, for all lie between 0 and 1"):
        evaluate(recorder, model, [(images, labels)], over_half)
    model(images)
    recorder.step()
    with pytest.warns(RecorderWarning, match="the outputs are logits from here on"):
        own = evaluate(recorder, model, [(images, labels)], over_zero)
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(own)


def test_outputs_that_turn_nan_are_no_probabilities(record: Make, recwarn: pytest.WarningsRecorder) -> None:
    images, labels = pictures(3)
    model = Headed(3, same, gain=9.0)
    recorder = record(model, every=1)
    for gain in (9.0, float("nan"), 9.0):
        recorder.step()
        model.gain = gain
        evaluate(recorder, model, [(images, labels)])
    recorder.close()
    assert [str(warned.message) for warned in recwarn if "probabilities" in str(warned.message)] == []
    assert np.isnan(accuracy(recorder.store, 1)) or accuracy(recorder.store, 1) == 0.0


def test_a_head_that_begins_with_zeros_decides_nothing(record: Make) -> None:
    images, labels = pictures(3)
    model = Headed(3, torch.sigmoid, gain=0.0)
    recorder = record(model, every=1)
    recorder.step()
    evaluate(recorder, model, [(images, labels)])
    model.gain = 4.0
    recorder.step()
    with pytest.warns(RecorderWarning, match="taken as probabilities"):
        evaluate(recorder, model, [(images, labels)])
    recorder.close()
    assert recorder.store.images is not None
    order = [int(identity) for identity in recorder.store.images.ids]
    wanted = model(images).detach().max(1).values[order]
    np.testing.assert_allclose(recorder.store.validations[1].confidences / 255, wanted, atol=0.003)


def test_processes_that_judge_a_part_each_decide_alike() -> None:
    def part(first: int, scores: list[float]) -> Watched:
        seen = predict(torch.tensor(scores)[:, None], 1)
        evidence = Evidence.of(seen.looks[None].numpy(), {""})
        ids, targets = np.arange(first, first + len(scores)), np.zeros(len(scores), np.int64)
        return Watched(ids, targets, seen.labels.numpy(), seen.confidences.numpy(), evidence, 1)

    parts = [_as_arrays(part(0, [0.3, 0.2])), _as_arrays(part(2, [0.9, 3.0]))]
    together, kind = _merged(parts), OutputKind(None)
    assert kind.decide(together.evidence, together.outputs, 0) == LOGITS
    judged = together.read_as(LOGITS)
    assert (judged.ids.tolist(), judged.labels.tolist()) == ([0, 1, 2, 3], [1, 1, 1, 1])
    assert together.read_as(PROBABILITIES).labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(ImagesChangedError, match=r"the number of classes differs between processes: \[1, 4\]"):
        _merged([parts[0], {**parts[1], "outputs": np.array(4)}])


class Answers(Dataset[Any]):
    """A data set that gives out whatever is made of an image, its label and its number."""

    def __init__(self, make: Callable[[Tensor, Tensor, int], Any]) -> None:
        self.images, self.labels = pictures(3)
        self.make = make

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> Any:
        return self.make(self.images[index], self.labels[index], index)


# what the data set gives out, how the loop takes it apart, the target that is named, what is told
TARGETS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any], Any, str]] = {
    "pair": (lambda x, y, i: (x, y), tuple, None, ""),
    "column": (lambda x, y, i: (x, y[None]), lambda b: (b[0], b[1][:, 0]), None, ""),
    "float": (lambda x, y, i: (x, y.float()), tuple, None, ""),
    "half": (lambda x, y, i: (x, y.half()), tuple, None, ""),
    "bfloat16": (lambda x, y, i: (x, y.bfloat16()), tuple, None, ""),
    "float column": (lambda x, y, i: (x, y.float()[None]), lambda b: (b[0], b[1][:, 0]), None, ""),
    "one-hot": (lambda x, y, i: (x, torch.eye(3)[y]), lambda b: (b[0], b[1].argmax(1)), None, ""),
    "dictionary": (lambda x, y, i: {"image": x, "label": y}, lambda b: (b["image"], b["label"]), None, ""),
    "dictionary of targets": (lambda x, y, i: (x, {"label": y, "size": i}), lambda b: (b[0], b[1]["label"]), None, ""),
    "with a number": (lambda x, y, i: (x, y, i), lambda b: b[:2], None, ""),
    "a number first": (lambda x, y, i: (i, x, y), lambda b: b[1:], None, ""),
    "with weights": (lambda x, y, i: (x, y, 1.0), lambda b: b[:2], None, ""),
    "two inputs": (lambda x, y, i: (x, x, y), lambda b: b[1:], None, ""),
    "named tuple": (lambda x, y, i: Batch(x, y), tuple, None, ""),
    "two labels": (lambda x, y, i: (x, y, y // 2), lambda b: b[:2], None, "batch[1] is taken as the true labels"),
    "labels by level": (
        lambda x, y, i: {"x": x, "fine_label": y, "coarse_label": y // 2},
        lambda b: (b["x"], b["fine_label"]), None, "batch['fine_label'] is taken as the true labels",
    ),
    "named index": (lambda x, y, i: (x, y // 2, y), lambda b: (b[0], b[2]), 2, ""),
    "named key": (lambda x, y, i: {"x": x, "label": y // 2, "kind": y}, lambda b: (b["x"], b["kind"]), "kind", ""),
    "named by a function": (
        lambda x, y, i: (x, (y // 2, y)), lambda b: (b[0], b[1][1]), lambda batch: batch[1][1], ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", TARGETS)
def test_the_accuracy_is_the_loop_s_own_for_every_target(record: Make, form: str) -> None:
    make, take, target, told = TARGETS[form]
    recorder = record(model := Headed(3, same), every=1)
    recorder.step()
    loader = DataLoader(Answers(make), 8, shuffle=True)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        own = evaluate(recorder, model, loader, take=take, target=target)
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(own)
    assert told in " ".join(str(one.message) for one in warned)
    assert bool(told) == bool(warned)


def test_a_target_that_is_not_there_is_told(record: Make) -> None:
    images, labels = pictures(3)
    for target in (5, "label", lambda batch: batch["label"]):
        recorder = record(model := Headed(3, same), every=1)
        recorder.step()
        with pytest.warns(RecorderWarning, match=r"nothing at|indices must be"):
            evaluate(recorder, model, [(images, labels)], target=target)
        recorder.close()
        assert recorder.store.validations == []


def test_the_scores_of_several_outputs_can_be_named(record: Make) -> None:
    images, labels = pictures(3)
    head = lambda x: (x[:, :2], x)  # noqa: E731
    recorder = record(model := Headed(3, head), every=1)
    recorder.step()
    with pytest.warns(RecorderWarning, match=r"the model returns \[0\] \(37, 2\), \[1\] \(37, 3\); the first is taken"):
        evaluate(recorder, model, [(images, labels % 2)], scores=lambda out: out[0])
    recorder.close()
    recorder = record(model := Headed(3, head), every=1)
    recorder.step()
    right = 0
    with untold():
        model(images)
    with recorder.validation([(images, labels)], scores=1), torch.no_grad():
        right += int((model(images)[1].argmax(1) == labels).sum())
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(right / COUNT)


AUTOENCODERS: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "picture": (lambda x: x.flatten(1) + 0.0, "as many numbers as it is given, 64 an image"),
    "several": (lambda x: (x.flatten(1)[:, :7], x.flatten(1)[:, :4]), r"\[0\] \(9, 7\), \[1\] \(9, 4\)"),
}


class Returns(nn.Module):
    """A network that returns what a function makes of its input."""

    def __init__(self, made: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.layer, self.made = nn.Linear(2, 2), made

    def forward(self, x: Tensor) -> object:
        return self.made(x)


@pytest.mark.parametrize("kind", AUTOENCODERS)
@pytest.mark.parametrize("has_said", [True, False])
def test_an_evaluation_that_was_found_and_looks_like_no_classifiers_is_none(
    record: Make, kind: str, has_said: bool
) -> None:
    made, told = AUTOENCODERS[kind]
    images, labels = torch.rand(9, 1, 8, 8), torch.arange(9) % 3
    model = Returns(made)
    recorder = record(model, every=1, outputs="logits")
    recorder.step()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with recorder.validation([(images, labels)]):
            if not has_said:
                recorder._watch.mark_found()
            model.eval()(images)
    recorder.close()
    assert len(recorder.store.validations) == has_said
    assert has_said or re.search(f"the model returns {told}, which looks like no class scores", str(caught[0].message))


def test_of_several_tensors_the_first_counts_where_it_has_a_number_for_each_class(record: Make) -> None:
    images, labels = torch.rand(9, 1, 8, 8), torch.arange(9) % 3
    model = Returns(lambda x: (x.flatten(1)[:, :3], x.flatten(1)))
    recorder = record(model, every=1, outputs="logits")
    recorder.step()
    with recorder.validation([(images, labels)]):
        recorder._watch.mark_found()
        model.eval()(images)
    recorder.close()
    assert recorder.store.validations[0].labels.tolist() == [
        int(images[row].flatten()[:3].argmax()) for row in map(int, recorder.store.images.ids)
    ]
