"""What goes wrong in the recorder stays in the recorder, and what is missing is written down."""

from __future__ import annotations

import errno
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from dtui.cli import main
from dtui.errors import RecorderError
from dtui.model import Gap, Record, RunStatus
from dtui.record import Recorder, RecorderWarning
from dtui.record.network.layers import find_layers
from dtui.record.start.arguments import check_classes
from dtui.record.writing import writer_thread
from dtui.store import RunReader
from dtui.store.run.run_file import touch_heartbeat
from dtui.store.write import new_run
from tests.record.conftest import MemoryStore, RecorderUnderTest, small_net
from tests.record.test_loops import data, update

Make = Callable[..., RecorderUnderTest]


def training(recorder_of: Callable[[nn.Module, torch.optim.Optimizer], Recorder | None], count: int = 6) -> list[float]:
    torch.manual_seed(9)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = recorder_of(model, optimizer)
    losses = []
    for _ in range(count):
        losses.append(update(model, optimizer))
        if recorder is not None:
            recorder.log(loss=losses[-1])
            with recorder.validation([data()]):
                model(data()[0])
    if recorder is not None:
        recorder.close()
    return losses


@pytest.fixture
def undisturbed() -> list[float]:
    return training(lambda model, optimizer: None)


def test_a_probe_that_raises_is_told_once_and_switched_off(
    record: Make, monkeypatch: pytest.MonkeyPatch, undisturbed: list[float]
) -> None:
    made: list[RecorderUnderTest] = []

    def recorder_of(model: nn.Module, optimizer: Any) -> Recorder:
        made.append(record(model, optimizer, every=1))
        return made[0]

    calls = []

    def measure(self: Any) -> None:
        calls.append(1)
        raise FloatingPointError("no such number")

    monkeypatch.setattr("dtui.record.measure.measurer.Measurer.measure", measure)
    with pytest.warns(RecorderWarning, match="records are no longer recorded: FloatingPointError") as told:
        assert training(recorder_of) == undisturbed
    assert len(told) == len(calls) == 1
    store = made[0].store
    assert store.records == []
    assert len(store.validations) == 6
    assert [(gap.first, gap.last, gap.stream) for gap in store.gaps] == [(0, 0, "records"), (1, 5, "records")]
    assert store.status is RunStatus.DONE


def test_a_warning_that_is_an_error_does_not_stop_training(
    record: Make, monkeypatch: pytest.MonkeyPatch, undisturbed: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dtui.record.measure.measurer.Measurer.measure", lambda self: 1 / 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecorderWarning)
        assert training(lambda model, optimizer: record(model, optimizer, every=1)) == undisturbed
    assert "records are no longer recorded: ZeroDivisionError" in caplog.text


def test_an_error_that_says_nothing_is_named(record: Make) -> None:
    """As a MemoryError, where the memory of a process is limited."""

    def fill(store: MemoryStore) -> None:
        def full(record: Record) -> None:
            raise MemoryError

        store.on_record = full

    with pytest.warns(RecorderWarning, match="iteration 0 was not written: MemoryError$"):
        training(lambda model, optimizer: record(model, optimizer, every=1, prepare=fill))


def test_a_full_disk_loses_what_it_could_not_take_and_nothing_else(record: Make, undisturbed: list[float]) -> None:
    made: list[RecorderUnderTest] = []

    def fill(store: MemoryStore) -> None:
        def full(record: Record) -> None:
            if record.iteration in (2, 3):
                raise OSError(errno.ENOSPC, "No space left on device")

        store.on_record = full

    def recorder_of(model: nn.Module, optimizer: Any) -> Recorder:
        made.append(record(model, optimizer, every=1, prepare=fill))
        return made[0]

    with pytest.warns(RecorderWarning, match="iteration 2 was not written: No space left on device$") as told:
        assert training(recorder_of) == undisturbed
    assert len(told) == 1
    store = made[0].store
    assert [record.iteration for record in store.records] == [0, 1, 4, 5]
    assert store.gaps == [Gap(2, 3, "records", "OSError: [Errno 28] No space left on device")]


def test_a_disk_slower_than_the_training_drops_records_without_making_it_wait(
    record: Make, undisturbed: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtui.record.recording.MOST_WAITING", 2)
    monkeypatch.setattr("dtui.record.recording.FEWEST_WAITING", 2)
    made: list[RecorderUnderTest] = []
    release, reached = threading.Event(), threading.Event()

    def slow(store: MemoryStore) -> None:
        def wait(record: Record) -> None:
            reached.set()
            assert release.wait(60)

        store.on_record = wait

    torch.manual_seed(9)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1, prepare=slow)
    made.append(recorder)
    losses = [update(model, optimizer)]
    assert reached.wait(60)
    with pytest.warns(RecorderWarning, match="records come faster than they are written"):
        losses += [update(model, optimizer) for _ in range(4)]
    release.set()
    assert recorder._recording.sink is not None
    recorder._recording.sink.drain()
    losses.append(update(model, optimizer))
    recorder.close()
    assert losses == undisturbed
    assert [record.iteration for record in recorder.store.records] == [0, 1, 5]
    assert recorder.store.gaps == [Gap(2, 4, "records", "records came faster than they were written")]


def test_a_store_directory_that_is_removed_does_not_stop_training(tmp_path: Path, undisturbed: list[float]) -> None:
    class Removed(Recorder):
        def log(self, *arguments: Any, **values: Any) -> None:
            super().log(*arguments, **values)
            if self.iteration == 2 and self._recording.sink is not None:
                self._recording.sink.drain()
                shutil.rmtree(self.path)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecorderWarning)
        losses = training(lambda model, optimizer: Removed(tmp_path / "gone", model, optimizer, every=1))
    assert losses == undisturbed


