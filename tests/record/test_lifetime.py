"""Recorders that nobody closes: they end with their network, and leave nothing behind."""

from __future__ import annotations

import atexit
import copy
import gc
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from dtui.model import RunStatus
from dtui.record import Recorder, RecorderWarning, lifetime
from dtui.record.lifetime import LATER, wait_for_ended
from dtui.record.network.step_hooks import AFTER_STEP
from dtui.store import RunReader, RunWriter
from tests.record.conftest import small_net
from tests.record.test_loops import data, update

pytestmark = pytest.mark.filterwarnings("ignore::dtui.record.RecorderWarning")


class Training:
    """A network, an optimizer and a recorder that nobody else has."""

    def __init__(self, path: Path, *, is_hooked: bool = True, **options: Any) -> None:
        self.model = small_net()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.recorder = Recorder(path, self.model, self.optimizer if is_hooked else None, **{"every": 1, **options})

    def train(self, count: int = 3) -> None:
        for _ in range(count):
            self.recorder.log(loss=update(self.model, self.optimizer))

    def settle(self) -> None:
        """Wait for the writer, which holds what it is about to write."""
        assert self.recorder._recording.sink is not None
        assert self.recorder._recording.sink.drain(60)

    def validate(self) -> None:
        with self.recorder.validation([data()]):
            self.model(data()[0])


def told(path: Path) -> tuple[RunStatus, list[int], list[int]]:
    """Return status, records and validations of a run, once the runs that ended are written."""
    wait_for_ended()
    reader = RunReader(path)
    try:
        return reader.status(), reader.record_iterations.tolist(), reader.validation_iterations.tolist()
    finally:
        reader.close()


def test_a_network_that_is_dropped_is_gone_at_once_and_its_run_is_done(tmp_path: Path) -> None:
    """By counting references alone: what waits for the garbage collector holds a GPU's memory."""
    training = Training(tmp_path / "run", keep_around=2, every=2)
    training.train()
    training.validate()
    training.settle()
    recorder = training.recorder
    gone = [weakref.ref(training.model), weakref.ref(training.optimizer), weakref.ref(training.model[0].weight)]
    gc.collect()
    gc.disable()
    try:
        del training
        assert recorder._recording.sink is not None
        recorder._recording.sink._thread.join(60)
        assert [found() for found in gone] == [None, None, None]
    finally:
        gc.enable()
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 2], [2])
    recorder.log(loss=1)
    recorder.close()


@pytest.mark.parametrize("is_hooked", [True, False])
def test_a_recorder_that_is_dropped_with_its_network_is_gone_and_its_run_is_done(
    tmp_path: Path, is_hooked: bool
) -> None:
    training = Training(tmp_path / "run", is_hooked=is_hooked)
    training.train()
    if not is_hooked:
        training.recorder.step()
    training.settle()
    gone = [weakref.ref(training.model), weakref.ref(training.optimizer), weakref.ref(training.recorder)]
    del training
    gc.collect()
    assert [found() for found in gone] == [None, None, None]
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1, 2], [])


def test_a_network_is_gone_at_once_while_its_run_is_still_being_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk must not hold a GPU's memory."""
    may_go_on = threading.Event()

    def create(*arguments: Any, **options: Any) -> RunWriter:
        assert may_go_on.wait(60)
        return RunWriter(*arguments, **options)

    monkeypatch.setattr("dtui.store.RunWriter", create)
    training = Training(tmp_path / "run")
    training.train()
    gone = [weakref.ref(training.model), weakref.ref(training.recorder)]
    del training
    gc.collect()
    try:
        assert [found() for found in gone] == [None, None]
    finally:
        may_go_on.set()
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1, 2], [])


def test_a_network_that_is_a_cycle_ends_its_run_when_it_is_collected(tmp_path: Path) -> None:
    training = Training(tmp_path / "run")
    training.model[0].register_forward_hook(lambda *_, model=training.model: None)
    training.train()
    gone = weakref.ref(training.model)
    del training
    gc.collect()
    assert gone() is None
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1, 2], [])


def test_a_recorder_that_nobody_keeps_goes_on_with_its_optimizer(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Recorder(tmp_path / "run", model, optimizer, every=1)
    gc.collect()
    update(model, optimizer)
    update(model, optimizer)
    del model, optimizer
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1], [])


