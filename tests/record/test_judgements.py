"""What is recorded is what the loop itself counts: whatever the model returns, wherever the loader puts the labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from dtui.errors import RecorderError
from dtui.model import NOT_JUDGED_STORED
from dtui.record import RecorderWarning
from dtui.record.outputs import LOGITS, PROBABILITIES, Evidence, OutputKind
from dtui.record.scores import predict
from dtui.record.validation import Watched
from dtui.record.validator import _as_arrays, _merged
from tests.record.conftest import MemoryStore, RecorderUnderTest, small_net

Make = Callable[..., RecorderUnderTest]
COUNT = 37


def pictures(classes: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(COUNT, 1, 8, 8, generator=generator)
    return images, torch.randint(0, classes, (COUNT,), generator=generator)


class Headed(nn.Module):
    """A network whose answer is made by a function."""

    def __init__(self, outputs: int, head: Callable[[Tensor], Any], gain: float = 4.0) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.net, self.head, self.gain = small_net(outputs), head, gain

    def forward(self, images: Tensor) -> Any:
        return self.head(self.net(images) * self.gain)


class Batch(NamedTuple):
    image: Tensor
    label: Tensor


@dataclass
class Reply:
    hidden: Tensor
    logits: Tensor


@dataclass
class Bag:
    inputs: Tensor
    y: Tensor


def over_half(scores: Tensor) -> Tensor:
    return (scores.reshape(-1) > 0.5).long()


def over_zero(scores: Tensor) -> Tensor:
    return (scores.reshape(-1) > 0).long()


def largest(scores: Tensor) -> Tensor:
    return scores.argmax(1)


def same(anything: Any) -> Any:
    return anything


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


def evaluate(
    recorder: RecorderUnderTest,
    model: nn.Module,
    loader: Any,
    rule: Callable[[Tensor], Tensor] = largest,
    scores: Callable[[Any], Tensor] = same,
    take: Callable[[Any], tuple[Tensor, Tensor]] = tuple,
    **options: Any,
) -> float:
    """Validate as a loop does, and return the accuracy that it counts itself."""
    right = total = 0
    with recorder.validation(loader, **options), torch.no_grad():
        for batch in loader:
            images, labels = take(batch)
            right += int((rule(scores(model(images))) == labels).sum())
            total += len(labels)
    return right / total


def accuracy(store: MemoryStore, place: int = -1) -> float:
    assert store.images is not None
    labels = store.validations[place].labels
    known = labels != NOT_JUDGED_STORED
    return float((labels == store.images.targets)[known].mean())


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
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecorderWarning)
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
    with pytest.warns(RecorderWarning, match="are no probabilities"):
        evaluate(recorder, model, [(images, labels)])
    recorder.close()
    assert recorder.store.validations == []


def test_logits_that_happen_to_lie_between_0_and_1_are_logits_where_training_shows_it(record: Make) -> None:
    images, labels = pictures(2)
    model = Headed(1, same, gain=1e-3)
    with torch.no_grad():
        model.net[4].bias.fill_(500.0)
    recorder = record(model, every=1)
    recorder.step()
    model(images)
    with pytest.warns(RecorderWarning, match='taken as logits, as in training; give outputs="probabilities"'):
        own = evaluate(recorder, model, [(images, labels)], over_zero)
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(own)


def test_what_was_assumed_is_told_and_a_proof_changes_it(record: Make) -> None:
    images, labels = pictures(2)
    model = Headed(1, same, gain=1e-3)
    with torch.no_grad():
        model.net[4].bias.fill_(500.0)
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


def test_a_pass_in_training_counts_more_than_what_was_assumed_before(record: Make) -> None:
    images, labels = pictures(2)
    model = Headed(1, same, gain=1e-3)
    with torch.no_grad():
        model.net[4].bias.fill_(500.0)
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
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecorderWarning)
        model(images)
    with recorder.validation([(images, labels)], scores=1), torch.no_grad():
        right += int((model(images)[1].argmax(1) == labels).sum())
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(right / COUNT)


class Property:
    """A loader that defines `__class__` as a property, as accelerate's do, and forwards what it lacks."""

    def __init__(self, inner: Any) -> None:
        self.base_dataloader = inner

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return type(self.base_dataloader)

    def __getattr__(self, name: str) -> Any:
        if name == "base_dataloader":
            raise AttributeError(name)
        return getattr(self.base_dataloader, name)

    def __iter__(self) -> Iterator[Any]:
        yield from self.base_dataloader


class Slotted:
    __slots__ = ("loader",)

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loader)


