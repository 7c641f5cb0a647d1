"""A run that may be read and not written: reading works, and whatever would write is one clear line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.conftest import Recording

NOBODY = 65534
CODE = f"""
import contextlib, io, json, os, sys
import dtui.cli.entry, dtui.query
from dtui.errors import DtuiError
from dtui.store import RunReader
from dtui.store.compact import worker as compact
from pathlib import Path

compact.GRACE_SECONDS = 0.0

def called(call, words):
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.redirect_stderr(text):
        code = call(words)
    return [code, text.getvalue()]

def use(run):
    told = {{word: called(dtui.cli.entry.main, [word, str(run)]) for word in ("info", "anomalies", "check")}}
    try:
        (run / "probe").touch()
    except OSError as error:
        told["probe"] = [type(error).__name__]
    try:
        reader = RunReader(run)
        told["records"] = [len(reader.record_iterations)]
        reader.append_decisions([("a", "flagged", "")])
    except DtuiError as error:
        told["decision"] = [str(error)]
    told["compact"] = called(compact.main, [str(run), "--finish", "--wait"])
    return told

use(Path(sys.argv[2]))  # whatever is imported late may lie where only root reads
if os.getuid() == 0:
    os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
print(json.dumps(use(Path(sys.argv[1]))))
"""


@pytest.fixture
def locked(recording: Recording) -> Iterator[Path]:
    """A run of which nobody may write anything, and that everybody may read."""
    recording.append(40)
    recording.writer.close()
    (recording.path / "parts").rmdir()  # as version control leaves it
    shutil.copytree(recording.path, recording.path.parent / "writable.dtui")
    inside = [recording.path, *recording.path.rglob("*")]
    for place in inside:
        place.chmod(0o555 if place.is_dir() else 0o444)
    for folder in recording.path.parents:
        if folder in (Path(tempfile.gettempdir()), Path.home()):
            break
        folder.chmod(folder.stat().st_mode | 0o011)
    yield recording.path
    for place in inside:
        place.chmod(0o755 if place.is_dir() else 0o644)


def test_a_run_that_may_not_be_written_is_read(locked: Path) -> None:
    """Root may write everywhere: the process gives that up where the tests run as root, and shows that it has."""
    before = {path: path.stat().st_mtime_ns for path in locked.rglob("*")}
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", CODE, str(locked), str(locked.parent / "writable.dtui")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["probe"] == ["PermissionError"], "the directory can be written, so this would prove nothing"
    assert told.get("records") == [40], told
    for command_name in ("info", "anomalies", "check"):
        code, text = told[command_name]
        assert code == 0, text
        assert "Traceback" not in text
    (decision,) = told["decision"]
    assert "the decision could not be written" in decision
    assert "\n" not in decision
    code, text = told["compact"]
    outcome = json.loads(text)
    assert code == 1
    assert outcome["published"] == []
    assert "ermission denied" in outcome["fault"], outcome
    assert "\n" not in outcome["fault"]
    assert {path: path.stat().st_mtime_ns for path in locked.rglob("*")} == before
