"""The flight recorder: what it keeps, what it costs in memory, and that nothing of it reaches the training."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dtui.errors import RecorderError
from dtui.model import FILTER_STATISTICS, Gap, Record
from dtui.model.statistics import FILTERS, LAYERS
from dtui.query import open_run
from dtui.record import Recorder, RecorderWarning
from dtui.record.flight import flight_recorder
from dtui.record.flight import plan as plan_module
from dtui.record.flight import triggers as triggers_module
from dtui.record.flight.flight_recorder import Flight
from tests.record.conftest import MemoryStore, RecorderUnderTest, small_net
from tests.record.test_loops import update

Make = Callable[..., RecorderUnderTest]


@pytest.fixture(autouse=True)
def _short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers_module, "WARM_UP", 20)


def mixed_net() -> nn.Sequential:
    """Return a network whose filters the meter measures in another order: those of one size do not follow."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.Flatten(),
        nn.Linear(54, 3),
    )


def training(
    recorder_of: Callable[[nn.Module, torch.optim.Optimizer], Recorder | None],
    count: int,
    break_at: int = -1,
    factor: float = 20.0,
) -> list[float]:
    """Train; at `break_at` one weight of filter 2 of the first layer is multiplied before the update."""
    torch.manual_seed(9)
    model = mixed_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder = recorder_of(model, optimizer)
    losses = []
    for iteration in range(count):
        if iteration == break_at:
            with torch.no_grad():
                model[0].weight[2, 0, 1, 1] *= factor
        losses.append(update(model, optimizer))
        if recorder is not None:
            recorder.log(loss=losses[-1])
            if recorder._recording.sink is not None:
                recorder._recording.sink.drain()
    if recorder is not None:
        recorder.close()
    return losses


def run_watched(
    record: Make, count: int, break_at: int = -1, factor: float = 20.0, **options: Any
) -> RecorderUnderTest:
    made: list[RecorderUnderTest] = []

    def recorder_of(model: nn.Module, optimizer: Any) -> Recorder:
        made.append(record(model, optimizer, **{"every": 50, "keep_around": 10, **options}))
        return made[0]

    losses = training(recorder_of, count, break_at, factor)
    assert losses == pytest.approx(training(lambda model, optimizer: None, count, break_at, factor), abs=0, nan_ok=True)
    return made[0]