class Pipeline:
    """An iterable that is its own iterator, with labels in a column, as DALI's."""

    def __init__(self) -> None:
        self.images, self.labels = pictures(3)
        self.at = 0

    def __iter__(self) -> Pipeline:
        self.at = 0
        return self

    def __next__(self) -> Any:
        if self.at >= COUNT:
            raise StopIteration
        part = slice(self.at, self.at + 8)
        self.at += 8
        return [{"data": self.images[part], "label": self.labels[part, None]}]


def plain(shuffle: bool = True, **options: Any) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*pictures(3)), 8, shuffle=shuffle, **options)


def prepared() -> Any:
    accelerate = pytest.importorskip("accelerate")
    return accelerate.Accelerator(cpu=True).prepare(plain())


class Copied:
    """A wrapper that takes over all attributes of its loader, as Lightning Fabric's."""

    def __init__(self, loader: Any) -> None:
        self.__dict__.update(loader.__dict__)
        self._dataloader = loader

    def __iter__(self) -> Iterator[Any]:
        yield from self._dataloader


def with_progress() -> Any:
    return pytest.importorskip("tqdm").tqdm(plain(), disable=True)


LOADERS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "accelerate": (prepared, tuple),
    "attributes copied": (lambda: Copied(plain()), tuple),
    "tqdm": (with_progress, tuple),
    "class property": (lambda: Property(plain()), tuple),
    "slots": (lambda: Slotted(plain()), tuple),
    "wrapper of a wrapper": (lambda: Property(Slotted(plain())), tuple),
    "its own iterator": (Pipeline, lambda b: (b[0]["data"], b[0]["label"][:, 0])),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_the_images_of_every_loader_are_known(record: Make, kind: str) -> None:
    make, take = LOADERS[kind]
    loader, (images, _) = make(), pictures(3)
    real = type(loader)
    recorder = record(model := Headed(3, same), every=1)
    owns = []
    for _ in range(2):
        recorder.step()
        owns.append(evaluate(recorder, model, loader, take=take))
    recorder.close()
    assert [accuracy(recorder.store, place) for place in (0, 1)] == pytest.approx(owns)
    assert recorder.store.images is not None
    wanted = model(images).argmax(1)
    for validation in recorder.store.validations:
        found = dict(zip(map(int, recorder.store.images.ids), validation.labels.tolist(), strict=True))
        assert found == dict(enumerate(wanted.tolist()))
    assert type(loader) is real


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "enumerate": (lambda: enumerate(plain()), "a enumerate cannot be watched; pass the DataLoader that it draws from"),
    "islice": (lambda: islice(plain(), 2), "a islice cannot be watched"),
    "zip": (lambda: zip(plain(), range(9), strict=False), "a zip cannot be watched"),
    "function": (lambda: plain, "a function cannot be watched"),
    "collated to fewer": (
        lambda: plain(collate_fn=lambda some: torch.utils.data.default_collate(some[1:] or some)),
        "images where its sampler drew",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_watched_is_told_with_what_can(record: Make, kind: str) -> None:
    make, match = REFUSED[kind]
    loader = make()
    recorder = record(model := Headed(3, same), every=1)
    recorder.step()
    images_of = {"enumerate": lambda b: b[1][0], "zip": lambda b: b[0][0]}.get(kind, lambda b: b[0])

    def validate() -> None:
        with recorder.validation(loader), torch.no_grad():
            for batch in () if callable(loader) else loader:
                model(images_of(batch))

    with pytest.warns(RecorderWarning, match=match):
        validate()
    recorder.close()
    assert recorder.store.validations == []
    assert [gap.stream for gap in recorder.store.gaps] == ["validations"]


BREAKS: dict[str, Callable[[Any, int], Iterator[Any]]] = {
    "at the top": lambda loader, count: (batch for at, batch in enumerate(loader) if at < count),
    "islice": lambda loader, count: islice(loader, count),
    "zip": lambda loader, count: (batch for batch, _ in zip(loader, range(count), strict=False)),
}


@pytest.mark.parametrize(("way", "workers"), [*((way, 0) for way in BREAKS), ("islice", 1)])
@pytest.mark.parametrize("counts", [(99, 2), (2, 2), (2, 99)], ids=["later", "always", "at first"])
def test_a_loop_that_breaks_early_records_what_it_saw(
    record: Make, counts: tuple[int, int], way: str, workers: int
) -> None:
    images, _ = pictures(3)
    loader = plain(shuffle=False, num_workers=workers)
    recorder = record(model := Headed(3, same), every=1)
    for count in counts:
        recorder.step()
        with warnings.catch_warnings(), recorder.validation(loader), torch.no_grad():
            warnings.simplefilter("ignore")
            for batch, _ in BREAKS[way](loader, count):
                model(batch)
    recorder.close()
    assert recorder.store.images is not None
    assert len(recorder.store.images.ids) == min(COUNT, counts[0] * 8)
    wanted = model(images).argmax(1)
    for count, validation in zip(counts, recorder.store.validations, strict=True):
        for identity, label in zip(map(int, recorder.store.images.ids), validation.labels.tolist(), strict=True):
            assert label == (wanted[identity] if identity < count * 8 else NOT_JUDGED_STORED)
    assert recorder.store.gaps == []


def test_batches_that_are_passed_over_have_no_value(record: Make) -> None:
    recorder = record(model := Headed(3, same), every=1)
    recorder.step()
    evaluate(recorder, model, loader := plain(shuffle=False))
    recorder.step()

    def validate() -> None:
        with recorder.validation(loader):
            for at, (images, _) in enumerate(loader):
                if at not in (1, 3):
                    model(images)

    with pytest.warns(RecorderWarning, match="16 of 37 tracked images were not judged"):
        validate()
    recorder.close()
    assert recorder.store.images is not None
    unknown = recorder.store.validations[1].labels == NOT_JUDGED_STORED
    missed = {int(identity) for identity, one in zip(recorder.store.images.ids, unknown, strict=True) if one}
    assert missed == {*range(8, 16), *range(24, 32)}


def test_outputs_that_are_nan_have_no_label(record: Make) -> None:
    images, labels = pictures(3)
    recorder = record(model := Headed(3, same), every=1)
    recorder.step()
    evaluate(recorder, model, [(images, labels)])
    recorder.step()
    spoilt = images.clone()
    spoilt[:5] = torch.nan
    with pytest.warns(RecorderWarning, match="the outputs of 5 of 37 images are NaN"):
        evaluate(recorder, model, [(spoilt, labels)])
    recorder.close()
    assert recorder.store.images is not None
    unknown = recorder.store.validations[1].labels == NOT_JUDGED_STORED
    assert {identity for identity, one in zip(recorder.store.images.ids, unknown, strict=True) if one} == set("01234")
    assert (recorder.store.validations[1].confidences[unknown] == 0).all()


def test_images_without_a_label_are_left_out_and_told(record: Make) -> None:
    images, labels = pictures(3)
    labels[4:9] = -100
    recorder = record(model := Headed(3, same), every=1)
    for _ in range(2):
        recorder.step()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            evaluate(recorder, model, [(images, labels)])
    assert warned == []  # told the first time
    recorder.close()
    assert recorder.store.images is not None
    assert len(recorder.store.images.ids) == COUNT - 5
    assert len(recorder.store.validations) == 2


def test_fewer_names_than_outputs_do_where_the_labels_stay_below(record: Make) -> None:
    images, labels = pictures(2)
    recorder = record(model := Headed(5, same), every=1, classes=("cat", "dog"))
    recorder.step()
    own = evaluate(recorder, model, [(images, labels)])
    recorder.close()
    assert recorder.store.images is not None
    assert recorder.store.images.classes == ("cat", "dog")
    assert recorder.store.validations[0].labels.max() > 1
    assert accuracy(recorder.store) == pytest.approx(own)
    recorder = record(model := Headed(5, same), every=1, classes=("cat", "dog"))
    recorder.step()
    with pytest.warns(
        RecorderWarning, match=r"2 class names were given.*layer net\.4 has 5 outputs.*labels go up to 4"
    ):
        evaluate(recorder, model, [(images, labels + 3)])
    recorder.close()
    with pytest.raises(
        RecorderError, match=r"7 names were given, but no layer has so many outputs \(the last, net\.4, has 5\)"
    ):
        record(Headed(5, same), every=1, classes=tuple("abcdefg"))


def test_nothing_is_left_on_the_model(record: Make) -> None:
    images, labels = pictures(2)
    recorder = record(model := Headed(1, nn.Sigmoid()), every=1)
    model(images)
    recorder.step()
    evaluate(recorder, model, [(images, labels)], over_half)
    assert [len(module._forward_hooks) for module in model.modules()] == [0] * len(list(model.modules()))
    recorder.close()


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_in_whatever_mode_and_still_in_training_the_answers_are_the_model_s(record: Make, mode: Any) -> None:
    images, labels = pictures(3)
    model = nn.Sequential(nn.BatchNorm2d(1), Headed(3, same), nn.Dropout(0.3))
    recorder = record(model, every=1)
    recorder.step()
    right = 0
    with recorder.validation([(images, labels)]), mode(), torch.autocast("cpu", torch.bfloat16):
        right += int((model(images).argmax(1) == labels).sum())
    recorder.close()
    assert accuracy(recorder.store) == pytest.approx(right / COUNT)
