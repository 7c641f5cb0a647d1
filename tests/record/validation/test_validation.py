"""Validations: whichever way the loader goes, each image is judged by its own prediction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, Subset, TensorDataset

from dtui.record import RecorderWarning
from tests.record.conftest import small_net
from tests.record.validation.pictures import COUNT, Make, check, pictures, slow_answer


class OwnDataset(Dataset[Any]):
    """A data set that gives out mappings, and counts how often it is read."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels, self.reads = images, labels, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        self.reads += 1
        return {"pixel_values": self.images[index], "labels": self.labels[index]}


def loaders(images: Tensor, labels: Tensor) -> dict[str, Any]:
    plain = TensorDataset(images, labels)
    reversed_set = TensorDataset(images.flip(0), labels.flip(0))
    return {
        "plain": DataLoader(plain, 5),
        "shuffled": DataLoader(plain, 5, shuffle=True),
        "short last batch": DataLoader(plain, 22),
        "one batch": DataLoader(plain, 100),
        "subset": DataLoader(Subset(reversed_set, list(range(COUNT))[::-1]), 4, shuffle=True),
        "workers": DataLoader(plain, 5, shuffle=True, num_workers=2),
        "persistent workers": DataLoader(plain, 5, shuffle=True, num_workers=1, persistent_workers=True),
        "with duplicates": DataLoader(plain, 4, sampler=[*range(COUNT), 3, 3, 0]),
        "sampler object": DataLoader(plain, 4, sampler=DistributedSampler(plain, 1, 0, shuffle=True)),
        "batch sampler": DataLoader(plain, batch_sampler=[[4, 3, 2], [0, 1], list(range(5, COUNT))]),
        "list": [(images[:9], labels[:9]), (images[9:], labels[9:])],
        "tuple": ((images[:9], labels[:9]), (images[9:], labels[9:])),
        "with weights": [(images, labels, torch.ones(COUNT))],
    }


@pytest.mark.parametrize("kind", loaders(*pictures()))
def test_predictions_reach_their_images_through_every_loader(record: Make, model: nn.Module, kind: str) -> None:
    images, labels = pictures()
    loader = loaders(images, labels)[kind]
    classes = type(loader), type(getattr(loader, "batch_sampler", None))
    recorder = record(model, every=1)
    for _ in range(3):
        recorder.step()
        with recorder.validation(loader), torch.no_grad():
            for batch in loader:
                model(batch[0])
    recorder.close()
    if kind == "subset":
        images, labels = images.flip(0), labels.flip(0)
    check(recorder.store, model, images, labels, validations=3)
    assert (type(loader), type(getattr(loader, "batch_sampler", None))) == classes
    assert not recorder.store.gaps


class Lengthless(nn.Module):
    """Has a length that fails, as a compiled model has whose network has none."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def __len__(self) -> int:
        raise TypeError("no len()")

    def forward(self, x: Tensor) -> Any:
        return self.inner(x)


def test_the_module_that_the_evaluation_calls_is_never_asked_for_its_length(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    called = Lengthless(model)
    recorder = record(model, every=1)
    loader = DataLoader(TensorDataset(images, labels), 5)
    with recorder.validation(loader, model=called), torch.no_grad():
        for batch, _ in loader:
            called(batch)
    recorder.close()
    check(recorder.store, model, images, labels)


def test_batches_that_are_mappings_and_outputs_that_are_objects(record: Make) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()

        def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
            return {"loss": pixel_values.sum(), "logits": self.net(pixel_values)}

    model, (images, labels) = Wrapped(), pictures()
    dataset = OwnDataset(images, labels)
    loader = DataLoader(dataset, 6, shuffle=True)
    recorder = record(model, every=1)
    recorder.step()
    with recorder.validation(loader):
        for batch in loader:
            model(**batch)
    recorder.close()
    check(recorder.store, model.net, images, labels)
    assert dataset.reads == COUNT


def test_a_prefetching_wrapper_runs_one_batch_ahead(record: Make, model: nn.Module) -> None:
    def ahead(loader: Any) -> Iterator[Any]:
        waiting = None
        for batch in loader:
            if waiting is not None:
                yield waiting
            waiting = batch
        yield waiting

    images, labels = pictures()
    loader = DataLoader(TensorDataset(images, labels), 5, shuffle=True)
    recorder = record(model, every=1)
    recorder.step()
    with recorder.validation(loader):
        for batch, _ in ahead(loader):
            model(batch)
    recorder.close()
    check(recorder.store, model, images, labels)


class Prefetcher:
    """A wrapper that moves batches to a device, as timm's PrefetchLoader."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.sampler = loader.sampler
        self.dataset = loader.dataset

    def __iter__(self) -> Iterator[Any]:
        for images, labels in self.loader:
            yield images * 1, labels

    def __len__(self) -> int:
        return len(self.loader)


