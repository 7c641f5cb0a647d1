"""How `dtui run` gives Trainers our callback, and how often it records them; neither framework is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch.utils.data import DataLoader, IterableDataset

from dtui.errors import RecorderError
from dtui.launch_notes import Notes, Settings
from dtui.record.launch import frameworks
from tests.record.conftest import small_net


class Stream(IterableDataset[Any]):
    """A data set that does not know its length."""

    classes = ("cat", "dog", "cow")

    def __iter__(self) -> Iterator[Any]:
        return iter(())


STREAM = DataLoader(Stream())


class Chosen:
    """What is chosen for a training that begins."""

    def choose(self, **arguments: Any) -> None:
        self.__dict__ |= arguments


class OwnCallback:
    """Stands for the callbacks of both frameworks."""

    def __init__(self, path: str = "", **options: Any) -> None:
        self.path, self.options, self.recorder, self._trainings = path, options, None, Chosen()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.begun = self._trainings.every  # type: ignore[attr-defined]

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.begun = self._trainings.every  # type: ignore[attr-defined]


OwnCallback.__module__ = "dtui.record.integrations.any"


@pytest.fixture(autouse=True)
def _no_frameworks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightning", "huggingface"):
        monkeypatch.setitem(sys.modules, f"dtui.record.integrations.{name}", SimpleNamespace(DtuiCallback=OwnCallback))


def lightning(batches: float = 400, most: int = -1, accumulated: int = 1, *callbacks: Any) -> Any:
    return SimpleNamespace(
        callbacks=list(callbacks),
        val_dataloaders=None,
        train_dataloader=None,
        num_training_batches=batches,
        max_steps=most,
        accumulate_grad_batches=accumulated,
    )


def given(trainer: Any, method: str, every: int | None = None) -> Any:
    """Return the callback that a Trainer is given."""
    settings = Settings("/runs/a.dtui", "runs/a", every, "/none", {"batches": True})
    for _ in range(2):  # the second training has the one of the first
        frameworks.add_callback(trainer, method, settings, Notes("/none"))
    callbacks = trainer.callbacks if method == "fit" else trainer.callback_handler.callbacks
    (ours,) = [one for one in callbacks if isinstance(one, OwnCallback)]
    assert (ours.path, ours.options) == ("/runs/a.dtui", {"batches": True})
    assert not frameworks.has_callback(trainer)
    return ours


def test_one_of_the_script_is_seen() -> None:
    assert frameworks.has_callback(lightning(400, -1, 1, OwnCallback()))
    assert not frameworks.has_callback(lightning(400, -1, 1, object()))


def test_checkpoints_stay_the_last_callback_of_lightning() -> None:
    checkpoint = object()
    trainer = lightning(400, -1, 1, checkpoint)
    given(trainer, "fit")
    assert trainer.callbacks[-1] is checkpoint


@pytest.mark.parametrize(
    ("batches", "most", "accumulated", "every"),
    [(400, -1, 1, 40), (400, -1, 4, 10), (400, 80, 1, 8), (float("inf"), -1, 1, 100), (float("inf"), 70, 1, 7)],
)
def test_lightning_is_recorded_ten_times_an_epoch(batches: float, most: int, accumulated: int, every: int) -> None:
    trainer = lightning(batches, most, accumulated)
    ours = given(trainer, "fit")
    ours.on_train_start(trainer, None)
    assert ours.begun == every


@pytest.mark.parametrize("loaders", [STREAM, [STREAM], {"one": STREAM}, [], None])
def test_lightning_trains_on_what_has_no_length_and_its_classes_are_named(loaders: Any) -> None:
    trainer = lightning()
    trainer.val_dataloaders, trainer.train_dataloader = loaders, STREAM
    ours = given(trainer, "fit")
    ours.on_train_start(trainer, small_net())
    assert ours._trainings.classes == ("cat", "dog", "cow")


@pytest.mark.parametrize(
    ("steps", "epochs", "every"), [(800, 2, 40), (800, 0.5, 80), (0, 1, 100), (80, sys.maxsize, 8)]
)
def test_hugging_face_is_recorded_ten_times_an_epoch(steps: int, epochs: float, every: int) -> None:
    handler = SimpleNamespace(callbacks=[])
    trainer = SimpleNamespace(callback_handler=handler, add_callback=handler.callbacks.append)
    ours = given(trainer, "train")
    ours.on_train_begin(None, SimpleNamespace(num_train_epochs=epochs, max_steps=steps), None)
    assert ours.begun == every


def test_what_was_asked_for_counts() -> None:
    trainer = lightning()
    ours = given(trainer, "fit", every=3)
    ours.on_train_start(trainer, None)
    assert ours.begun == 3


@pytest.mark.parametrize("error", [RecorderError("model: no layers"), AttributeError("no such thing")])
@pytest.mark.parametrize("method", ["fit", "train"])
def test_a_training_whose_recorder_refuses_or_fails_goes_on(
    method: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, *rest: Any, **kwargs: Any) -> None:
        raise error

    for name in ("on_train_start", "on_train_begin"):
        monkeypatch.setattr(OwnCallback, name, refuse)
    handler = SimpleNamespace(callbacks=[])
    trainer = lightning()
    if method == "train":
        trainer = SimpleNamespace(callback_handler=handler, add_callback=handler.callbacks.append)
    frameworks.add_callback(trainer, method, Settings("/runs/a.dtui", "runs/a", 1, "/none"), Notes(tmp_path))
    if method == "fit":
        trainer.callbacks[0].on_train_start(trainer, None)
    else:
        handler.callbacks[0].on_train_begin(None, SimpleNamespace(num_train_epochs=1, max_steps=8), None)
    (note,) = Notes(tmp_path).read()
    assert str(error) in note.problem
