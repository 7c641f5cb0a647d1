"""What a process of `dtui run` takes for a training, from its beginning to its end; a few lines at a time."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from dtui.launch_notes import LEFT_ALONE, Notes, Settings
from dtui.record.launch import session as session_module
from dtui.record.launch.session import Session
from dtui.record.writing import warn
from tests.record.conftest import RecorderUnderTest, small_net

IMAGES, LABELS = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
NAMES = ("cat", "dog", "cow")


class Process:
    """A process of `dtui run`; its patches of torch are taken back when the test ends."""

    def __init__(self, folder: Path) -> None:
        self.notes = Notes(folder)
        self.recorders: list[RecorderUnderTest] = []
        self.classes: list[tuple[str, ...] | None] = []
        self.at_exit: list[Callable[[], None]] = []
        self.session = Session(Settings(str(folder / "run.dtui"), "run", 1, str(folder), {"fused": False}))

    def record(self, *arguments: Any, **options: Any) -> RecorderUnderTest:
        self.recorders.append(RecorderUnderTest(*arguments, **options))
        self.classes.append(options["classes"])
        return self.recorders[-1]

    def sgd(self, *modules: nn.Module) -> torch.optim.SGD:
        optimizer = torch.optim.SGD([one for module in modules for one in module.parameters()], 0.1)
        self.session.made(optimizer)
        return optimizer

    @property
    def problems(self) -> list[str]:
        return [note.problem for note in self.notes.read() if note.problem]

    def end(self) -> None:
        """Do what is done at Python's exit, where what was registered last is called first."""
        for function in reversed(self.at_exit):
            function()
        for recorder in self.recorders:
            recorder.close()

    def records(self) -> list[int]:
        """Return how many updates each run has."""
        self.end()
        return [recorder.iteration + 1 for recorder in self.recorders]

    def losses(self) -> list[float]:
        self.end()
        (one,) = self.recorders
        return [record.scalars["loss"] for record in one.store.records[: one.iteration + 1]]


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    for kind, name in (
        *((nn.Module, "__call__"), (DataLoader, "__iter__"), (Tensor, "backward"), (GradScaler, "scale")),
        *((Optimizer, "zero_grad"), (nn.Module, "zero_grad")),
    ):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    for name in ("_in_one_line", "_said_otherwise"):
        monkeypatch.setattr(warn, name, set())
    made = Process(tmp_path)
    monkeypatch.setattr(session_module, "Recorder", made.record)
    monkeypatch.setattr(atexit, "register", made.at_exit.append)
    yield made
    made.end()
    if made.session._hooks is not None:
        made.session._hooks.stop()


def loss_of(net: nn.Module) -> Tensor:
    return cross_entropy(net(IMAGES), LABELS)


def train(net: nn.Module, *optimizers: Optimizer, updates: int = 1) -> None:
    for _ in range(updates):
        loss_of(net).backward()  # type: ignore[no-untyped-call]
        for optimizer in optimizers:
            optimizer.step()


def test_a_note_that_stays_open_does_not_get_what_the_script_prints(tmp_path: Path) -> None:
    """Where it was started without standard output, the next file that is opened gets its number."""
    child = os.fork()
    if not child:
        os.close(1)
        notes = Session(Settings(str(tmp_path / "run"), "run", 1, str(tmp_path)))._notes
        os._exit(notes._lock if notes.claim() and notes._lock is not None else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) > 2


# --- the loss of an update


def test_the_loss_of_an_update_is_its_own_where_the_script_clears_gradients_by_hand(process: Process) -> None:
    net = small_net()
    optimizer, scaler = process.sgd(net), GradScaler("cpu", init_scale=1024.0)
    expected = []
    for _ in range(3):
        expected.append(loss_of(net).item())
        scaler.scale(outputs=loss_of(net)).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        for parameter in net.parameters():
            parameter.grad = None
    assert process.losses() == pytest.approx(expected)


@pytest.mark.parametrize("clears", ["optimizer", "model"])
def test_the_loss_of_an_update_that_a_scaler_skipped_is_not_that_of_the_next(process: Process, clears: str) -> None:
    """Where gradients are Inf, a GradScaler makes no update, and the script clears them all the same."""
    net = small_net()
    optimizer = process.sgd(net)
    expected = []
    for is_skipped in (False, True, False):
        loss = loss_of(net)
        loss.backward()  # type: ignore[no-untyped-call]
        if not is_skipped:
            expected.append(loss.item())
            optimizer.step()
        (optimizer if clears == "optimizer" else net).zero_grad(set_to_none=True)
    assert process.losses() == pytest.approx(expected)


