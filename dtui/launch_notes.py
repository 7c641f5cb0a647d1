"""What `dtui run` and the processes of its command tell each other: one environment variable, and a folder of notes.

Owns the name of that variable and what the notes are called. It imports no torch: the command line needs it, too.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.run_path import SUFFIX

VARIABLE = "DTUI_RUN"
"""Environment variable that holds the settings as JSON. `bootstrap/sitecustomize.py` reads it, too."""

BOOTSTRAP = Path(__file__).parent / "record" / "launch" / "bootstrap"
"""The folder that is put first on PYTHONPATH, so that each Python of the command imports the module in it."""

PYTHON, TORCH, OPTIMIZER, FROZEN = "python", "torch", "optimizer", "frozen"
"""Names of empty files: a Python began, it imported torch's optimizers, it made one, it evaluated a frozen script."""
LEFT_ALONE = "it is left alone"
"""How the line ends that says that a script records itself."""
_TRAINER, _NOTES = "trainer", "notes.jsonl"
_MOST_NOTES = 1_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What `dtui run` asks for.

    Attributes:
        path: Absolute folder of the run.
        shown: The same, as a person would type it where `dtui run` was called.
        every: Iterations from one record to the next; None chooses by the length of an epoch.
        folder: Where notes are left.
        options: Further arguments of the Recorder, by name.
    """

    path: str
    shown: str
    every: int | None
    folder: str
    options: Mapping[str, Any] = field(default_factory=dict)


def read_settings() -> Settings | None:
    """Return the settings that this process was started with; None if there are none, or they cannot be read."""
    with suppress(ValueError, TypeError):
        found = json.loads(os.environ.get(VARIABLE, ""))
        names = [one.name for one in fields(Settings)]
        return Settings(**{name: found[name] for name in names if name in found})
    return None


def shown_path(settings: Settings, path: str) -> str:
    """Return how a person would type the path of a run: the one that was asked for, or a numbered one beside it."""
    shown = settings.shown if path == settings.path else str(Path(settings.shown).with_name(Path(path).name))
    return shown.removesuffix(SUFFIX)


def as_variable(settings: Settings) -> str:
    """Return the text of the environment variable."""
    return json.dumps(asdict(settings))


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that a process of the command told.

    Attributes:
        recorded: Path of a run that was begun, "" for none.
        problem: One line on why nothing, or not all, is recorded, "" for none.
    """

    recorded: str = ""
    problem: str = ""


class Notes:
    """The notes of one `dtui run`. Whoever leaves one never fails: without a place for it, nobody is told."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._lock: int | None = None

    def mark(self, name: str) -> None:
        """Leave an empty file."""
        with suppress(OSError):
            (self._folder / name).touch()

    @property
    def are_gone(self) -> bool:
        """Whether somebody removed them, as cleaners of temporary folders do during a long training."""
        return not self._folder.is_dir()

    def has(self, name: str) -> bool:
        """Whether any process left this file."""
        return (self._folder / name).exists()

    def leave(self, note: Note) -> None:
        """Leave a note; the notes of all processes come one after the other."""
        with suppress(OSError), (self._folder / _NOTES).open("a") as file:
            file.write(json.dumps(asdict(note)) + "\n")

    def read(self) -> list[Note]:
        """Return all notes, in the order in which they were left; what is no note is passed over."""
        found = []
        with suppress(OSError):
            for line in (self._folder / _NOTES).read_text(errors="replace").splitlines()[:_MOST_NOTES]:
                with suppress(ValueError, TypeError):
                    note = Note(**json.loads(line))
                    if isinstance(note.recorded, str) and isinstance(note.problem, str):
                        found.append(note)
        return found

    def claim(self) -> bool:
        """Claim to be the process that trains, until this process ends; False if another one does."""
        if self._lock is not None:
            return True
        try:
            lock = os.open(self._folder / _TRAINER, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True  # no folder, as on another host: nobody to share with
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        except OSError:  # a filesystem without locks, as Lustre often is: better two runs than none
            os.close(lock)
            return True
        self._lock = lock
        return True
