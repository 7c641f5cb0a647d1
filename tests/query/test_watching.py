"""`dtui watch`: each thing that happens in a run is told, once, and nothing else is."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.errors import OutputError, RunNotBegunError, RunNotFoundError
from dtui.model import (
    LAYER_STATISTICS,
    NORM_STATISTICS,
    PARAMETER_STATISTICS,
    SOURCES,
    Cause,
    Incident,
    NormLayer,
    OtherParameter,
    Record,
    RunStatus,
    Trigger,
)
from dtui.model.findings.nonfinite import BrokenGradients
from dtui.query import open_run
from dtui.query.compare.others import Others
from dtui.query.run import RunQuery
from dtui.query.watching.claims import LEAVING_SECONDS
from dtui.query.watching.events import EventKind, Look, Severity, Wanted, WatchEvent
from dtui.query.watching.nonfinite import Nonfinite
from dtui.query.watching.pace import LEEWAY, UNKNOWN_SECONDS, Pace
from dtui.query.watching.progress import Progress
from dtui.query.watching.told import Told
from dtui.query.watching.watched_run import as_seconds
from dtui.query.watching.watcher import Watcher
from dtui.store import RunReader, RunWriter, find_past
from dtui.store.run.run_file import Process, RunFile
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation

SAMPLES = Path(__file__).parents[2] / "sample_runs"
NONFINITE = LAYER_STATISTICS.index("nonfinite")
STALL = Wanted(frozenset({EventKind.STALL}))


def calm(position: int, bad: str = "", **scalars: float) -> Record:
    """Return a record of a healthy training, or one in which layer 1 has a NaN in its weights or gradients."""
    record = make_record(position)
    layers = np.ones_like(record.layers)
    layers[:, NONFINITE] = 0
    if bad:
        layers[SOURCES.index(bad), NONFINITE, 1] = 3
    filters = np.ones_like(record.filters)
    return replace(record, layers=layers, filters=filters, scalars={"loss": 0.5, **scalars})


class Live:
    """A run that this process records, and a watcher of it on a clock of its own."""

    def __init__(self, path: Path, wanted: Wanted | None = None) -> None:
        self.writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
        self.path, self.now, self.count = self.writer.path, 1_000.0, 0
        self.append()
        self.watcher = Watcher(self.path, wanted or Wanted(), clock=lambda: self.now)

    def append(self, bad: str = "", **scalars: float) -> None:
        self.writer.append_record(calm(self.count, bad, **scalars))
        self.count += 1

    def look(self, seconds: float = 0.0) -> list[WatchEvent]:
        self.now += seconds
        found = self.watcher.look()
        assert found.remarks == ()
        return list(found.events)

    def close(self) -> None:
        self.watcher.close()
        with contextlib.suppress(OSError):  # where a test has removed or resumed the run
            self.writer.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path / "run")
    yield made
    made.close()


def killed(path: Path) -> None:
    """Let the process that records a run be gone without closing it."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    file = RunFile.read(path)
    replace(file, writer=replace(Process.this(), pid=child), closed=None).write(path)


def kinds(events: list[WatchEvent]) -> list[str]:
    return [str(event.kind) for event in events]


# --- crash


def test_a_healthy_training_is_never_told_of(live: Live) -> None:
    for _ in range(30):
        live.append()
        assert live.look(5.0) == []
    live.writer.close()
    assert live.look(5.0) == []
    assert live.watcher.is_over


def test_a_crash_is_told_once_with_its_reason(live: Live) -> None:
    live.writer.close(RunStatus.CRASHED, "RuntimeError: CUDA out of memory")
    (event,) = live.look(1.0)
    assert (event.kind, event.iteration, event.status) == (EventKind.CRASH, 0, RunStatus.CRASHED)
    assert event.sentence == "crashed after iteration 0: RuntimeError: CUDA out of memory"
    assert live.watcher.is_over
    assert live.look(1.0) == []


def test_a_crash_is_told_after_the_last_validation_or_before_the_first_record(tmp_path: Path) -> None:
    sentences = []
    for name in ("validated", "new"):
        writer = RunWriter(tmp_path / name, STRUCTURE, METADATA, compact=False)
        if name == "validated":
            writer.append_record(calm(0))
            writer.set_images(IMAGES)
            writer.append_validation(make_validation(2))
        writer.close(RunStatus.CRASHED, "boom")
        watcher = Watcher(writer.path, Wanted(), is_once=True)
        sentences += [event.sentence for event in watcher.look().events]
        watcher.close()
    last = make_validation(2).iteration
    assert sentences == [f"crashed after iteration {last}: boom", "crashed before its first record: boom"]


