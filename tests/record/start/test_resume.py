"""A training that goes on from a real checkpoint into the same run."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.errors import RecorderError, RunExistsError
from dtui.model import FILTER_STATISTICS, NOT_JUDGED, RunStatus
from dtui.record import Recorder
from dtui.record.start.resume import Start, count_updates
from dtui.store import RunReader
from tests.record.conftest import small_net

IMAGES = torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(0, 3, (24,), generator=torch.Generator().manual_seed(2))
NAMES = ("a", "b", "c")
OF_UPDATES = ("update_norm", "update_ratio", "cosine_distance")


class Training:
    """A small real training with dropout, a checkpoint, and a recorder or none."""

    def __init__(self, make: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Dropout(0.2), small_net())
        self.optimizer = make(self.model.parameters(), lr=0.01)
        self.loader = DataLoader(TensorDataset(IMAGES, LABELS), 8)
        self.losses: list[float] = []

    def checkpoint(self) -> dict[str, Any]:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        copied = {name: _copied(value) for name, value in state.items()}
        return {**copied, "random": torch.get_rng_state()}

    def load(self, checkpoint: dict[str, Any]) -> Training:
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(_copied(checkpoint["optimizer"]))
        torch.set_rng_state(checkpoint["random"])
        return self

    def updates(self, count: int, recorder: Recorder | None = None) -> None:
        for _ in range(count):
            self.model.train()
            self.optimizer.zero_grad()
            loss = functional.cross_entropy(self.model(IMAGES), LABELS)
            loss.backward()
            self.losses.append(float(loss))
            if recorder is not None:
                recorder.log(loss=loss)
            self.optimizer.step()

    def validate(self, recorder: Recorder | None) -> None:
        self.model.eval()
        with nullcontext() if recorder is None else recorder.validation(self.loader), torch.no_grad():
            for images, _ in self.loader:  # draws a random number, recorder or not
                self.model(images)


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def interrupted(path: Path | None, make: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW) -> Training:
    """Train 30 updates, go back to the checkpoint after 20, and train 20 more: with a recorder, or without."""

    def recorded(training: Training, iteration: int | None) -> Recorder | None:
        if path is None:
            return None
        told = {"iteration": iteration} if count_updates(training.optimizer) is None else {}
        return Recorder(path, training.model, training.optimizer, every=2, classes=NAMES, resume=True, **told)

    first = Training(make)
    recorder = recorded(first, None)
    first.updates(20, recorder)
    first.validate(recorder)
    checkpoint = first.checkpoint()
    first.updates(10, recorder)
    first.validate(recorder)
    if recorder is not None:
        recorder.__exit__(RuntimeError, RuntimeError("the power went"), None)
    second = Training(make).load(checkpoint)
    recorder = recorded(second, 20)
    assert recorder is None or recorder.iteration == 19
    second.validate(recorder)
    second.updates(20, recorder)
    second.validate(recorder)
    if recorder is not None:
        recorder.close()
    return second


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.SGD])
def test_the_curve_is_that_of_a_training_that_was_never_interrupted(
    tmp_path: Path, make: Callable[..., torch.optim.Optimizer]
) -> None:
    whole = Training(make)
    with Recorder(tmp_path / "whole", whole.model, whole.optimizer, every=2, classes=NAMES) as recorder:
        whole.updates(20, recorder)
        whole.validate(recorder)
        whole.validate(None)  # as the resumed one does once more, before it goes on
        whole.updates(20, recorder)
        whole.validate(recorder)
    again = interrupted(tmp_path / "run", make)
    silent = interrupted(None, make)
    for with_recorder, without in zip(again.model.parameters(), silent.model.parameters(), strict=True):
        assert torch.equal(with_recorder, without)
    assert again.losses == silent.losses == whole.losses[20:]
    one, other = RunReader(tmp_path / "whole"), RunReader(tmp_path / "run")
    assert other.record_iterations.tolist() == one.record_iterations.tolist() == [*range(0, 40, 2), 39]
    assert other.validation_iterations.tolist() == one.validation_iterations.tolist() == [19, 39]
    assert (other.status(), other.faults, other.gaps) == (RunStatus.DONE, (), ())
    assert [join.iteration for join in other.joins] == [20]
    everything = slice(None)
    for name in FILTER_STATISTICS:
        found, wanted = (reader.read_filters(name, everything, everything) for reader in (other, one))
        if name in OF_UPDATES:
            assert np.isnan(found[:, 10]).all(), "the first record after the join has no weights before it"
            found, wanted = np.delete(found, 10, 1), np.delete(wanted, 10, 1)
        np.testing.assert_array_equal(found, wanted, err_msg=name)
    np.testing.assert_array_equal(other.read_scalar("loss", everything), one.read_scalar("loss", everything))
    np.testing.assert_array_equal(other.read_labels(everything, everything), one.read_labels(everything, everything))
    assert (other.images is not None, one.images is not None) == (True, True)
    assert other.images.ids == one.images.ids  # type: ignore[union-attr]
    for reader in (one, other):
        reader.close()


def finished(path: Path) -> tuple[Training, bytes]:
    """Record a training of 6 updates; returns it and its run.json."""
    training = Training()
    with Recorder(path, training.model, training.optimizer, every=2, classes=NAMES) as recorder:
        training.updates(6, recorder)
        training.validate(recorder)
    return training, (recorder.path / "run.json").read_bytes()


def other_shape(training: Training) -> nn.Module:
    model = nn.Sequential(nn.Dropout(0.2), small_net())
    model[1][0] = nn.Conv2d(1, 4, 5)
    return model


def shorter(training: Training) -> nn.Module:
    return nn.Sequential(nn.Dropout(0.2), nn.Sequential(*list(small_net())[:1]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": other_shape}, r"layer 0 of 3 in the run is 1\.0 \(Conv2d, .*in this model 1\.0 \(Conv2d, 4×1×5×5\)"),
        ({"model": shorter}, r"layer 1 of 3 in the run is 1\.2 \(Conv2d, .*, of 1 in this model missing"),
        ({"classes": ("a", "b", "z")}, "class 2 of 3 in the run is 'c', and 'z' is given"),
        ({"classes": ("a", "b")}, "the run has 3 classes, and 2 are given"),
        ({"iteration": -1}, "iteration=-1: updates that were done before"),
        ({"iteration": 2.5}, "iteration=2.5: updates that were done before"),
        ({"optimizer": None}, r"give iteration=N, .* \(the last that is recorded is 5\)"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_the_run_alone(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    training, content = finished(tmp_path / "run")
    arguments: dict[str, Any] = {"optimizer": training.optimizer, "classes": NAMES, **change}
    model = arguments.pop("model", lambda training: training.model)(training)
    if model is not training.model:
        arguments |= {"optimizer": torch.optim.SGD(model.parameters(), lr=0.1), "iteration": 3, "classes": None}
    with pytest.raises(RecorderError, match=told):
        Recorder(tmp_path / "run", model, arguments.pop("optimizer"), resume=True, **arguments)
    assert (tmp_path / "run.dtui" / "run.json").read_bytes() == content


def test_a_run_that_is_being_recorded_is_refused(tmp_path: Path) -> None:
    training = Training()
    with Recorder(tmp_path / "run", training.model, training.optimizer) as recorder:
        training.updates(1, recorder)
        assert recorder._recording.sink is not None
        assert recorder._recording.sink.drain(60)
        with pytest.raises(RunExistsError, match="this very process is recording it"):
            Recorder(tmp_path / "run", training.model, training.optimizer, resume=True)
    with pytest.raises(RunExistsError, match="or go on with it by resume=True"):
        Recorder(tmp_path / "run", training.model, training.optimizer, on_existing="refuse")
    assert os.path.exists(recorder.path)


@pytest.mark.parametrize(("iteration", "first"), [(None, 0), (7, 7)])
def test_where_there_is_no_run_one_begins(tmp_path: Path, iteration: int | None, first: int) -> None:
    training = Training()
    with Recorder(
        tmp_path / "run", training.model, training.optimizer, every=1, resume=True, iteration=iteration
    ) as recorder:
        training.updates(3, recorder)
    reader = RunReader(tmp_path / "run")
    assert reader.record_iterations.tolist() == [first, first + 1, first + 2]
    assert reader.joins == ()
    reader.close()


def test_a_run_that_begins_in_the_middle_of_a_training_counts_as_its_optimizer_does(tmp_path: Path) -> None:
    training = Training()
    training.updates(5)
    with Recorder(tmp_path / "run", training.model, training.optimizer, every=1, resume=True) as recorder:
        training.updates(1, recorder)
    reader = RunReader(tmp_path / "run")
    assert reader.record_iterations.tolist() == [5]
    reader.close()


def test_going_on_with_nothing_left_to_do_changes_nothing(tmp_path: Path) -> None:
    training, _ = finished(tmp_path / "run")
    Recorder(tmp_path / "run", training.model, training.optimizer, resume=True, iteration=2).close()
    reader = RunReader(tmp_path / "run")
    assert (reader.record_iterations.tolist(), reader.joins) == ([0, 2, 4, 5], ())
    assert reader.status() is RunStatus.DONE
    reader.close()


def test_a_new_training_has_nothing_behind_it() -> None:
    assert not Start(Path("run"), 0).is_passed(5)


def test_a_training_that_ends_before_its_next_record_supersedes_what_is_past_it(tmp_path: Path) -> None:
    training, _ = finished(tmp_path / "run")
    with Recorder(tmp_path / "run", training.model, training.optimizer, every=100, resume=True, iteration=3) as again:
        training.updates(2, again)
    reader = RunReader(tmp_path / "run")
    assert reader.record_iterations.tolist() == [0, 2, 4]
    assert [join.iteration for join in reader.joins] == [3]
    reader.close()


def test_a_training_that_records_nothing_more_supersedes_what_is_past_it(tmp_path: Path) -> None:
    """One update is due for no record, and other weights are loaded before the end."""
    training, _ = finished(tmp_path / "run")
    with Recorder(tmp_path / "run", training.model, training.optimizer, every=100, resume=True, iteration=3) as again:
        training.updates(1, again)
        training.model.load_state_dict(training.checkpoint()["model"])
    reader = RunReader(tmp_path / "run")
    assert reader.record_iterations.tolist() == [0, 2]
    assert [join.iteration for join in reader.joins] == [3]
    reader.close()


class Wide(nn.Module):
    """A network of which most parameters are outside its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.shift, self.layer = nn.Parameter(torch.zeros(100)), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x + self.shift[:2])