@pytest.mark.parametrize(
    ("gone", "line"),
    [
        ("model", "its model was gone before the first update; make the recorder of what is trained"),
        ("optimizer", "its optimizer was gone before the first update; make the recorder of what is trained"),
        ("recorder", "nobody keeps the recorder; keep it in a variable, or give it the optimizer"),
    ],
)
def test_one_that_ends_before_the_training_says_why(tmp_path: Path, gone: str, line: str) -> None:
    model = small_net()
    parts: dict[str, Any] = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)}
    trained = copy.deepcopy(model) if gone == "model" else model
    recorder = Recorder(tmp_path / "run", model, None if gone == "recorder" else parts["optimizer"])
    parts["recorder"] = recorder if gone == "recorder" else None
    del model, recorder
    with pytest.warns(RecorderWarning, match=f"^dtui: run.dtui: nothing is recorded: {line}$"):
        del parts[gone]
    update(trained, torch.optim.Adam(trained.parameters()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("gone", "line"),
    [
        ("model", "its model is gone, so the run has ended, and another is trained; make a recorder of that"),
        (
            "optimizer",
            "nobody keeps the recorder or its optimizer, so the run has ended, and its model is trained on; "
            "keep the recorder in a variable",
        ),
        ("all", ""),
        ("made again", ""),
    ],
)
def test_one_that_ends_within_the_training_says_so(tmp_path: Path, gone: str, line: str) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(tmp_path / "run", model, optimizer, every=1)
    update(model, optimizer)
    if gone in ("all", "optimizer"):
        del recorder
    if gone != "optimizer":
        model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if gone == "made again":
        recorder = Recorder(tmp_path / "other", model, optimizer, every=1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2 * LATER):
            update(model, optimizer)
    assert [str(one.message) for one in seen] == ([f"dtui: run.dtui: {line}"] if line else [])
    assert told(tmp_path / "run") == (RunStatus.DONE, [0], [])
    assert len(AFTER_STEP._functions) == (gone == "made again")


def test_a_container_made_for_the_recorder_may_go_as_long_as_its_layers_are_trained(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(tmp_path / "run", nn.ModuleList([model]), optimizer, every=1)
    update(model, optimizer)
    update(model, optimizer)
    del model, optimizer
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1], [])
    recorder.close()


def test_one_that_recorded_nothing_leaves_nothing(tmp_path: Path) -> None:
    training = Training(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run.dtui"]
    del training
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_layer_does_not_end_a_run(tmp_path: Path) -> None:
    training = Training(tmp_path / "run")
    training.train(1)
    training.model[4] = nn.Linear(54, 3)
    training.train(2)
    for index in (0, 2):
        training.model[index] = nn.Identity()
    gc.collect()
    assert not training.recorder._closed
    training.recorder.close()
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1, 2], [])


def test_a_forked_child_that_drops_its_copy_ends_nothing(tmp_path: Path) -> None:
    training = Training(tmp_path / "run")
    child = os.fork()
    if not child:
        del training
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    training.train(2)
    training.recorder.close()
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1], [])


# --- a cell that is run again


@pytest.mark.parametrize("is_new_optimizer", [False, True])
def test_a_second_recorder_of_a_network_closes_the_first(tmp_path: Path, is_new_optimizer: bool) -> None:
    first = Training(tmp_path / "run")
    first.train(3)
    optimizer = torch.optim.SGD(first.model.parameters(), lr=0.1) if is_new_optimizer else first.optimizer
    with pytest.warns(
        RecorderWarning, match=r"run\.dtui: closed, since a new recorder of its model records into .*run-2"
    ):
        second = Recorder(tmp_path / "run", first.model, optimizer, every=1)
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1, 2], [])
    update(first.model, optimizer)
    second.close()
    assert told(tmp_path / "run-2") == (RunStatus.DONE, [0], [])
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1, 2], []), "updates are not counted into both"


@pytest.mark.parametrize("how", ["number", "resume", "replace", "refuse"])
def test_a_second_recorder_before_anything_is_recorded_gets_the_path_of_the_first(tmp_path: Path, how: str) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        recorder = Recorder(tmp_path / "run", model, optimizer, every=1, on_existing=how)
    assert [path.name for path in tmp_path.iterdir()] == ["run.dtui"]
    update(model, optimizer)
    recorder.close()
    assert told(tmp_path / "run") == (RunStatus.DONE, [0], [])


def test_where_the_second_is_refused_the_first_goes_on(tmp_path: Path) -> None:
    from dtui.errors import RunExistsError

    first = Training(tmp_path / "run")
    first.train(1)
    with pytest.raises(RunExistsError):
        Recorder(tmp_path / "run", first.model, first.optimizer, every=1, on_existing="refuse")
    first.train(1)
    first.recorder.close()
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1], [])