def test_a_run_that_cannot_be_created_does_not_stop_training(tmp_path: Path, undisturbed: list[float]) -> None:
    def recorder_of(model: nn.Module, optimizer: Any) -> Recorder:
        recorder = Recorder(tmp_path / "late", model, optimizer, every=1)
        shutil.rmtree(tmp_path / "late.dtui")
        (tmp_path / "late.dtui").write_text("somebody else's")
        return recorder

    with pytest.warns(RecorderWarning, match="nothing is recorded"):
        assert training(recorder_of) == undisturbed
    assert (tmp_path / "late.dtui").read_text() == "somebody else's"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_folder_that_renames_nothing_is_told_with_what_to_do(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: list[float]
) -> None:
    """As a mounted object store refuses it."""

    def refuse(self: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(self), None, str(target))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.warns(RecorderWarning) as told:
        losses = training(lambda model, optimizer: Recorder(tmp_path / "run", model, optimizer, every=2))
    assert losses == undisturbed
    (line,) = [str(one.message) for one in told if issubclass(one.category, RecorderWarning)]
    assert f": {os.strerror(number)}; that filesystem refuses what a run needs there; record on a local disk" in line
    assert "by dtui pack" in line


def test_without_a_thread_for_the_writer_one_line_says_that_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: list[float]
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.warns(RecorderWarning) as told:
        losses = training(lambda model, optimizer: Recorder(tmp_path / "run", model, optimizer, every=2, keep_around=4))
    assert losses == undisturbed
    assert len(told) == 1
    assert "no thread can be started to write the run, so nothing is recorded; allow" in str(told[0].message)
    assert list(tmp_path.iterdir()) == []


