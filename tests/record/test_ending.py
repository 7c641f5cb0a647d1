"""The end of a run: the weights and the values that came after the last regular record."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dtui
from dtui.model import FILTER_STATISTICS, SOURCES, RunStatus, every_that_fits
from dtui.query import open_run
from dtui.record import RecorderWarning
from dtui.record.training.last_update import LastUpdate
from dtui.record.writing import process_end
from dtui.store import RunReader
from tests.record.conftest import RecorderUnderTest, small_net
from tests.record.test_loops import data, update
from tests.store.builders import points_of

Make = Callable[..., RecorderUnderTest]
MEAN, GRADIENT, CHANGE = (FILTER_STATISTICS.index(name) for name in ("mean", "gradient_norm", "update_norm"))


def trained(record: Make, updates: int, every: int) -> tuple[RecorderUnderTest, nn.Module, Any]:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=every)
    for _ in range(updates):
        update(model, optimizer)
    return recorder, model, optimizer


def recorded(recorder: RecorderUnderTest) -> list[int]:
    return [record.iteration for record in recorder.store.records]


# --- the closing record


def test_closing_records_the_weights_as_they_are_at_the_end(record: Make) -> None:
    recorder, model, _ = trained(record, 6, every=4)
    weights = model[0].weight.detach().flatten(1)
    gradients = model[0].weight.grad.flatten(1).norm(dim=1)
    recorder.close()
    assert recorded(recorder) == [0, 4, 5]
    last = recorder.store.records[-1]
    np.testing.assert_allclose(last.filters[MEAN, :4], weights.mean(dim=1).numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(last.filters[GRADIENT, :4], gradients.numpy(), rtol=1e-5)
    assert (last.filters[CHANGE] > 0).all()
    assert last.scalars == {"learning_rate": 0.1}


def test_an_update_that_was_recorded_is_not_recorded_again(record: Make) -> None:
    recorder, *_kept = trained(record, 5, every=4)
    recorder.close()
    assert recorded(recorder) == [0, 4]
    assert recorder.store.gaps == []


def test_a_run_without_an_update_has_no_closing_record(record: Make) -> None:
    recorder, *_kept = trained(record, 0, every=4)
    recorder.log(loss=1.0)
    recorder.close()
    assert recorded(recorder) == []
    assert recorder.store.logged == [(0, {"loss": 1.0})]


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_that_were_cleared_are_no_gradients(record: Make, to_none: bool) -> None:
    recorder, _model, optimizer = trained(record, 6, every=4)
    optimizer.zero_grad(set_to_none=to_none)
    recorder.close()
    last = recorder.store.records[-1]
    assert last.iteration == 5
    assert np.isnan(last.filters[GRADIENT]).all()
    assert np.isnan(last.layers[SOURCES.index("gradients"), 0]).all()
    assert np.isfinite(last.filters[MEAN]).all()


def test_gradients_of_an_update_that_never_came_are_no_gradients(record: Make) -> None:
    recorder, model, _ = trained(record, 6, every=4)
    model(data()[0]).sum().backward()
    recorder.close()
    assert np.isnan(recorder.store.records[-1].filters[GRADIENT]).all()


def with_another_end(parameter: nn.Parameter) -> None:
    """Put a tensor into a parameter that differs in its last element; its version does not change."""
    other = parameter.data.clone()
    other.view(-1)[-1] += 1
    parameter.data = other


CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "another checkpoint": lambda model: model.load_state_dict(small_net().state_dict()),
    "another checkpoint, assigned": lambda model: model.load_state_dict(small_net().state_dict(), assign=True),
    "averaged weights": lambda model: [p.data.copy_(torch.zeros_like(p)) for p in model.parameters()],
    "a filter that is pruned": lambda model: model[0].weight.detach()[-1].zero_(),
    "other weights behind the same beginning": lambda model: [with_another_end(p) for p in model.parameters()],
    "half": lambda model: model.half(),
    "no device": lambda model: model.to("meta"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_weights_that_are_no_longer_the_last_updates_are_not_recorded(
    record: Make, change: Callable[[nn.Module], object]
) -> None:
    recorder, model, _ = trained(record, 6, every=4)
    recorder.log(best=0.5)
    change(model)
    recorder.close()
    assert recorded(recorder) == [0, 4]
    assert recorder.store.logged == [(5, {"best": 0.5})]
    assert recorder.store.status is RunStatus.DONE


def test_an_update_that_is_interrupted_is_not_recorded(record: Make) -> None:
    """Ctrl-C within an optimizer: some weights are new and some are old."""

    def interrupt(optimizer: Any, *_: object) -> None:
        with torch.no_grad():
            optimizer.param_groups[0]["params"][0].add_(1.0)
        raise KeyboardInterrupt

    recorder, model, optimizer = trained(record, 6, every=4)
    optimizer.register_step_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt), recorder:
        update(model, optimizer)
    assert recorded(recorder) == [0, 4]
    assert recorder.store.status is RunStatus.CRASHED


def test_a_crash_between_updates_records_what_there_is(record: Make) -> None:
    recorder, *_kept = trained(record, 6, every=4)
    with pytest.raises(ValueError, match="a bug"), recorder:
        raise ValueError("a bug")
    assert recorded(recorder) == [0, 4, 5]
    assert (recorder.store.status, recorder.store.reason) == (RunStatus.CRASHED, "ValueError: a bug")


def test_nothing_is_measured_while_another_thread_trains(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=4)
    is_trained, may_end = threading.Event(), threading.Event()

    def train() -> None:
        for _ in range(6):
            update(model, optimizer)
        recorder.log(best=0.5)
        is_trained.set()
        may_end.wait()

    trainer = threading.Thread(target=train)
    trainer.start()
    is_trained.wait()
    recorder.close()
    may_end.set()
    trainer.join()
    assert recorded(recorder) == [0, 4]
    assert recorder.store.logged == [(5, {"best": 0.5})]


def test_a_thread_that_has_ended_trains_no_more(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=4)
    trainer = threading.Thread(target=lambda: [update(model, optimizer) for _ in range(6)])
    trainer.start()
    trainer.join()
    recorder.close()
    assert recorded(recorder) == [0, 4, 5]


def test_a_failing_closing_record_is_told_and_the_run_is_done(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, *_kept = trained(record, 6, every=4)
    recorder.log(best=0.5)
    monkeypatch.setattr(recorder._recording.measurer, "measure", lambda **_: 1 / 0)
    with pytest.warns(RecorderWarning, match="the weights at the end could not be recorded: ZeroDivisionError"):
        recorder.close()
    assert recorder.store.status is RunStatus.DONE
    assert recorder.store.logged == [(5, {"best": 0.5})]


def test_moved_to_another_device_weights_are_still_the_last_updates() -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    last = LastUpdate(model)
    update(model, optimizer)
    last.note()
    last._shown = [(dtype, torch.device("cuda", 0), address + 1) for dtype, _, address in last._shown]
    assert last.has_weights()


CHILD = """
import atexit, gc, os, signal, sys, torch, dtui
from tests.record.conftest import small_net
from tests.record.test_loops import update
from dtui.store.write.background_compactor import Compactor
import dtui.record, dtui.store.write.run_writer, dtui.store.disk.sealed_builder, torch._dynamo
Compactor.finish = lambda self: None  # has its tests, and takes a second a run
gc.freeze()  # or each child goes through all that PyTorch has made, when it ends
for end in sys.argv[2:]:
    child = os.fork()
    if not child:
        break
    print(end, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    sys.exit(0)
def train():
    global model, optimizer, recorder
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = dtui.Recorder(f"{sys.argv[1]}/{end}", model, optimizer, every=4, fused=False)
    for _ in range(6):
        update(model, optimizer)
    recorder.log(val_acc=0.75)
if end == "in an exit handler":
    atexit.register(train)
    sys.exit(0)
train()
if "without a network" in end:
    del model
    if end.startswith("closed"):
        recorder.close()
        os._exit(0)
if end.startswith("SIGTERM"):
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()
if end == "crash":
    raise ValueError("a bug")
"""
ENDS = {
    "exit": (0, [0, 4, 5]),
    "in an exit handler": (0, [0, 4, 5]),
    "closed without a network": (0, [0, 4]),
    "crash": (1, [0, 4, 5]),
    "SIGTERM": (-signal.SIGTERM, [0, 4]),
    "SIGTERM without a network": (-signal.SIGTERM, [0, 4]),
}
"""To the exit status, and the iterations recorded: SIGTERM may come inside an update, so the weights are left alone."""


def test_a_process_that_ends_without_closing_keeps_what_was_logged(tmp_path: Path) -> None:
    """All ends in one test: one process imports torch, and forks a training for each."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-W", "ignore", "-c", CHILD, str(tmp_path), *ENDS]
    done = subprocess.run(command, env=environment, timeout=120, capture_output=True, text=True)
    codes = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert codes == {end: str(int(code)) for end, (code, _) in ENDS.items()}, done.stderr
    for end, (_, records) in ENDS.items():
        run = RunReader(tmp_path / end)
        assert run.record_iterations.tolist() == records, end
        iterations, values = points_of(run, "val_acc")
        assert (iterations.tolist(), values.tolist()) == ([5], [0.75]), end
        assert run.status() is (RunStatus.CRASHED if end in ("crash", "SIGTERM") else RunStatus.DONE), end
        run.close()


