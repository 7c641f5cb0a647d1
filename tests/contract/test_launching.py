"""`dtui run`: the command has its terminal, input, signals and exit code, and one line says what was recorded."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.cli.launching.launch import script_name
from dtui.cli.launching.summary import summary
from dtui.launch_notes import FROZEN, PYTHON, TORCH, VARIABLE, Note, Notes, Settings, shown_path
from dtui.store import RunWriter
from tests.store.builders import METADATA, STRUCTURE, make_record

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = (sys.executable, "-m", "dtui", "run")


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *words], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def begin(words: Sequence[str], **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([*RUN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["python", "src/train.py", "--config", "b.py"], "train"),
        (["python", "-m", "package.train"], "train"),
        (["python", "-m", "package.__main__"], "package"),
        (["python", "-m", "torch.distributed.run", "--nproc-per-node", "2", "pretrain.py"], "pretrain"),
        (["torchrun", "--nproc-per-node=8", "-m", "package.finetune"], "finetune"),
        (["accelerate", "launch", "examples/nlp.py"], "nlp"),
        (["bash", "go.sh"], "go"),
        (["./go.sh"], "go"),
        (["python", "-m", "accelerate.commands.launch", "-m", "package.tune"], "tune"),
        (["make", "train"], "make"),
        (["./.hidden"], "run"),
        (["/usr/bin/python3.11", "-c", "pass"], "python3"),
    ],
)
def test_a_run_is_named_after_the_script(words: list[str], name: str) -> None:
    assert script_name(words) == name


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ([], 2, "run: no command; give one after --, as in dtui run -- python train.py"),
        (["--", "no-such-command", "a"], 127, "run: no-such-command: command not found"),
        (["--", "./plain"], 126, "run: ./plain: Permission denied"),
        (["--", sys.executable, "-c", "raise SystemExit(5)"], 5, "imported no torch"),
        (["--", sys.executable, "-I", "-c", "pass"], 0, "started no Python that reads PYTHONPATH"),
        (["--", "sh", "-c", "exit 7"], 7, "recorder = dtui.Recorder('runs/sh-1', model, optimizer)"),
        (["--out", "/", "--", "true"], 2, "names no run"),
        (["--every", "0", "--", "true"], 2, "whole number"),
        (["--every", "1", "--keep-around", "9", "--", "true"], 2, "with --every 1 each iteration is a record"),
    ],
)
def test_one_line_tells_what_was_not_recorded(
    words: list[str],
    code: int,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain").write_text("no program")
    assert main(["run", *words]) == code
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("dtui: ")
    assert line in err
    assert sorted(tmp_path.iterdir()) == [Path(tmp_path / "plain")]


def test_a_run_is_recorded_where_out_says_or_under_the_first_number_that_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands there takes the number, also a link to what is gone; a command may change its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def told(*words: str) -> tuple[str, str]:
        assert main(["run", *words, "--", "sh", "-c", f"cd /; echo ${VARIABLE}"]) == 0
        settings = json.loads(capfd.readouterr().out)
        return settings["path"], settings["shown"]

    runs = tmp_path / "runs"
    assert told() == (f"{runs / 'sh-1.dtui'}", "runs/sh-1")
    runs.mkdir()
    (runs / "sh-1.dtui").mkdir()
    (runs / "sh-2.dtui").symlink_to(tmp_path / "gone")
    (runs / "sh-4.dtui").mkdir()
    assert told() == (f"{runs / 'sh-3.dtui'}", "runs/sh-3")
    for given in ("runs/first", "runs/first.dtui"):
        assert told("--out", given) == (f"{runs / 'first.dtui'}", "runs/first")
    assert [*tmp_path.iterdir()] == [runs]  # no folder of notes is left


def test_a_run_that_got_another_number_is_named_by_it() -> None:
    """As where two were begun at once: the recorder takes the next number, and the person types the path with it."""
    settings = Settings("/here/runs/train-1.dtui", "runs/train-1", None, "/tmp")
    assert shown_path(settings, settings.path) == "runs/train-1"
    assert shown_path(settings, "/here/runs/train-1-2.dtui") == "runs/train-1-2"


def test_a_training_runs_also_where_no_temporary_folder_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "mkdtemp", full_disk)
    assert main(["run", "--", "sh", "-c", "echo trained; exit 7"]) == 7
    out, err = capfd.readouterr()
    assert out == "trained\n"
    assert err == (
        "dtui: run: nothing is recorded: no temporary folder can be made: No space left on device; "
        "set TMPDIR to a folder that can be written and has room\n"
    )


def test_notes_that_a_cleaner_removed_are_not_taken_for_a_run_that_was_not_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["run", "--", "sh", "-c", "rm -r dtui-run-*"]) == 0
    err = capfd.readouterr().err
    assert "nothing is recorded" not in err
    assert "was removed meanwhile; see runs/sh-1" in err


def test_a_filesystem_without_locks_does_not_keep_the_training_from_being_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert Notes(tmp_path).claim()
    monkeypatch.undo()
    first = Notes(tmp_path)
    assert first.claim()
    assert first.claim()  # for its next training
    assert not Notes(tmp_path).claim()
    assert Notes(tmp_path / "of another host").claim()


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def test_input_and_output_are_those_of_the_command() -> None:
    result = run("--", "sh", "-c", "cat; echo to err >&2", input="from me")
    assert (result.returncode, result.stdout) == (0, "from me")
    assert result.stderr.startswith("to err\n")


def test_a_signal_to_dtui_reaches_the_command_and_ends_both_alike() -> None:
    for told, script, code in (
        (signal.SIGTERM, "echo ready; exec sleep 60", -signal.SIGTERM),
        (signal.SIGUSR1, "trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done", 9),
    ):
        process = begin(["--", "sh", "-c", script])
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(told)
        _, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert "nothing is recorded" in err


def test_ctrl_c_reaches_the_command_once() -> None:
    """The terminal sends it to both; dtui does not pass it on again."""
    script = "n=0; trap 'n=$((n+1)); echo got $n; read x; exit $n' INT; echo ready; while :; do sleep 0.01; done"
    child, terminal = pty.fork()
    if not child:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever is started in the background ignores it
        os.execv(RUN[0], [*RUN, "--", "sh", "-c", script])
    seen = b""
    for wanted, answer in ((b"ready", b"\x03"), (b"got 1", b"\n")):
        while wanted not in seen:
            assert select.select([terminal], [], [], 60)[0], seen
            seen += os.read(terminal, 1024)
        os.write(terminal, answer)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    os.close(terminal)


def test_a_signal_that_comes_as_the_command_ends_is_not_ours() -> None:
    """As Ctrl-C twice, on a machine so busy that the command is gone before dtui has seen the second one."""
    code = (
        "import os, subprocess; from dtui.cli.launching.child import run_child\n"
        "class Ended(subprocess.Popen):\n"
        "    def __init__(self, *words, **options):\n"
        "        super().__init__(*words, **options)\n"
        "        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)\n"
        "subprocess.Popen = Ended\n"
        "print(run_child(['sh', '-c', 'kill -INT $PPID; exit 7'], os.environ))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "7\n", "")


def test_another_sitecustomize_is_executed_and_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('mine', __name__)")
    code = (
        "import sys, sitecustomize; print(sitecustomize.__file__, *sys.path[1:2], *{'torch', 'dtui'} & {*sys.modules})"
    )
    result = run("--", sys.executable, "-c", code, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    told, mine = "mine sitecustomize", tmp_path / "sitecustomize.py"
    assert result.stdout.splitlines() == [told, told, f"{mine} {tmp_path}"]  # the first is dtui's own Python


def test_a_python_without_dtui_trains_and_tells_it(tmp_path: Path) -> None:
    """A torch that is none, and a dtui that is not there: the training goes on."""
    (tmp_path / "torch" / "optim").mkdir(parents=True)
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "torch" / "optim" / "__init__.py").touch()
    (tmp_path / "torch" / "optim" / "optimizer.py").write_text(
        "class Optimizer:\n    def __init__(self, a): self.a = a\n"
    )
    (tmp_path / "dtui.py").write_text("raise ModuleNotFoundError('No module named dtui', name='dtui')")
    code = "from torch.optim.optimizer import Optimizer as O; print(O(1).a, O(2).a)"
    (tmp_path / "train.py").write_text(code)
    result = run("--", sys.executable, str(tmp_path / "train.py"), cwd=REPOSITORY)
    assert (result.returncode, result.stdout) == (0, "1 2\n")
    told = result.stderr.splitlines()
    assert len(told) == 2
    assert all(f"nothing is recorded: dtui is not installed in {sys.executable}" in line for line in told)
    assert all(line.count("nothing is recorded") == 1 for line in told)


def test_the_line_says_what_to_add_where_nothing_or_no_validation_was_found(tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "run.dtui"), "runs/x", None, str(tmp_path))
    notes = Notes(tmp_path)
    notes.mark(PYTHON)
    notes.mark(TORCH)
    assert summary(["python", "train.py"], settings) == (
        "run: nothing is recorded: python made no optimizer of torch.optim; to record updates of its own, add to the "
        "script recorder = dtui.Recorder('runs/x', model) and recorder.step() after each update"
    )
    with RunWriter(tmp_path / "run.dtui", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(make_record(0))
    notes.leave(Note(recorded=settings.path))
    assert summary(["python", "train.py"], settings) == (
        "runs/x: 1 record; no validation was found; to record one, add to the script recorder = "
        "dtui.Recorder('runs/x', model, optimizer) and around the evaluation with recorder.validation(loader):, in it "
        "without a loader recorder.predictions(logits, labels, ids), and for what is no classifier "
        "recorder.judge(ids, scores)"
    )
    notes.mark(FROZEN)
    assert summary(["python", "train.py"], settings) == (
        "runs/x: 1 record; no validation was found, only of a frozen script; to record one, add to the script "
        "recorder = dtui.Recorder('runs/x', model, optimizer) and around the evaluation with "
        "recorder.validation(loader, model=frozen):"
    )
