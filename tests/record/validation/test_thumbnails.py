"""Thumbnails of the judged images."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dtui.record import RecorderWarning, Thumbnails
from tests.record.validation.pictures import COUNT, Make, check, pictures


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
