"""The commands that write or verify files: report, check, compact, synth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dtui.cli.outcome import Outcome


def run_report(options: argparse.Namespace) -> Outcome:
    """Write a report of one or more runs."""
    from dtui.reports.build import write_report

    output = Path(options.output)
    write_report([Path(run) for run in options.runs], output)
    return Outcome(f"{output}: {output.stat().st_size / 1e6:.1f} MB, opens in any browser without a network")


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