def test_parameters_that_an_older_run_has_no_rows_for_are_told_as_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Wide()
    with monkeypatch.context() as older:
        older.setattr("dtui.record.network.other_rows.try_parameters", lambda *_: ([], ()))
        with pytest.warns(match="recorded as one row each: shift"), Recorder(tmp_path / "run", model, every=1) as first:
            first.step()
    with pytest.warns(match=r"; not recorded: shift \(Wide, 100\)"):
        Recorder(tmp_path / "run", model, every=1, resume=True, iteration=1).close()
    for iteration in (0, 1):
        with pytest.warns(match="recorded as one row each: shift"):
            Recorder(tmp_path / "new", model, every=1, resume=True, iteration=iteration).close()


@pytest.mark.parametrize(("at", "gaps"), [(8, []), (9, []), (10, [(9, 9)]), (50, [(9, 49)])])
def test_what_was_trained_without_a_recorder_is_a_gap(tmp_path: Path, at: int, gaps: list[tuple[int, int]]) -> None:
    """The run ends at iteration 8; with every=3 the next record was due at 9. Seen from the first update on."""
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for begin, end in ((0, 9), (at, at), (at, at + 2)):
        recorder = Recorder(tmp_path / "run", model, optimizer, every=3, resume=True, iteration=begin)
        for _ in range(begin, end):
            optimizer.step()
        recorder.close()
        assert begin == end or recorder.iteration == end - 1
    reader = RunReader(tmp_path / "run")
    assert [(gap.first, gap.last) for gap in reader.gaps] == gaps
    assert all(f"before the run was resumed at iteration {at}" in gap.reason for gap in reader.gaps)


