"""What was told already, of each run: kept in memory, and in a file where somebody asks for one.

Owns that file. It is bounded; what is wrong with it is told, and it is begun anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from dtui.errors import OutputError
from dtui.output import find_target

VERSION = 1
MOST_KEYS = 32_768
"""Of one run: the oldest are forgotten first."""
MOST_RUNS = 4_096
LARGEST_FILE = 64 << 20
LONGEST_KEY = 500
_OF = "of run "
"""How the key begins by which a run is known from another at the same place."""
_NOT_OURS = "{}: not a file that dtui watch keeps; give another name, or remove it"


class Told:
    """What was told, by run. Not thread-safe."""

    def __init__(self, file: Path | None = None) -> None:
        """Read what an earlier process told.

        Args:
            file: Where it is kept; None for nowhere.

        Raises:
            OutputError: There is something that is no such file, it cannot be read, or nothing can be written there.
        """
        self._file = file
        self._runs: dict[str, dict[str, None]] = {}
        self._is_changed = False
        self.is_new = True
        """Whether nobody has told anything before."""
        if file is not None:
            self._read(file)
            if find_target(file).file is None:
                raise OutputError(_NOT_OURS.format(file))

    def begin(self, run: str, id: str) -> None:
        """Note which run is at a place; what was told of another one there before is forgotten.

        Args:
            run: The place.
            id: Of the run. An earlier dtui did not note it: what it told counts as told of this one.
        """
        keys, mark = self._runs.get(run, {}), f"{_OF}{id}"
        if mark not in keys and any(key.startswith(_OF) for key in keys):
            del self._runs[run]
        self.add(run, mark)

    def knows(self, run: str, key: str) -> bool:
        """Whether something was told of a run."""
        return key[:LONGEST_KEY] in self._runs.get(run, ())

    def add(self, run: str, key: str) -> bool:
        """Note that something is told; return False if it was told before."""
        keys = self._runs.setdefault(run, {})
        if key[:LONGEST_KEY] in keys:
            return False
        keys[key[:LONGEST_KEY]] = None
        while len(keys) > MOST_KEYS:
            del keys[next(iter(keys))]
        while len(self._runs) > MOST_RUNS:
            del self._runs[next(iter(self._runs))]
        self._is_changed = True
        return True

    def forget(self, run: str, key: str) -> None:
        """Take back that something was told, so that it can be told again."""
        if self.knows(run, key):
            del self._runs[run][key[:LONGEST_KEY]]
            self._is_changed = True

    def save(self) -> None:
        """Write the file, if there is one and anything has changed.

        Raises:
            OutputError: It cannot be written.
        """
        if self._file is None or not self._is_changed:
            return
        values = {"dtui_watch": VERSION, "told": {run: list(keys) for run, keys in self._runs.items()}}
        find_target(str(self._file)).write(json.dumps(values).encode() + b"\n")
        self._is_changed = False

    def _read(self, file: Path) -> None:
        wrong = _NOT_OURS.format(file)
        try:
            if not file.exists():
                return
            if not file.is_file() or file.stat().st_size > LARGEST_FILE:
                raise OutputError(wrong)
            values = json.loads(file.read_bytes())
            if values["dtui_watch"] != VERSION:
                raise OutputError(wrong)
            self._runs = {str(run): {str(key): None for key in keys} for run, keys in values["told"].items()}
            self.is_new = False
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"{file}: cannot be read ({error.strerror}); check your right to read it") from error
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise OutputError(wrong) from error
