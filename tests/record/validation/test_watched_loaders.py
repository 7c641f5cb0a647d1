"""Whatever hands out the batches, and however far the loop goes: each image has its own judgement, or none."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from dtui.errors import RecorderError
from dtui.model import NOT_JUDGED_STORED
from dtui.record import RecorderWarning
from dtui.record.validation.thumbnails import Thumbnails
from tests.record.evaluating import COUNT, Headed, Make, accuracy, evaluate, over_half, pictures, same


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


def look_meanwhile(recorder: Any, model: nn.Module, when: str) -> None:
    """Evaluate as a loop that shows some pictures: the second pass draws an order of its own."""
    loader = plain()
    with recorder.validation(loader), torch.no_grad():
        for at, (batch, _) in enumerate(loader):
            if at == 2 and when == "before":
                next(iter(loader))
            model(batch)
            if when == "after":
                next(iter(loader))
    assert not recorder._is_judging()  # or no batch of the training would be noted from here on
    recorder.close()


def test_a_look_at_other_batches_before_one_is_judged_is_refused(record: Make) -> None:
    recorder = record(model := Headed(3, same), every=1)
    recorder.step()
    with pytest.warns(RecorderWarning, match="5 calls of the model do not match 6 batches"):
        look_meanwhile(recorder, model, "before")
    assert recorder.store.validations == []


def test_a_look_at_other_batches_meanwhile_leaves_each_image_its_own(record: Make) -> None:
    images, _ = pictures(3)
    recorder = record(model := Headed(3, same), every=1)
    recorder.step()
    look_meanwhile(recorder, model, "after")
    assert recorder.store.images is not None
    wanted = model(images).argmax(1)
    (validation,) = recorder.store.validations
    found = dict(zip(map(int, recorder.store.images.ids), validation.labels.tolist(), strict=True))
    assert found == dict(enumerate(wanted.tolist()))


def test_where_one_batch_is_collated_to_fewer_all_images_are_numbered_anew(record: Make) -> None:
    """Positions in the data set beside numbers of another kind would give two images one id."""
    images, labels = pictures(3)
    data = Subset(TensorDataset(images, labels), range(COUNT - 1, -1, -1))
    first = iter([1])
    loader = DataLoader(data, 8, collate_fn=lambda some: torch.utils.data.default_collate(some[next(first, 0) :]))
    recorder = record(model := Headed(3, same), every=1)
    recorder.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluate(recorder, model, loader)
    recorder.close()
    assert recorder.store.images is not None
    assert sorted(map(int, recorder.store.images.ids)) == list(range(COUNT - 1))
    assert NOT_JUDGED_STORED not in recorder.store.validations[0].labels


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


@pytest.mark.parametrize("how", ["loader", "predictions", "both"])
def test_each_image_has_its_own_picture_where_some_have_no_label_and_some_are_passed_over(
    record: Make, how: str
) -> None:
    images = (torch.arange(COUNT) / COUNT).reshape(-1, 1, 1, 1).expand(COUNT, 1, 8, 8)
    labels = torch.arange(COUNT) % 3
    labels[[0, 4, 9, 20]] = -100
    loader = DataLoader(TensorDataset(images, labels), 8)
    recorder = record(model := Headed(3, same), every=1, thumbnails=Thumbnails(size=8, mean=[0.0], std=[1.0]))
    recorder.step()
    with recorder.validation(None if how == "predictions" else loader), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for at, (batch, targets) in enumerate(loader):
            if at in (1, 3):
                continue
            if how == "loader":
                model(batch)
            else:
                recorder.predictions(model.net(batch), targets, range(8 * at, 8 * at + len(batch)), batch)
    recorder.close()
    stored = recorder.store.images
    assert stored is not None
    whites = [int(np.asarray(Image.open(io.BytesIO(one))).max()) for one in stored.thumbnails]
    assert len(whites) == COUNT - 16 - 3
    assert whites == [round(255 * int(identity) / COUNT) for identity in stored.ids]


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
