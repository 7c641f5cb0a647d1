"""`Recorder(…, top=5)`: the rank of the true class, the second label, and how sure the network is of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dtui.errors import RecorderError
from dtui.query import open_run
from dtui.record import Recorder, RecorderWarning
from tests.record.conftest import RecorderUnderTest

Make = Callable[..., RecorderUnderTest]
LOGITS = torch.tensor([[5.0, 4.0, 3.0, 2.0], [1.0, 4.0, 3.0, 2.0], [5.0, 4.0, 3.0, 2.0], [torch.nan, 1.0, 1.0, 1.0]])
TARGETS = torch.tensor([0, 2, 3, 1])


def validated(recorder: Recorder, logits: torch.Tensor = LOGITS) -> None:
    with recorder.validation():
        recorder.predictions(logits, TARGETS, range(4))


@pytest.mark.parametrize(("top", "ranks"), [(2, [0, 1, 254]), (3, [0, 1, 254]), (9, [0, 1, 3])])
def test_ranks_are_the_places_of_the_true_class(record: Make, top: int, ranks: list[int]) -> None:
    recorder = record(nn.Linear(4, 4), top=top)
    validated(recorder)
    recorder.close()
    columns, ids = recorder.store.validations[0].columns, recorder.store.images.ids  # type: ignore[union-attr]
    rows = [ids.index(str(one)) for one in range(4)]
    assert columns["rank"][rows].tolist() == [*ranks, 255]
    assert columns["second_label"][rows].tolist() == [1, 2, 1, 65_535]
    wanted = [float(torch.softmax(LOGITS[row], 0)[label]) for row, label in enumerate([1, 2, 1])]
    np.testing.assert_allclose(columns["second_confidence"][rows[:3]] / 255, wanted, atol=0.003)
    logged = dict(recorder.store.logged)[0]
    assert logged == {f"top_{top}_error": pytest.approx(sum(rank >= top for rank in ranks) / 3)}


def test_probabilities_are_taken_as_they_are(record: Make) -> None:
    recorder = record(nn.Linear(4, 4), top=2, outputs="probabilities")
    validated(recorder, torch.tensor([[0.5, 0.2, 0.15, 0.15]] * 4))
    recorder.close()
    assert recorder.store.validations[0].columns["second_confidence"].tolist() == [51] * 4
    assert recorder.store.validations[0].confidences.tolist() == [128] * 4


def test_ranks_keep_to_their_images_where_one_has_no_label(record: Make) -> None:
    recorder = record(nn.Linear(4, 4), top=2)
    with pytest.warns(RecorderWarning, match="1 images have no label"), recorder.validation():
        recorder.predictions(LOGITS[:3], [-100, 2, 3], ["a", "b", "c"])
    recorder.close()
    assert recorder.store.images is not None
    assert recorder.store.images.ids == ("b", "c")
    assert recorder.store.validations[0].columns["rank"].tolist() == [1, 254]


def test_where_every_output_is_nan_no_error_is_logged(record: Make) -> None:
    recorder = record(nn.Linear(4, 4), top=2)
    with pytest.warns(RecorderWarning, match="the outputs of 4 of 4 images are NaN"):
        validated(recorder, LOGITS * torch.nan)
    recorder.close()
    assert [values for _, values in recorder.store.logged if values] == []


def test_nobody_asked(record: Make) -> None:
    recorder = record(nn.Linear(4, 4))
    validated(recorder)
    recorder.close()
    assert recorder.store.validations[0].columns == {}


def test_of_one_output_there_is_no_second(record: Make) -> None:
    recorder = record(nn.Linear(4, 1), top=2)
    with recorder.validation():
        recorder.predictions(torch.tensor([1.0, -1.0, 1.0, 1.0]), TARGETS > 1, range(4))
    recorder.close()
    assert recorder.store.validations[0].columns == {}


@pytest.mark.parametrize("top", [1, -2, True, 5.0, 101])
def test_a_number_that_makes_no_sense_is_refused(tmp_path: Path, top: int) -> None:
    with pytest.raises(RecorderError, match=r"class scores to look at; give 2 to 100, or 0 for the first alone"):
        Recorder(tmp_path / "run", nn.Linear(2, 2), top=top)


def test_a_front_end_reads_them(tmp_path: Path) -> None:
    model, inputs = nn.Linear(3, 3), torch.eye(3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with Recorder(tmp_path / "run", model, optimizer, every=1, top=2) as recorder:
        loader = DataLoader(TensorDataset(inputs, torch.tensor([0, 1, 2])), 3)
        for _ in range(2):
            model(inputs).sum().backward()
            optimizer.step()
            with recorder.validation(loader), torch.no_grad():
                for images, _ in loader:
                    answer = model(images)
    with open_run(tmp_path / "run") as query:
        order = answer.argsort(1, descending=True)
        for image in range(3):
            verdict = query.image_verdict(image, 1)
            assert verdict.rank == (0, 1, 254)[int((order[image] == image).nonzero())]
            assert verdict.second_label == int(order[image, 1])
            sure = float(torch.softmax(answer[image], 0)[order[image, 1]])
            assert verdict.second_confidence == pytest.approx(sure, abs=0.003)
        assert "top_2_error" in query.curves_at(1)