@pytest.mark.parametrize("fused", [False, True])
def test_the_watches_around_a_broken_filter_equal_records_of_every_iteration(record: Make, fused: bool) -> None:
    if fused:
        pytest.importorskip("numba")
    store = run_watched(record, 70, break_at=43, fused=fused).store
    assert {(trigger.iteration, trigger.kind) for trigger in store.triggers} >= {(43, "filter")}
    trigger = next(trigger for trigger in store.triggers if trigger.kind == "filter")
    assert (trigger.layer, trigger.filters) == ("0", (2,))
    last = max(trigger.iteration for trigger in store.triggers)
    assert [watch.iteration for watch in store.watches] == list(range(38, last + 6))
    every: list[Record] = run_watched(record, 70, break_at=43, every=1, keep_around=0).store.records
    rows, columns = ([n for n, one in enumerate(kind.values()) if one.is_watched] for kind in (FILTERS, LAYERS))
    for watch in store.watches:
        twin = every[watch.iteration]
        assert twin.iteration == watch.iteration
        np.testing.assert_allclose(watch.filters[rows], twin.filters[rows], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(watch.layers[:, columns], twin.layers[:, columns], rtol=1e-5)
        np.testing.assert_allclose(watch.modules[:, columns], twin.modules[:, columns], rtol=1e-5)
        others = [row for row in range(len(FILTER_STATISTICS)) if row not in rows]
        assert np.isnan(watch.filters[others]).all()
        assert np.isnan(np.delete(watch.layers, columns, axis=1)).all()
        assert np.isnan(watch.change_ratios).all()
        assert not watch.histograms.any()


def test_no_more_triggers_are_kept_than_a_run_has_room_for(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight_recorder, "MOST_TRIGGERS", 1)
    with pytest.warns(RecorderWarning, match="iteration 43: 1 triggers are kept; no more are"):
        store = run_watched(record, 50, break_at=43).store
    assert [trigger.iteration for trigger in store.triggers] == [43]


def test_a_quiet_training_keeps_nothing(record: Make) -> None:
    store = run_watched(record, 120).store
    assert store.watches == []
    assert store.triggers == []
    assert [item.iteration for item in store.records] == [0, 50, 100, 119]


def test_a_value_that_is_not_finite_fires_at_once_and_only_once(record: Make) -> None:
    store = run_watched(record, 60, break_at=5, factor=math.nan).store
    assert [(trigger.iteration, trigger.kind) for trigger in store.triggers] == [(5, "nonfinite")]
    assert [watch.iteration for watch in store.watches] == list(range(11))
    row = FILTER_STATISTICS.index("nonfinite")
    assert store.watches[4].filters[row].sum() == 0
    assert store.watches[5].filters[row, 2] > 0


def test_watches_every_few_iterations(record: Make) -> None:
    store = run_watched(record, 300, break_at=200, watch_every=5).store
    fired = [trigger.iteration for trigger in store.triggers]
    assert fired[0] == 200
    assert [watch.iteration for watch in store.watches] == list(range(175, fired[-1] + 26, 5))


def test_the_memory_is_the_stated_one(record: Make) -> None:
    model = mixed_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder = record(model, optimizer, every=50, keep_around=200)
    update(model, optimizer)
    flight, weights, filters = recorder._recording.flight, 36 + 144 + 36 + 216 + 162, 4 + 4 + 4 + 6 + 3
    assert flight is not None
    assert flight.bytes == (4 + 8) * weights + (200 + 1) * 12 * filters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"watch_every": 1}, "watch_every=1: nothing is watched without keep_around; try keep_around=200"),
        ({"keep_around": -3}, "keep_around=-3: give an integer of at least 0"),
        ({"keep_around": 1}, "keep_around=1: a trigger needs a watch on each side"),
        ({"keep_around": 2.5}, "keep_around=2.5: give an integer of at least 0"),
        ({"keep_around": 9, "watch_every": 0}, "watch_every=0: give an integer of at least 1"),
        ({"keep_around": 9, "watch_every": True}, "watch_every=True: give an integer of at least 1"),
        ({"keep_around": 9, "watch_every": 100}, "watch_every=100: watches come between records, which come every 100"),
        ({"keep_around": 9, "every": 1}, "keep_around=9: with every=1 each iteration is a record.*leave one"),
        ({"keep_around": 9, "watch_every": 30}, "watch_every=30: watches come between records.*that divides it"),
        ({"keep_around": 10**8}, r"would take 15.6 GB of memory \(12 bytes .* 13 filters .*give at most 27,531,"),
    ],
)
def test_what_cannot_work_is_refused_before_the_training(record: Make, options: Any, message: str) -> None:
    with pytest.raises(RecorderError, match=message):
        record(small_net(), **options)


def test_sharded_weights_are_refused(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.record.flight.norm_meter.is_sharded", lambda weight: True)
    with pytest.raises(RecorderError, match="layer 0 is sharded over processes, watches need whole weights"):
        record(small_net(), keep_around=10)
    record(small_net())


def test_watches_that_come_too_fast_are_dropped_and_noted(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "LEAST_WAITING", 3)
    release, reached = threading.Event(), threading.Event()

    def slow(store: MemoryStore) -> None:
        def wait(_: Record) -> None:
            reached.set()
            assert release.wait(60)

        store.on_record = wait

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=50, keep_around=4, prepare=slow)
    update(model, optimizer)
    assert reached.wait(60)
    for _ in range(9):
        update(model, optimizer)
    release.set()
    assert recorder._recording.sink is not None
    recorder._recording.sink.drain()
    update(model, optimizer)
    recorder.close()
    assert recorder.store.gaps == [Gap(4, 9, "watches", "watches came faster than they were judged")]


def test_what_moved_over_a_longer_time_is_no_jump(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """After watches that were left out, the next one measures the way of all those updates."""
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=100, watch_every=1, keep_around=4)
    for iteration in range(60):
        optimizer.zero_grad()
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 1e-3)
        if iteration == 30:
            monkeypatch.setattr(Flight, "watch", lambda *_: False)
        elif iteration == 55:
            monkeypatch.undo()
            monkeypatch.setattr(triggers_module, "WARM_UP", 20)
        optimizer.step()
        if recorder._recording.sink is not None:
            recorder._recording.sink.drain()
    recorder.close()
    assert recorder.store.triggers == []