def test_a_loader_in_a_loader_is_known_by_its_sampler(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    loader = Prefetcher(DataLoader(TensorDataset(images, labels), 5, shuffle=True))
    recorder = record(model, every=1)
    for _ in range(2):
        recorder.step()
        with recorder.validation(loader):
            for batch, _ in loader:
                model(batch)
    recorder.close()
    check(recorder.store, model, images, labels, validations=2)


def test_the_last_call_for_a_batch_counts_where_there_are_several(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    loader = DataLoader(TensorDataset(images, labels), 5)
    recorder = record(model, every=1)
    recorder.step()

    def validate() -> None:
        with recorder.validation(loader):
            for batch, _ in loader:
                model(batch.flip(3))
                model(batch)

    with pytest.warns(RecorderWarning, match="called 10 times for 5 batches; the last call for each counts"):
        validate()
    recorder.close()
    check(recorder.store, model, images, labels)


def test_stated_predictions_with_ids_of_the_user(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    names = np.array([f"img-{position:03d}.png" for position in range(COUNT)])
    recorder = record(model, every=1, classes=("a", "b", "c"))
    for order in (torch.arange(COUNT), torch.randperm(COUNT, generator=torch.Generator().manual_seed(1))):
        recorder.step()
        with recorder.validation(), torch.no_grad():
            for chosen in order.split(7):
                recorder.predictions(model(images[chosen]), labels[chosen], names[chosen.numpy()], images[chosen])
    recorder.close()
    store = recorder.store
    assert store.images.classes == ("a", "b", "c")
    assert store.images.ids == tuple(name for label in range(3) for name in names[labels.numpy() == label])
    wanted = slow_answer(model, images)
    for validation in store.validations:
        found = dict(zip(store.images.ids, validation.labels.tolist(), strict=True))
        assert found == {name: wanted[position][0] for position, name in enumerate(names)}
    assert len(store.images.thumbnails) == COUNT


def test_one_output_is_the_probability_of_the_second_class(record: Make) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    images, _ = pictures()
    labels = torch.arange(COUNT) % 2
    recorder = record(model, every=1, classes=("no", "yes"))
    recorder.step()
    with recorder.validation([(images, labels)]):
        scores = torch.sigmoid(model(images)).detach().flatten()
    recorder.close()
    order = np.argsort(labels.numpy(), kind="stable")
    assert recorder.store.validations[0].labels.tolist() == (scores > 0.5).int().numpy()[order].tolist()


def test_a_stream_without_positions_is_known_by_its_order(record: Make, model: nn.Module) -> None:
    images, labels = pictures()

    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return iter(zip(images, labels, strict=True))

    loader = DataLoader(Stream(), 5)
    recorder = record(model, every=1)
    recorder.step()
    with recorder.validation(loader):
        for batch, _ in loader:
            model(batch)
    recorder.close()
    check(recorder.store, model, images, labels)


def test_an_interrupted_evaluation_is_a_gap_and_its_error_passes(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    recorder = record(model, every=1)
    recorder.step()
    hooks = list(model._forward_hooks)

    def evaluate() -> None:
        with recorder.validation([(images, labels)]):
            assert len(model._forward_hooks) == len(hooks) + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        evaluate()
    assert list(model._forward_hooks) == hooks
    recorder.step()
    with recorder.validation([(images, labels)]):
        model(images)
    recorder.close()
    assert [gap.first for gap in recorder.store.gaps] == [0]
    check(recorder.store, model, images, labels)


def test_every_module_gets_its_own_training_flag_back(record: Make) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(), nn.Linear(144, 3))
    model.train()
    model[1].eval()
    flags = [module.training for module in model.modules()]
    images, labels = pictures()
    recorder = record(model, every=1)
    recorder.step()
    with recorder.validation([(images, labels)]):
        model.eval()
        model(images)
    assert [module.training for module in model.modules()] == flags
    recorder.step()

    def interrupted() -> None:
        with recorder.validation([(images, labels)]):
            model.eval()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [module.training for module in model.modules()] == flags


def test_validations_of_one_iteration_count_once(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    recorder = record(model, every=1)
    recorder.step()
    with recorder.validation([(images, labels)]):
        model(images)
    with pytest.warns(RecorderWarning, match="validated twice"), recorder.validation([(images, labels)]):
        model(images * 0)
    recorder.close()
    check(recorder.store, model, images, labels)


def test_predictions_outside_a_validation_are_told(record: Make, model: nn.Module) -> None:
    recorder = record(model, every=1)
    with pytest.warns(RecorderWarning, match="not within"):
        recorder.predictions(torch.zeros(2, 3), [0, 1], [0, 1])


def test_predictions_that_do_not_fit_together_are_told(record: Make, model: nn.Module) -> None:
    recorder = record(model, every=1)
    with pytest.warns(RecorderWarning, match="2 logits, 1 targets, 2 ids"), recorder.validation():
        recorder.predictions(torch.zeros(2, 3), [0], [0, 1])
