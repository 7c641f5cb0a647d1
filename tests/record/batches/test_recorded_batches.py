"""The samples of updates in a run: which frames have them, of which the ids are, and that the training is the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.errors import NotRecordedError, RecorderError
from dtui.model import Record
from dtui.record import Recorder, RecorderWarning
from dtui.record.flight import triggers as triggers_module
from dtui.store import RunReader
from tests.record.conftest import RecorderUnderTest

Make = Callable[..., RecorderUnderTest]
COUNT, BATCH, UPDATES, HEALTHY = 40, 8, 60, 40
POISONED = 13


@pytest.fixture(autouse=True)
def _short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers_module, "WARM_UP", 20)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))


def data() -> TensorDataset:
    images = torch.randn(COUNT, 6, generator=torch.Generator().manual_seed(3))
    return TensorDataset(images, torch.arange(COUNT))


def train(
    make: Callable[[nn.Module, Any], Recorder | None], updates: int = UPDATES, poison: float = 1.0, **options: Any
) -> tuple[list[list[int]], list[float]]:
    """Train, and return the samples of each update and the losses, bit for bit."""
    torch.manual_seed(5)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    recorder = make(model, optimizer)
    loader = DataLoader(data(), BATCH, shuffle=True, **options)
    used: list[list[int]] = []
    losses: list[float] = []
    while len(used) < updates:
        for images, ids in loader:
            if len(used) == updates:
                break
            if len(used) >= HEALTHY:
                images[ids == POISONED] *= poison
            loss = functional.cross_entropy(model(images), ids % 2)
            optimizer.zero_grad()
            loss.backward()
            if recorder is not None:
                recorder.log(loss=loss)
            optimizer.step()
            used.append(ids.tolist())
            losses.append(loss.item())
            if recorder is not None and recorder._recording.sink is not None:
                recorder._recording.sink.drain()
    if recorder is not None:
        recorder.close()
    return used, losses


def kept(path: Path, column: str) -> dict[int, list[int]]:
    """Return the samples that frames hold, by iteration."""
    reader = RunReader(path)
    try:
        iterations = reader.column_iterations(column)
        rows = reader.read_column(column, slice(None), slice(None)).T
        return {int(at): [int(one) for one in row if one == one] for at, row in zip(iterations, rows, strict=True)}
    finally:
        reader.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[int]]]:
    """A training in which one sample makes the flight recorder fire, again and again."""
    path = tmp_path_factory.mktemp("run") / "run.dtui"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triggers_module, "WARM_UP", 20)
        patch.setattr("dtui.store.write.background_compactor.Compactor._spawn", lambda self, *options: None)
        used, _ = train(lambda *given: Recorder(path, *given, every=10, keep_around=6, batches=True), poison=3000.0)
    return path, used


def test_records_hold_the_samples_of_their_update(trained: tuple[Path, list[list[int]]]) -> None:
    path, used = trained
    found = kept(path, "record_samples")
    assert list(found) == [0, 10, 20, 30, 40, 50, 59]
    assert found == {at: used[at] for at in found}


def test_watches_around_a_trigger_hold_the_samples_of_theirs(trained: tuple[Path, list[list[int]]]) -> None:
    path, used = trained
    found = kept(path, "samples")
    reader = RunReader(path)
    fired = [trigger.iteration for trigger in reader.triggers]
    reader.close()
    assert fired
    assert set(range(max(0, fired[0] - 3), fired[0] + 1)) <= set(found)
    assert found == {at: used[at] for at in found}
    assert kept(path, "sample_count") == {at: [BATCH] for at in found}


def test_order_and_losses_are_the_same_bits_with_and_without(tmp_path: Path) -> None:
    for workers in (0, 1):
        plain = train(lambda *_: None, updates=12, num_workers=workers)
        path = tmp_path / str(workers)
        watched = train(partial(Recorder, path, every=5, batches=True), updates=12, num_workers=workers)
        assert watched == plain
        assert kept(path, "record_samples") == {at: plain[0][at] for at in (0, 5, 10, 11)}


def test_where_every_iteration_is_a_record_no_watch_is_needed(record: Make) -> None:
    made: list[RecorderUnderTest] = []

    def make(*given: Any) -> Recorder:
        made.append(record(*given, every=1, batches=True))
        return made[-1]

    used, _ = train(make, updates=8)
    assert [columns_of(one) for one in made[0].store.records] == used
    assert made[0].store.watches == []


def columns_of(record: Record) -> list[int]:
    return [int(one) for one in record.columns["record_samples"] if one == one]


def test_batches_turn_the_flight_recorder_on(record: Make) -> None:
    recorder = record(net(), every=10, batches=True)
    plan = recorder._recording.watch_plan
    assert plan is not None
    assert plan.keep_around == 40
    given = record(net(), every=10, batches=True, keep_around=8)._recording.watch_plan
    assert given is not None
    assert given.keep_around == 8
    assert record(net(), every=10)._recording.watch_plan is None


def test_a_larger_update_keeps_as_many_as_the_first_and_says_how_many_it_had(record: Make) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    recorder = record(model, optimizer, every=1, batches=True)

    def updates(*some: list[list[int]]) -> None:
        for batches in some:
            for ids in batches:
                recorder.samples(ids)
                model(torch.ones(len(ids), 6)).sum().backward()
            optimizer.step()
        recorder.close()

    with pytest.warns(RecorderWarning, match=r"an update had 5 samples; the first 3 are kept"):
        updates([[4, 5], [6]], [[7]], [[1, 2, 3], [8, 9]], [[-1, 1 << 60]])
    found = [(columns_of(one), int(one.columns["record_sample_count"][0])) for one in recorder.store.records]
    assert found == [([4, 5, 6], 3), ([7], 1), ([1, 2, 3], 5), ([], 0)]
    assert [column.rows for column in recorder.store.columns] == [3, 1, 3, 1]


def test_a_run_that_begins_with_a_validation_has_room_for_a_batch(record: Make) -> None:
    loader = DataLoader(data(), BATCH)
    recorder = record(net(), every=1, batches=loader)
    assert recorder._recording.begin() is not None
    recorder.close()
    assert [column.rows for column in recorder.store.columns] == [BATCH, 1, BATCH, 1]


def test_a_run_that_was_begun_without_samples_goes_on_without(tmp_path: Path) -> None:
    path = tmp_path / "run"
    train(partial(Recorder, path, every=2), updates=4)
    with pytest.warns(RecorderWarning, match="was begun without samples, and goes on without them"):
        train(partial(Recorder, path, every=2, batches=True, resume=True, iteration=4), updates=4)
    with pytest.raises(NotRecordedError):
        kept(path, "record_samples")


def test_a_run_that_goes_on_keeps_its_room_for_samples(tmp_path: Path) -> None:
    path = tmp_path / "run"
    first, _ = train(partial(Recorder, path, every=2, batches=True), updates=4)
    second, _ = train(partial(Recorder, path, every=2, batches=True, resume=True, iteration=4), updates=4)
    used = first + second
    assert kept(path, "record_samples") == {at: used[at] for at in (0, 2, 3, 4, 6, 7)}
    train(partial(Recorder, path, every=2, resume=True, iteration=8), updates=2)
    assert kept(path, "record_samples") | {8: [], 9: []} == kept(path, "record_samples")


def test_samples_that_nobody_keeps_are_told_once(record: Make) -> None:
    recorder = record(net())
    with pytest.warns(RecorderWarning, match=r"samples: they are not kept; .*batches=True"):
        recorder.samples([1])
    recorder.samples([1])


def test_what_a_scaler_skips_takes_its_samples_with_it(record: Make) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    recorder = record(model, optimizer, every=1, batches=True)
    scaler = torch.amp.GradScaler("cpu")
    for number, ids in enumerate(([1], [2], [3])):
        recorder.samples(ids)
        scaler.scale(model(torch.full((1, 6), float("inf") if number == 1 else 1.0)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    recorder.close()
    assert [columns_of(one) for one in recorder.store.records] == [[1], [3]]


def test_what_is_neither_a_loader_nor_a_place_is_refused(record: Make) -> None:
    with pytest.raises(RecorderError, match="batches=dict"):
        record(net(), every=1, batches={"a": 1})
