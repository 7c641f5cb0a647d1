"""Rows of a list of runs, and what differs in their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import FloatArray
from dtui.model.compare.differences import Difference
from dtui.model.views import Curves, RunInfo

if TYPE_CHECKING:
    from dtui.model.findings.verdict import Verdict


@dataclass(frozen=True, eq=False, slots=True)
class RunRow:
    """One run in a list of runs.

    Attributes:
        path: Where it is; data from outside.
        error: Why it cannot be read, "" if it can; data from outside.
        is_read: Whether it has been looked at; if not, only its path is known.
        is_claimed: Whether a recorder has claimed it and recorded nothing yet.
        info: One line about it; None if it cannot be read.
        bytes: Of all its files; 0 if that is not known.
        settings: Hyper-parameters and versions by kind and name.
        last: The newest value of each curve.
        sparkline: The error, else the loss, over the run, shape (columns,); empty if there is neither.
        sparkline_of: Name of that curve.
        rate: Iterations a second at the end; NaN where it is not known.
        seconds_left: Until the training ends, if it goes on as now; NaN where it is not known.
        incidents: By status; empty where they are not looked for yet.
    """

    path: str
    error: str = ""
    is_read: bool = True
    is_claimed: bool = False
    info: RunInfo | None = None
    bytes: int = 0
    settings: Mapping[tuple[str, str], str] = field(default_factory=dict)
    last: Mapping[str, float] = field(default_factory=dict)
    sparkline: FloatArray | None = None
    sparkline_of: str = ""
    rate: float = float("nan")
    seconds_left: float = float("nan")
    incidents: Mapping[str, int] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class RunList:
    """Runs in a list, those that are read and those that are only known by name.

    Attributes:
        rows: In the order in which they are listed.
        differences: Settings that are not the same in all runs that could be read.
        compared: The paths of those runs, in the order of the values of a difference.
    """

    rows: tuple[RunRow, ...]
    differences: tuple[Difference, ...]
    compared: tuple[str, ...]

    @property
    def ready(self) -> int:
        """How many rows are read."""
        return sum(row.is_read for row in self.rows)

    def differing(self, path: str) -> tuple[tuple[str, str], ...]:
        """Return name and value of each setting of a run that is not the same in all; data from outside."""
        if path not in self.compared:
            return ()
        place = self.compared.index(path)
        return tuple((one.name, value) for one in self.differences if (value := one.values[place]) is not None)


@dataclass(frozen=True, eq=False, slots=True)
class RunTold:
    """What is told of one run in a list of runs.

    Attributes:
        path: Where it is; data from outside.
        verdict: What a reader must know first.
        curves: Over the whole run; None where nothing was recorded.
    """

    path: str
    verdict: Verdict
    curves: Curves | None
