"""A training that a signal ends says so, ends as it would without a recorder, and leaves other handlers in force."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.store import RunReader
from tests.record.test_failures import SCRIPT

TOLD = "SIGTERM: told to end, as by kill, scancel or the time limit of a job"
TOOK = "which a handler of the script took"

AS_AT_A_TERMINAL = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
"""Also where the tests run under nohup."""

HELP = """
import ctypes, faulthandler, threading, time
from dtui.store.run.run_file import RunFile
from dtui.record.writing import signals
def send(number): os.kill(os.getpid(), number); threading.Event().wait(60); os._exit(99)
def wait_for(reason):
    recorder._recording.sink.drain()
    while RunFile.read(recorder.path).reason[:len(reason)] != reason: time.sleep(0)
def wait_for_end():
    while not any(thread.name == "dtui-end" for thread in threading.enumerate()): time.sleep(0)
def close_hangs():
    recorder._recording.sink.drain()
    recorder._recording.sink._store.close = lambda *_: threading.Event().wait(60)
def main_hangs():
    lock = ctypes.create_string_buffer(64)
    for _ in range(2): ctypes.CDLL(None).pthread_mutex_lock(lock)
def be_first():
    libc = ctypes.CDLL(None)
    assert any(libc.unshare(flags) == 0 for flags in (0x20000000, 0x30000000)), "no namespaces here"
    libc.prctl(1, signal.SIGKILL)  # with the test; nothing else ends who is first
    if child := os.fork(): os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
    libc.prctl(1, signal.SIGKILL)
    assert os.getpid() == 1
