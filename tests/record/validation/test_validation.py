"""Validations: whichever way the loader goes, each image is judged by its own prediction."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, Subset, TensorDataset

from dtui.model import RunStatus
from dtui.record import Recorder, RecorderWarning, Thumbnails
from dtui.store import RunReader
from tests.record.conftest import MemoryStore, RecorderUnderTest, small_net

Make = Callable[..., RecorderUnderTest]
COUNT = 23


def pictures(count: int = COUNT) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(11)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.randint(0, 3, (count,), generator=generator)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(2)
    return small_net()


def slow_answer(model: nn.Module, images: Tensor) -> dict[int, tuple[int, float]]:
    """Label and probability of each image, by its position, one image at a time."""
    with torch.no_grad():
        scores = [torch.softmax(model(image[None])[0].double(), 0) for image in images]
    return {position: (int(score.argmax()), float(score.max())) for position, score in enumerate(scores)}


def check(store: MemoryStore, model: nn.Module, images: Tensor, labels: Tensor, validations: int = 1) -> None:
    """The store holds what the slow answer says, image by image."""
    assert store.images is not None
    assert len(store.validations) == validations
    wanted = slow_answer(model, images)
    assert sorted(int(identity) for identity in store.images.ids) == list(range(len(images)))
    assert store.images.targets.tolist() == sorted(labels.tolist())
    for validation in store.validations:
        for row, identity in enumerate(store.images.ids):
            label, confidence = wanted[int(identity)]
            assert store.images.targets[row] == labels[int(identity)]
            assert validation.labels[row] == label
            assert abs(validation.confidences[row] / 255 - confidence) < 0.004


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


def test_a_shuffled_loader_without_a_batch_sampler_is_refused(record: Make, model: nn.Module) -> None:
    class Own:
        def __init__(self) -> None:
            self.sampler = torch.utils.data.RandomSampler(range(COUNT))

        def __iter__(self) -> Iterator[Any]:
            images, labels = pictures()
            return iter([(images, labels)])

    refused(record, model, Own(), "order of its RandomSampler cannot be watched")


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


def evaluate(recorder: RecorderUnderTest, model: nn.Module, loader: Any, calls: int | None) -> None:
    with recorder.validation(loader):
        if calls is None:
            for batch in loader:
                model(batch[0])
        for _ in range(calls or 0):
            model(torch.zeros(4, 1, 8, 8))


def refused(record: Make, model: nn.Module, loader: Any, match: str, calls: int | None = None) -> MemoryStore:
    recorder = record(model, every=1)
    recorder.step()
    with pytest.warns(RecorderWarning, match=match):
        evaluate(recorder, model, loader, calls)
    recorder.close()
    assert recorder.store.validations == []
    assert [gap.stream for gap in recorder.store.gaps] == ["validations"]
    return recorder.store


def test_a_generator_is_refused(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    refused(record, model, (batch for batch in [(images, labels)]), "a generator cannot be watched")


def test_predictions_in_a_validation_that_was_refused_are_told_once(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    recorder = record(model, every=1)
    recorder.step()
    with (
        pytest.warns(RecorderWarning, match="a generator cannot be watched") as told,
        recorder.validation(batch for batch in [(images, labels)]),
    ):
        recorder.predictions(model(images), labels, range(COUNT))
    assert len(told) == 1


def test_a_random_sampler_that_cannot_be_watched_is_refused(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    loader = DataLoader(TensorDataset(images, labels), batch_sampler=deque([[1, 0], [3, 2]]))
    refused(record, model, loader, "order of its deque cannot be watched")
    assert type(loader) is DataLoader


def test_a_model_that_was_not_called_is_told(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    refused(record, model, [(images, labels)], "1 batches of the loader and 0 calls of the model", calls=0)


def test_calls_that_do_not_match_the_batches_are_told(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    refused(record, model, [(images[:9], labels[:9]), (images[9:], labels[9:])], "3 calls of the model do not", calls=3)


@pytest.mark.parametrize(
    ("targets", "match"),
    [
        (torch.ones(COUNT, 3), "several true labels an image"),
        (torch.zeros(COUNT, 3), "several true labels an image, or none"),
        (torch.full((COUNT, 2), 0.5), "holds no labels"),
        (torch.full((COUNT,), 0.5), "not whole"),
        (torch.full((COUNT,), torch.nan), "not whole"),
        (torch.zeros(COUNT, dtype=torch.cfloat), "holds no labels"),
        (["cat"] * COUNT, "holds no labels"),
        (None, "holds no labels"),
    ],
    ids=["several", "none of several", "soft", "float", "nan", "complex", "words", "nothing"],
)
def test_batches_without_class_labels_are_told(record: Make, model: nn.Module, targets: Any, match: str) -> None:
    images, _ = pictures()
    refused(record, model, [(images, targets)], match)


@pytest.mark.parametrize("label", [-1, 3], ids=["negative", "too large"])
def test_labels_that_the_network_cannot_give_are_told(record: Make, model: nn.Module, label: int) -> None:
    images, labels = pictures()
    labels[4] = label
    refused(record, model, [(images, labels)], "labels from")


def test_outputs_that_are_no_class_scores_are_told(record: Make) -> None:
    model = nn.Conv2d(1, 3, 3)
    images, labels = pictures()
    refused(record, model, [(images, labels)], "class scores of shape")


def test_another_number_of_classes_than_names_is_told(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    recorder = record(model, every=1, classes=tuple("abcd"))
    recorder.step()
    with (
        pytest.warns(
            RecorderWarning,
            match=r"4 class names were given, the model tells 3 classes apart \(layer 4 has 3 outputs\)",
        ),
        recorder.validation([(images, labels)]),
    ):
        model(images)


def test_a_network_that_gets_another_class_is_told(record: Make, model: nn.Sequential) -> None:
    images, labels = pictures()
    recorder = record(model, every=1)
    for outputs in (3, 4, 3):
        model[4] = nn.Linear(54, outputs)
        recorder.step()
        with recorder.validation([(images, labels)]):
            model(images)
    recorder.close()
    assert [validation.iteration for validation in recorder.store.validations] == [0, 2]
    (gap,) = (gap for gap in recorder.store.gaps if gap.stream == "validations")
    assert gap.first == 1
    assert "the network tells 4 classes apart, 3 in the first validation" in gap.reason


MOST = 65_535


@pytest.mark.parametrize("classes", [MOST, MOST + 1])
def test_as_many_classes_as_a_label_can_tell_apart(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, classes: int
) -> None:
    model = nn.Linear(1, classes, bias=False)
    with torch.no_grad():
        model.weight.zero_()
        model.weight[-1] = 10.0
    targets = [0, 40_000, classes - 1]
    with Recorder(tmp_path / "run", model, every=1) as recorder:
        recorder.step()
        with recorder.validation(), torch.no_grad():
            recorder.predictions(model(torch.tensor([[1.0], [-1.0], [1.0]])), targets, ["a", "b", "c"])
    reader = RunReader(tmp_path / "run.dtui")
    if classes > MOST:
        assert "65536 classes, at most 65535 can be stored" in reader.gaps[0].reason
        reader.close()
        return
    told = [str(warning.message) for warning in recwarn if warning.category is RecorderWarning]
    assert (reader.gaps, reader.faults, told, reader.status()) == ((), (), [], RunStatus.DONE)
    assert reader.images is not None
    assert (len(reader.images.classes), reader.images.targets.tolist()) == (MOST, targets)
    assert reader.read_labels(slice(0, 3), slice(0, 1))[:, 0].tolist() == [MOST - 1, 0, MOST - 1]
    errors = reader.read_class_errors(slice(0, 1))[:, 0]
    assert (errors[0], errors[40_000], errors[MOST - 1]) == (1, 1, 0)
    assert np.isnan(errors).sum() == MOST - 3
    reader.close()


def second_validation(record: Make, model: nn.Module, match: str, images: Tensor, labels: Tensor) -> None:
    first = pictures()
    recorder = record(model, every=1)
    recorder.step()
    with recorder.validation([first]):
        model(first[0])
    recorder.step()
    with pytest.warns(RecorderWarning, match=match), recorder.validation([(images, labels)]):
        model(images)
    recorder.step()
    with recorder.validation([first]):
        model(first[0])
    recorder.close()
    assert [validation.iteration for validation in recorder.store.validations] == [0, 2]
    assert [(gap.first, gap.stream) for gap in recorder.store.gaps] == [(1, "validations")]


def test_a_changed_true_label_is_told_and_the_next_validation_counts_again(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    labels = labels.clone()
    labels[7] = (labels[7] + 1) % 3
    second_validation(record, model, "1 images have another true label", images, labels)


def test_missing_images_are_told(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    second_validation(record, model, "none of the 23 tracked images were judged", images[:0], labels[:0])


def test_more_images_than_tracked_are_passed_over(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    recorder = record(model, every=1)
    for count in (20, COUNT):
        recorder.step()
        with recorder.validation([(images[:count], labels[:count])]):
            model(images[:count])
    recorder.close()
    check(recorder.store, model, images[:20], labels[:20], validations=2)


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


def test_thumbnails_undo_the_normalisation_and_keep_to_their_size(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    pixels = torch.rand(COUNT, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = (pixels - 0.25) / 0.5
    recorder = record(model, every=1, thumbnails=Thumbnails(size=4, mean=[0.25], std=[0.5]))
    recorder.step()
    with recorder.validation([(images, labels)]):
        model(images)
    recorder.close()
    stored = recorder.store.images
    for identity, data in zip(stored.ids, stored.thumbnails, strict=True):
        found = np.asarray(Image.open(io.BytesIO(data))).astype(float)
        wanted = torch.nn.functional.avg_pool2d(pixels[int(identity)], 2)[0].numpy() * 255
        assert found.shape == (4, 4)
        np.testing.assert_allclose(found, wanted, atol=0.51)


@pytest.mark.parametrize(("size", "encoding"), [(40, "PNG"), (72, "JPEG")])
def test_thumbnails_of_three_channels_undo_each_channels_normalisation(record: Make, size: int, encoding: str) -> None:
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    colours = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.4, 0.8]])
    plain = colours[:, :, None, None].expand(3, 3, size, size // 2)
    images = (plain - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * (size // 2), 3))
    recorder = record(model, every=1, thumbnails=Thumbnails(size=2 * size, mean=mean, std=std))
    for _ in range(2):
        recorder.step()
        with recorder.validation([(images, torch.arange(3))]), torch.inference_mode():
            model(images)
    recorder.close()
    for data, colour in zip(recorder.store.images.thumbnails, colours, strict=True):
        found = Image.open(io.BytesIO(data))
        assert (found.format, found.size) == (encoding, (size // 2, size))
        np.testing.assert_allclose(np.asarray(found)[5, 5] / 255, colour.numpy(), atol=0.02)


def test_thumbnails_keep_to_their_bytes_and_may_come_from_the_user(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    asked = []

    def picture(identity: str) -> np.ndarray:
        asked.append(identity)
        return np.full((100, 50, 3), int(identity), np.uint8)

    recorder = record(model, every=1, thumbnails=Thumbnails(size=60, picture=picture, limit_bytes=5000))
    recorder.step()
    with recorder.validation([(images, labels)]):
        model(images)
    recorder.close()
    kept = recorder.store.images.thumbnails
    assert 0 < sum(map(len, kept)) <= 5000
    assert b"" in kept
    assert Image.open(io.BytesIO(kept[0])).size == (30, 60)
    assert Image.open(io.BytesIO(kept[0])).format == "JPEG"


def test_a_picture_that_cannot_be_made_costs_the_pictures_only(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    recorder = record(model, every=1, thumbnails=Thumbnails(picture=lambda identity: {}[identity]))
    recorder.step()
    with recorder.validation([(images, labels)]):
        model(images)
    with pytest.warns(RecorderWarning, match="no thumbnails"):
        recorder.close()
    check(recorder.store, model, images, labels)
    assert recorder.store.images.thumbnails == ()
