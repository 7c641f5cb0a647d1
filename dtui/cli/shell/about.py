"""What dtui tells about its own command line: completion for a shell, the manual page."""

from __future__ import annotations

import argparse

from dtui.cli.outcome import Outcome
from dtui.cli.parser import COMMANDS, EXIT_CODES, OPEN, SETTINGS


def run_completion(options: argparse.Namespace) -> Outcome:
    """Print the script that completes dtui in a shell."""
    from dtui.cli.shell.completion import completion_script

    return Outcome(completion_script(options.shell, OPEN, COMMANDS))


def manual_page() -> Outcome:
    """Print the manual page."""
    from dtui.cli.shell.manual import manual

    return Outcome(manual(OPEN, COMMANDS, EXIT_CODES, SETTINGS))
