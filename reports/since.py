"""Remembers what a report said, in a small file beside it, so that the next one can say what changed.

Owns that file. It is data from outside when it is read: whatever is wrong with it is told, and a first report is made.
It holds no time of its own, and it is replaced after the report: who stops in between compares with the same again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtui.model import Incident, Verdict
from dtui.number_text import counted
from dtui.output import OutputTarget
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.sections.registry import View
from dtui.safe_text import safe

NAME, VERSION = "dtui report state", 1
LARGEST = 4 << 20
MOST_LISTED = 3
"""Incidents and decisions that are named; the rest is counted."""
FIRST = "First report of this run"


@dataclass(frozen=True, slots=True)
class Before:
    """What the last report said.

    Attributes:
        runs: What it said about each run, by `key_of`.
        trouble: Why nothing is known of it, one line; "" where there was none, or where it could be read.
    """

    runs: Mapping[str, Mapping[str, Any]]
    trouble: str = ""


def state_file(report: Path) -> Path:
    """Return the file beside a report that remembers what it said."""
    return report.with_name(f".{report.name}.since.json")


def read_state(report: Path) -> Before:
    """Return what the last report in this place said; nothing where there was none or its file is no use."""
    path = state_file(report)
    try:
        data = _read(path)
    except FileNotFoundError:
        return Before({})
    except OSError as error:
        return _useless(path, f"cannot be read: {error.strerror or error}", is_replaced=not path.is_dir())
    try:
        values = json.loads(data)
        found, version = values["what"], values["version"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return _useless(path, "is damaged, or no state of a report")
    if found != NAME or not isinstance(version, int):
        return _useless(path, "is no state of a report")
    if version > VERSION:
        return _useless(path, f"was written by a newer dtui (version {version}, this one reads {VERSION})")
    try:
        if values["check"] != _check(values["runs"]):
            return _useless(path, "is damaged: it fails its check")
        return Before({key_of(*run["run"]): _checked(run) for run in values["runs"]})
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return _useless(path, "is damaged")


def write_state(report: Path, said: Sequence[Mapping[str, Any]]) -> None:
    """Replace the file beside a report; a folder that is there stays.

    Raises:
        OutputError: It cannot be written; the old one is unchanged.
    """
    values = {"what": NAME, "version": VERSION, "runs": list(said), "check": _check(list(said))}
    text = json.dumps(values, indent=1, allow_nan=False) + "\n"
    path = state_file(report)
    if path.is_dir() and not path.is_symlink():
        return  # told when it was read
    OutputTarget(path, path).write(text.encode("ascii"))  # replaces whatever is there; follows no link


def said_of(view: View) -> dict[str, Any]:
    """Return what a report says about a run, as the file keeps it."""
    verdict = view.verdict
    last, best = verdict.last_error, verdict.best_error
    return {
        "run": [_plain(view.info.run), _plain(verdict.began)],
        "records": verdict.records,
        "validations": verdict.validations,
        "last_iteration": verdict.last_iteration,
        "status": str(verdict.status),
        "error": None if last is None else _rounded(last.error),
        "best": None if best is None else _rounded(best.error),
        "dead": verdict.dead,
        "broken": verdict.broken,
        "incidents": {_plain(one.id): [one.status, _plain(one.note)] for one in view.incidents},
    }


def compare(before: Before, view: View) -> tuple[str, tuple[str, ...]]:
    """Return what a run is compared with, and what changed since then, one line each, harmless to show."""
    said = before.runs.get(key_of(_plain(view.info.run), _plain(view.verdict.began)))
    if said is None:
        return FIRST, ()
    at = said["last_iteration"]
    title = "Since the last report" + (f", at iteration {at:,}" if at is not None else ", before anything was recorded")
    verdict = view.verdict
    changes = [
        *_progress(said, verdict),
        *_error(said, verdict),
        *_new(said, view.incidents),
        *_counts(said, verdict),
        *_decisions(said, view.incidents),
    ]
    return title, tuple(safe(change, 300) for change in changes) or ("Nothing changed.",)


def key_of(name: str, began: str) -> str:
    """Return what tells one run from another: its name and when it began."""
    return f"{began} {name}"


def _progress(said: Mapping[str, Any], verdict: Verdict) -> list[str]:
    counts = ((verdict.records, said["records"], "record"), (verdict.validations, said["validations"], "validation"))
    grown = [f"{now - then:+,} {word}{'s' * (abs(now - then) != 1)}" for now, then, word in counts if now != then]
    lines = [", ".join(grown)] if grown else []
    if said["status"] != verdict.status:
        lines.append(f"{said['status']} → {verdict.status}")
    return lines


def _error(said: Mapping[str, Any], verdict: Verdict) -> list[str]:
    lines = []
    known = (("", "error", verdict.last_error), ("best ", "best", verdict.best_error))
    for word, key, now in known:
        then = said[key]
        if now is not None and then is not None and percent(then) != percent(now.error):
            lines.append(f"{word}{verdict.error_name} {percent(then)} → {percent(now.error)}")
    return lines


def _new(said: Mapping[str, Any], incidents: Sequence[Incident]) -> list[str]:
    known = said["incidents"]
    new = [one for one in incidents if _plain(one.id) not in known]
    gone = len(set(known) - {_plain(one.id) for one in incidents})
    lines = [f"new incident at {one.first:,}: {one.sentence}" for one in new[:MOST_LISTED]]
    if len(new) > MOST_LISTED:
        lines.append(f"{len(new) - MOST_LISTED:,} more new incidents")
    if gone:
        lines.append(f"{counted(gone, 'incident')} of the last report no longer found: more records tell more")
    return lines


def _counts(said: Mapping[str, Any], verdict: Verdict) -> list[str]:
    counts = (("dead", verdict.dead), ("broken", verdict.broken))
    return [
        f"{word} filters {said[word]:,} → {now:,}"
        for word, now in counts
        if now is not None and said[word] is not None and said[word] != now
    ]


def _decisions(said: Mapping[str, Any], incidents: Sequence[Incident]) -> list[str]:
    lines = []
    for one in incidents:
        status, note = said["incidents"].get(_plain(one.id), (one.status, _plain(one.note)))
        if status != one.status:
            lines.append(f"{one.status if one.status != 'new' else 'open again'}: the incident at {one.first:,}")
        if note != _plain(one.note) and one.note:
            lines.append(f"note on the incident at {one.first:,}: {one.note}")
    more = len(lines) - 2 * MOST_LISTED
    return lines if more <= 0 else [*lines[: 2 * MOST_LISTED], f"{more:,} more decisions and notes"]


def _read(path: Path) -> bytes:
    """Read a plain file of a sensible size, and wait for nothing.

    Raises:
        OSError: It is none, or cannot be read.
    """
    for is_wrong, what in ((path.is_symlink, "it is a symbolic link"), (path.is_dir, "it is a folder, remove it")):
        if is_wrong():
            raise OSError(0, what)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is no plain file")
        if found.st_size > LARGEST:
            raise OSError(0, f"it has more than {LARGEST:,} bytes")
        return file.read(LARGEST)


def _useless(path: Path, why: str, *, is_replaced: bool = True) -> Before:
    replaced = ", and replaces it" if is_replaced else ""
    return Before({}, f"{path}: {why}; this report compares with nothing{replaced}")


def _checked(run: Any) -> Mapping[str, Any]:
    """Return what was said about a run.

    Raises:
        ValueError: A value cannot be what its name says.
        LookupError: One is missing.
    """
    counts = [run["records"], run["validations"], run["broken"]]
    maybe = [run["last_iteration"], run["dead"]]
    if not all(_is_count(value) for value in counts) or not all(value is None or _is_count(value) for value in maybe):
        raise ValueError("a count that is none")
    for error in (run["error"], run["best"]):
        if error is not None and not (isinstance(error, float | int) and 0 <= error <= 1):
            raise ValueError("an error that is none")
    incidents = {str(id): (str(status), str(note)) for id, (status, note) in run["incidents"].items()}
    return {**run, "status": str(run["status"]), "incidents": incidents}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _check(runs: Any) -> str:
    text = json.dumps(runs, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _plain(text: str) -> str:
    """Return text from outside without lone surrogates, which JSON keeps and others refuse."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
