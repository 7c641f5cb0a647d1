"""Where the address space is limited tightly, nothing is recorded and the training goes on as it does alone."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.errors import RecorderError
from dtui.launch_notes import BOOTSTRAP, VARIABLE, Notes, Settings, as_variable
from dtui.record.start import address_space
from dtui.record.start.address_space import NEEDED, check_address_space

SCRIPT = """
import resource, sys, threading
from pathlib import Path
import torch

torch.manual_seed(1)
torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
spare = int(sys.argv[1])
if spare:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + spare, resource.RLIM_INFINITY))
for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(8, 1, 8, 8)).square().mean()
    loss.backward()
    optimizer.step()
    print(loss.item().hex())
print([name for name in ("numba", "tables") if name in sys.modules], threading.active_count())
"""

pytestmark = pytest.mark.skipif(not address_space.STATM.exists(), reason="what a process has is not known here")


def trained(folder: Path, spare: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Train in a process with so many bytes of address space to spare, 0 for all that there are."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(spare)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the training prints where nobody asks for a recording, and there is room."""
    done = trained(tmp_path_factory.mktemp("alone"), 0)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("spare", [20, 300])
def test_a_training_without_room_for_a_recording_is_not_recorded(tmp_path: Path, spare: int, alone: str) -> None:
    settings = Settings(str(tmp_path / "run.dtui"), "run", 1, str(tmp_path))
    asked = {VARIABLE: as_variable(settings), "PYTHONPATH": f"{BOOTSTRAP}{os.pathsep}{Path(__file__).parents[3]}"}
    recorded = trained(tmp_path, spare * 1_000_000, **asked)
    assert recorded.returncode == 0, recorded.stderr
    assert (recorded.stdout, recorded.stderr) == (alone, "")
    (note,) = Notes(tmp_path).read()
    assert re.fullmatch(
        r"recorder: of \d+\.\d\d GB of address space, as ulimit -v allows, 0\.\d\d GB are left, and recording takes "
        r"0\.5 GB; raise the limit, or lift it with ulimit -v unlimited",
        note.problem,
    )
    assert not (tmp_path / "run.dtui").exists()


def limited(monkeypatch: pytest.MonkeyPatch, spare: int) -> None:
    taken = int(address_space.STATM.read_text().split()[0]) * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (taken + spare, resource.RLIM_INFINITY))


def test_with_room_a_recording_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_address_space()
    limited(monkeypatch, NEEDED + 50_000_000)
    check_address_space()


def test_what_a_process_has_is_not_guessed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limited(monkeypatch, NEEDED // 2)
    with pytest.raises(RecorderError, match=r"allows, 0\.2\d GB are left"):
        check_address_space()
    for place, text in (("none", None), ("empty", ""), ("odd", "many 3 4")):
        if text is not None:
            (tmp_path / place).write_text(text)
        monkeypatch.setattr(address_space, "STATM", tmp_path / place)
        check_address_space()