# --- what was logged


def test_every_value_is_in_the_run_at_its_own_iteration(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with dtui.Recorder(tmp_path / "run", model, optimizer, every=2) as recorder:
        for epoch in range(3):
            for _ in range(4):
                update(model, optimizer)
            recorder.log(val_acc=float(epoch))
    with open_run(tmp_path / "run") as query:
        assert query.limits() == (0.0, 12.0)
        assert [query.curves_at(iteration).get("val_acc") for iteration in (2, 3, 6, 7, 10, 11)] == [
            None,
            0,
            0,
            1,
            1,
            2,
        ]
    run = RunReader(tmp_path / "run")
    iterations, values = points_of(run, "val_acc")
    assert (iterations.tolist(), values.tolist()) == ([3, 7, 11], [0.0, 1.0, 2.0])
    assert run.record_iterations.tolist() == [0, 2, 4, 6, 8, 10, 11]


def test_of_a_name_of_every_update_records_alone_keep_values(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=4)
    for step in range(10):
        recorder.log(before=step)
        update(model, optimizer)
        recorder.log(after=step)
    recorder.close()
    records = recorder.store.records
    assert [record.scalars["before"] for record in records] == [0, 4, 8, 9]
    assert [record.scalars.get("after") for record in records] == [None, 3, 7, 9]
    assert recorder.store.logged == [(9, {"after": 9.0})]


def test_the_last_of_a_name_of_every_update_is_kept_without_a_closing_record(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=4)
    for step in range(6):
        recorder.log(loss=step)
        update(model, optimizer)
    model.half()
    recorder.close()
    assert recorded(recorder) == [0, 4]
    assert recorder.store.logged == [(4, {"loss": 5.0})]


def test_of_a_name_logged_often_the_store_takes_few_values(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=100)
    for step in range(400):
        update(model, optimizer)
        if step % 3 == 0:
            recorder.log(often=step)
        if step % 25 == 24:
            recorder.log(seldom=step)
    recorder.close()
    kept = {name: [at for at, found in recorder.store.logged if name in found] for name in ("often", "seldom")}
    assert kept["seldom"] == list(range(24, 400, 25))
    assert kept["often"] == list(range(0, 48, 3))
    assert recorder.store.records[-1].scalars["often"] == 399


def test_a_value_of_one_update_is_the_last_that_was_logged(record: Make) -> None:
    recorder, *_kept = trained(record, 3, every=4)
    recorder.log(val_acc=0.1)
    recorder.log(val_acc=0.2, nothing=float("nan"))
    recorder.close()
    (at, found), *more = recorder.store.logged
    assert (at, found["val_acc"], more) == (2, 0.2, [])
    assert np.isnan(found["nothing"])


def test_a_tensor_is_read_on_the_writers_thread(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU reading it waits for the device."""
    threads: list[str] = []

    class OnDevice:
        def __float__(self) -> float:
            threads.append(threading.current_thread().name)
            return 0.5

    monkeypatch.setattr("dtui.record.training.scalar_log._as_scalar", lambda value: value)
    recorder, model, optimizer = trained(record, 2, every=4)
    recorder.log(val_acc=OnDevice())  # type: ignore[arg-type]
    for _ in range(2):
        update(model, optimizer)
    recorder.close()
    assert recorder.store.logged == [(1, {"val_acc": 0.5})]
    assert set(threads) == {"dtui-writer"}


def test_what_is_logged_after_the_end_is_told_once(record: Make, recwarn: pytest.WarningsRecorder) -> None:
    recorder, *_kept = trained(record, 6, every=4)
    recorder.close()
    recwarn.clear()
    for value in (0.5, 0.6):
        recorder.log(val_acc=value)
    assert [str(warning.message) for warning in recwarn] == [
        "dtui: log: the run is closed; val_acc and what follows are not kept"
    ]


def test_a_value_that_cannot_be_read_costs_no_record(record: Make, recwarn: pytest.WarningsRecorder) -> None:
    class Broken:
        def __float__(self) -> float:
            raise RuntimeError("CUDA error: device-side assert triggered")

    recorder, model, optimizer = trained(record, 2, every=4)
    recorder._counting.scalars.own.add("val_acc", 1, Broken())  # type: ignore[arg-type]
    for _ in range(4):
        update(model, optimizer)
    recorder.close()
    assert "what was logged between records is not kept: RuntimeError: CUDA" in str(recwarn[-1].message)
    assert recorded(recorder) == [0, 4, 5]
    assert recorder.store.gaps == []


# --- a resumed run


def go_on(path: Path, model: nn.Module, optimizer: Any, updates: int) -> None:
    with dtui.Recorder(path, model, optimizer, every=4, resume=True, iteration=updates) as recorder:
        recorder.log(began=1.0)
        for _ in range(3):
            update(model, optimizer)
        recorder.log(val_acc=2.0)


def test_a_training_that_goes_on_supersedes_the_end_before_it(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with dtui.Recorder(tmp_path / "run", model, optimizer, every=4) as recorder:
        for step in range(7):
            update(model, optimizer)
            if step in (1, 3, 6):
                recorder.log(val_acc=float(step))
    go_on(tmp_path / "run", model, optimizer, 4)
    run = RunReader(tmp_path / "run")
    assert run.record_iterations.tolist() == [0, 4, 6]
    for name, wanted in (("val_acc", ([1, 3, 6], [1.0, 3.0, 2.0])), ("began", ([3], [1.0]))):
        iterations, values = points_of(run, name)
        assert (iterations.tolist(), values.tolist()) == wanted
    assert run.faults == ()


def test_what_is_logged_before_a_resumed_training_has_passed_its_checkpoint_supersedes_nothing(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with dtui.Recorder(tmp_path / "run", model, optimizer, every=4) as recorder:
        for _ in range(7):
            update(model, optimizer)
    with dtui.Recorder(tmp_path / "run", model, optimizer, every=4, resume=True, iteration=4) as recorder:
        recorder.log(val_acc=0.5)
    run = RunReader(tmp_path / "run")
    assert run.record_iterations.tolist() == [0, 4, 6]
    assert run.joins == ()
    assert [column.tolist() for column in points_of(run, "val_acc")] == [[3], [0.5]]


# --- too few records


def test_a_training_that_was_too_short_for_its_records_is_told_what_would_have_fitted(tmp_path: Path) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = dtui.Recorder(tmp_path / "run", model, optimizer, every=1000)
    for _ in range(120):
        optimizer.step()
    with pytest.warns(RecorderWarning) as told:
        recorder.close()
    words = "every 1000 made 1 record in 120 {}, without that of the end; every 2 would have made 60"
    assert [str(warning.message) for warning in told] == [f"dtui: {words.format('updates')}"]
    with open_run(tmp_path / "run") as query:
        assert query.info().findings == (words.format("iterations"),)
        assert (query.info().records, query.info().last_iteration) == (2, 119)


@pytest.mark.parametrize(("updates", "every"), [(1, 100), (2, 1), (200, 100), (101, 100)])
def test_nothing_is_said_where_nothing_would_have_fitted_better(
    record: Make, recwarn: pytest.WarningsRecorder, updates: int, every: int
) -> None:
    recorder, *_kept = trained(record, updates, every)
    recorder.close()
    assert [str(warning.message) for warning in recwarn if warning.category is RecorderWarning] == []


@pytest.mark.parametrize(
    ("updates", "fits"), [(1, 1), (99, 1), (100, 2), (249, 2), (250, 5), (950, 10), (10**6, 20_000)]
)
def test_the_period_that_fits_is_round_and_makes_fifty_records(updates: int, fits: int) -> None:
    assert every_that_fits(updates) == fits


def test_a_second_ctrl_c_ends_the_wait_for_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """People press it twice: Python's exit shows no traceback of ours, and what else is to be done is done."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    called: list[int] = []
    watch = process_end.EndWatch(interrupted, lambda _: None)
    monkeypatch.setattr(process_end, "_watches", [watch])
    monkeypatch.setattr(process_end, "also_at_exit", [lambda: called.append(1)])
    process_end._at_exit()
    watch.remove()
    assert called == [1]


@pytest.mark.parametrize(
    "broken",
    [
        "dtui.record.unseen.Unseen.closing",
        "dtui.record.network.graph.GraphTracer.detach",
        "dtui.record.validation.activations.of_run.Activations.tell_unread",
    ],
)
def test_a_failure_of_ours_at_the_end_leaves_no_run_open(
    record: Make, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Whoever goes on with it in this process would be told for ever that this very process records it."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    recorder, _model, _optimizer = trained(record, 3, every=1)  # a run ends with its model
    monkeypatch.setattr(broken, fails)
    with pytest.warns(RecorderWarning, match="the end of the run could not be recorded: RuntimeError: a fault of ours"):
        recorder.close()
    assert recorded(recorder) == [0, 1, 2]
    assert recorder.store.status is RunStatus.DONE


def _train_in_a_child(path: Path, how: str) -> None:
    global _kept
    torch.set_num_threads(1)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    _kept = dtui.Recorder(path, model, optimizer, every=2), model
    for _ in range(4):
        update(model, optimizer)
    if how == "is done, and its model gone":
        _kept = None
    if how == "fails":
        raise ValueError("no more data")


_kept: object = None
ENDS_OF_A_CHILD = {
    "is done": (0, RunStatus.DONE, "", [0, 2, 3]),
    "is done, and its model gone": (0, RunStatus.DONE, "", [0, 2]),
    "fails": (1, RunStatus.CRASHED, "ValueError: no more data", [0, 2, 3]),
}


@pytest.mark.parametrize("how", ENDS_OF_A_CHILD)
def test_a_forked_child_of_multiprocessing_ends_its_run(tmp_path: Path, how: str) -> None:
    """It ends without Python's exit: what was queued would be lost, and the run look as if it had crashed."""
    child = multiprocessing.get_context("fork").Process(target=_train_in_a_child, args=(tmp_path / "run", how))
    child.start()
    child.join(60)
    code, status, reason, iterations = ENDS_OF_A_CHILD[how]
    assert child.exitcode == code
    run = RunReader(tmp_path / "run")
    assert (run.status(), run.reason, run.record_iterations.tolist()) == (status, reason, iterations)
