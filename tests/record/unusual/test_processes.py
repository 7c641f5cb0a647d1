"""Scripts that Python is given in unusual ways, and scripts that their own processes import again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.query import open_run

LOOP = """
import hashlib, os, torch
from torch import nn
torch.manual_seed(3)
torch.set_num_threads(1)
model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
class Numbers(torch.utils.data.Dataset):
    def __len__(self): return 24
    def __getitem__(self, place): return torch.full((1, 8, 8), place / 10), place % 3
if os.environ.get("RUN"):
    import dtui
    recorder = dtui.Recorder(os.environ["RUN"], model, optimizer, every=1, **OPTIONS)
def train(**options):
    bits = hashlib.sha256()
    for x, y in torch.utils.data.DataLoader(Numbers(), batch_size=4, **options):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        bits.update(loss.detach().numpy().tobytes())
    print("BITS", bits.hexdigest())
"""
PLAIN = LOOP.replace("**OPTIONS", "") + "train()\n"
GUARDED = LOOP + "if __name__ == '__main__':\n    train(num_workers=2, multiprocessing_context=HOW)\n"
SPAWNING = (
    LOOP.replace("**OPTIONS", "")
    + "def in_child(rank):\n    train()\n"
    + "if __name__ == '__main__':\n    torch.multiprocessing.spawn(in_child, nprocs=1)\n"
)


def python(folder: Path, *words: str, run: str = "", text: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"RUN": run, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, env=environment, timeout=120, check=False
    )


def assert_recorded(folder: Path, *words: str, text: str | None = None) -> None:
    plain, recorded = (python(folder, *words, run=run, text=text) for run in ("", "run"))
    assert "BITS" in plain.stdout, plain.stderr
    assert (recorded.stdout, recorded.returncode) == (plain.stdout, 0), recorded.stderr
    assert "RecorderWarning" not in recorded.stderr
    assert [found.name for found in folder.glob("*.dtui")] == ["run.dtui"]
    with open_run(folder / "run.dtui") as run:
        info = run.info()
    assert (info.status.value, info.records, info.gaps) == ("done", 6, ())


@pytest.mark.parametrize("way", ["command", "module", "input", "cell"])
def test_a_script_is_recorded_however_python_is_given_it(way: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(PLAIN)
    cell = "exec(open('script.py').read(), names := {'__name__': 'cell'}); names['recorder'].close()"
    if way == "cell":
        (tmp_path / "script.py").write_text(PLAIN + "if not os.environ['RUN']: recorder = open(os.devnull)\n")
    words = {"command": ("-c", PLAIN), "module": ("-m", "script"), "input": ("-",), "cell": ("-c", cell)}[way]
    assert_recorded(tmp_path, *words, text=PLAIN if way == "input" else None)


@pytest.mark.parametrize("how", ["spawn", "forkserver"])
@pytest.mark.parametrize("option", ["batches=True", "resume=True", "on_existing='refuse'", "on_existing='number'"])
def test_workers_that_import_the_script_again_make_no_run_and_no_noise(option: str, how: str, tmp_path: Path) -> None:
    """The recorder stands above `if __name__ == "__main__":`. Refused there, it would end the training."""
    (tmp_path / "script.py").write_text(GUARDED.replace("**OPTIONS", option).replace("HOW", repr(how)))
    assert_recorded(tmp_path, "script.py")


def test_a_training_in_a_process_that_imported_the_recorder_is_told(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SPAWNING)
    plain, recorded = (python(tmp_path, "script.py", run=run) for run in ("", "run"))
    assert (recorded.stdout, recorded.returncode) == (plain.stdout, 0), recorded.stderr
    (line,) = re.findall(r"dtui: (nothing is recorded in this process: .*)", recorded.stderr)
    assert "make it in the function that trains" in line


LISTENING = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""Where the tests run in the background, Ctrl-C is ignored, and that is inherited."""
SIGNALLED = (
    LISTENING
    + LOOP.replace("**OPTIONS", "")
    + ("import time\nprint('READY', flush=True)\nfor _ in range(8):\n    train()\n    time.sleep(0.1)\n")
)
INTERRUPT, HANG_UP, END = signal.SIGINT, signal.SIGHUP, signal.SIGTERM
STOP, GO_ON = signal.SIGTSTP, signal.SIGCONT


def signalled(folder: Path, signals: tuple[signal.Signals, ...], run: str) -> tuple[int, str]:
    """Send signals to a training and all that it started, as a terminal does; return its code and what it wrote."""
    environment = os.environ | {"RUN": run, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", SIGNALLED],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        process_group=0,
    )
    assert child.stdout is not None
    while (line := child.stdout.readline()) != "READY\n":
        assert line, "it ended before its first update"
    child.stdout.readline()
    for one in signals:
        os.killpg(child.pid, one)
        if one is STOP:
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    rest, _ = child.communicate(timeout=100)
    return child.returncode, rest


@pytest.mark.parametrize(
    ("signals", "status", "reason"),
    [
        ((INTERRUPT, INTERRUPT), "crashed", "KeyboardInterrupt"),
        ((HANG_UP,), "crashed", "SIGHUP"),
        ((STOP, GO_ON), "done", ""),
        ((STOP, HANG_UP, GO_ON), "crashed", "SIGHUP"),
        ((STOP, END, GO_ON), "crashed", "SIGTERM"),
    ],
    ids=lambda value: "-".join(one.name for one in value) if isinstance(value, tuple) else None,
)
def test_signals_of_a_terminal_end_a_training_as_without(
    signals: tuple[signal.Signals, ...], status: str, reason: str, tmp_path: Path
) -> None:
    plain, recorded = (signalled(tmp_path, signals, run) for run in ("", "run"))
    if signals == (INTERRUPT, INTERRUPT):  # Python's own code depends on whether the second meets it in its last words
        assert {plain[0], recorded[0]} <= {-INTERRUPT, 1}
    else:
        assert recorded[0] == plain[0]
    if status == "done":
        assert recorded == plain
    with open_run(tmp_path / "run.dtui") as run:
        info = run.info()
    assert info.status.value == status
    assert reason in info.reason
