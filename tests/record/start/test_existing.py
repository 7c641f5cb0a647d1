"""A second start: what happens where a run is already, and who gets a path."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dtui.cli import main
from dtui.errors import RecorderError, RunExistsError
from dtui.model import RunStatus
from dtui.record import Recorder, RecorderWarning
from dtui.store import RunReader
from dtui.store.run.decisions import Triage
from tests.record.conftest import small_net
from tests.record.test_loops import data, update


def trained(path: Path, count: int = 3, **options: Any) -> Recorder:
    """Record a training to its end."""
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(path, model, optimizer, **{"every": 1, **options}) as recorder:
        for _ in range(count):
            update(model, optimizer)
        with recorder.validation([data()]):
            model(data()[0])
    return recorder


def finish(recorder: Recorder) -> None:
    recorder.step()
    recorder.close()


def recorded(path: Path) -> list[int]:
    reader = RunReader(path)
    try:
        return reader.record_iterations.tolist()
    finally:
        reader.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- the argument


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (
            {"on_existing": "overwrite"},
            "on_existing='overwrite': not known; give one of 'number', 'resume', 'replace', 'r",
        ),
        ({"on_existing": "number", "resume": True}, "resume=True and on_existing='number' disagree"),
        ({"on_existing": "resume", "resume": False}, "resume=False and on_existing='resume' disagree"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_nothing(tmp_path: Path, arguments: Any, match: str) -> None:
    with pytest.raises(RecorderError, match=match):
        Recorder(tmp_path / "runs" / "run", small_net(), **arguments)
    assert names(tmp_path) == []


@pytest.mark.parametrize("arguments", [{}, {"on_existing": "number"}, {"resume": False}])
def test_a_second_start_is_numbered_and_says_so(tmp_path: Path, arguments: Any) -> None:
    assert trained(tmp_path / "run", **arguments).path == tmp_path / "run.dtui"
    with pytest.warns(
        RecorderWarning, match=r"run\.dtui: a run is already there, so this one is .*run-2\.dtui; dtui .*run-2 op"
    ):
        assert trained(tmp_path / "run", 2, **arguments).path == tmp_path / "run-2.dtui"
    assert recorded(tmp_path / "run") == [0, 1, 2]
    assert recorded(tmp_path / "run-2") == [0, 1]
    reader = RunReader(tmp_path / "run-2")
    assert reader.metadata.name == "run-2"
    reader.close()


@pytest.mark.filterwarnings("ignore::dtui.record.RecorderWarning")
def test_numbers_go_on_above_the_highest_and_dates_are_no_numbers(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    for name in ("run-3.dtui", "run-20261128.dtui", "run-4.h5", "run-07.dtui", "run-x.dtui", "other-9.dtui"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").touch()
    assert trained(tmp_path / "run").path.name == "run-5.dtui"
    (tmp_path / "run-9999.dtui").write_text("not ours")
    assert trained(tmp_path / "run").path.name == "run-2.dtui", "above the highest there is none, so the gaps are taken"
    assert trained(tmp_path / "lr0.1").path.name == "lr0.1.dtui"
    assert trained(tmp_path / "lr0.1").path.name == "lr0.1-2.dtui"


@pytest.mark.parametrize("make", ["file", "folder", "link"])
def test_what_is_no_run_is_passed_over_and_otherwise_refused(tmp_path: Path, make: str) -> None:
    there = tmp_path / "run.dtui"
    if make == "file":
        there.write_text("not ours")
    elif make == "folder":
        there.mkdir()
        (there / "notes.txt").write_text("not ours")
    else:
        there.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    for how in ("replace", "refuse"):
        with pytest.raises(RunExistsError, match=r"run\.dtui: .*already there"):
            trained(tmp_path / "run", on_existing=how)
    with pytest.warns(RecorderWarning, match=r"run-2\.dtui"):
        trained(tmp_path / "run")
    assert there.is_symlink() or there.is_file() or names(there) == ["notes.txt"]
    assert names(tmp_path) == ["run-2.dtui", "run.dtui"]


def test_refuse_refuses_a_run_and_leaves_it_alone(tmp_path: Path) -> None:
    trained(tmp_path / "run", on_existing="refuse")
    with pytest.raises(
        RunExistsError, match=r"run\.dtui: a run is already there; choose another path, or go on with it"
    ):
        trained(tmp_path / "run", on_existing="refuse")
    assert (names(tmp_path), recorded(tmp_path / "run")) == (["run.dtui"], [0, 1, 2])


def test_resume_goes_on(tmp_path: Path) -> None:
    trained(tmp_path / "run", on_existing="resume")
    trained(tmp_path / "run", 2, on_existing="resume", iteration=2)
    assert recorded(tmp_path / "run") == [0, 1, 2, 3]


# --- the claim


@pytest.mark.parametrize("how", ["resume", "replace", "refuse"])
def test_a_path_that_a_living_process_is_about_to_record_is_refused_or_numbered(tmp_path: Path, how: str) -> None:
    first = Recorder(tmp_path / "run", small_net())
    with pytest.raises(RunExistsError, match=rf"run\.dtui: .*process {os.getpid()} on .* is about to record"):
        Recorder(tmp_path / "run", small_net(), on_existing=how)
    with pytest.warns(RecorderWarning, match=r"run-2\.dtui"):
        second = Recorder(tmp_path / "run", small_net())
    first.step()
    second.step()
    first.close()
    second.close()
    assert recorded(tmp_path / "run") == recorded(tmp_path / "run-2") == [0]


@pytest.mark.parametrize("how", ["resume", "replace", "refuse"])
def test_a_run_that_is_recorded_is_refused_or_numbered(tmp_path: Path, how: str) -> None:
    first = Recorder(tmp_path / "run", small_net())
    first.step()
    assert first._recording.sink is not None
    assert first._recording.sink.drain(60)
    with pytest.raises(RunExistsError, match=r"this very process is recording it|a run is already there"):
        Recorder(tmp_path / "run", small_net(), on_existing=how)
    first.close()
    assert recorded(tmp_path / "run") == [0]


def test_a_run_that_is_about_to_go_on_is_refused(tmp_path: Path) -> None:
    """The shapes of a lazy network are not known when the recorder is made, so the run is taken over later."""

    def lazy() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))

    model = lazy()
    with Recorder(tmp_path / "run", model, every=1) as first:
        model(data()[0])
        first.step()
    model = lazy()
    with Recorder(tmp_path / "run", model, every=1, resume=True, iteration=1) as second:
        for how in ("resume", "replace"):
            with pytest.raises(RunExistsError, match="is about to record it"):
                Recorder(tmp_path / "run", lazy(), every=1, on_existing=how, iteration=1)
        model(data()[0])
        second.step()
    assert recorded(tmp_path / "run") == [0, 1]


def test_a_claim_is_no_run_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder(tmp_path / "runs" / "run", small_net())
    said = rf"run\.dtui: claimed by process {os.getpid()} on .*, nothing recorded yet; look again once it trains"
    for words in (["info"], ["check"], ["anomalies"], ["compact"]):
        assert main([*words, str(tmp_path / "runs" / "run")]) == 3
        assert re.search(said, capsys.readouterr().err)
    assert main(["runs", str(tmp_path)]) == 0
    assert re.search(r"runs/run +claimed .*nothing recorded yet", capsys.readouterr().out)
    assert main(["runs", str(tmp_path), "--json"]) == 0
    assert "nothing recorded yet" in json.loads(capsys.readouterr().out)[0]["error"]
    recorder.__exit__(ValueError, ValueError("the first batch has another shape"), None)
    assert names(tmp_path) == [], "a script that is mended finds its path free"


def test_a_claim_whose_process_died_is_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = f"""
import os
from pathlib import Path
from dtui.store.write.claim import take_claim
claim = take_claim(Path({str(tmp_path / "run.dtui")!r}))
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 9
    assert names(tmp_path / "run.dtui") == ["resume.lock"]
    assert main(["runs", str(tmp_path)]) == 0
    assert "claimed" not in capsys.readouterr().out
    assert main(["info", str(tmp_path / "run")]) == 3
    assert "who claimed it is gone; record there again, or remove it" in capsys.readouterr().err
    for how in ("refuse", "number", "replace", "resume"):
        recorder = Recorder(tmp_path / "run", small_net(), on_existing=how)
        assert recorder.path.name == "run.dtui"
        recorder.__exit__(ValueError, ValueError(), None)