# --- which module is the model


def test_the_outermost_module_is_recorded_where_the_optimizer_trains_more_than_it(process: Process) -> None:
    """As with a loss that has weights of its own: the whole, and not the part of it that is trained."""
    inner, loss = small_net(), nn.Linear(3, 3)
    outer = nn.Sequential(inner, nn.Linear(3, 3).requires_grad_(False))
    optimizer = process.sgd(inner, loss)
    cross_entropy(loss(outer(IMAGES)), LABELS).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    process.end()
    (problem,) = process.problems
    assert problem.startswith("the SGD trains more than the model: 2 of its parameters")
    assert [layer.name for layer in process.recorders[0].store.structure.layers] == ["0.0", "0.2", "0.4", "1"]


def test_a_model_that_was_only_tried_is_not_recorded(process: Process) -> None:
    """As by a tool that prints the shapes of a network, before the training."""
    tried = small_net()
    optimizer = process.sgd(net := small_net())
    tried(IMAGES)
    train(net, optimizer, updates=2)
    assert not hasattr(nn.Module.__call__, "dtui_original")  # a call costs what it did
    assert process.records() == [2]
    assert not process.problems


def test_where_two_models_are_trained_nothing_is_watched_any_more(process: Process) -> None:
    nets = small_net(), small_net(4)
    optimizers = [process.sgd(net) for net in nets]
    train(nets[0], optimizers[0])
    train(nets[1], *optimizers)
    (problem,) = process.problems
    assert problem.startswith("two models are trained, a Sequential and a Sequential")
    assert not hasattr(nn.Module.__call__, "dtui_original")


@pytest.mark.parametrize(("is_training", "has_gradients"), [(False, True), (True, False)])
def test_what_only_evaluates_the_model_is_not_the_model(
    process: Process, is_training: bool, has_gradients: bool
) -> None:
    """As a module of probabilities around it, called before the first update."""
    net = small_net()
    optimizer = process.sgd(net)
    around = nn.Sequential(net, nn.Softmax(1)).train(is_training)
    with torch.set_grad_enabled(has_gradients):
        around(IMAGES)
    train(net.train(), optimizer)
    process.end()
    assert [layer.name for layer in process.recorders[0].store.structure.layers] == ["0", "2", "4"]


@pytest.mark.parametrize("has_batches", [True, False])
def test_an_evaluation_before_the_first_update_is_no_training(process: Process, has_batches: bool) -> None:
    """The data of the training are those that were iterated for it, if any; also where that began before."""
    net = small_net()
    optimizer = process.sgd(net)
    batches = iter(DataLoader(TensorDataset(IMAGES, LABELS), 12)) if has_batches else None
    loader = DataLoader(TensorDataset(IMAGES + 1, LABELS), 4)
    for _ in range(2):
        net.eval()
        with torch.no_grad():
            for images, _ in loader:
                net(images)
        net.train()
        if batches is not None:
            next(batches, None)
        train(net, optimizer)
    process.end()
    assert len(process.recorders[0].store.validations) == 1