def test_runs_of_the_same_name_in_two_folders_are_two(tmp_path: Path) -> None:
    told = Told()
    for folder in ("a", "b"):
        writer = RunWriter(tmp_path / folder / "run", STRUCTURE, METADATA, compact=False)
        writer.append_record(calm(0, "weights"))
        watcher = Watcher(writer.path, Wanted(), told, is_once=True)
        assert kinds(list(watcher.look().events)) == ["nonfinite"]
        watcher.close()
        writer.close()


def test_a_killed_training_is_told_and_again_when_it_is_killed_after_a_resume(live: Live) -> None:
    killed(live.path)
    (event,) = live.look(1.0)
    assert event.sentence == "crashed after iteration 0: nobody closed it, and nothing records it any more"
    past = find_past(live.path)
    assert past is not None
    RunWriter.resume(past, 10, compact=False).append_record(calm(1))
    assert live.look(1.0) == []
    assert live.watcher.following != ()
    killed(live.path)
    assert [one.iteration for one in live.look(1.0)] == [10]


@pytest.mark.parametrize(("is_once", "found"), [(True, ["crash"]), (False, [])])
def test_one_look_watches_for_signs_of_life_from_another_host_and_a_first_of_many_does_not(
    live: Live, monkeypatch: pytest.MonkeyPatch, is_once: bool, found: list[str]
) -> None:
    monkeypatch.setattr("dtui.store.run.life.GLANCE_SECONDS", 0.0)
    file = RunFile.read(live.path)
    replace(file, writer=replace(Process.this(), host="elsewhere")).write(live.path)
    watcher = Watcher(live.path, Wanted(), is_once=is_once)
    assert kinds(list(watcher.look().events)) == found
    watcher.close()


