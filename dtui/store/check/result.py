"""The result types of a check: one for the run and one for each file.

Owns the list of file states.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from dtui.dataclass_on_use import dataclass


class FileState(StrEnum):
    """The state of a file."""

    FINE = "fine"
    DAMAGED = "damaged"
    LEFT_OVER = "left over"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The verdict on one file.

    Attributes:
        path: Relative to the run.
        state: Its state.
        detail: One line: what it holds, or what data its damage loses; data from outside.
    """

    path: Path
    state: FileState
    detail: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The verdict on a run.

    Attributes:
        path: The run.
        files: Every file, by name.
        faults: The messages that a reader of the run gets; data from outside.
    """

    path: Path
    files: tuple[FileCheck, ...]
    faults: tuple[str, ...]

    @property
    def is_fine(self) -> bool:
        """Whether nothing is damaged and nothing is missing."""
        return not self.faults and all(file.state is not FileState.DAMAGED for file in self.files)
