"""Defines what a command is, and the arguments that many commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from dtui.errors import UsageError

COLORS = ("auto", "truecolor", "256", "16", "never")
THEMES = ("auto", "dark", "light")
SETTINGS: dict[str, tuple[object, ...]] = {
    "theme": THEMES,
    "color": COLORS,
    "ascii": (True, False),
    "slow_link": (True, False),
    "mouse": (True, False),
    "bell": (True, False),
}
"""What the configuration file may hold: defaults of the options on screen."""
_PYTHON_WORDS = re.compile(r"invalid int value: (.*)", re.DOTALL)
"""What argparse says of an argument that it could not turn into an int."""


class Parser(argparse.ArgumentParser):
    """A parser whose error is one line, like every other error of dtui."""

    def error(self, message: str) -> NoReturn:
        """Raise the error instead of printing it after a long usage text, as argparse does."""
        message = _PYTHON_WORDS.sub(r"\1 is not a whole number", message)
        raise UsageError(f"{message}; see {self.prog} --help")


class Command(NamedTuple):
    """A subcommand.

    Attributes:
        name: What the user types; the function that runs the command is `dtui.cli.<home>.run_<name>`.
        summary: One line for the list of commands.
        examples: Command lines, each with a description.
        home: The module with the function that runs it.
        add_arguments: Declares its arguments on a parser.
    """

    name: str
    summary: str
    examples: tuple[tuple[str, str], ...]
    home: str
    add_arguments: Callable[[argparse.ArgumentParser], None]

    def parser(self, kind: type[Parser] = Parser) -> Parser:
        """Return the parser for this command only."""
        parser = kind(
            prog=f"dtui {self.name}" if self.name else "dtui",
            description=self.summary,
            epilog=_epilog(self.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_arguments(parser)
        return parser


def _epilog(examples: tuple[tuple[str, str], ...]) -> str:
    widest = max(len(line) for line, _ in examples)
    return "examples:\n" + "\n".join(f"  {line.ljust(widest)}   {what}" for line, what in examples)


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare the argument for the run."""
    parser.add_argument("run", metavar="RUN", help="a run; its suffix .dtui may be left out; or a packed run")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare --json."""
    parser.add_argument("--json", action="store_true", help="print JSON for scripts instead of text for people")


def add_run_and_json(parser: argparse.ArgumentParser) -> None:
    """Declare the argument for the run, and --json."""
    add_run(parser)
    add_json(parser)


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """Declare --fail-on."""
    parser.add_argument(
        "--fail-on", type=positive, metavar="N", help="exit with 1 if N or more are found that nobody has dismissed"
    )


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Declare --quiet."""
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_screen(parser: argparse.ArgumentParser) -> None:
    """Declare how the screen looks."""
    group = parser.add_argument_group("on screen")
    group.add_argument("--color", choices=COLORS, default="auto", help="how many colours (default: %(default)s)")
    switch = argparse.BooleanOptionalAction
    group.add_argument("--ascii", action=switch, default=False, help="draw with ASCII only")
    group.add_argument("--theme", choices=THEMES, default="auto", help="background (default: as the terminal says)")
    group.add_argument("--mouse", action=switch, default=True, help="use the mouse, or leave it to the terminal")
    group.add_argument("--bell", action=switch, default=False, help="ring at a new incident of a live run")
    group.add_argument(
        "--slow-link", action=switch, default=False, help="fewer colours, fewer bytes, for a slow connection"
    )


def label_of(run: str, name: str | None, classes: Sequence[str]) -> int | None:
    """Return the label of a class given by name; None if no name was given.

    Raises:
        UsageError: The run has no such class.
    """
    if name is None:
        return None
    if name in classes:
        return classes.index(name)
    shown = ", ".join(classes[:12]) + (f" and {len(classes) - 12:,} more" if len(classes) > 12 else "")
    raise UsageError(f"{run}: no class {name!r}; its classes are {shown or 'not recorded'}")
