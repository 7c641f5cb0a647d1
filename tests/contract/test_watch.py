"""`dtui watch` on the command line: what it prints, calls and exits with; names from a run are never a command."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from select import select

import pytest

from dtui.cli import main
from dtui.cli.watching import calling, watch
from dtui.cli.watching.calling import call
from dtui.cli.watching.teller import Teller
from dtui.errors import OutputError
from dtui.model import RunMetadata, RunStatus
from dtui.output import OutputTarget
from dtui.query.watching.events import EventKind, Severity, Wanted, WatchEvent
from dtui.store import RunWriter
from dtui.store.format.schema import STOP_FILE, STRUCTURE_FILE
from tests.query.watching.live import calm
from tests.store.builders import METADATA, STRUCTURE

SAMPLES = Path(__file__).parents[2] / "sample_runs"
HOSTILE = "$(touch owned) `touch owned`; touch owned\n~!touch owned\n\x1b]0;x\x07"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RunWriter]:
    """A live run with hostile names, in which nothing has happened yet."""
    structure = replace(STRUCTURE, layers=tuple(replace(one, name=f"{HOSTILE}{one.name}") for one in STRUCTURE.layers))
    metadata = RunMetadata(HOSTILE, METADATA.created, METADATA.every)
    made = RunWriter(tmp_path / "runs" / "run", structure, metadata, compact=False)
    made.append_record(calm(0))
    yield made
    made.close()


def test_nothing_is_0_something_1_and_no_run_2(
    writer: RunWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(writer.path)
    assert main(["watch", run, "--once"]) == 0
    assert capsys.readouterr() == ("", "")
    writer.append_record(calm(1, "weights"))
    assert main(["watch", run, "--once"]) == 1
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.count("\n") == 1
    assert "nonfinite" in shown.out
    assert not set(shown.out) & set("\x1b\x07")
    assert main(["watch", run, "--once", "--on", "crash,stall"]) == 0
    (tmp_path / "empty").mkdir()
    for place in ("nowhere", str(tmp_path / "nowhere"), str(tmp_path / "empty"), __file__):
        assert main(["watch", place, "--once"]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)


def test_what_could_not_be_watched_is_2_unless_something_was_told(
    writer: RunWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "runs" / "broken.dtui"
    shutil.copytree(writer.path, broken)
    (broken / STRUCTURE_FILE).write_text("no")
    assert main(["watch", str(tmp_path / "runs"), "--once"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    pauses = iter((None, KeyboardInterrupt))

    def pause(seconds: float) -> None:
        if (ended := next(pauses)) is not None:
            raise ended

    monkeypatch.setattr(watch, "time", Namespace(sleep=pause))
    (broken / STRUCTURE_FILE).write_text("no more")
    assert main(["watch", str(tmp_path / "runs"), "--on", "crash"]) == 2  # what hinders is said by the first look alone
    assert capsys.readouterr().err.count("\n") == 1
    writer.append_record(calm(1, "weights"))
    assert main(["watch", str(tmp_path / "runs"), "--once"]) == 1


@pytest.mark.parametrize(
    "words", [["--on", "nonfinite"], ["--run", "cat > got"], ["--on", "nonfinite", "--run", "true"]]
)
def test_with_stop_and_anything_else_it_asks_only_once_something_happens(
    writer: RunWriter, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []

    def live(seconds: float) -> None:
        asked.append(writer.asked_to_stop())
        if len(asked) == 1:
            writer.append_record(calm(1, "weights"))
        else:
            writer.close()

    monkeypatch.chdir(writer.path.parent)
    monkeypatch.setattr(watch, "time", Namespace(sleep=live))
    assert main(["watch", "run", "--stop", *words]) == 1
    assert asked == [False, True]
    assert capsys.readouterr().err == f"dtui: {writer.path}: asked to stop\n"


def test_an_incident_is_told_as_the_list_of_incidents_tells_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(shutil.copytree(SAMPLES / "mnist-faults.dtui", tmp_path / "run.dtui"))
    assert main(["watch", run, "--once", "--on", "incident", "--json"]) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["incidents", run, "--json"]) == 0
    assert [event["incident"] for event in events] == json.loads(capsys.readouterr().out)
    assert events[3]["text"].endswith("one record; next: " + events[3]["incident"]["next_step"])


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([("a", 1010)], "watch  1 live run: a at iteration 1,010"),
        ([("a", None)], "watch  1 live run: a"),
        ([("a", 1), ("b", 2), ("c", None)], "watch  3 live runs: a, b, c"),
        ([(name, 1) for name in "abcd"], "watch  4 live runs: a, b, c …"),
        ([], "watch  0 live runs"),
    ],
)
def test_a_terminal_says_what_is_watched_until_something_is_told(
    runs: list[tuple[str, int | None]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    teller = Teller(Namespace())
    following = [Namespace(path=Path(f"runs/{name}.dtui"), last_iteration=last) for name, last in runs]
    with teller.waiting(Namespace(following=following)):  # type: ignore[arg-type]
        assert shown.getvalue() == f"\r{said}\x1b[K"
        teller.remark("lost")
    assert shown.getvalue() == f"\r{said}\x1b[K\r\x1b[Kdtui: lost\n\r\x1b[K"


@pytest.mark.parametrize(
    ("text", "seconds"), [("0.5", 0.5), ("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1e7", 1e7)]
)
def test_lengths_of_time_and_factors_are_what_they_say(text: str, seconds: float) -> None:
    words = ["runs", "--poll", text, "--timeout", text, "--stall-seconds", text, "--stall-factor", "1e6"]
    options = watch.COMMAND.parser().parse_args(words)
    assert (options.poll, options.timeout, options.stall_seconds) == (seconds, seconds, seconds)
    assert options.stall_factor == 1e6


def test_what_a_file_remembers_is_not_told_again(writer: RunWriter, tmp_path: Path) -> None:
    writer.append_record(calm(1, "weights"))
    words = ["watch", str(writer.path), "--once", "--state", str(tmp_path / "told.json")]
    assert [main(words), main(words)] == [1, 0]


def test_a_full_disk_ends_no_watch_and_what_was_not_kept_is_told_again(
    writer: RunWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill(target: OutputTarget, data: bytes) -> None:
        raise OutputError("no room")

    writer.append_record(calm(1, "weights"))
    words = ["watch", str(writer.path), "--state", str(tmp_path / "told.json")]
    with monkeypatch.context() as full, open("/dev/full", "w") as printed:
        full.setattr(OutputTarget, "write", fill)
        full.setattr(sys, "stdout", printed)
        full.setattr(watch, "time", Namespace(sleep=lambda _: writer.close(RunStatus.CRASHED, "boom")))
        assert main(words) == 1
        told = capsys.readouterr().err.splitlines()
        assert [main([*words, "--once"]), main([*words, "--once", "--on", "stall"])] == [1, 2]
    assert len(told) == 3
    assert "nonfinite" in told[0]
    assert told[1] == "dtui: --state: no room"
    assert "crash" in told[2]
    assert [main([*words, "--once"]), main([*words, "--once"])] == [1, 0]
    for elsewhere in (tmp_path, tmp_path / "nowhere" / "told.json", "-"):
        assert main([*words, "--state", str(elsewhere)]) == 2


def test_a_training_that_crashed_is_not_asked_to_stop(writer: RunWriter, capsys: pytest.CaptureFixture[str]) -> None:
    writer.close(RunStatus.CRASHED, "boom")
    assert main(["watch", str(writer.path), "--once", "--on", "crash", "--stop"]) == 1
    shown = capsys.readouterr()
    assert "boom" in shown.out
    assert shown.err == ""


def test_a_stall_is_by_itself_ten_usual_intervals_and_a_minute() -> None:
    options = watch.COMMAND.parser().parse_args(["runs"])
    assert watch._wanted(options) == Wanted(frozenset(EventKind), Severity.ANY, 10.0, 60.0) == Wanted()


def test_the_command_gets_the_event_as_json_and_nothing_of_the_run_is_run(
    writer: RunWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    writer.append_record(calm(1, "weights"))
    assert main(["watch", "runs", "--once", "--json", "--run", "cat > got; echo printed"]) == 1
    got = (tmp_path / "got").read_text()
    assert got == capsys.readouterr().out  # one line each, and what the command prints is not among them
    event = json.loads(got)
    assert list(event) == [
        *("event", "run", "path", "status", "iteration", "sentence", "text", "time", "details", "incident")
    ]
    assert (event["event"], event["run"], event["path"]) == ("nonfinite", HOSTILE, str(writer.path))
    assert (event["status"], event["iteration"], event["incident"]) == ("live", 10, None)
    assert event["details"]["values"] == [
        {"what": "weights", "name": f"{HOSTILE}stage.\x1b[31mconv", "layers": 1, "iteration": 10}
    ]
    assert main(["watch", "runs", "--once", "--plain", "--run", "cat > got"]) == 1
    plain = (tmp_path / "got").read_bytes()
    assert plain.startswith(b"dtui: $(touch owned)")
    assert plain.count(b"\n") == 1
    assert plain[:-1].isascii()
    assert plain[:-1].decode().isprintable()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got", "runs"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("exit 3", "dtui: --run: exited with 3"),
        ("kill -9 $$", "dtui: --run: was ended by signal 9"),
        ("exec 0<&-; exit 0", ""),
        ("no-such-program-here 2>/dev/null", "dtui: --run: exited with 127"),
        ("trap '' TERM; sleep 600", None),
    ],
)
def test_a_command_that_fails_or_hangs_is_one_line(
    writer: RunWriter,
    command: str,
    told: str | None,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dtui.cli.watching.calling._FAREWELL_SECONDS", 0.1)
    writer.append_record(calm(1, "weights"))
    assert (
        main(["watch", str(writer.path), "--once", "--run", command, "--timeout", "0.3" if told is None else "60"]) == 1
    )
    shown = capfd.readouterr().err.strip()
    assert shown == (
        "dtui: --run: took longer than 0.3 s and was ended; --timeout gives it more" if told is None else told
    )


def test_what_a_command_prints_is_not_among_the_events(
    writer: RunWriter, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append_record(calm(1, "weights"))
    assert main(["watch", str(writer.path), "--once", "--json", "--run", "echo printed"]) == 1
    shown = capfd.readouterr()
    assert json.loads(shown.out)["event"] == "nonfinite"
    assert shown.err == "printed\n"
    monkeypatch.setattr(sys, "stderr", None)  # as a daemon may be started: neither does a remark get among them
    assert call("echo printed", "{}\n", 60) == ""
    assert capfd.readouterr() == ("", "")
    assert main(["watch", str(writer.path), "--once", "--json", "--run", "exit 3"]) == 1
    assert [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()] == ["nonfinite"]
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["watch", str(writer.path), "--once"]) == 1


@pytest.mark.parametrize("command", [None, "cat >> got"])
def test_where_nobody_reads_the_events_a_command_is_still_run_and_without_one_it_ends(
    writer: RunWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w"))
    teller = Teller(Namespace(stop=False, json=False, plain=True, timeout=60.0, run_command=command))
    event = WatchEvent(EventKind.CRASH, "1", "run", str(writer.path), RunStatus.CRASHED, 10, "crashed")
    if command is None:
        with pytest.raises(KeyboardInterrupt):
            teller.tell(event)
    else:
        teller.tell(event)
        teller.tell(event)
        assert (tmp_path / "got").read_text() == 2 * "dtui: run: crash, crashed\n"
    assert teller.has_fired
    sys.stdout.close()  # as Python does at its end: it has nothing left to say that would be a failure


def test_a_command_line_that_is_too_long_is_one_line() -> None:
    assert call("#" * 1_000_000, "{}\n", 60).startswith("--run: cannot be started, ")


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_hanging_command_ends_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_interrupted: bool
) -> None:
    monkeypatch.setattr("dtui.cli.watching.calling._FAREWELL_SECONDS", 0.1)
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    command = f"exec 3> {shlex.quote(str(pipe))}; sleep 600 & sleep 600"
    if is_interrupted:
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            call(command, "{}\n", 60)
        signal.signal(signal.SIGALRM, before)
    else:
        assert "took longer than" in call(command, "{}\n", 0.3)
    os.set_blocking(reading, True)
    assert os.read(reading, 1) == b""  # the end of the file: no process holds the pipe any more
    os.close(reading)


def test_a_command_is_asked_to_end_before_what_does_not_is_killed(tmp_path: Path) -> None:
    """The shell ends itself, and takes its time; a child of it does not, and nothing is left of that."""
    pipe, polite = tmp_path / "alive", tmp_path / "polite"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    child = "(trap '' TERM; echo >&3; exec sleep 600) &"
    shell = f"exec 3> {pipe}; {child} trap 'sleep 0.1; echo > {polite}; exit' TERM; echo >&3; sleep 600 & wait"
    process = subprocess.Popen(shell, shell=True, start_new_session=True)
    said = b""
    while len(said) < 2:  # once both have set their traps
        select([reading], [], [], 60)
        with suppress(BlockingIOError):
            said += os.read(reading, 2)
    calling._end(process)
    assert polite.exists()
    assert select([reading], [], [], 60)[0]
    assert os.read(reading, 1) == b""  # the end of the file: no process holds the pipe any more
    os.close(reading)


def test_stop_asks_now_or_when_something_happens(
    writer: RunWriter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(writer.path)
    assert main(["watch", run, "--once", "--stop"]) == 0
    assert not writer.asked_to_stop()
    assert main(["watch", run, "--stop"]) == 0
    assert "asked to stop" in capsys.readouterr().out
    assert writer.asked_to_stop()
    second = RunWriter(tmp_path / "runs" / "second", STRUCTURE, METADATA, compact=False)
    second.append_record(calm(0, "weights"))
    assert main(["watch", str(tmp_path / "runs"), "--stop"]) == 2
    assert main(["watch", str(tmp_path / "runs"), "--on", "nonfinite", "--once", "--stop"]) == 1
    assert second.asked_to_stop()
    second.close()
    (second.path / STOP_FILE).unlink()
    assert main(["watch", str(second.path), "--stop"]) == 2
    assert "nothing records it any more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--on", "boom"], "argument --on: 'boom' is no event; there are crash, nonfinite, stall, incident"),
        (["--poll", "0"], "argument --poll: '0' is no length of time; give seconds, or 15m, or 2h"),
        (["--stall-factor", "nan"], "argument --stall-factor: 'nan' is not a number above 0"),
        (["--stall-factor", "x"], "argument --stall-factor: 'x' is not a number above 0"),
        (["--stall-factor", "0"], "argument --stall-factor: '0' is not a number above 0"),
        (["--timeout", "1e8"], "argument --timeout: '1e8' is no length of time; give seconds, or 15m, or 2h"),
        (["--stall-seconds", "x"], "argument --stall-seconds: 'x' is no length of time; give seconds, or 15m, or 2h"),
    ],
)
def test_bad_usage_is_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "runs", *words]) == 2
    assert capsys.readouterr() == ("", f"dtui: {line}; see dtui watch --help\n")


def test_it_follows_a_training_to_its_end_and_ends_on_a_signal(writer: RunWriter, tmp_path: Path) -> None:
    """One process watches the run, another its folder; both are started before anything happens."""
    command = [sys.executable, "-m", "dtui", "watch", "--poll", "0.1", "--on", "crash,nonfinite"]
    watching = [
        subprocess.Popen([*command, place], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for place in (str(writer.path), str(tmp_path / "runs"))
    ]
    writer.append_record(calm(1, "weights"))
    first = [process.stdout.readline() for process in watching if process.stdout is not None]
    assert all("nonfinite" in line for line in first)
    writer.close(RunStatus.CRASHED, "boom")
    assert watching[0].communicate(timeout=60)[0].count("crash ") == 1
    assert watching[0].returncode == 1
    assert watching[1].stdout is not None
    assert "boom" in watching[1].stdout.readline()
    watching[1].send_signal(signal.SIGTERM)
    assert watching[1].communicate(timeout=60) == ("", "")
    assert watching[1].returncode == 1


def test_a_run_that_has_ended_is_told_once_to_be_past_stopping(
    writer: RunWriter, capsys: pytest.CaptureFixture[str]
) -> None:
    writer.close()
    teller = Teller(Namespace(stop=True, json=False, run_command=None))
    for at in (10, 20):
        kind, key = EventKind.NONFINITE, f"{at}"
        teller.tell(WatchEvent(kind, key, "ended", str(writer.path), RunStatus.DONE, at, "it holds NaN"))
    shown = capsys.readouterr()
    assert shown.out.count("it holds NaN") == 2
    assert shown.err.count("nothing records it any more") == 1