def test_a_run_begins_when_a_full_disk_has_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: list[float]
) -> None:
    room, tries = threading.Event(), threading.Semaphore(0)

    def touch(path: Path) -> None:
        if not room.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        touch_heartbeat(path)
        tries.release()

    monkeypatch.setattr(new_run, "touch_heartbeat", touch)
    monkeypatch.setattr(writer_thread, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(writer_thread, "HEARTBEAT_SECONDS", 0.01)

    class Waiting(Recorder):
        def log(self, *arguments: Any, **values: Any) -> None:
            super().log(*arguments, **values)
            sink = self._recording.sink
            if self.iteration == 2 and sink is not None and sink.drain(60):
                room.set()
                assert tries.acquire(timeout=60)

    with pytest.warns(RecorderWarning, match="nothing is recorded until there is room: No space left"):
        assert training(lambda model, optimizer: Waiting(tmp_path / "late", model, optimizer, every=1)) == undisturbed
    run = RunReader(tmp_path / "late")
    assert run.record_iterations.tolist() == [3, 4, 5]
    assert run.validation_iterations.tolist() == [2, 3, 4, 5]
    assert Gap(0, 2, "records", "the run could not be created") in run.gaps


def test_weights_that_become_nan_are_counted_and_training_goes_on(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    for step in range(4):
        if step == 2:
            with torch.no_grad():
                model[2].weight[1, 0, 0, 0] = math.nan
        update(model, optimizer)
        with recorder.validation([data()]):
            model(data()[0])
    recorder.close()
    counts = [record.filters[-1].sum() for record in recorder.store.records]
    assert counts[:2] == [0, 0]
    assert counts[2] > 0
    assert len(recorder.store.validations) == 4
    assert recorder.store.validations[-1].confidences.max() == 0


def test_a_loss_that_turns_nan_and_skipped_updates_are_told_by_info(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with Recorder(tmp_path / "run", model, optimizer, every=1) as recorder:
        for step in range(4):
            recorder.log(loss=torch.tensor(math.nan) if step else 0.5)
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(data()[0]), data()[1])
            scaler.scale(loss * (math.inf if step == 2 else 1)).backward()
            scaler.step(optimizer)
            scaler.update()
    assert main(["info", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "finding      loss is NaN from iteration 1 on\n" in said
    assert "1 update was skipped by the GradScaler for NaN or Inf gradients, told by the records of 2\n" in said


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"every": 0}, "every=0: every must be a positive integer"),
        ({"every": -3}, "every=-3"),
        ({"every": 2.5}, r"every=2\.5"),
        ({"every": True}, "every=True"),
        (
            {"classes": list("abcdefg")},
            r"classes: 7 names were given, but no layer has so many outputs \(the last, 4",
        ),
        ({"classes": ("a",)}, "classes: 1 names; give between 2 and 65535"),
        ({"classes": "abc"}, "classes='abc': give the names in label order"),
        ({"classes": [str(label) for label in range(70_000)]}, "classes: 70000 names"),
        (
            {"model": nn.Sequential(nn.ReLU())},
            "model: Sequential has no real weights to record",
        ),
        (
            {"optimizer": torch.optim.SGD([nn.Parameter(torch.zeros(1))])},
            "none of its 1 parameters belongs to the model",
        ),
        ({"optimizer": object()}, "a object is not a torch.optim.Optimizer"),
        ({"path": ""}, "names no run"),
        ({"path": "/dev/null/run"}, "/dev/null cannot be written to"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_arguments_that_cannot_work_are_refused_before_training(
    tmp_path: Path, arguments: dict[str, Any], match: str
) -> None:
    model = arguments.pop("model", small_net())
    path = arguments.pop("path", tmp_path / "run")
    with pytest.raises(RecorderError, match=match):
        Recorder(path, model, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (nn.Linear(5, 1), 2),  # one output tells two classes apart
        (nn.Sequential(nn.Linear(3, 7), nn.Linear(7, 2)), 7),  # its classes may come from another part
        (nn.Sequential(nn.Linear(3, 4), nn.LazyLinear(7)), 7),
        (nn.Linear(3, 7), 3),
    ],
)
def test_names_of_classes_that_may_fit_are_taken(model: nn.Module, count: int) -> None:
    check_classes(tuple(map(str, range(count))), model, find_layers(model))


def test_names_of_classes_do_not_fit_because_a_bias_is_as_long() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(9))
    with pytest.raises(RecorderError, match=r"9 names were given, .* \(the last, 0, has 2\)"):
        check_classes(tuple("abcdefghi"), model, find_layers(model))


def test_a_name_with_a_dot_keeps_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "lr0.1", small_net())
    recorder.close()
    assert (tmp_path / "lr0.1.dtui").is_dir()


ENDINGS: dict[str, tuple[str, str]] = {
    "end": ("pass", "done"),
    "dropped": ("del recorder, model, optimizer", "done"),
    "exit": ("sys.exit(0)", "done"),
    "exception": ("raise ValueError('a batch is missing')", "crashed: ValueError: a batch is missing"),
    "interrupt": ("signal.raise_signal(signal.SIGINT)", "crashed: KeyboardInterrupt"),
    "terminate": (
        "os.kill(os.getpid(), signal.SIGTERM)",
        "crashed: SIGTERM: told to end, as by kill, scancel or the time limit of a job",
    ),
    "with exit": ("with recorder: sys.exit(3)", "crashed: SystemExit: 3"),
    "with exit fine": ("with recorder: sys.exit()", "done"),
    "kill": (
        "recorder._recording.sink.drain(); os.kill(os.getpid(), signal.SIGKILL)",
        "crashed: nobody closed it, and nothing records it any more",
    ),
}

