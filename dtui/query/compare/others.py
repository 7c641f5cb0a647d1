"""The other runs that questions about one run are about: listed, opened when needed, and closed with it.

Owns which of them are open, and when a row of the list is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.errors import DtuiError
from dtui.model import RunStatus
from dtui.model.compare import Alignment, Comparison, Measure, RunList, RunRow, RunTold
from dtui.query.compare.listing import located, row_of, run_row, runs_at, runs_beside, told_of
from dtui.query.compare.settings import differences
from dtui.query.run import RunQuery, open_run
from dtui.store.run.footprint import stamp_of
from dtui.store.run.life import meet

MOST_RUNS = 2_000
"""Runs that a list has rows for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What two runs are asked for.

    Attributes:
        other: Path of the second run.
        alignment: How moments are paired.
        measure: What layers are shown by.
    """

    other: str
    alignment: Alignment = Alignment.ITERATION
    measure: Measure = Measure.UPDATES


class Others:
    """The runs beside an open one. Not thread-safe: the thread of that run owns it."""

    def __init__(self, own: RunQuery, places: Sequence[Path] = ()) -> None:
        """Look at nothing yet.

        Args:
            own: The open run.
            places: Runs and folders to list; none for the folder of the run.
        """
        self._own, self._places = own, tuple(places)
        self._path = located(own.path)
        self._paths: tuple[Path, ...] | None = None
        self._rows: dict[Path, RunRow] = {}
        self._stamps: dict[Path, object] = {}
        self._hearts: list[Any] = []
        self._open: tuple[str, RunQuery] | None = None
        self._compared: tuple[Wanted, Comparison] | None = None

    def close(self) -> None:
        """Close the run that is compared with."""
        if self._open is not None:
            self._open[1].close()
        self._open = self._compared = None

    # --- the list
    def names(self) -> tuple[str, ...]:
        """Return the paths of the listed runs. None of them is opened."""
        return tuple(str(path) for path in self._paths or self._find())

    def rows(self, ready: int) -> RunList:
        """Return the list with at least `ready` + 1 rows read, where it has so many; the others are named only."""
        paths = self._listed()
        for path in paths[: ready + 1]:
            if path not in self._rows:
                self._rows[path] = self._read(path)
        rows = tuple(self._rows.get(path, RunRow(str(path), is_read=False)) for path in paths)
        read = [row for row in rows if row.info is not None]
        return RunList(rows, differences([row.settings for row in read]), tuple(row.path for row in read))

    def told(self, path: str, columns: int) -> RunTold:
        """Return what is told of one of them, with its curves over some columns.

        Raises:
            RunNotFoundError, RunFormatError, RunDamagedError: It cannot be opened.
        """
        if Path(path) == self._path:
            return replace(told_of(self._own, columns), path=path)
        with open_run(path) as query:
            return told_of(query, columns)

    def refresh(self) -> bool:
        """Look for runs that came, went or grew; return True if the list or the comparison changed."""
        has_grown = self._refresh_open()
        if self._paths is None:
            return has_grown
        before, self._paths = self._paths, None
        paths = self._listed()
        changed = has_grown or paths != before
        for path in [path for path in self._rows if path not in paths]:
            del self._rows[path]
        for path, row in list(self._rows.items()):
            is_live = row.info is None or row.info.status is RunStatus.LIVE
            if (is_live and path != self._path) or self._stamps.get(path) != stamp_of(path):
                fresh = self._read(path)
                changed = changed or not _is_same(fresh, row)
                self._rows[path] = fresh
        return changed

    def _refresh_open(self) -> bool:
        """Look whether the run that is compared with has changed; one that is gone is closed, and said when asked."""
        if self._open is None:
            return False
        try:
            if not self._open[1].refresh():
                return False
        except (DtuiError, OSError):
            self.close()
        self.forget()
        return True

    def _listed(self) -> tuple[Path, ...]:
        if self._paths is None:
            paths = self._find()
            gone = [path for path in self._rows if path not in paths and not path.exists()]
            self._paths = (*paths, *gone)
            self._hearts = meet(self._paths)  # who is judged alive later must have been seen before
        return self._paths

    def _find(self) -> tuple[Path, ...]:
        try:
            found = runs_at(self._places) if self._places else runs_beside(self._path)
        except DtuiError:
            found = (self._path,)
        return tuple(dict.fromkeys(located(path) for path in found))[:MOST_RUNS]

    def _read(self, path: Path) -> RunRow:
        self._stamps[path] = stamp_of(path)
        if path != self._path:
            return run_row(path)
        try:
            return replace(row_of(self._own), path=str(path))
        except DtuiError as error:
            return RunRow(str(path), str(error))

    # --- one of them
    def comparison(self, wanted: Wanted) -> Comparison:
        """Return the open run beside another one. The other stays open until another is asked for.

        Raises:
            RunNotFoundError, RunFormatError, RunDamagedError: The other run cannot be opened.
        """
        if self._open is None or self._open[0] != wanted.other:
            self.close()
            self._open = (wanted.other, open_run(wanted.other))
        has_changed = self._open[1].refresh()
        if self._compared is None or self._compared[0] != wanted or has_changed:
            found = self._own.compare(self._open[1], wanted.alignment, wanted.measure)
            self._compared = (wanted, found)
        return self._compared[1]

    def forget(self) -> None:
        """Compare anew, and read the row of the open run anew: it has changed."""
        self._compared = None
        self._stamps.pop(self._path, None)


def _is_same(a: RunRow, b: RunRow) -> bool:
    """Whether two rows of a run show the same; the other numbers follow from these."""
    return (a.info, a.error, a.bytes, a.incidents) == (b.info, b.error, b.bytes, b.incidents)