def take(number): signal.signal(number, lambda *_: taken.append(number))
def end_taken(number): assert taken == [number], taken; recorder.close(); assert taken == [number]
taken = []
"""

BEFORE: dict[str, str] = {
    "nohup": "signal.signal(signal.SIGHUP, signal.SIG_IGN)",
    "taken before": "take(signal.SIGUSR1)",
    "first of a container": "be_first()",
    "first, killed": "be_first()",
    "no streams": "for number in (0, 1, 2): os.close(number)",
    "c handler": "faulthandler.register(signal.SIGUSR1, open(f'{folder}/stack', 'w'))",
}
"""What a script does before it makes the recorder."""

CASES: dict[str, tuple[str, int, str]] = {
    "hang up": ("send(signal.SIGHUP)", -signal.SIGHUP, "crashed: SIGHUP: the terminal or the ssh session was closed"),
    "warning": ("send(signal.SIGUSR1)", -signal.SIGUSR1, "crashed: SIGUSR1: nobody handles it; schedulers send it"),
    "warning 2": ("send(signal.SIGUSR2)", -signal.SIGUSR2, "crashed: SIGUSR2: nobody handles it; schedulers send it"),
    "time": ("send(signal.SIGXCPU)", -signal.SIGXCPU, "crashed: SIGXCPU: the limit of processor time was reached"),
    "continue": ("os.kill(os.getpid(), signal.SIGCONT); send(signal.SIGTERM)", -signal.SIGTERM, f"crashed: {TOLD}"),
    "twice": (
        "close_hangs(); os.kill(os.getpid(), signal.SIGTERM); wait_for('SIGTERM'); send(signal.SIGTERM)",
        -signal.SIGTERM,
        f"crashed: {TOLD}",
    ),
    "killed after": (
        "close_hangs(); os.kill(os.getpid(), signal.SIGTERM); wait_for('SIGTERM'); send(signal.SIGKILL)",
        -signal.SIGKILL,
        f"crashed: {TOLD}",
    ),
    "main hangs": (
        "threading.Timer(0, os.kill, (os.getpid(), signal.SIGTERM)).start(); main_hangs()",
        -signal.SIGTERM,
        f"crashed: {TOLD}",
    ),
    "event loop": (
        "import socket; a, b = socket.socketpair(); b.setblocking(False); signal.set_wakeup_fd(b.fileno()); "
        "send(signal.SIGTERM)",
        -signal.SIGTERM,
        f"crashed: {TOLD}",
    ),
    "while it closes": (
        "recorder._recording.sink.drain(); store = recorder._recording.sink._store; end = store.close\n"
        "    def close(*_): os.kill(os.getpid(), signal.SIGTERM); wait_for_end(); end(*_)\n"
        "    store.close = close; recorder.close(); threading.Event().wait(60)",
        -signal.SIGTERM,
        "done",
    ),
    "two": (
        "other = dtui.Recorder(f'{folder}/other', model, every=1, fused=False); other.step(); send(signal.SIGTERM)",
        -signal.SIGTERM,
        f"crashed: {TOLD}",
    ),
    "nohup": ("signal.raise_signal(signal.SIGHUP)", 0, "done"),
    "taken before": ("signal.raise_signal(signal.SIGUSR1); end_taken(signal.SIGUSR1)", 0, "done"),
    "taken later": (
        "assert signal.getsignal(signal.SIGUSR1) in (None, signal.SIG_DFL)  # so a requeue hook installs itself\n"
        "    take(signal.SIGUSR1); signal.raise_signal(signal.SIGUSR1); end_taken(signal.SIGUSR1)",
        0,
        "done",
    ),
    "taken, unclosed": (
        "take(signal.SIGTERM); signal.raise_signal(signal.SIGTERM); wait_for('nobody')",
        0,
        f"crashed: the script ended after SIGTERM, {TOOK}",
    ),
    "chained": (
        "old = signal.signal(signal.SIGTERM, lambda *_: (callable(old) and old(*_), sys.exit(7)))\n"
        "    with recorder: signal.raise_signal(signal.SIGTERM)",
        7,
        f"crashed: SystemExit: 7, after SIGTERM, {TOOK}",
    ),
    "taken, killed": (
        "take(signal.SIGTERM); signal.raise_signal(signal.SIGTERM); wait_for('nobody'); send(signal.SIGKILL)",
        -signal.SIGKILL,
        f"crashed: nobody closed it after SIGTERM, {TOOK}",
    ),
    "first of a container": (
        "recorder.log(loss=1.0); os.kill(1, signal.SIGTERM); wait_for('nobody'); recorder.close()",
        0,
        "done",
    ),
    "first, killed": (
        "os.kill(1, signal.SIGTERM); wait_for('nobody'); sys.stdout.flush(); os._exit(9)",
        9,
        "crashed: nobody closed it after SIGTERM, which the first process of a container outlives",
    ),
    "no streams": (  # what C code prints is no signal, and no frame
        "[os.write(number, b'as NCCL does\\n') for number in (1, 2)]; signals.catch_up(); recorder.close()",
        0,
        "done",
    ),
    "c handler": (
        "signal.raise_signal(signal.SIGUSR1); recorder.close(); signal.raise_signal(signal.SIGUSR1)",
        0,
        "done",
    ),
    "child": (
        "child = os.fork()\n"
        "    if not child: assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL; main_hangs()\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM",
        0,
        "done",
    ),
    "given back": (
        "recorder.close(); assert not [t for t in threading.enumerate() if 'signal' in t.name and t.join(60)]\n"
        "    assert all(signal.getsignal(n) is signal.SIG_DFL for n in (1, 10, 12, 15, 24))\n"
        "    assert signal.set_wakeup_fd(-1) == -1",
        0,
        "done",
    ),
}


def test_a_training_that_a_signal_ends_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All cases in one test: one process imports torch, and forks a training for each."""
    made = SCRIPT.index("recorder = ")
    before = "".join(f"if ending == {name!r}:\n    {code}\n" for name, code in BEFORE.items())
    after = "".join(f"if ending == {name!r}:\n    {code}\n" for name, (code, _, _) in CASES.items())
    script = AS_AT_A_TERMINAL + SCRIPT[:made] + HELP + before + SCRIPT[made:] + after
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), *CASES],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    codes = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert codes == {name: str(int(code)) for name, (_, code, _) in CASES.items()}, done.stderr
    for name, (_, _, status) in CASES.items():
        reader = RunReader(tmp_path / f"{name}.dtui")
        assert reader.record_iterations.tolist() == [0, 1, 2], name
        assert reader.gaps == (), name
        reader.close()
        for run in [name, *(["other"] if name == "two" else [])]:
            assert main(["info", str(tmp_path / run)]) == 0
            out = capsys.readouterr().out
            assert f"status       {status}" in out, run
            assert out.count(TOOK) <= 1
    assert (tmp_path / "stack").read_text().count("Current thread") == 2