def test_two_recorders_that_have_only_the_network_in_common_are_both_meant(tmp_path: Path) -> None:
    model = small_net()
    optimizers = [torch.optim.SGD(model[index].parameters(), lr=0.1) for index in (0, 4)]
    recorders = [Recorder(tmp_path / name, model, one, every=1) for name, one in zip("ab", optimizers, strict=True)]
    update(model, optimizers[0])
    for recorder in recorders:
        recorder.close()
    assert told(tmp_path / "a") == (RunStatus.DONE, [0], [])


def test_an_interrupted_cell_leaves_the_recorder_usable(tmp_path: Path) -> None:
    training = Training(tmp_path / "run")

    def loop(interrupted: str) -> None:
        for _ in range(2):
            training.train(1)
        if interrupted == "loop":
            raise KeyboardInterrupt
        with training.recorder.validation([data()]):
            raise KeyboardInterrupt

    for interrupted in ("loop", "validation"):
        with pytest.raises(KeyboardInterrupt):
            loop(interrupted)
    training.train(1)
    training.validate()
    training.recorder.close()
    assert told(tmp_path / "run") == (RunStatus.DONE, [0, 1, 2, 3, 4], [4])


# --- twenty trials


def closed(training: Training) -> None:
    training.train(2)
    training.recorder.close()


def left_open(training: Training) -> None:
    training.train(2)


def validated(training: Training) -> None:
    training.validate()
    training.train(1)
    training.validate()


def failed(training: Training) -> None:
    training.train(1)
    raise ValueError("a trial that does not work")


def failed_at_once(training: Training) -> None:
    raise ValueError("a trial that does not begin")


def scaled(training: Training) -> None:
    scaler = torch.amp.GradScaler("cpu")
    loss = training.model(data()[0]).sum()
    scaler.scale(loss).backward()
    scaler.step(training.optimizer)


TRIALS: dict[str, tuple[Callable[[Training], None], dict[str, Any]]] = {
    "closed": (closed, {}),
    "left open": (left_open, {}),
    "flight recorder": (left_open, {"every": 10, "keep_around": 4}),
    "validation": (validated, {}),
    "exceptions": (failed, {}),
    "exceptions at once": (failed_at_once, {}),
    "gradient scaler": (scaled, {}),
    "no optimizer": (left_open, {"is_hooked": False}),
    "replaced": (left_open, {"on_existing": "replace"}),
}


@pytest.mark.parametrize("kind", TRIALS)
def test_many_trials_leave_nothing_behind(tmp_path: Path, kind: str) -> None:
    body, options = TRIALS[kind]
    step, handler = GradScaler.step, signal.getsignal(signal.SIGTERM)
    models: list[weakref.ref[nn.Module]] = []
    recorders: list[weakref.ref[Recorder]] = []

    def trial() -> None:
        training = Training(tmp_path / "run", **options)
        models.append(weakref.ref(training.model))
        recorders.append(weakref.ref(training.recorder))
        with suppress(ValueError):
            body(training)
        alive.append(sum(found() is not None for found in models))

    alive: list[int] = []
    trial()
    all_ended()
    before = footprint()
    for _ in range(6):
        trial()
    all_ended()
    assert footprint() == before
    assert max(alive) == 1, "each network goes before the next one comes"
    assert not any(found() for found in (*models, *recorders))
    assert (GradScaler.step, signal.getsignal(signal.SIGTERM)) == (step, handler)
    assert (lifetime._open, lifetime._ending) == (set(), {})


@pytest.fixture(autouse=True)
def _nothing_is_left_of_the_test_before() -> None:
    all_ended()


def all_ended() -> None:
    """Wait for every run: a writer holds its recorder until it has made the run, and lets go of it at any moment."""
    for _ in range(100):
        gc.collect()
        wait_for_ended()
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("dtui-")]
        if not threads:
            return
        threads[0].join(0.3)


def footprint() -> tuple[object, ...]:
    """Return what a process has of threads, open files, children and exit handlers."""
    threads = sorted(thread.name for thread in threading.enumerate())
    files = sorted(os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if is_open(name))
    children = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    return threads, files, sorted(filter(None, children)), atexit._ncallbacks()


def is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def test_trials_that_fold_leave_no_child_behind(tmp_path: Path, folding: None) -> None:
    def trial() -> None:
        training = Training(tmp_path / "run", graph=False)
        training.train(33)

    before = footprint()
    for _ in range(2):
        trial()
    all_ended()
    assert footprint() == before
    assert told(tmp_path / "run-2") == (RunStatus.DONE, list(range(33)), [])