@pytest.mark.parametrize("broken", ["kernels", "validator", "resumed network"])
def test_a_construction_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if broken == "resumed network":
        trained(tmp_path / "run")
        before = names(tmp_path / "run.dtui")
        with pytest.raises(RecorderError, match="give the model that was recorded"):
            Recorder(tmp_path / "run", nn.Linear(2, 2), resume=True, iteration=3)
        assert names(tmp_path / "run.dtui") == before
        return
    place = {"kernels": "dtui.record.recorder.find_kernels", "validator": "dtui.record.recorder.Validator"}[broken]

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        Recorder(tmp_path / "runs" / "run", model, optimizer)
    assert names(tmp_path) == []
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
    assert not optimizer._optimizer_step_post_hooks


def test_a_claimed_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "runs" / "run", small_net())
    (tmp_path / "runs" / "run.dtui" / "resume.lock").unlink()
    (tmp_path / "runs" / "run.dtui").rmdir()
    (tmp_path / "runs").rmdir()
    recorder.step()
    recorder.close()
    assert recorded(tmp_path / "runs" / "run") == [0]


def test_what_somebody_puts_into_a_claimed_folder_is_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", small_net())
    (recorder.path / "config.yaml").write_text("every: 1")
    recorder.__exit__(ValueError, ValueError(), None)
    assert names(recorder.path) == ["config.yaml"]