SCRIPT = """
import gc, os, signal, sys, torch, dtui
from torch import nn
import dtui.record, dtui.store.write.run_writer, dtui.store.disk.sealed_builder, torch._dynamo
from dtui.store.write.background_compactor import Compactor
Compactor.finish = lambda self: None  # has its tests, and takes a second a run
torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has jobs in the background ignore it
folder, children = sys.argv[1], {}
gc.freeze()  # or each child goes through all that PyTorch has made, when it ends
for ending in sys.argv[2:]:
    child = os.fork()
    if not child:
        break
    children[ending] = child
else:
    for ending, child in children.items():
        print(ending, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.exit(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
recorder = dtui.Recorder(f"{folder}/{ending}", model, optimizer, every=1, fused=False)  # no compiling in each
for _ in range(3):
    model(torch.ones(2, 2, 2)).sum().backward()
    optimizer.step()
"""


def test_scripts_that_end_without_closing_leave_complete_runs_that_say_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    branches = "".join(f"if ending == {name!r}:\n    {code}\n" for name, (code, _) in ENDINGS.items())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + branches, str(tmp_path), *ENDINGS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    codes = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert codes["end"] == codes["exit"] == "0", done.stderr
    assert codes["terminate"] == str(-signal.SIGTERM)
    assert codes["exception"] == "1"
    for name, (_, ending) in ENDINGS.items():
        reader = RunReader(tmp_path / f"{name}.dtui")
        assert reader.record_iterations.tolist() == [0, 1, 2]
        assert reader.gaps == ()
        reader.close()
        assert main(["info", str(tmp_path / name)]) == 0
        assert f"status       {ending}\n" in capsys.readouterr().out


def test_a_signal_handler_of_the_user_is_left_alone_and_ours_is_given_back(record: Make) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        recorder = record(small_net())
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        recorder.close()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        recorder = record(small_net())
        recorder.close()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_training_that_uses_pytables_itself_keeps_its_pickles_and_locks(tmp_path: Path) -> None:
    """In a process of its own: another test may have opened a run here, and that disarms PyTables."""
    code = f"""
import fcntl, os, tables, torch
os.environ.pop("HDF5_USE_FILE_LOCKING", None)
from dtui.record import Recorder
torch.set_num_threads(1)
model = torch.nn.Linear(3, 2)
recorder = Recorder({str(tmp_path / "run")!r}, model, every=1, fused=False)
recorder.step()
with recorder.validation():
    recorder.predictions(model(torch.ones(4, 3)), [0, 1, 0, 1], range(4))
recorder.close()
with tables.open_file({str(tmp_path / "own.h5")!r}, "w") as file:
    file.root._v_attrs.setting = {{"a": 1}}
    file.create_vlarray("/", "objects", tables.ObjectAtom()).append({{"b": 2}})
    file.flush()
    with open({str(tmp_path / "own.h5")!r}, "rb+") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise AssertionError("no lock")
        except BlockingIOError:
            pass
assert "HDF5_USE_FILE_LOCKING" not in os.environ
with tables.open_file({str(tmp_path / "own.h5")!r}) as file:
    assert file.root._v_attrs.setting == {{"a": 1}}
    assert file.root.objects[0] == {{"b": 2}}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    reader = RunReader(tmp_path / "run.dtui")
    assert reader.images is not None
    reader.close()


def test_an_exception_that_quotes_all_its_data_leaves_a_readable_run(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", small_net(), every=1)
    recorder.step()
    with pytest.raises(ValueError, match="xxx"), recorder:
        raise ValueError("x" * (2 << 20))
    reader = RunReader(tmp_path / "run.dtui")
    assert (reader.status(), reader.faults) == (RunStatus.CRASHED, ())
    reader.close()
