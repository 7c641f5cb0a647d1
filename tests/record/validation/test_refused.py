"""Evaluations that cannot be judged are told in one line, and the training goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from dtui.model import RunStatus
from dtui.record import Recorder, RecorderWarning
from dtui.store import RunReader
from tests.record.conftest import MemoryStore, RecorderUnderTest
from tests.record.validation.pictures import COUNT, Make, check, pictures


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


def test_a_shuffled_loader_without_a_batch_sampler_is_refused(record: Make, model: nn.Module) -> None:
    class Own:
        def __init__(self) -> None:
            self.sampler = torch.utils.data.RandomSampler(range(COUNT))

        def __iter__(self) -> Iterator[Any]:
            images, labels = pictures()
            return iter([(images, labels)])

    refused(record, model, Own(), "order of its RandomSampler cannot be watched")
