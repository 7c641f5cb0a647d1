"""The commands that write or verify files: report, check, compact, synth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dtui.cli.outcome import Outcome
from dtui.cli.table import paint
from dtui.safe_text import safe


def run_report(options: argparse.Namespace) -> Outcome:
    """Write a report of one or more runs; a chart that could not be drawn is a remark, not a failure."""
    from dtui.reports import write_report

    result = write_report([Path(run) for run in options.runs], Path(options.output), sections=options.section)
    paths = "\n".join(safe(str(path), 400) for path in result.paths)
    size = f"{result.bytes / 1e6:.1f} MB, {result.charts} charts; opens in any browser, without a network"
    return Outcome(f"{paths}\n{paint(size, 'dim')}", remark="; ".join(result.problems))


def run_synth(options: argparse.Namespace) -> Outcome:
    """Write an invented run."""
    from dtui.synth import synthesise

    path = with_suffix(options.output)
    synthesise(path, options.preset, records=options.records, seed=options.seed, progress=Progress("synth"))
    return Outcome(f"{safe(str(path), 400)}: invented, not trained; open it with dtui {safe(str(path), 400)}")


def with_suffix(path: str) -> Path:
    """Return the path of a run, whose suffix may have been left out."""
    return Path(path if path.endswith(".dtui") else f"{path.rstrip('/')}.dtui")


class Progress:
    """A line on standard error that overwrites itself; silent where standard error is no terminal."""

    def __init__(self, what: str) -> None:
        """Start without drawing."""
        self._what = what
        self._shown = -1
        self._visible = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Show how much is done, at most once a percent."""
        percent = 100 * done // max(total, 1)
        if self._visible and percent != self._shown:
            self._shown = percent
            print(f"\r{self._what} {percent:3d} %", end="\n" if done >= total else "", file=sys.stderr, flush=True)
