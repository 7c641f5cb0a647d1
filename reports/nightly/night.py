"""Runs a night: takes the lease, plans, has the reports made, writes the index.

Owns the order of these, and who may work on the folder of a night at the same time: one whole night or merge, or any
number of different shards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dtui.errors import OutputError
from dtui.output import find_target
from dtui.query.folders import FoundRun, Lease, LeaseHeldError, find_all_runs
from dtui.reports.nightly.entry import Outcome, Record, read_entry, read_json, read_record, write_json
from dtui.reports.nightly.index import Index, Row, as_json, make_index, shown_by
from dtui.reports.nightly.making import record_none, remove_unfinished
from dtui.reports.nightly.page import render_page
from dtui.reports.nightly.places import (
    DONE_FOLDER,
    ENTRY_FILE,
    INDEX_JSON,
    INDEX_PAGE,
    NIGHT_FILE,
    NIGHT_LEASE,
    RECORD_FILE,
    RUNS_FOLDER,
    SHARDS_FOLDER,
    is_left_over,
    link_to,
    run_folder,
)
from dtui.reports.nightly.plan import WHOLE, Shard, Unit, plan
from dtui.reports.nightly.shards import begin_shard, divided, end_shard, forget_shards, missing_shards, set_aside
from dtui.reports.nightly.workers import Limits, Workers
from dtui.run_path import told_path
from dtui.version import __version__

_WITHOUT_REPORT = (Outcome.EMPTY, Outcome.LOOK)
"""What a look that made no report may say, but that it failed."""
MOST_WATCHED = 64
"""Leases of other hosts that are watched at once."""
Engine = Callable[[Sequence[Unit]], Iterator[tuple[Unit, str]]]
"""Makes reports; yields each unit when it is done, with "" or, in one line, why there is no report."""
Progress = Callable[[int, int, str], None]
"""Called with the number of runs done, of how many, and the name of the last one (data from outside)."""


@dataclass(frozen=True, slots=True)
class NightSettings:
    """How the reports of a night are made.

    Attributes:
        format: Of the reports.
        keep: Reports of a run that are kept, >= 1.
        jobs: Reports that are made at once, >= 1.
        limits: For each report.
    """

    format: str = "html"
    keep: int = 7
    jobs: int = field(default_factory=lambda: min(4, len(os.sched_getaffinity(0))))
    limits: Limits = field(default_factory=Limits)


def run_night(
    folder: Path,
    out: Path,
    settings: NightSettings,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Index:
    """Report every run of a folder that has changed, and write the index.

    Args:
        folder: Of the runs.
        out: Folder of the night; it is made where it is missing.
        settings: How.
        engine: Makes the reports; None for worker processes here.
        progress: Told of each run that is done.

    Raises:
        RunNotFoundError: There is no such folder of runs.
        OutputError: `out` cannot be written to, belongs to another folder of runs, or another process works there.
    """
    found = find_all_runs(folder)
    with _whole_night(folder, out) as lease:
        _report(found, out, settings, WHOLE, engine or _here(settings), lease, progress)
        return _write_index(folder, found, out, lease)


def run_shard(
    folder: Path,
    out: Path,
    shard: Shard,
    settings: NightSettings,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
    is_alone: bool = True,
) -> int:
    """Report those runs of a shard that have changed; return how many. A merge writes the index afterwards.

    Args:
        folder: Of the runs.
        out: Folder of the night; it is made where it is missing.
        shard: Which runs.
        settings: How.
        engine: Makes the reports; None for worker processes here.
        progress: Told of each run that is done.
        is_alone: Whether nobody waits for it: then a whole night that is at work is a reason not to begin.

    Raises:
        RunNotFoundError: There is no such folder of runs.
        OutputError: `out` cannot be written to, belongs to another folder of runs, or another process works there.
    """
    found = find_all_runs(folder)
    _claim(folder, out)
    with ExitStack() as stack:
        (out / SHARDS_FOLDER).mkdir(exist_ok=True)
        if is_alone and (holder := Lease(out, NIGHT_LEASE).watched_holder()):
            raise LeaseHeldError(f"{out}: {holder} is at work there; wait for it")
        lease = stack.enter_context(Lease(out / SHARDS_FOLDER, f"{shard.number}-of-{shard.of}.lease"))
        begin_shard(out, shard)
        made = _report(found, out, settings, shard, engine or _here(settings), lease, progress)
        end_shard(out, shard, sum(shard.has(run.name) for run in found))
        return made


def merge_shards(folder: Path, out: Path) -> Index:
    """Write the index of a night that was made in shards, and say which are missing.

    Raises:
        RunNotFoundError: There is no such folder of runs.
        UsageError: No shard is done, or there are shards of several divisions.
        OutputError: `out` cannot be written to, belongs to another folder of runs, or another process works there.
    """
    found = find_all_runs(folder)
    with _whole_night(folder, out) as lease:
        missing = missing_shards(out)
        index = _write_index(folder, found, out, lease, missing)
        if not missing:
            set_aside(out)
        return index


def run_divided(
    folder: Path,
    out: Path,
    settings: NightSettings,
    work: Callable[[Sequence[Shard]], None],
    *,
    runs_a_shard: int,
    most: int,
) -> Index:
    """Have a whole night made in shards by somebody else, and write the index.

    Args:
        folder: Of the runs.
        out: Folder of the night; it is made where it is missing.
        settings: How.
        work: Has `run_shard` called for each shard, wherever, and returns when all have ended.
        runs_a_shard: Runs with news in one shard, about.
        most: Most shards.

    Raises:
        RunNotFoundError: There is no such folder of runs.
        OutputError: `out` cannot be written to, belongs to another folder of runs, or another process works there.
    """
    found = find_all_runs(folder)
    with _whole_night(folder, out) as lease:
        units = _plan(found, out, settings, WHOLE)
        shards = divided(len(units), runs_a_shard, most)
        missing: Sequence[Shard] = ()
        if shards:
            forget_shards(out)
            work(shards)
            missing = missing_shards(out, shards[0].of)
        index = _write_index(folder, find_all_runs(folder), out, lease, missing)
        if not missing:
            set_aside(out)
        return index


def _plan(found: Sequence[FoundRun], out: Path, settings: NightSettings, shard: Shard) -> tuple[Unit, ...]:
    records = {run.name: record for run in found if (record := read_record(run_folder(out, run.name), run.name))}
    return plan(
        [FoundRun(run.name, told_path(run.path), run.fingerprint) for run in found],
        records,
        out=str(told_path(out)),
        format=settings.format,
        keep=settings.keep,
        version=__version__,
        shard=shard,
    )


def _here(settings: NightSettings) -> Engine:
    """Return the engine of worker processes on this host."""

    def work(units: Sequence[Unit]) -> Iterator[tuple[Unit, str]]:
        workers = Workers(settings.jobs, settings.limits)
        try:
            with workers:
                yield from workers.run(units)
        finally:  # one of them was ended, or this night is
            for unit in units:
                remove_unfinished(unit, workers.started)

    return work


def _report(
    found: Sequence[FoundRun],
    out: Path,
    settings: NightSettings,
    shard: Shard,
    engine: Engine,
    lease: Lease,
    progress: Progress | None,
) -> int:
    units = _plan(found, out, settings, shard)
    if progress is not None and units:
        progress(0, len(units), "")
    for done, (unit, reason) in enumerate(engine(units), 1):
        lease.require()
        if reason:
            record_none(unit, Outcome.FAILED, reason)
        if progress is not None:
            progress(done, len(units), unit.run)
    return len(units)


def _write_index(
    folder: Path, found: Sequence[FoundRun], out: Path, lease: Lease, missing: Sequence[Shard] = ()
) -> Index:
    """Write the page, then the JSON: the next night, or this one if it is killed between, compares with the JSON."""
    records = {run.name: read_record(run_folder(out, run.name), run.name) for run in found}
    rows = [_row(out, run.name, records[run.name]) for run in found]
    gone = [_row(out, record.run, record) for record in _other_records(out, records)]
    shown = shown_by(read_json(out / INDEX_JSON))
    index = make_index(folder.resolve().name or "runs", rows, gone, shown, missing)
    lease.require()
    find_target(out / INDEX_PAGE).write(render_page(index).encode("utf-8"))
    write_json(out / INDEX_JSON, as_json(index))
    return index


def _row(out: Path, run: str, record: Record | None) -> Row:
    if record is None:
        return Row(run, Outcome.FAILED, "no shard has reported it")
    folder = run_folder(out, run)
    kept = [(name, read_entry(folder / name / ENTRY_FILE)) for name in reversed(record.generations)]
    links = [link_to(folder / name / entry.report, out) for name, entry in kept if entry is not None]
    entry = next((entry for _, entry in kept if entry is not None), None)
    if record.outcome or entry is None:
        outcome = Outcome(record.outcome) if record.outcome in _WITHOUT_REPORT else Outcome.FAILED
        reason = record.reason or "its report is damaged; run the night again"
    else:
        outcome, reason = entry.outcome, ""
    return Row(run, Outcome(outcome), reason, entry, links[0] if links else "", tuple(links[1:]))


def _other_records(out: Path, known: Mapping[str, object]) -> Iterator[Record]:
    """Yield the records of runs that are no longer there."""
    folder = out / RUNS_FOLDER
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = (read_json(place / RECORD_FILE) or {}).get("run")
        if isinstance(name, str) and name not in known and run_folder(out, name) == place:
            record = read_record(place, name)
            if record is not None and record.generations:
                yield record


@contextmanager
def _whole_night(folder: Path, out: Path) -> Iterator[Lease]:
    """Hold the lease on the whole folder of a night."""
    _claim(folder, out)
    with Lease(out, NIGHT_LEASE) as lease:
        leases = sorted((out / SHARDS_FOLDER).glob("*.lease"))
        with ThreadPoolExecutor(MOST_WATCHED) as watchers:  # each is watched for a while, so all at once
            holders = list(watchers.map(lambda path: Lease(path.parent, path.name).watched_holder(), leases))
        for path, holder in zip(leases, holders, strict=True):
            if holder:
                raise LeaseHeldError(f"{out}: {holder} works on shard {path.stem}; wait for it")
        _remove_left_overs(out)
        yield lease


def _remove_left_overs(out: Path) -> None:
    """Remove what killed nights left beside what they wrote; nobody else is at work."""
    for folder in (out, out / SHARDS_FOLDER, out / SHARDS_FOLDER / DONE_FOLDER):
        for path in folder.iterdir() if folder.is_dir() else ():
            is_dead_lease = folder != out and path.suffix == ".lease"
            if path.is_file() and (is_left_over(path.name) or is_dead_lease):
                path.unlink(missing_ok=True)


def _claim(folder: Path, out: Path) -> None:
    """Make the folder of a night and note whose it is; refuse one that holds anything else."""
    whose = os.fspath(folder.resolve())
    try:
        out.mkdir(parents=True, exist_ok=True)
        names = [name for name in os.listdir(out) if not name.startswith(".")]
    except OSError as error:
        raise OutputError(f"{out}: cannot be made ({error.strerror or error}); choose another place") from error
    if names and NIGHT_FILE not in names:
        raise OutputError(f"{out}: holds other files and no reports of a night; give a new or an empty folder")
    known = read_json(out / NIGHT_FILE) if names else None
    if names and known is None:
        raise OutputError(f"{out / NIGHT_FILE}: damaged, or of a newer dtui; upgrade dtui, or give another folder")
    if known is None:
        write_json(out / NIGHT_FILE, {"folder": whose})
    elif known.get("folder") != whose:
        raise OutputError(
            f"{out}: holds the nights of {known.get('folder')}, not of {whose}; give another folder, "
            f"or remove {NIGHT_FILE} there if the runs were moved"
        )
