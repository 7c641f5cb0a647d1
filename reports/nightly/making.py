"""Makes the report of one run, and puts it into the folder of the night.

Owns the order of writing. A report and its entry are made in a folder of their own, which gets its final name when it
is whole; older ones are removed; last of all the record names it. So a killed night leaves whole reports, and one that
is started again makes the same bytes: a report is compared with the one that the record names.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import shutil
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from dtui.errors import OutputError, ReportError, RunNotBegunError, RunNotFoundError
from dtui.model import Level, RunStatus, TimeAxis, Verdict
from dtui.output import find_target
from dtui.query import RunQuery, open_run
from dtui.query.folders import has_recorded_nothing
from dtui.reports.build import FORMATS, RunSummary, write_report
from dtui.reports.nightly.entry import Entry, Outcome, Record, read_entry, read_record, write_json
from dtui.reports.nightly.places import ENTRY_FILE, RECORD_FILE, REPORT, STAGING_MARK, digest, is_left_over, run_folder
from dtui.reports.nightly.plan import Unit
from dtui.reports.rendering import Renderer
from dtui.reports.sections.registry import NOTHING_READ, NOTHING_YET
from dtui.reports.since import state_file

COLUMNS = 60
"""Of the small curve on the index."""
MOST_INCIDENTS = 2
DIED = "the training ended before its first record: nothing was recorded, and the process that claimed the run is gone"
_COUNT_OF_CHECKS = re.compile(r"[\d,]+ of [\d,]+ checks ran")
_HIDDEN = "Incidents may be hidden"
"""What a remark on damage, or on a detector that failed, begins with."""
_ERRORS = {"validation error": "validation_error", "train error": "train_error"}
_OUTCOMES = {Level.LOOK: Outcome.LOOK, Level.UNSURE: Outcome.UNSURE, Level.FINE: Outcome.FINE}


def make_report(unit: Unit, renderer: Renderer | None = None) -> None:
    """Report one run, unless its newest report says the same already; if that one lacks pictures, it is made again.

    Args:
        unit: Which run, and where its report goes.
        renderer: Draws the charts of one report after the other; None for one of its own.

    Raises:
        DtuiError: The run cannot be read, or the folder of the night cannot be written to.
        OSError: The same, found by the system.
    """
    folder = run_folder(Path(unit.out), unit.run)
    folder.mkdir(parents=True, exist_ok=True)
    before = read_record(folder, unit.run)
    try:
        status = _status_of(unit)
    except RunNotFoundError as error:
        if not os.path.lexists(unit.path):
            raise RunNotFoundError(f"{unit.path}: it was removed or renamed before it could be read") from None
        if not has_recorded_nothing(Path(unit.path)):
            raise
        is_dead = not isinstance(error, RunNotBegunError) and any(Path(unit.path).iterdir())
        record_none(unit, *((Outcome.LOOK, DIED) if is_dead else (Outcome.EMPTY, "nothing has been recorded yet")))
        return
    key = digest(unit.signature, status)
    kept = before.generations if before is not None else ()
    is_same = before is not None and before.key == key
    is_again = before is not None and is_same and bool(kept) and before.lacks_pictures
    if is_again or not is_same or not kept or read_entry(folder / kept[-1] / ENTRY_FILE) is None:
        kept = kept[:-1] if is_again else kept
        kept = (*kept, _generation(unit, folder, key, kept[-1] if kept else "", renderer, is_again=is_again))
    made = read_entry(folder / kept[-1] / ENTRY_FILE)
    lacks = made is not None and made.undrawn > 0
    shown = _show_newest(folder, kept[-1])
    kept = kept[-unit.keep - lacks :]  # what it is compared with is needed once more
    _remove_others(folder, kept, shown)
    write_json(folder / RECORD_FILE, Record(unit.run, unit.signature, key, kept, status=status, lacks_pictures=lacks))


def record_none(unit: Unit, outcome: Outcome, reason: str) -> None:
    """Record that no report of a run could be made; what was reported before stays.

    Raises:
        OSError: The folder of the night cannot be written to.
    """
    folder = run_folder(Path(unit.out), unit.run)
    folder.mkdir(parents=True, exist_ok=True)
    before = read_record(folder, unit.run) or Record(unit.run, "")
    record = replace(before, signature=unit.signature, outcome=str(outcome), reason=reason)
    write_json(folder / RECORD_FILE, record)


def remove_unfinished(unit: Unit, processes: Collection[int]) -> None:
    """Remove what some processes left that were ended while they made a report; what others are at work on stays."""
    for path in run_folder(Path(unit.out), unit.run).glob(f"{STAGING_MARK}*"):
        if path.name.removeprefix(STAGING_MARK).partition("-")[0] not in map(str, processes):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def entry_of(query: RunQuery, said: RunSummary, problems: Sequence[str], report: str) -> Entry:
    """Return the line of an open run on the index, from what its report says.

    Raises:
        ReportError: The run could not be read far enough for a verdict.
    """
    verdict, info = said.verdict, query.info()
    if verdict is None:
        raise ReportError("; ".join(problems) or f"{query.path}: no verdict; try dtui check")
    last, best = verdict.last_error, verdict.best_error
    holds_nothing = not verdict.records and not verdict.validations and verdict.level is not Level.LOOK
    is_lost = holds_nothing and bool(info.findings)  # recorded, and damaged
    is_empty = holds_nothing and not is_lost
    return Entry(
        outcome=Outcome.EMPTY if is_empty else _OUTCOMES[verdict.level],
        headline=NOTHING_YET if is_empty else NOTHING_READ if is_lost else verdict.headline,
        details=() if is_empty else _details(verdict),
        since_title=said.since_title,
        since=said.since,
        status=str(verdict.status),
        invented=info.invented,
        new=verdict.new,
        flagged=verdict.flagged,
        persisting=verdict.persisting,
        error_name=verdict.error_name,
        last_error=None if last is None else last.error,
        best_error=None if best is None else best.error,
        best_at=None if best is None else best.iteration,
        last_iteration=verdict.last_iteration,
        began=verdict.began,
        ended=verdict.ended,
        curve=_curve(query, verdict),
        marks=_marks(query, verdict),
        problems=tuple(problems),
        report=report,
        score=f"{said.facts[0].name} {said.facts[0].value}" if verdict.score is not None and said.facts else "",
    )


def _details(verdict: Verdict) -> tuple[str, ...]:
    """Return what stands below the headline: the worst incidents and what may hide others, else what must be known."""
    remarks = [remark for remark in verdict.remarks if not _COUNT_OF_CHECKS.match(remark)]
    if verdict.level is Level.LOOK:
        is_first = verdict.status in (RunStatus.CRASHED, RunStatus.INCOMPLETE) or not verdict.worst
        remarks = [one for k, one in enumerate(remarks) if (k == 0 and is_first) or one.startswith(_HIDDEN)]
    incidents = verdict.said(MOST_INCIDENTS)[1 : len(verdict.said(MOST_INCIDENTS)) - len(verdict.remarks)]
    return (*incidents, *remarks)


def _status_of(unit: Unit) -> str:
    with open_run(unit.path) as query:
        query.settle()
        return str(query.info().status)


def _generation(unit: Unit, folder: Path, key: str, previous: str, renderer: Renderer | None, *, is_again: bool) -> str:
    """Make a report that is compared with the previous one; return the name of its folder, the same for the same."""
    with open_run(unit.path) as query:
        query.settle()
        last = query.info().last_iteration
    name = f"{last or 0}-{digest(key, previous)}"
    if not is_again and read_entry(folder / name / ENTRY_FILE) is not None:
        return name  # made by a night that was killed before it could say so
    staging = folder / f"{STAGING_MARK}{os.getpid()}-{secrets.token_hex(4)}"
    staging.mkdir()
    try:
        _fill(unit, staging, folder / previous if previous else None, renderer)
        shutil.rmtree(folder / name, ignore_errors=True)  # a damaged one, or one that lacks pictures
        try:
            staging.rename(folder / name)
        except OSError:
            if read_entry(folder / name / ENTRY_FILE) is None:
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return name


def _fill(unit: Unit, staging: Path, previous: Path | None, renderer: Renderer | None) -> None:
    report = staging / f"{REPORT}{FORMATS[unit.format][0]}"
    if previous is not None:
        _take_state(previous, report)
    result = write_report([Path(unit.path)], report, format=unit.format, renderer=renderer)
    with open_run(unit.path) as query:
        query.settle()
        entry = replace(entry_of(query, result.runs[0], result.problems, report.name), undrawn=result.undrawn)
    write_json(staging / ENTRY_FILE, entry)


def _take_state(previous: Path, report: Path) -> None:
    """Copy what the previous report said to beside the new one, which is compared with it."""
    entry = read_entry(previous / ENTRY_FILE)
    if entry is not None:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(state_file(previous / entry.report), state_file(report))


def _axis(query: RunQuery) -> TimeAxis | None:
    """Return the columns of the small curve; None before the first record."""
    first, stop = query.limits()
    return TimeAxis(first, stop, COLUMNS) if query.info().last_iteration is not None else None


def _curve(query: RunQuery, verdict: Verdict) -> tuple[float | None, ...]:
    axis, name = _axis(query), _ERRORS.get(verdict.error_name, "")
    series = None if axis is None else query.curves(axis).series.get(name)
    if series is None:
        return ()
    return tuple(round(float(value), 6) if math.isfinite(value) else None for value in series)


def _marks(query: RunQuery, verdict: Verdict) -> tuple[int, ...]:
    axis = _axis(query)
    columns = {axis.column_of(one.first) for one in verdict.worst} if axis is not None else set()
    return tuple(sorted(column for column in columns if 0 <= column < COLUMNS))


def _show_newest(folder: Path, name: str) -> str:
    """Put the newest report where a bookmark finds it: a second name of the same file, or a copy. Return that name."""
    entry = read_entry(folder / name / ENTRY_FILE)
    if entry is None:
        raise OutputError(f"{folder / name}: the report is damaged; remove the folder and run the night again")
    report, shown = folder / name / entry.report, folder / entry.report
    with contextlib.suppress(OSError):
        if report.samefile(shown):
            return entry.report
    temporary = folder / f"{STAGING_MARK}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        try:
            os.link(report, temporary)
        except OSError:
            find_target(temporary).copy_from(report)
        temporary.replace(shown)
    finally:
        temporary.unlink(missing_ok=True)
    return entry.report


def _remove_others(folder: Path, kept: Sequence[str], shown: str) -> None:
    """Remove reports that are no longer kept, one of another format, and what killed nights left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
        elif is_left_over(path.name) or (path.name.startswith(f"{REPORT}.") and path.name != shown):
            path.unlink(missing_ok=True)