def test_from_the_beginning_is_told(tmp_path: Path) -> None:
    training, _ = finished(tmp_path / "run")
    with pytest.warns(match=r"all that was recorded, up to iteration 5, will be superseded"):
        recorder = Recorder(tmp_path / "run", training.model, training.optimizer, resume=True, iteration=0)
    recorder.close()


def test_the_watches_of_a_flight_recorder_are_superseded_and_go_on(tmp_path: Path) -> None:
    def recorded(training: Training, resume: bool) -> Recorder:
        return Recorder(
            tmp_path / "run", training.model, training.optimizer, every=10, watch_every=1, keep_around=6, resume=resume
        )

    training = Training()
    with recorded(training, resume=False) as recorder:
        training.updates(20, recorder)
        checkpoint = training.checkpoint()
        recorder.log(loss=float("nan"))
        training.updates(10, recorder)
        recorder.log(loss=float("nan"))
        training.optimizer.step()
        training.updates(4, recorder)
    before = RunReader(tmp_path / "run")
    assert max(before.record_iterations) > 30
    assert before.triggers
    before.close()
    again = Training().load(checkpoint)
    with recorded(again, resume=True) as recorder:
        again.updates(5, recorder)
    after = RunReader(tmp_path / "run")
    assert after.record_iterations.tolist() == [0, 10, 20, 24]
    assert (after.triggers, after.faults, after.seams) == ((), (), (20,))
    after.close()


