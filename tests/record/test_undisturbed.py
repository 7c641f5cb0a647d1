"""Whatever goes wrong in the recorder, the training is the same bit by bit: losses, weights, every generator."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
import torch
from torch import nn

from dtui.record import Recorder
from tests.record.conftest import RecorderUnderTest
from tests.record.test_loops import train

Make = Callable[..., RecorderUnderTest]

pytestmark = pytest.mark.filterwarnings(
    "ignore::dtui.record.RecorderWarning", "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)

OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")

FAULTS: dict[str, tuple[str, BaseException, int]] = {
    "a probe raises": ("dtui.record.measure.measurer.Measurer.measure", FloatingPointError("no such number"), 0),
    "a probe runs out of memory": ("dtui.record.measure.measurer._Device.take", OUT_OF_MEMORY, 1),
    "the sampler raises": ("dtui.record.measure.samples.LayerSampler.positions", IndexError("no such place"), 0),
    "the structure cannot be told": ("dtui.record.start.starting_network.describe", KeyError("layer1"), 0),
    "the parameters cannot be counted": ("dtui.record.network.coverage.measure_coverage", TypeError("no number"), 0),
    "norms cannot be found": ("dtui.record.network.norm_layers.find_norms", TypeError("no module"), 0),
    "norms cannot be read": ("dtui.record.measure.norm_values.NormValues._plan", RuntimeError("no device"), 0),
    "norms cannot be derived": ("dtui.record.measure.norm_statistics.NormDeriver.derive", ZeroDivisionError(), 2),
    "what is frozen cannot be told": ("dtui.record.network.coverage.measure_trained", TypeError("no number"), 0),
    "the largest cannot be found": ("dtui.record.training.largest.Largest.take", TypeError("no number"), 2),
    "the outputs cannot be told apart": (
        "dtui.record.validation.output_kind.OutputKind.decide",
        TypeError("no number"),
        0,
    ),
    "the model's answer cannot be seen": (
        "dtui.record.validation.validation_watch.find_scores",
        TypeError("no scores"),
        0,
    ),
    "the tracer raises": ("dtui.record.network.graph._Trace.start", RuntimeError("no mode"), 0),
    "the tracer's modules raise": ("dtui.record.network.graph._Trace._enter_module", RuntimeError("no module"), 4),
    "statistics cannot be derived": ("dtui.record.measure.statistics.Deriver.derive", ZeroDivisionError(), 2),
    "the queue raises": ("dtui.record.writing.writer_thread.Sink.offer", RuntimeError("no thread"), 2),
    "the writer's thread dies": ("dtui.record.writing.writer_thread.Sink._work", SystemExit(1), 3),
    "the thread cannot be started": ("threading.Thread.start", RuntimeError("can't start new thread"), 0),
    "logging raises": ("dtui.record.training.scalar_log.ScalarLog.add", TypeError("no number"), 2),
    "what was logged cannot be told apart": (
        "dtui.record.training.scalar_log.OwnIterations.passed",
        KeyError("loss"),
        2,
    ),
    "what was logged cannot be kept": ("dtui.record.recording.Recording.keep", RuntimeError("no queue"), 0),
    "the last update cannot be noted": (
        "dtui.record.training.last_update.LastUpdate._look",
        RuntimeError("no version"),
        1,
    ),
    "scalars cannot be taken": ("dtui.record.training.scalar_log.ScalarLog.take", TypeError("no number"), 2),
    "skipped updates cannot be told": (
        "dtui.record.training.skipped_updates.SkippedUpdates.is_known_skipped",
        RuntimeError("sync"),
        2,
    ),
    "the loader cannot be tapped": ("dtui.record.validation.loader_tap.LoaderTap._swap", RuntimeError("no class"), 1),
    "a batch cannot be read": ("dtui.record.validation.loader_tap.LoaderTap._read", RuntimeError("no batch"), 2),
    "positions cannot be read": ("dtui.record.training.loader_order.np.asarray", RuntimeError("no positions"), 2),
    "a prediction cannot be read": ("dtui.record.validation.validation_watch.predict", OUT_OF_MEMORY, 2),
    "a validation cannot be judged": (
        "dtui.record.validation.validation_watch.ValidationWatch.watched",
        MemoryError(),
        0,
    ),
    "images cannot be placed": (
        "dtui.record.validation.tracked_images.ImageTracker.place",
        AssertionError("no row"),
        1,
    ),
    "a thumbnail cannot be taken": ("dtui.record.validation.thumbnails.ThumbnailTaker.take", MemoryError(), 1),
    "no store can be made": ("dtui.store.RunWriter.__init__", NO_SPACE, 0),
    "a full disk takes no record": ("dtui.store.RunWriter.append_record", NO_SPACE, 2),
    "a full disk takes no images": ("dtui.store.RunWriter.set_images", NO_SPACE, 0),
    "the end cannot be written": ("dtui.store.RunWriter.close", NO_SPACE, 0),
    "closing raises": ("dtui.record.writing.writer_thread.Sink.close", RuntimeError("no thread"), 0),
}


@pytest.fixture(scope="module")
def undisturbed() -> tuple[list[float], bytes]:
    """The training without a recorder."""
    return train(None, [])


def real(path: Path, trained: list[nn.Module]) -> Callable[..., Any]:
    def make(model: nn.Module, optimizer: Any, **options: Any) -> Recorder:
        trained.append(model)
        return Recorder(path, model, optimizer, **options)

    return make


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leaves_the_training_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: tuple[list[float], bytes], fault: str
) -> None:
    place, error, after = FAULTS[fault]
    original = resolve_name(place)
    calls = 0

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise error
        return original(*arguments, **options)

    trained: list[nn.Module] = []
    monkeypatch.setattr(place, failing)
    assert train(real(tmp_path / "run", trained), []) == undisturbed
    assert calls > after, "the fault did not happen"
    monkeypatch.undo()
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in trained[0].modules())


def test_a_run_that_is_removed_leaves_the_training_as_it_is(
    tmp_path: Path, undisturbed: tuple[list[float], bytes]
) -> None:
    class Removed(Recorder):
        def log(self, **values: Any) -> None:
            super().log(**values)
            if self.iteration == 4 and self._recording.sink is not None:
                self._recording.sink.drain()
                shutil.rmtree(self.path)

    assert train(lambda *arguments, **options: Removed(tmp_path / "run", *arguments, **options), []) == undisturbed


def test_a_probe_that_failed_gives_its_memory_back(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU the weights of the record before would be missing to the training for the rest of it."""
    recorder = record(nn.Linear(3, 2), every=1)
    recorder.step()
    assert recorder._recording.measurer is not None
    monkeypatch.setattr("dtui.record.measure.measurer._Device.take", lambda *arguments: 1 / 0)
    recorder.step()
    assert recorder._recording.measurer is None
    recorder.step()
    recorder.close()
    assert [(gap.first, gap.last) for gap in recorder.store.gaps] == [(1, 1), (2, 2)]
