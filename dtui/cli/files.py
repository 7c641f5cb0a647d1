"""The commands that write or verify files: report, check, compact, pack, synth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dtui.cli.command import Command, add_json, add_run, add_run_and_json, positive
from dtui.cli.outcome import Exit, Outcome
from dtui.cli.shell.ending import clean_end
from dtui.cli.shell.progress import StatusLine, is_watched
from dtui.cli.table import paint, table
from dtui.errors import UsageError
from dtui.number_text import counted
from dtui.output import find_target
from dtui.run_path import with_suffix
from dtui.safe_text import safe

PRESETS = ("paper", "small", "tenfold")


def run_report(options: argparse.Namespace) -> Outcome:
    """Write a report on one or more runs. A chart that cannot be drawn is a remark, not a failure."""
    from dtui.heap import share_one_heap
    from dtui.reports import write_report

    share_one_heap()
    if options.json and find_target(options.output).is_standard_output:
        raise UsageError("report: both the report and --json want standard output; give a file, or leave --json out")
    if options.output.endswith("/"):
        Path(options.output).mkdir(parents=True, exist_ok=True)
    runs = [Path(run) for run in options.runs]
    choices = {"format": options.format, "sections": options.section, "compare": options.compare}
    with clean_end(), StatusLine("report", quiet=options.quiet) as line:
        result = write_report(runs, options.output, **choices, progress=line.say)
    remark = "; ".join(result.problems)
    if options.json:
        from dtui.cli.as_json import report_fields, to_json

        return Outcome(to_json(report_fields(result)), remark=remark)
    if result.is_printed or options.quiet or not is_watched():
        return Outcome(remark=remark)
    paths = "\n".join(safe(str(path), 400) for path in result.paths)
    size = f"{result.bytes / 1e3:,.0f} kB, {result.charts} charts"
    if all(path.suffix == ".html" for path in result.paths):
        size += "; opens in any browser, without a network"
    return Outcome(f"{paths}\n{paint(size, 'dim')}", remark=remark)


def run_check(options: argparse.Namespace) -> Outcome:
    """Verify every file of a run. Damage is a result with its own exit code, not an error."""
    from dtui.store.check.child import check_run_apart

    result = check_run_apart(options.run)
    code = Exit.DONE if result.is_fine else Exit.NOT_FINE
    if options.json:
        from dtui.cli.as_json import to_json

        answer = {"run": result.path, "fine": result.is_fine, "files": result.files, "faults": result.faults}
        return Outcome(to_json(answer), code)
    styles = {"fine": "", "damaged": "bad", "left over": "dim", "unknown": "warn"}
    files = table(
        ["file", "state", "what"],
        [[str(file.path), str(file.state), file.detail] for file in result.files],
        [styles[file.state] for file in result.files],
    )
    verdict = paint("fine", "good") if result.is_fine else paint("not fine", "bad")
    faults = [f"  {safe(fault, 300)}" for fault in result.faults]
    return Outcome("\n".join([files, f"{safe(str(result.path), 400)}: {verdict}", *faults]), code)


def run_compact(options: argparse.Namespace) -> Outcome:
    """Fold the files of a run into parts, where possible."""
    from dtui.query import open_run
    from dtui.store import compact_run

    with open_run(options.run) as query:  # refuses what cannot be read; the child process that folds only says a line
        path = query.path
    result = compact_run(path)
    code = Exit.NOT_JUDGED if result.fault else Exit.DONE
    if options.json:
        from dtui.cli.as_json import to_json

        return Outcome(to_json(result), code, result.fault)
    if not path.is_dir():
        return Outcome(f"{safe(str(path), 400)}: a packed run, nothing to fold")
    if result.is_busy:
        return Outcome(remark=f"{result.path}: another process is compacting it; nothing to do")
    if result.fault:
        return Outcome(code=code, remark=result.fault)
    sizes = f"{result.bytes_before / 1e6:.1f} MB before, {result.bytes_after / 1e6:.1f} MB after"
    done = f"{counted(len(result.published), 'part')} made, {counted(result.removed, 'file')} replaced, {sizes}"
    return Outcome(
        f"{safe(str(result.path), 400)}: {done if result.published or result.removed else 'nothing to fold'}"
    )


def run_pack(options: argparse.Namespace) -> Outcome:
    """Write a run into one file. Missing or damaged data is a result with its own exit code, not an error."""
    from dtui.store import pack_run

    if options.json and find_target(options.output).is_standard_output:
        raise UsageError("pack: both the packed run and --json want standard output; give a file, or leave --json out")
    result = pack_run(options.run, options.output, force=options.force, progress=Progress("pack"))
    code = Exit.NOT_FINE if result.missing else Exit.DONE
    if options.json:
        from dtui.cli.as_json import to_json

        return Outcome(to_json(result), code)
    held = ", ".join(f"{count:,} {stream}" for stream, count in result.frames.items()) or "nothing recorded yet"
    lines = [f"{safe(str(result.path), 400)}: {held}, {result.bytes / 1e6:,.1f} MB"]
    lines += [f"  {paint('missing', 'warn')}  {safe(line, 300)}" for line in result.missing]
    if result.is_printed:
        return Outcome(code=code, remark="; ".join(f"missing: {line}" for line in result.missing))
    return Outcome("\n".join(lines), code)


def run_synth(options: argparse.Namespace) -> Outcome:
    """Write an invented run."""
    from dtui.synth import synthesise

    path = with_suffix(options.output)
    synthesise(path, options.preset, records=options.records, seed=options.seed, progress=Progress("synth"))
    return Outcome(f"{safe(str(path), 400)}: invented, not trained; open it with dtui {safe(str(path), 400)}")


class Progress:
    """A progress line on standard error that overwrites itself; silent if standard error is no terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = -1
        self._visible = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Show the progress, at most once per percent."""
        percent = 100 * done // max(total, 1)
        if self._visible and percent != self._shown:
            self._shown = percent
            print(f"\r{self._what} {percent:3d} %", end="\n" if done >= total else "", file=sys.stderr, flush=True)


# --- arguments
def _pack_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "output", metavar="OUT.h5", help="the file to write, whose name ends in .h5; - for standard output"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_json(parser)


def _synth_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", metavar="OUT", help="the run to write")
    parser.add_argument("--preset", choices=PRESETS, required=True, help="which size")
    parser.add_argument("--records", type=positive, metavar="N", help="number of records (default: the preset's)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default: %(default)s)")


COMMANDS = (
    Command(
        "check",
        "Read every file of a run and say which are fine; exits with 1 on damage.",
        (
            ("dtui check sample_runs/mnist-faults", "one line a file"),
            ("dtui check sample_runs/mnist-faults --json", "the same for a script"),
        ),
        "files",
        add_run_and_json,
    ),
    Command(
        "compact",
        "Fold a run's journal into parts; the recorder does this by itself, this repeats it.",
        (("dtui compact runs/resnet20", "safe at any time"), ("dtui compact runs/resnet20 --json", "for a script")),
        "files",
        add_run_and_json,
    ),
    Command(
        "pack",
        "Write a run into one file, to share or archive; every command reads it. Exits with 1 if something is missing.",
        (
            ("dtui pack sample_runs/mnist-faults mnist.h5", "then dtui mnist.h5 opens it"),
            ("dtui pack sample_runs/mnist-faults mnist.h5 --force --json", "replace it; for a script"),
            ("dtui pack sample_runs/mnist-faults -", "to standard output, to be piped into ssh"),
        ),
        "files",
        _pack_arguments,
    ),
    Command(
        "synth",
        "Write an invented run with planted anomalies, for benchmarks; it says so everywhere.",
        (
            ("dtui synth runs/small --preset small", "in seconds"),
            ("dtui synth runs/paper --preset paper --records 100 --seed 1", "54 layers, 27,560 filters, 50,000 images"),
        ),
        "files",
        _synth_arguments,
    ),
)
