"""Runs the command that prints a shell's completion of all others."""

from __future__ import annotations

import argparse

from dtui.cli.on_screen.opening import OPEN
from dtui.cli.outcome import Outcome
from dtui.cli.parser import COMMANDS


def run_completion(options: argparse.Namespace) -> Outcome:
    """Print the script that completes dtui in a shell."""
    from dtui.cli.shell.completion import completion_script

    return Outcome(completion_script(options.shell, OPEN, COMMANDS))
