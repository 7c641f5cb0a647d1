"""The command that reports a whole folder of runs: nightly."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dtui.cli.command import Command, add_json, add_quiet, positive
from dtui.cli.outcome import Exit, Outcome
from dtui.cli.shell.ending import clean_end
from dtui.cli.shell.progress import StatusLine, is_watched
from dtui.errors import UsageError
from dtui.number_text import counted
from dtui.output import STANDARD_OUTPUT
from dtui.run_path import SUFFIX, told_path
from dtui.safe_text import safe

if TYPE_CHECKING:
    from dtui.reports.nightly.index import Index, Row
    from dtui.reports.nightly.night import NightSettings
    from dtui.reports.nightly.plan import Shard

MOST_ROWS = 40
"""That are printed; the index has all."""
SCHEDULES = ("cron", "systemd", "sbatch")
_STYLES = {"look": "warn", "failed": "bad", "empty": "dim"}
_WORDS = {"look": "look", "failed": "failed", "unsure": "in part", "fine": "fine", "empty": "empty"}
_UNITS = {"": 20, "K": 10, "M": 20, "G": 30}
"""Powers of two that a unit of memory stands for; a bare number means MiB."""


def run_nightly(options: argparse.Namespace) -> Outcome:
    """Report the runs that have changed, and print what needs a person; nothing where all is fine and nobody looks."""
    from dtui.reports.nightly.night import merge_shards, run_night

    folder, out = _places(options)
    if options.print:
        from dtui.reports.nightly.schedule import schedule

        return Outcome(schedule(options.print, folder, out, _given(options), options.memory_limit))
    settings = _settings(options)
    if options.merge:
        return _told(merge_shards(folder, out), out, options)
    shard = _shard(options)
    with clean_end(), StatusLine("nightly", quiet=options.quiet) as line:
        if shard is not None:
            return _shard_done(folder, out, shard, settings, line, options)
        if options.slurm:
            from dtui.reports.nightly.slurm_array import run_on_slurm

            return _told(run_on_slurm(folder, out, settings, line.count), out, options)
        engine = None
        if options.scheduler is not None:
            from dtui.reports.nightly.dask_cluster import dask_engine

            engine = dask_engine(options.scheduler, settings.limits)
        return _told(run_night(folder, out, settings, engine=engine, progress=line.count), out, options)


def _places(options: argparse.Namespace) -> tuple[Path, Path]:
    """Return the folder of the runs and that of the night.

    Raises:
        UsageError: One of them is none.
    """
    folder = Path(options.folder)
    if folder.name.endswith(SUFFIX):
        raise UsageError(f"{folder}: a run; give the folder that it is in, or use dtui report")
    if options.output in ("", STANDARD_OUTPUT):
        raise UsageError(f"-o {options.output or repr('')}: a night writes many files; give a folder")
    return folder, Path(options.output)


def parse_memory(text: str) -> int:
    """Return the bytes that "2G", "800M" or "800" (MiB) stand for.

    Raises:
        argparse.ArgumentTypeError: It is no such text, or less than 64 MiB.
    """
    found = re.fullmatch(r"([0-9]{1,9})([KMG]?)(i?B)?", text, re.IGNORECASE)
    size = int(found[1]) << _UNITS[found[2].upper()] if found else 0
    if size < 64 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size of at least 64M, such as 2G or 800M")
    return size


def _given(options: argparse.Namespace) -> list[str]:
    """Return the options on how reports are made, and what is printed, that differ from their defaults, as words."""
    usual = COMMAND.parser().parse_args(["DIR", "-o", "OUT"])
    names = ("format", "keep", "jobs", "time_limit", "memory_limit")
    changed = [name for name in names if getattr(options, name) != getattr(usual, name)]
    values = {name: str(getattr(options, name)) for name in changed}
    if "memory_limit" in values:
        values["memory_limit"] = f"{options.memory_limit >> 20}M"
    switches = [f"--{name}" for name in ("quiet", "json") if getattr(options, name)]
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", value)] + switches


def _settings(options: argparse.Namespace) -> NightSettings:
    from dtui.reports.nightly.night import NightSettings
    from dtui.reports.nightly.workers import Limits

    limits = Limits(options.time_limit, options.memory_limit)
    jobs = {} if options.jobs is None else {"jobs": options.jobs}
    if options.slurm and not jobs:
        jobs = {"jobs": 16}
    return NightSettings(format=options.format, keep=options.keep, limits=limits, **jobs)


def _shard(options: argparse.Namespace) -> Shard | None:
    """Return the shard that was asked for, or that this task of a SLURM array is; None for the whole night."""
    from dtui.reports.nightly.shards import parse_shard, shard_of_array

    if options.shard is not None:
        return parse_shard(options.shard)
    return None if options.slurm or options.scheduler is not None else shard_of_array(os.environ)


def _shard_done(
    folder: Path, out: Path, shard: Shard, settings: NightSettings, line: StatusLine, options: argparse.Namespace
) -> Outcome:
    from dtui.cli.as_json import to_json
    from dtui.reports.nightly.night import run_shard

    looked = run_shard(folder, out, shard, settings, progress=line.count)
    if options.json:
        return Outcome(to_json({"shard": str(shard), "runs": looked}))
    if options.quiet or not is_watched():
        return Outcome()
    what = f"{counted(looked, 'run')} looked at"
    return Outcome(f"shard {shard}: {what}; when all shards are done, run it with --merge for the index")


def _told(index: Index, out: Path, options: argparse.Namespace) -> Outcome:
    from dtui.cli.as_json import to_json
    from dtui.reports.nightly.index import as_json, summary
    from dtui.reports.nightly.places import INDEX_PAGE

    code, remark = Exit(index.exit_code), _remark(index, Path(options.folder), out)
    if options.json:
        return Outcome(to_json({"index": out / INDEX_PAGE, **as_json(index)}), code, remark)
    if options.quiet or (code is Exit.DONE and not is_watched()):
        return Outcome(code=code, remark=remark)
    lines = [_rows(index), summary(index), safe(str(out / INDEX_PAGE), 400)]
    return Outcome("\n".join(line for line in lines if line), code, remark)


def _remark(index: Index, folder: Path, out: Path) -> str:
    """Return one line on what could not be judged at all; "" for nothing."""
    if index.missing:
        shown = ", ".join(f"{number}/{index.shards}" for number in index.missing[:MOST_ROWS])
        more = f" and {len(index.missing) - MOST_ROWS:,} more" if len(index.missing) > MOST_ROWS else ""
        return f"{out}: shards {shown}{more} have not done their part; run them again, then merge again"
    failed = [row for row in index.rows if row.outcome == "failed"]
    if not index.rows:
        where = told_path(folder)
        if index.gone:
            return (
                f"{where}: no run (NAME.dtui or NAME.h5) here or below; {len(index.gone):,} reported before, now gone"
            )
        return f"{where}: no run (NAME.dtui or NAME.h5) here or below; record one, or give the folder that holds them"
    more = f" (and {len(failed) - 1:,} more)" if len(failed) > 1 else ""
    return f"{failed[0].run}: no report, {failed[0].reason}{more}" if failed else ""


def _rows(index: Index) -> str:
    """Return the runs that need a person, and the others too if somebody looks, as a table."""
    from dtui.cli.table import paint, table

    shown = [row for row in index.rows if is_watched() or row.outcome in ("look", "failed")]
    if not shown:
        return ""
    left = len(shown) - MOST_ROWS
    cells = [
        [_WORDS[row.outcome], row.run.removesuffix(".dtui"), "new" if row.is_new else "", _error(row), _said(row)]
        for row in shown[:MOST_ROWS]
    ]
    styles = [_STYLES.get(row.outcome, "") for row in shown[:MOST_ROWS]]
    told = table(["", "run", "report", ">error", "verdict"], cells, styles)
    return f"{told}\n{paint(f'{left:,} more on the index', 'dim')}" if left > 0 else told


def _error(row: Row) -> str:
    return "" if row.entry is None or row.entry.last_error is None else f"{100 * row.entry.last_error:.1f} %"


def _said(row: Row) -> str:
    return row.reason or (row.entry.headline if row.entry is not None else "")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="a folder of runs")
    parser.add_argument(
        "-o", "--output", metavar="OUT", required=True, help="folder for the reports and the index; made if missing"
    )
    _add_limits(parser)
    how = parser.add_argument_group("where it runs (default: in processes here)").add_mutually_exclusive_group()
    how.add_argument("--shard", metavar="I/N", help="only the I-th of N parts; in a SLURM array, by itself")
    how.add_argument("--merge", action="store_true", help="write the index and exit code of shards that are done")
    how.add_argument("--slurm", action="store_true", help="submit one array of jobs, wait for it, and merge")
    how.add_argument("--scheduler", metavar="ADDRESS", help="hand the reports to a Dask scheduler")
    how.add_argument("--print", choices=SCHEDULES, help="print what runs this command every night; run nothing")
    add_quiet(parser)
    add_json(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Declare how many reports are made at once, and what one may take."""
    parser.add_argument(
        "--format", choices=("html", "text", "markdown"), default="html", help="of the reports (default: html)"
    )
    parser.add_argument(
        "--keep", type=positive, default=7, metavar="N", help="reports of a run that are kept (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="reports made at once (default: the cores, at most 4; --slurm: 16)"
    )
    parser.add_argument(
        "--time-limit", type=positive, default=600, metavar="S", help="seconds for one report (default: %(default)s)"
    )
    parser.add_argument(
        "--memory-limit", type=parse_memory, default="2G", metavar="SIZE", help="for one report (default: %(default)s)"
    )


COMMAND = Command(
    "nightly",
    "Report every run of a folder that changed, and write one page that says which need a person.",
    (
        ("dtui nightly runs -o night", "then open night/index.html"),
        ("dtui nightly runs --output night --quiet", "nothing but errors; see the exit code"),
        ("dtui nightly runs -o night --json", "the index for a script"),
        ("dtui nightly runs -o night --format text --keep 30 --jobs 8", "plain text, a month of it, eight at once"),
        ("dtui nightly runs -o night --time-limit 60 --memory-limit 800M", "for each report; each is tried twice"),
        ("dtui nightly runs -o night --shard 3/8", "one of eight parts, on whatever host"),
        ("dtui nightly runs -o night --merge", "index and exit code, after all parts"),
        ("dtui nightly runs -o night --slurm", "as one SLURM array; pip install '.[slurm]'"),
        ("dtui nightly runs -o night --scheduler tcp://host:8786", "on a Dask cluster; pip install '.[dask]'"),
        ("dtui nightly runs -o night --print systemd", "a timer for every night; also cron, sbatch"),
    ),
    "reporting.nightly",
    _arguments,
)
