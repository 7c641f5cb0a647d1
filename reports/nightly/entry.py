"""Defines the line of a run on the index, and the record of its reports; both are kept as JSON.

A file that is damaged, foreign or of a newer dtui reads as none: the run is then reported anew.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from dtui.output import find_target
from dtui.reports.nightly.places import RECORD_FILE

VERSION = 1
_LARGEST_FILE = 256 << 20
_MAY_BE_MISSING = {"lacks_pictures", "undrawn", "score"}
"""Fields that files of an older dtui do not have; they are as by default there."""


class Outcome(StrEnum):
    """What a reader of the index must know first, in the order in which it is sorted."""

    LOOK = "look"
    """Something happened that nobody has dismissed, the training ended early, or a layer does not learn."""
    FAILED = "failed"
    """No report could be made."""
    UNSURE = "unsure"
    """Nothing was found, but not everything could be judged."""
    FINE = "fine"
    """Everything was judged, and nothing was found."""
    EMPTY = "empty"
    """Nothing has been recorded yet."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a report says of a run, in one line. All strings may hold data from outside.

    Attributes:
        outcome: LOOK, UNSURE or FINE, by the verdict; EMPTY before the first record.
        headline: The verdict in one sentence.
        details: The worst incidents and what else must be known, one sentence each.
        since_title: What the report is compared with.
        since: What changed since then, one line each.
        status: Of the run: "live", "done", "incomplete" or "crashed".
        invented: Whether no training made the run.
        new: Incidents that nobody decided on.
        flagged: Incidents that a person flagged.
        persisting: Incidents that still hold at the end.
        error_name: "validation error" or "train error"; "" where no error is known.
        last_error: Share of wrong images, [0, 1]; None where it is not known.
        best_error: The smallest of all.
        best_at: Iteration of the smallest.
        last_iteration: Where the data end; None where nothing was recorded.
        began: When recording began, ISO 8601; "" where it is not known.
        ended: When the run was closed, ISO 8601; "" where it is not known.
        curve: The error over the run in columns of equal width, None for a gap.
        marks: Columns of the curve at which an incident begins that nobody dismissed.
        problems: What of the report could not be made, one line each.
        report: Name of its file.
        undrawn: Pictures of the report that could not be drawn.
        score: The mean score, such as "mean IoU 0.43"; "" in a run that no scores decide.
    """

    outcome: Outcome
    headline: str
    details: tuple[str, ...] = ()
    since_title: str = ""
    since: tuple[str, ...] = ()
    status: str = ""
    invented: bool = False
    new: int = 0
    flagged: int = 0
    persisting: int = 0
    error_name: str = ""
    last_error: float | None = None
    best_error: float | None = None
    best_at: int | None = None
    last_iteration: int | None = None
    began: str = ""
    ended: str = ""
    curve: tuple[float | None, ...] = ()
    marks: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    report: str = ""
    undrawn: int = 0
    score: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of the reports of a run.

    Attributes:
        run: Its path below the folder of runs; data from outside.
        signature: What the run was when it was last looked at; see `plan`.
        key: What it was when the newest report was made, its status too; "" before the first report.
        generations: Names of the reports that are kept, the newest last.
        outcome: FAILED, EMPTY, or LOOK of a training that died before its first record, if the last look made no
            report, else "".
        reason: Why, in one line; data from outside.
        status: Of the run when it was last looked at.
        lacks_pictures: Whether pictures of the newest report could not be drawn, so that the next night tries again.
    """

    run: str
    signature: str
    key: str = ""
    generations: tuple[str, ...] = ()
    outcome: str = ""
    reason: str = ""
    status: str = ""
    lacks_pictures: bool = False


def write_json(path: Path, value: Any) -> None:
    """Write a file of the night: a dataclass, a mapping or a list.

    Raises:
        OutputError: It cannot be written.
    """
    plain = {"version": VERSION, **(asdict(value) if not isinstance(value, dict) else value)}
    find_target(path).write(json.dumps(plain, indent=1, sort_keys=True, allow_nan=False).encode("ascii") + b"\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file of the night; None if there is none, or none that this dtui understands."""
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(_LARGEST_FILE))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get("version") == VERSION else None


def read_record(folder: Path, run: str) -> Record | None:
    """Return the record in the folder of a run; None if there is none of that run."""
    record: Record | None = _filled(Record, read_json(folder / RECORD_FILE))
    if record is None or record.run != run or any(not _is_name(name) for name in record.generations):
        return None
    return record


def read_entry(path: Path) -> Entry | None:
    """Return the entry in a file; None if there is none."""
    entry: Entry | None = _filled(Entry, read_json(path))
    if entry is None or entry.outcome not in tuple(Outcome) or not _is_name(entry.report):
        return None
    if any(not (value is None or math.isfinite(value)) for value in (*entry.curve, entry.last_error, entry.best_error)):
        return None
    return entry


def _is_name(name: str) -> bool:
    """Whether a text can only name something directly in a folder."""
    return "/" not in name and "\0" not in name and name not in ("", ".", "..")


def _filled(kind: Any, values: dict[str, Any] | None) -> Any:
    """Return a dataclass with the values of a JSON object; None where one is missing or of another type."""
    if values is None:
        return None
    kept = {}
    for field in fields(kind):
        value = values.get(field.name, field.default if field.name in _MAY_BE_MISSING else None)
        if isinstance(value, list):
            value = tuple(value)
        if not _fits(value, field.type):
            return None
        kept[field.name] = value
    return kind(**kept)


def _fits(value: object, hint: Any) -> bool:
    kinds: dict[str, tuple[type, ...]] = {"str": (str,), "Outcome": (str,), "int": (int,), "bool": (bool,)}
    if hint.startswith("tuple["):
        inner = hint.removeprefix("tuple[").removesuffix(", ...]")
        return isinstance(value, tuple) and all(_fits(item, inner) for item in value)
    if hint.endswith(" | None"):
        return value is None or _fits(value, hint.removesuffix(" | None"))
    if hint == "float":
        return type(value) in (int, float)
    return type(value) in kinds[hint]