def test_a_training_on_another_host_that_was_silent_and_is_back_is_watched_again(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, now = RunFile.read(live.path), [0.0]
    replace(file, writer=replace(Process.this(), host="elsewhere")).write(live.path)
    watcher = Watcher(live.path.parent, Wanted(), clock=lambda: now[0])

    def told() -> list[str]:
        now[0] += 60.0
        os.utime(live.path / "heartbeat", (now[0], now[0]))
        return kinds(list(watcher.look().events))

    assert [told(), told()] == [[], []]
    for _ in range(2):
        with monkeypatch.context() as silent:
            silent.setattr("dtui.store.run.life.SILENT_SECONDS", -1.0)
            assert told() == ["crash"]
            assert watcher.following == ()
        assert [told(), told()] == [[], []]
        assert watcher.following != ()
    watcher.close()


def test_a_list_of_runs_reads_it_again_too(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = shutil.copytree(live.path, tmp_path / "elsewhere" / "own.dtui")
    file = RunFile.read(live.path)
    replace(file, writer=replace(Process.this(), host="elsewhere")).write(live.path)
    with open_run(own) as query:
        others = Others(query, (live.path,))

        def status() -> RunStatus:
            return next(row.info.status for row in others.rows(9).rows if row.info is not None)

        assert status() is RunStatus.LIVE
        with monkeypatch.context() as silent:
            silent.setattr("dtui.store.run.life.WATCHED_SECONDS", -1.0)
            assert others.refresh()
            assert status() is RunStatus.CRASHED
        assert not others.refresh()
        os.utime(live.path / "heartbeat", (1.0, 1.0))
        assert others.refresh()
        assert status() is RunStatus.LIVE
        others.close()


# --- non-finite values


@pytest.mark.parametrize("source", ["weights", "gradients"])
def test_nan_in_a_layer_is_told_once(live: Live, source: str) -> None:
    live.append()
    assert live.look() == []
    live.append(source)
    (event,) = live.look()
    assert (event.kind, event.iteration) == (EventKind.NONFINITE, 20)
    assert event.sentence == f"at iteration 20 {source} of layer stage.\x1b[31mconv are NaN or Inf"
    for _ in range(3):
        live.append(source)
        assert live.look() == []


def test_what_is_found_while_something_else_cannot_be_read_is_told_by_the_next_look(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: RunQuery) -> None:
        raise OSError("stale file handle")

    live.append("weights")
    with monkeypatch.context() as patch:
        patch.setattr(RunQuery, "incidents", fail)
        assert live.watcher.look() == Look((), ("stale file handle",))
    assert kinds(live.look()) == ["nonfinite"]


def test_what_turns_nan_together_is_told_together_and_what_follows_later_by_itself(live: Live) -> None:
    live.append("gradients", loss=float("nan"))
    (event,) = live.look()
    assert event.sentence.endswith("gradients of layer stage.\x1b[31mconv are NaN or Inf; loss is NaN or Inf")
    live.append("weights", loss=float("inf"))
    assert [one.sentence for one in live.look()] == [
        "at iteration 20 weights of layer stage.\x1b[31mconv are NaN or Inf"
    ]


def test_of_much_that_turns_nan_together_three_are_named(live: Live) -> None:
    live.append(loss=np.nan, a=np.nan, b=np.nan, c=np.nan)
    (event,) = live.look()
    assert event.sentence.count("is NaN or Inf") == 3
    assert event.sentence.endswith("; and 1 more")


def test_of_several_layers_the_others_are_counted() -> None:
    said = [Nonfinite("weights", "a", layers, 10).sentence for layers in (1, 3)]
    assert said == ["weights of layer a are NaN or Inf", "weights of layer a and 2 more are NaN or Inf"]


def test_what_was_first_gives_the_iteration(live: Live) -> None:
    live.append(loss=np.nan)
    live.append("weights")
    assert [event.iteration for event in live.look()] == [10]


def test_a_nan_at_the_first_update_after_a_resume_is_told_again(live: Live) -> None:
    live.append("weights")
    assert [event.iteration for event in live.look()] == [10]
    live.writer.close()
    past = find_past(live.path)
    assert past is not None
    with RunWriter.resume(past, 10, compact=False) as again:
        again.append_record(calm(1, "weights"))
        watcher = Watcher(live.path, Wanted(), live.watcher._told)
        assert [event.iteration for event in watcher.look().events] == [10]
        watcher.close()


def test_a_value_between_records_and_a_trigger_are_told(live: Live) -> None:
    live.writer.append_logged(4, {"accuracy": float("nan")})
    assert [one.sentence for one in live.look()] == ["at iteration 4 accuracy is NaN or Inf"]
    live.writer.append_trigger(Trigger(7, "loss", "", (), 9.0, 4.0))
    assert kinds(live.look()) == ["incident"]
    live.writer.append_trigger(Trigger(8, "nonfinite", "fc", (1,), 1.0, float("nan")))
    assert [one.sentence for one in live.look()] == ["at iteration 8 the flight recorder saw NaN or Inf in layer fc"]


def test_after_a_resume_the_same_nan_is_told_again_and_an_older_one_is_not(live: Live) -> None:
    live.append()
    live.append("gradients")
    live.append(accuracy=float("inf"))
    assert len(live.look()) == 1
    live.writer.close()
    assert live.look() == []
    past = find_past(live.path)
    assert past is not None
    live.writer = RunWriter.resume(past, 25, compact=False)
    live.append(accuracy=float("inf"))
    assert [one.sentence for one in live.look()] == ["at iteration 40 accuracy is NaN or Inf"]


def test_what_comes_at_the_very_update_that_a_resume_goes_on_with_is_told_again(live: Live) -> None:
    """All kinds, by the same watch; what came before it is not."""

    def bad_again() -> list[str]:
        live.append("gradients", accuracy=np.nan)
        live.writer.append_logged(20, {"lr": np.nan})
        live.writer.append_trigger(Trigger(20, "nonfinite", "fc", (1,), 1.0, float("nan")))
        return [event.sentence.partition("; ")[0] for event in live.look()]

    live.append("weights")
    assert len(live.look()) == 1
    first = bad_again()
    live.writer.close()
    past = find_past(live.path)
    assert past is not None
    live.writer, live.count = RunWriter.resume(past, 20, compact=False), 2
    assert bad_again() == first
    (event,) = live.watcher._told._runs.values()
    again = [key for key in event if key.startswith("nonfinite") and key.endswith(" 1")]
    assert sorted(key.split()[1] for key in again) == ["gradients", "value", "value", "watch"]


def test_norms_and_parameters_outside_the_layers_are_told(tmp_path: Path) -> None:
    structure = replace(
        STRUCTURE, norms=(NormLayer("a", "BatchNorm2d", 3), NormLayer("b", "LayerNorm", 4)),
        parameters=(OtherParameter("words", "Embedding", 300),),
    )  # fmt: skip
    norms, parameters = np.ones((len(NORM_STATISTICS), 2)), np.ones((len(PARAMETER_STATISTICS), 1))
    norms[-1], parameters[-1] = (0, 1), 1
    with RunWriter(tmp_path / "run", structure, METADATA, compact=False) as writer:
        for position, (one, other) in enumerate(((0, 0), (1, 0), (0, 1))):
            extra: dict[str, Any] = {"norms": norms.copy(), "parameters": parameters.copy()}
            extra["norms"][-1] *= one
            extra["parameters"][-1] *= other
            writer.append_record(replace(calm(position), **extra))
        watcher = Watcher(writer.path, Wanted())
        (event,) = watcher.look().events
        watcher.close()
    assert event.sentence == (
        "at iteration 10 scales or running statistics of layer b are NaN or Inf; "
        "parameter words or its gradient is NaN or Inf"
    )


def test_where_a_recorder_saw_it_begin_is_told(live: Live) -> None:
    live.writer.append_nonfinite(BrokenGradients(7, ("stem",), ("stage.\x1b[31mconv", "fc")))
    live.append()
    (event,) = live.look()
    assert event.sentence.startswith("at iteration 7 NaN or Inf: it began in the backward pass at stem")


def test_layers_that_turned_nan_in_the_same_record_are_counted(live: Live) -> None:
    live.append("weights")
    both = calm(2, "weights")
    both.layers[:, NONFINITE, 2] = 1
    live.writer.append_record(both)
    (event,) = live.look()
    assert event.sentence == (
        "at iteration 10 weights of layer stage.\x1b[31mconv are NaN or Inf; gradients of layer fc are NaN or Inf"
    )


def test_of_a_value_in_records_and_between_them_the_first_is_told(live: Live) -> None:
    live.append(accuracy=np.nan)
    live.writer.append_logged(4, {"accuracy": np.nan})
    assert [one.sentence for one in live.look()] == ["at iteration 4 accuracy is NaN or Inf"]


@pytest.mark.parametrize("is_between", [False, True])
def test_the_largest_loss_since_a_record_is_a_loss(live: Live, is_between: bool) -> None:
    if is_between:
        live.writer.append_logged(10, {"loss_max": np.nan})
    else:
        live.append(loss_max=np.nan)
    assert [one.sentence for one in live.look()] == ["at iteration 10 loss is NaN or Inf"]


def test_a_value_that_is_not_logged_every_time_is_none_where_it_is_not(live: Live) -> None:
    live.append(accuracy=0.5)
    live.append()
    assert live.look() == []


# --- stall


def test_a_stall_is_ten_times_the_usual_interval_and_a_minute_at_least(tmp_path: Path) -> None:
    live = Live(tmp_path / "run", STALL)
    for _ in range(5):
        live.append()
        assert live.look(20.0) == []
    assert live.look(199.0) == []  # a long validation
    (event,) = live.look(1.0)
    assert event.sentence == "nothing new for 3 min since iteration 50, usually a record comes every 20 s"
    assert live.look(10_000.0) == []
    live.append()
    assert live.look(1.0) == []
    assert [event.iteration for event in live.look(20_000.0)] == [60]
    live.close()


@pytest.mark.parametrize("interval", [0.01, 2.0, 30.0])
def test_the_pace_decides_when_nothing_new_is_strange(interval: float) -> None:
    pace, now = Pace(10.0, 60.0), 0.0
    pace.begin(0, 0, now, 0.0, None)
    assert pace.stalled(now + UNKNOWN_SECONDS - 1) is None  # its first records may wait for a compiler
    for record in range(1, 10):
        now += interval
        pace.see(record, record, now)
    limit = max(60.0, 10 * interval)
    assert pace.usual == pytest.approx(interval)
    assert pace.stalled(now + limit - 0.001) is None
    assert pace.stalled(now + limit) == pytest.approx(limit)
    assert pace.stalled(now + limit + 1) is None  # told once
    pace.see("a validation", 9, now + limit + 5)
    again = now + limit + 5 + LEEWAY * (limit + 5)
    assert pace.stalled(again - 0.001) is None  # such a pause has ended by itself before
    assert pace.stalled(again) is not None


def test_of_several_records_between_two_looks_each_has_its_share_of_the_time() -> None:
    pace = Pace(10.0, 60.0)
    pace.begin(0, 0, 0.0, 0.0, None)
    for look in range(1, 5):
        pace.see(look, 20 * look, 100.0 * look)
    assert pace.usual == 5.0


def test_what_is_usual_is_the_middle_of_the_last_intervals_once_there_are_three() -> None:
    pace, now = Pace(10.0, 60.0), 0.0
    pace.begin(0, 0, now, 0.0, 100.0)
    usual = []
    for record, interval in enumerate([1.0, 2.0, 9.0, *[1.0] * 40, *[30.0] * 15], 1):
        now += interval
        pace.see(record, record, now)
        usual.append(pace.usual)
    assert usual[:3] == [100.0, 100.0, 2.0]  # before, what the files tell
    assert usual[-1] == 1.0
    for record in range(100, 103):
        now += 30.0
        pace.see(record, record, now)
    assert pace.usual == 30.0, "of 32 intervals more than half are of 30 s now"


def test_records_that_a_resumed_training_supersedes_are_no_interval() -> None:
    pace = Pace(10.0, 60.0)
    pace.begin(0, 0, 0.0, 0.0, None)
    for look in range(1, 5):
        pace.see(look, 10 * look, 10.0 * look)
    for records, now in ((15, 50.0), (16, 51.0), (15, 52.0)):
        pace.see((records, now), records, now)
    assert pace.usual == 1.0
    assert min(pace._intervals) > 0


def test_a_training_that_ends_well_after_a_long_rest_did_not_stall(tmp_path: Path) -> None:
    live = Live(tmp_path / "run", STALL)
    assert live.look() == []
    for _ in range(5):
        live.append()
        assert live.look(20.0) == []
    live.writer.close()
    assert live.look(10_000.0) == []
    live.close()


def validate(writer: RunWriter) -> None:
    writer.set_images(IMAGES)
    writer.append_validation(make_validation(5))


@pytest.mark.parametrize(
    "act",
    [
        lambda writer: writer.append_logged(55, {"loss": 0.5}),
        lambda writer: writer.append_trigger(Trigger(55, "loss", "", (), 9.0, 7.0)),
        validate,
    ],
    ids=["a logged value", "a trigger", "a validation"],
)
def test_a_training_that_writes_anything_does_not_stall(tmp_path: Path, act: Callable[[RunWriter], None]) -> None:
    live = Live(tmp_path / "run", STALL)
    for _ in range(5):
        live.append()
        assert live.look(20.0) == []
    assert live.look(150.0) == []
    act(live.writer)
    assert live.look(1.0) == []
    assert live.look(150.0) == []
    assert len(live.look(100.0)) == 1
    live.close()


def test_watches_between_records_do_not_count_as_records(tmp_path: Path) -> None:
    live = Live(tmp_path / "run", STALL)
    for _ in range(5):
        for iteration in range(10 * live.count - 5, 10 * live.count):
            live.writer.append_watch(make_record(iteration, every=1))
        live.append()
        assert live.look(20.0) == []
    (event,) = live.look(200.0)
    assert event.sentence.endswith("usually a record comes every 20 s")
    live.close()


def test_the_first_look_knows_from_the_files_for_how_long_nothing_came(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
    for position in range(11):
        writer.append_record(calm(position))
    for name, at in (("run.json", 1_000), ("journal", 1_020), ("heartbeat", 1_079)):
        files = [*(writer.path / name).iterdir()] if name == "journal" else [writer.path / name]
        for file in files:
            os.utime(file, (at, at))
    for at, found in ((1_079, 0), (1_081, 1)):  # records came every 2 s: a minute counts
        os.utime(writer.path / "heartbeat", (at, at))
        watcher = Watcher(writer.path, STALL, is_once=True)
        assert len(watcher.look().events) == found
        watcher.close()
    writer.close()


def test_what_is_usual_is_counted_from_where_the_present_process_went_on(tmp_path: Path) -> None:
    """The files tell when that process began; the records before it came at another time, maybe on another machine."""
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as first:
        for position in range(30):
            first.append_record(calm(position))
    past = find_past(first.path)
    assert past is not None
    with RunWriter.resume(past, 100, compact=False) as writer:
        for position in (10, 11, 12):
            writer.append_record(calm(position))
        files = [*(writer.path / "journal").iterdir()]
        for file, at in ((writer.path / "run.json", 1_000), *((file, 1_020) for file in files)):
            os.utime(file, (at, at))
        reader = RunReader(writer.path)
        assert len(reader.record_iterations) == 13
        assert Progress(reader).see(5.0).usual == 10.0
        reader.close()


def test_a_query_says_how_long_a_live_run_has_been_quiet(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(4):
            writer.append_record(calm(position))
        with open_run(writer.path) as query:
            assert query.quiet_seconds(100.0) == 0
            assert query.quiet_seconds(159.0) == 0
            assert query.quiet_seconds(161.0) == pytest.approx(61.0, abs=1.0)
            writer.append_record(calm(4))
            query.refresh()
            assert query.quiet_seconds(162.0) == 0
            assert query.quiet_seconds(223.0) == pytest.approx(61.0, abs=1.0)
            writer.close()
            query.refresh()
            assert query.quiet_seconds(1_000.0) == 0


# --- incidents


def test_incidents_of_a_run_are_told_once_by_severity_and_not_where_they_were_dismissed(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(SAMPLES / "mnist-faults.dtui", path)

    def told(severity: Severity) -> list[int | None]:
        watcher = Watcher(path, Wanted(frozenset({EventKind.INCIDENT}), severity))
        first, second = watcher.look(), watcher.look()
        assert second.events == ()
        watcher.close()
        return [event.iteration for event in first.events]

    assert told(Severity.ANY) == [430, 750, 1010, 1360, 1650]
    assert told(Severity.STRONG) == [750, 1010, 1360, 1650]
    assert told(Severity.LASTING) == [1010, 1360]
    with open_run(path) as query:
        query.decide("incident-1360-filter-layer3.0.conv1", "dismissed")
    assert told(Severity.LASTING) == [1010]


def incidents_of_the_sample() -> list[Incident]:
    watcher = Watcher(SAMPLES / "mnist-faults.dtui", Wanted(frozenset({EventKind.INCIDENT})))
    found = [event.incident for event in watcher.look().events]
    watcher.close()
    return [one for one in found if one is not None]


def test_an_incident_that_gets_more_evidence_is_not_told_again(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = incidents_of_the_sample()[:2]
    shown = [replace(first, evidence=first.evidence[:1])]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: tuple(shown))
    assert len(live.look()) == 1
    shown[0] = replace(first, id="grown", evidence=(*first.evidence[:1], *other.evidence[:1]))
    live.append()
    assert live.look() == []


@pytest.mark.parametrize("kinds_wanted", [{EventKind.INCIDENT}, {EventKind.INCIDENT, EventKind.NONFINITE}])
def test_an_incident_of_nan_is_told_where_nan_itself_is_not_watched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds_wanted: set[EventKind]
) -> None:
    one = replace(incidents_of_the_sample()[0], cause=Cause.NONFINITE)
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: (one,))
    live = Live(tmp_path / "run", Wanted(frozenset(kinds_wanted)))
    assert len(live.look()) == (EventKind.NONFINITE not in kinds_wanted)
    live.close()


def test_an_incident_is_known_again_by_any_of_its_evidence(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = incidents_of_the_sample()[:2]
    both = (first.evidence[0], other.evidence[0])
    shown = [replace(first, evidence=both)]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: tuple(shown))
    assert len(live.look()) == 1
    shown[0] = replace(first, id="shrunk", evidence=both[1:])
    live.append()
    assert live.look() == []


@pytest.mark.parametrize(
    "another", [{"detector": "x"}, {"rule": "x"}, {"iteration": 99}, {"layer": "x"}, {"classes": (7, 8)}]
)
def test_evidence_of_another_time_or_place_is_another_incident(
    live: Live, monkeypatch: pytest.MonkeyPatch, another: dict[str, Any]
) -> None:
    one = incidents_of_the_sample()[0]
    shown = [replace(one, evidence=one.evidence[:1])]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: tuple(shown))
    assert len(live.look()) == 1
    shown[0] = replace(one, id="another", evidence=(replace(one.evidence[0], **another),))
    live.append()
    assert len(live.look()) == 1


def test_an_incident_is_strong_from_a_score_of_one_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = incidents_of_the_sample()[0]
    live = Live(tmp_path / "run", Wanted(frozenset({EventKind.INCIDENT}), Severity.STRONG))
    for score, found in ((0.999, 0), (1.0, 1)):
        monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query, at=score: (replace(one, score=at),))
        live.append()
        assert len(live.look()) == found
    live.close()


def test_an_incident_that_gets_another_name_while_it_grows_is_told_once(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    incidents = incidents_of_the_sample()
    shown = [()] + [(replace(incidents[0], id=f"incident-{n}-gradient-network", first=n),) for n in (430, 440)]
    monkeypatch.setattr("dtui.query.run.RunQuery.incidents", lambda query: shown[min(live.count - 2, 2)])
    for expected in (0, 1, 0):
        live.append()
        assert len(live.look()) == expected
    shown[2] += (replace(incidents[1]),)
    live.append()
    assert [event.iteration for event in live.look()] == [750]


# --- a folder


def test_a_folder_tells_of_new_runs_and_not_of_what_ended_before(tmp_path: Path) -> None:
    for name in ("old", "older"):
        with RunWriter(tmp_path / name, STRUCTURE, METADATA, compact=False) as writer:
            writer.append_record(calm(0, "weights"))
    killed(tmp_path / "older.dtui")
    now = [0.0]
    watcher = Watcher(tmp_path, Wanted(), clock=lambda: now[0])
    assert watcher.look().events == ()
    for here, there in (("old.dtui", "moved"), ("moved", "old.dtui")):  # as a disk that is not mounted for a while
        (tmp_path / here).rename(tmp_path / there)
        now[0] += 60
        assert watcher.look() == Look()
    new = RunWriter(tmp_path / "deep" / "new", STRUCTURE, METADATA, compact=False)
    new.append_record(calm(0, "weights"))
    now[0] += 60
    assert [(event.path, event.kind) for event in watcher.look().events] == [(str(new.path), EventKind.NONFINITE)]
    assert not watcher.is_over
    new.close(RunStatus.CRASHED, "boom")
    now[0] += 60
    assert kinds(list(watcher.look().events)) == ["crash"]
    assert watcher.following == ()
    past = find_past(tmp_path / "old")
    assert past is not None
    resumed = RunWriter.resume(past, 10, compact=False)
    resumed.append_record(calm(1, "gradients"))
    now[0] += 60
    assert [event.run for event in watcher.look().events] == ["a <run>"]
    watcher.close()
    resumed.close()


def test_one_look_at_a_folder_tells_of_all_runs(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "old", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(calm(0))
    killed(tmp_path / "old.dtui")
    watcher = Watcher(tmp_path, Wanted(), is_once=True)
    assert kinds(list(watcher.look().events)) == ["crash"]


def test_a_run_that_goes_away_or_is_replaced_is_told_once_and_hinders_no_other(live: Live) -> None:
    folder = live.path.parent
    now = [0.0]
    watcher = Watcher(folder, Wanted(), clock=lambda: now[0])
    assert watcher.look().remarks == ()
    other = RunWriter(folder / "other", STRUCTURE, METADATA, compact=False)
    other.append_record(calm(0))
    now[0] += 60
    watcher.look()
    shutil.rmtree(live.path)
    remarks = []
    for _ in range(4):
        other.append_record(calm(int(now[0]), "weights"))
        now[0] += 60
        found = watcher.look()
        remarks += found.remarks
    assert len(remarks) == 1
    assert "removed" in remarks[0]
    shutil.rmtree(other.path)
    replaced = RunWriter(folder / "other", STRUCTURE, METADATA, compact=False)
    replaced.append_record(calm(0, "weights"))
    told = []
    for _ in range(3):
        now[0] += 60
        found = watcher.look()
        told += [*found.remarks, *kinds(list(found.events))]
    assert [line for line in told if "another run has taken its place" in line or line == "nonfinite"] == told
    assert told.count("nonfinite") == 1
    watcher.close()


def test_what_is_no_run_is_refused_and_a_claimed_one_waited_for(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="no such file or directory"):
        Watcher(tmp_path / "nowhere", Wanted())
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(RunNotFoundError, match="a file, not a run"):
        Watcher(tmp_path / "file.txt", Wanted())
    from dtui.store.write.claim import claim_new

    claim = claim_new(tmp_path / "claimed.dtui")
    with pytest.raises(RunNotBegunError):
        Watcher(tmp_path / "claimed", Wanted(), is_once=True)
    watcher = Watcher(tmp_path / "claimed", Wanted())
    assert watcher.look().events == ()
    assert not watcher.is_over
    with RunWriter(tmp_path / "claimed", STRUCTURE, METADATA, compact=False, claim=claim) as writer:
        writer.append_record(calm(0, "weights"))
        assert kinds(list(watcher.look().events)) == ["nonfinite"]
    watcher.close()


class Claiming:
    """A child that has claimed a path, and waits."""

    def __init__(self, path: Path) -> None:
        from dtui.store.write.claim import claim_new

        (may_go, self._go), (ready, is_ready) = os.pipe(), os.pipe()
        self.child = os.fork()
        if not self.child:
            os.close(self._go)
            claim = claim_new(path)
            os.write(is_ready, b".")
            if os.read(may_go, 1):
                claim.give_up()
            os.write(is_ready, b".")
            os.read(may_go, 1)
            os._exit(0)
        os.read(ready, 1)
        self._ready = ready

    def give_up(self) -> None:
        os.write(self._go, b".")
        os.read(self._ready, 1)

    def end(self) -> None:
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)


@pytest.mark.parametrize("place", ["claimed", "."])
@pytest.mark.parametrize("how", ["killed", "failed"])
def test_a_training_that_dies_before_its_first_record_has_crashed(tmp_path: Path, place: str, how: str) -> None:
    """Killed, it leaves its claim; by an exception it gives it up, and is there for a moment more."""
    training, now = Claiming(tmp_path / "claimed.dtui"), [0.0]
    watchers = [
        Watcher(tmp_path / place, wanted, clock=lambda: now[0])
        for wanted in (Wanted(), Wanted(), Wanted(frozenset({EventKind.STALL})))
    ]
    looked = [watcher.look() for watcher in watchers]
    if how == "failed":
        training.give_up()
        looked += [watcher.look() for watcher in watchers]
    assert looked == [Look()] * len(looked)
    training.end()
    now[0] += 60
    first, second, third = (watcher.look() for watcher in watchers)
    (event,) = first.events
    assert event.sentence.startswith(f"crashed before its first record: process {training.child} on ")
    assert (event.kind, event.run, event.iteration, event.path) == (
        EventKind.CRASH,
        "claimed",
        None,
        str(tmp_path / "claimed.dtui"),
    )
    assert (second, third.events) == (first, ())
    assert watchers[0].is_over == (place == "claimed")
    assert (watchers[0].look().events, watchers[2].look().events) == ((), ())
    assert watchers[2].is_over == (place == "claimed")


def test_a_training_that_leaves_its_claim_and_goes_on_has_not_crashed(tmp_path: Path) -> None:
    """As in a notebook, where the network was dropped before it was trained."""
    training, now = Claiming(tmp_path / "claimed.dtui"), [0.0]
    watcher = Watcher(tmp_path / "claimed", Wanted(), clock=lambda: now[0])
    assert watcher.look() == Look()
    training.give_up()
    assert watcher.look() == Look()
    now[0] += LEAVING_SECONDS
    assert watcher.look() == Look()
    training.end()
    assert [line[-25:] for line in watcher.look().remarks] == ["makes it with its recorder"[-25:]]
    assert watcher.is_over


# --- what was told


def test_what_was_told_is_not_told_again_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    path = tmp_path / "runs" / "run.dtui"
    with RunWriter(path, STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(calm(0, "weights"))
    for expected in (["nonfinite"], []):
        told = Told(file)
        watcher = Watcher(path.parent, Wanted(), told, is_once=True)
        assert kinds(list(watcher.look().events)) == expected
        told.save()
    second = RunWriter(tmp_path / "runs" / "second", STRUCTURE, METADATA, compact=False)
    second.append_record(calm(0, "weights"))
    second.close()
    told = Told(file)
    watcher = Watcher(path.parent, Wanted(), told)  # it ended while nobody watched, and that is news
    assert [event.path for event in watcher.look().events] == [str(second.path)]


def crashed(path: Path, is_old: bool = True) -> Path:
    """Record a run that crashes; where one is there, the new one takes its place, or goes on with it."""
    past = find_past(path) if is_old else None
    if past is None:
        shutil.rmtree(path.with_suffix(".dtui"), ignore_errors=True)
        writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
        writer.append_record(calm(0))
    else:
        writer = RunWriter.resume(past, 10, compact=False)
        writer.append_record(calm(1))
    writer.close(RunStatus.CRASHED, "boom")
    return writer.path


def test_what_was_told_of_a_run_is_told_of_another_in_its_place_and_of_one_that_went_on(tmp_path: Path) -> None:
    """By the same watch, and by one that is started when all is over; each thing once."""
    now, file = [0.0], tmp_path / "told.json"
    watcher = Watcher(tmp_path, Wanted(), Told(file), clock=lambda: now[0])

    def told() -> list[str]:
        now[0] += 60.0
        return kinds(list(watcher.look().events))

    for is_old, expected in ((False, ["crash"]), (False, ["crash"]), (True, ["crash"])):
        crashed(tmp_path / "run", is_old)
        assert [told(), told()] == [expected, []]
    for is_old in (True, False):
        for expected in ([], ["crash"], []):
            if expected:
                crashed(tmp_path / "run", is_old)
            watcher = Watcher(tmp_path, Wanted(), Told(file), clock=lambda: now[0])
            assert told() == expected
            watcher._told.save()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"dtui_watch": 9}', b'{"told": {}}', b"\xff", b"[" * 100_000])
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(OutputError, match="not a file that dtui watch keeps"):
        Told(file)
    assert file.read_bytes() == content


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.query.watching.told.MOST_KEYS", 3)
    monkeypatch.setattr("dtui.query.watching.told.MOST_RUNS", 2)
    told = Told(tmp_path / "file")
    for run in "abc":
        assert all(told.add(run, str(key)) for key in range(5))
        assert not told.add(run, "4")
    told.save()
    assert json.loads((tmp_path / "file").read_text())["told"] == {run: ["2", "3", "4"] for run in "bc"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.004, "4 ms"),
        (0.5, "0.5 s"),
        (59.6, "60 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (9000, "2.5 h"),
    ],
)
def test_lengths_of_time_are_words(seconds: float, words: str) -> None:
    assert as_seconds(seconds) == words