def test_lazy_layers_are_compared_at_the_first_record(tmp_path: Path) -> None:
    def train(width: int, resume: bool) -> None:
        model = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with Recorder(tmp_path / "run", model, optimizer, every=1, resume=resume, iteration=1 * resume) as recorder:
            model(torch.ones(2, width)).sum().backward()
            optimizer.step()
            assert recorder.iteration == int(resume)

    train(6, resume=False)
    train(6, resume=True)
    with pytest.warns(match=r"layer 0 of 1 in the run is 1 \(Linear, 4×6\), of 1 in this model 1 \(Linear, 4×7\)"):
        train(7, resume=True)
    reader = RunReader(tmp_path / "run")
    assert reader.record_iterations.tolist() == [0, 1]
    reader.close()


def test_other_images_are_refused_as_within_one_training(tmp_path: Path) -> None:
    training, _ = finished(tmp_path / "run")
    training.loader = DataLoader(TensorDataset(IMAGES, (LABELS + 1) % 3), 8)
    with Recorder(tmp_path / "run", training.model, training.optimizer, every=1, resume=True) as recorder:
        training.updates(1, recorder)
        with pytest.warns(match="24 images have another true label"):
            training.validate(recorder)
    reader = RunReader(tmp_path / "run")
    assert len(reader.validation_iterations) == 1
    assert len(reader.gaps) == 1
    reader.close()


def test_a_part_of_the_images_is_recorded_as_within_one_training(tmp_path: Path) -> None:
    training, _ = finished(tmp_path / "run")
    training.loader = DataLoader(TensorDataset(IMAGES[:10], LABELS[:10]), 8)
    with Recorder(tmp_path / "run", training.model, training.optimizer, every=1, resume=True) as recorder:
        training.updates(1, recorder)
        with pytest.warns(match="14 of 24 tracked images were not judged"):
            training.validate(recorder)
    reader = RunReader(tmp_path / "run")
    labels = reader.read_labels(slice(0, 24), slice(1, 2))[:, 0]
    assert int((labels == NOT_JUDGED).sum()) == 14
    assert reader.gaps == ()
    reader.close()


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam", "Adagrad", "RMSprop", "Adadelta", "SGD"])
def test_updates_are_counted_by_the_optimizers_that_count(name: str) -> None:
    training = Training(getattr(torch.optim, name))
    training.updates(3)
    assert count_updates(training.optimizer) == (None if name == "SGD" else 3)


def test_the_most_updates_count_wherever_an_optimizer_keeps_them() -> None:
    """In its groups, as those without a schedule do; in the one that it spreads over processes, as ZeRO does."""
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    inner = torch.optim.Adam([first, second])
    for frozen_since in (second, None):
        first.grad, second.grad = torch.ones(2), None if second is frozen_since else torch.ones(2)
        inner.step()
    assert count_updates(inner) == 2
    outer = torch.optim.SGD([first], 0.1)
    outer.param_groups[0]["step"] = 7
    assert count_updates(outer) == 7
    outer.optim = inner  # type: ignore[attr-defined]
    assert count_updates(outer) == 2