# --- from one training to the next


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another model is taken for the next training after three updates."""
    monkeypatch.setattr(session_module, "FOREIGN", 3)


@pytest.mark.usefixtures("soon")
def test_another_model_that_is_trained_for_long_is_the_next_training(process: Process) -> None:
    first, second = small_net(), small_net(4)
    of_first = process.sgd(first)
    train(first, of_first, updates=2)
    of_second = process.sgd(second)
    train(second, of_second, updates=5)
    assert process.records() == [2, 2]


@pytest.mark.usefixtures("soon")
def test_an_optimizer_that_is_made_anew_goes_on_with_the_training(process: Process) -> None:
    net = small_net()
    for _ in range(2):
        train(net, process.sgd(net), updates=5)
    assert process.records() == [10]


@pytest.mark.usefixtures("soon")
def test_a_model_that_is_trained_again_is_recorded_as_before_and_not_with_what_holds_it(process: Process) -> None:
    net = small_net()
    holder = nn.ModuleDict({"net": net})
    for _ in range(2):
        train(net, process.sgd(net), updates=2)
        process.recorders[-1].close()
    assert process.records() == [2, 2]
    one, again = ([layer.name for layer in recorder.store.structure.layers] for recorder in process.recorders)
    assert one == again == ["0", "2", "4"]
    assert holder["net"] is net


def test_another_model_that_is_trained_now_and_then_ends_nothing(process: Process) -> None:
    first, second = small_net(), small_net(4)
    of_first = process.sgd(first)
    train(first, of_first)
    of_second = process.sgd(second)
    for _ in range(3):
        train(second, of_second, updates=2)
        train(first, of_first)
    assert process.records() == [4]


@pytest.mark.parametrize("has_batches", [True, False])
def test_the_next_training_is_recorded_from_its_first_update(process: Process, has_batches: bool) -> None:
    """As where a model is made anew under the same name: the one before is gone after the next has an optimizer."""
    first, second = small_net(), small_net(4)
    train(first, process.sgd(first), updates=2)
    of_second = process.sgd(second)
    process.recorders[-1].close()  # as when the model goes
    if has_batches:
        data = TensorDataset(IMAGES, LABELS)
        data.classes = NAMES  # type: ignore[attr-defined]
        assert list(DataLoader(data, 12))
    train(second, of_second, updates=3)
    assert process.records() == [2, 3]
    assert process.classes == [None, NAMES if has_batches else None]
    assert not process.problems


def test_when_the_model_is_gone_nothing_else_is_taken_for_a_training(process: Process) -> None:
    first, second = small_net(), small_net(4)
    train(first, process.sgd(first), updates=2)
    process.recorders[-1].close()
    assert list(DataLoader(TensorDataset(IMAGES, LABELS), 12))
    loss_of(second).backward()  # type: ignore[no-untyped-call]
    assert process.records() == [2]
    assert not process.problems


def test_the_trainings_of_one_process_are_recorded_up_to_a_number(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "MOST_TRAININGS", 2)
    for _ in range(4):
        net = small_net()
        train(net, process.sgd(net), updates=2)
        process.recorders[-1].close()  # as when the model goes
    assert process.records() == [2, 2]
    assert process.problems == ["2 trainings are recorded; those after them are not"]


def test_a_recorder_of_the_script_is_left_alone(process: Process, tmp_path: Path) -> None:
    net = small_net()
    optimizer = process.sgd(net)
    own = RecorderUnderTest(tmp_path / "own", net, optimizer)
    train(net, optimizer, updates=2)
    own.close()
    assert process.recorders == []
    assert process.problems == [f"the script has a recorder of its own; {LEFT_ALONE}"]


def test_of_two_processes_the_first_that_trains_is_recorded(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tells the processes that train together with it, once: they wait for that."""
    told: list[tuple[int | None, str]] = []
    monkeypatch.setattr("dtui.record.training.distributed.Exchange.tell", lambda _, *words: told.append(words))
    other = Notes(tmp_path)
    assert other.claim()
    net = small_net()
    train(net, process.sgd(net), updates=2)
    assert process.recorders == []
    assert not process.problems
    assert told == [(None, "another process of this command is recorded")]


# --- the end


def test_an_evaluation_that_is_open_at_the_exit_counts(process: Process) -> None:
    """One that is broken off at the same batch each time ends when something else begins, or the script."""
    net = small_net()
    optimizer = process.sgd(net)
    loader = DataLoader(TensorDataset(IMAGES + 1, LABELS), 4)
    for _ in range(3):
        net.train()
        train(net, optimizer)
        net.eval()
        with torch.no_grad():
            for number, (images, _) in enumerate(loader):
                net(images)
                if number == 1:
                    break
    process.end()
    assert len(process.recorders[0].store.validations) == 2


def test_what_an_outer_optimizer_rewrites_is_of_the_first_update_already(process: Process) -> None:
    """One that torch does not tell of, as it never calls the `__init__` of its base class."""

    class Around(Optimizer):
        def __init__(self, inner: Optimizer) -> None:
            self.inner, self.param_groups = inner, inner.param_groups

        def step(self, closure: Any = None) -> None:
            self.inner.step()
            with torch.no_grad():
                for parameter in self.param_groups[0]["params"]:
                    parameter.fill_(7.0)

    model = small_net()
    optimizer = Around(process.sgd(model))
    cross_entropy(model(IMAGES), LABELS).backward()
    optimizer.step()
    process.end()
    assert process.recorders[0].store.records[0].filters[0, 0] == 7