def test_a_failing_judge_costs_the_watches_alone(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.record.flight.triggers.Judge.judge", lambda self, *values: 1 / 0)
    with pytest.warns(RecorderWarning, match="ZeroDivisionError"):
        store = run_watched(record, 120).store
    assert [item.iteration for item in store.records] == [0, 50, 100, 119]
    assert {gap.stream for gap in store.gaps} == {"watches"}
    assert (store.gaps[0].first, store.gaps[0].last, store.gaps[-1].last) == (0, 0, 119)  # judged with the record
    assert all(gap.last + 1 == after.first for gap, after in itertools.pairwise(store.gaps))


def test_a_failing_meter_costs_the_watches_alone(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.record.flight.norm_meter.WatchMeter.measure", lambda self, *values: 1 / 0)
    with pytest.warns(RecorderWarning, match="watches are no longer recorded: ZeroDivisionError"):
        store = run_watched(record, 60).store
    assert [item.iteration for item in store.records] == [0, 50, 59]
    assert store.watches == []


def test_a_run_on_disk_shows_what_fired(tmp_path: Path) -> None:
    training(lambda model, optimizer: Recorder(tmp_path / "run", model, optimizer, every=50, keep_around=10), 70, 43)
    with open_run(tmp_path / "run") as query:
        info = query.info()
        iterations = query.record_iterations().tolist()
        assert iterations[:12] == [0, *range(38, 49)]
        assert (info.records, info.watches) == (3, len(iterations) - 3)
        assert any("flight recorder: layer 0 filter 2 jumped" in finding for finding in info.findings)
        found = next(anomaly for anomaly in query.anomalies() if anomaly.evidence.rule == "filter")
        assert (found.kind, found.layer, found.filters, found.iteration) == ("watch", "0", (2,), 43)
        query.decide(found.id, "dismissed", "on purpose")
        assert next(one for one in query.anomalies() if one.id == found.id).status == "dismissed"


def test_sums_too_large_for_a_number_are_no_nan(record: Make) -> None:
    """Two norms that are finite, and whose sum is not."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(2e38)
    recorder = record(model, every=4, keep_around=2, fused=False)
    for _ in range(3):
        recorder.step()
    recorder.close()
    assert (recorder.store.triggers, recorder.store.gaps) == ([], [])


def test_watches_go_on_without_a_layer_that_was_replaced(record: Make) -> None:
    """Until the next record, which looks for what took its place."""
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=4, keep_around=4)
    for iteration in range(12):
        if iteration == 2:
            model[4] = nn.Linear(54, 3)
            optimizer.param_groups[0]["params"] = list(model.parameters())
        update(model, optimizer)
        if iteration == 9:
            with torch.no_grad():
                model[0].weight[1] = torch.nan
    recorder.close()
    assert [trigger.layer for trigger in recorder.store.triggers] == ["0"]
    assert [gap.stream for gap in recorder.store.gaps] == []


class Crossed(nn.Module):
    """Holds its layers in another order than the one in which they are called."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.stem, self.middle = nn.Linear(4, 2), nn.Linear(3, 4), nn.Linear(4, 4)
        self.is_broken = ""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.middle(self.stem(x))
        if self.is_broken == "backward":
            x = x + torch.sqrt(0 * x)
        return self.head(x) * (math.nan if self.is_broken == "loss" else 1)


@pytest.mark.parametrize(("broken", "first"), [("backward", "middle"), ("loss", "stem")])
def test_what_fires_names_the_layer_where_it_began(record: Make, broken: str, first: str) -> None:
    model = Crossed()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=10, keep_around=4)
    for iteration in range(9):
        model.is_broken = broken if iteration == 5 else ""
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    recorder.close()
    (trigger,) = recorder.store.triggers
    assert (trigger.iteration, trigger.kind, trigger.layer, trigger.filters) == (5, "nonfinite", first, (0, 1, 2, 3))