def test_a_training_that_changes_its_folder_records_where_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    recorder = Recorder("run", small_net())
    monkeypatch.chdir(tmp_path / "elsewhere")
    recorder.step()
    recorder.close()
    assert recorded(tmp_path / "run") == [0]


# --- replace


def test_replace_keeps_the_old_run_until_the_first_record_of_the_new_one(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(tmp_path / "run", model, optimizer, every=1, on_existing="replace")
    assert (names(tmp_path), recorded(tmp_path / "run")) == (["run.dtui"], [0, 1, 2])
    update(model, optimizer)
    recorder.close()
    assert (names(tmp_path), recorded(tmp_path / "run")) == (["run.dtui"], [0])


def test_a_training_that_dies_before_its_first_record_replaces_nothing(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    before = names(tmp_path / "run.dtui")
    recorder = Recorder(tmp_path / "run", small_net(), on_existing="replace")
    recorder.__exit__(ValueError, ValueError("the first batch has another shape"), None)
    assert (names(tmp_path / "run.dtui"), recorded(tmp_path / "run")) == (before, [0, 1, 2])


def test_where_the_new_run_cannot_be_created_the_old_one_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "run")
    before = names(tmp_path / "run.dtui")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    recorder = Recorder(tmp_path / "run", small_net(), on_existing="replace")
    monkeypatch.setattr("dtui.store.disk.sealed_builder.write_small_file", full)
    with pytest.warns(RecorderWarning, match="nothing is recorded"):
        finish(recorder)
    assert names(tmp_path) == ["run.dtui"]
    assert (names(tmp_path / "run.dtui"), recorded(tmp_path / "run")) == (before, [0, 1, 2])


def test_what_would_be_lost_with_a_run_keeps_it_from_being_replaced(tmp_path: Path) -> None:
    trained(tmp_path / "run", keep_around=2, every=2)
    (tmp_path / "run.dtui" / "model.pt").write_bytes(b"weights")
    with pytest.raises(RunExistsError, match=r"but model\.pt in it is no file of dtui's; move that elsewhere"):
        trained(tmp_path / "run", on_existing="replace")
    (tmp_path / "run.dtui" / "model.pt").unlink()
    (tmp_path / "run.dtui" / "parts" / "mine.txt").touch()
    with pytest.raises(RunExistsError, match=r"but parts/mine\.txt in it"):
        trained(tmp_path / "run", on_existing="replace")
    (tmp_path / "run.dtui" / "parts" / "mine.txt").unlink()
    triage = Triage(tmp_path / "run.dtui" / "triage.jsonl")
    triage.append([("a1", "flagged", "")])
    with pytest.raises(RunExistsError, match="but people have decided on its anomalies"):
        trained(tmp_path / "run", on_existing="replace")
    triage.append([("a1", "new", "")])
    trained(tmp_path / "run", 1, on_existing="replace")
    assert recorded(tmp_path / "run") == [0]


def test_a_packed_run_beside_it_is_left_alone(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    assert main(["pack", str(tmp_path / "run"), str(tmp_path / "run.h5")]) == 0
    before = (tmp_path / "run.h5").read_bytes()
    trained(tmp_path / "run", 1, on_existing="replace")
    assert (tmp_path / "run.h5").read_bytes() == before
    assert names(tmp_path) == ["run.dtui", "run.h5"]


def test_an_open_viewer_of_a_replaced_run_is_told_and_decides_on_nothing(tmp_path: Path) -> None:
    from dtui.errors import RunDamagedError
    from dtui.query import open_run

    trained(tmp_path / "run")
    with open_run(tmp_path / "run") as query:
        trained(tmp_path / "run", 1, on_existing="replace")
        with pytest.raises(RunDamagedError, match="another run has taken its place; open it again"):
            query.decide("a1", "flagged", "")
        with pytest.raises(RunDamagedError, match="another run has taken its place; open it again"):
            query.refresh()
    assert not (tmp_path / "run.dtui" / "triage.jsonl").exists()


# --- launchers


def test_processes_of_a_launcher_make_one_run_or_say_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "run")
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "3")
    with pytest.warns(RecorderWarning, match=r"run-2\.dtui"):
        first = Recorder(tmp_path / "run", small_net())
    with pytest.raises(RunExistsError, match=r"WORLD_SIZE=8 and RANK=3 are set, but torch\.distributed is not init"):
        Recorder(tmp_path / "run", small_net())
    own = Recorder(tmp_path / "run-of-its-own", small_net())
    for recorder in (first, own):
        recorder.__exit__(ValueError, ValueError(), None)
    assert names(tmp_path) == ["run.dtui"]


def test_status_of_a_second_start_in_a_running_first(tmp_path: Path) -> None:
    """A script that is started again while it runs records beside itself."""
    done: Callable[[Path], RunStatus] = lambda path: RunReader(path).status()  # noqa: E731
    model = small_net()
    with Recorder(tmp_path / "run", model, every=1) as first:
        first.step()
        with pytest.warns(RecorderWarning, match=r"run-2\.dtui"):
            trained(tmp_path / "run", 1)
        first.step()
    assert recorded(tmp_path / "run") == [0, 1]
    assert done(tmp_path / "run") is done(tmp_path / "run-2") is RunStatus.DONE


def test_a_demo_is_recorded_where_its_viewer_looks_or_not_at_all(tmp_path: Path) -> None:
    from dtui.demo.training import train_demo

    trained(tmp_path / "run")
    with pytest.raises(RunExistsError, match=r"run\.dtui: a run is already there"):
        train_demo(tmp_path / "run", iterations=1, every=1)
    assert names(tmp_path) == ["run.dtui"]
