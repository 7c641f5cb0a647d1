"""Runs a command line: picks the command, prints its outcome, turns every failure into one line and an exit code.

What only a failure needs is imported there: every command waits for an import at the head of this module.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from dtui.cli.command import SETTINGS, Command, Parser
from dtui.cli.on_screen.opening import OPEN
from dtui.cli.outcome import Exit, Outcome
from dtui.cli.shell.config import read_config
from dtui.errors import DtuiError, RunDamagedError, RunFormatError, RunNotFoundError, UsageError
from dtui.output import stop_printing
from dtui.safe_text import safe
from dtui.standard_streams import occupy_closed

LONGEST_LINE = 600


class OpenParser(Parser):
    """The parser of `dtui [PATH]`. Its help lists the commands, which are imported for it."""

    def format_help(self) -> str:
        """Return the help with the list of commands before the examples, and the exit codes."""
        from dtui.cli.parser import EXIT_CODES, command_list

        examples = self.epilog
        self.epilog = f"{command_list()}\n\n{examples}\n\n{EXIT_CODES}"
        try:
            return super().format_help()
        finally:
            self.epilog = examples


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code. The only exception that leaves it is the SystemExit of --help.

    Args:
        arguments: Without the program's name; None takes those of this process.
    """
    occupy_closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  else print takes standard output in its place
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        outcome = _carry_out(words)
    except KeyboardInterrupt:
        return _fail("interrupted", Exit.INTERRUPTED)
    except DtuiError as error:
        return _fail(str(error), exit_code(error))
    except OSError as error:
        return _fail(_describe(error), Exit.NOT_JUDGED)
    except MemoryError as error:
        return _fail(f"not enough memory ({error}); use a machine with more, or ask for less", Exit.NOT_JUDGED)
    except Exception as error:  # noqa: BLE001  the outermost boundary: a person gets one line, the traceback a file
        return _fail(f"{_describe(error)}; this is a bug in dtui, {_keep_traceback()}", Exit.NOT_JUDGED)
    return _print(outcome)


def exit_code(error: DtuiError) -> Exit:
    """Return the exit code that stands for a failure."""
    unreadable = isinstance(error, RunNotFoundError | RunFormatError | RunDamagedError)
    return Exit.UNREADABLE if unreadable else Exit.NOT_JUDGED


def _carry_out(words: list[str]) -> Outcome:
    named = _command_called(words[0]) if words else None
    if named is not None:
        return _call(named, _configured(named.parser()).parse_args(words[1:]))
    options, left_over = _configured(OPEN.parser(OpenParser)).parse_known_args(words)
    if left_over:
        raise UsageError(f"{left_over[0]}: no such option; see dtui --help")
    first = options.paths[0] if options.paths else ""
    if first and os.sep not in first and not _is_there(first) and (near := _nearest(first)):
        raise UsageError(f"{first}: no such run and no such command; did you mean dtui {near}?")
    return _call(OPEN, options)


def _command_called(word: str) -> Command | None:
    """Return the command of a name; an option and a path are none, and then no command is imported."""
    if word.startswith("-") or os.sep in word:
        return None
    from dtui.cli.parser import COMMANDS

    return next((command for command in COMMANDS if command.name == word), None)


def _configured(parser: Parser) -> Parser:
    """Take the user's defaults over, if a command has options on screen; say in one line what is wrong with them."""
    if parser.get_default("theme") is not None:
        config = read_config(SETTINGS)
        parser.set_defaults(**config.values)
        if config.fault:
            _fail(config.fault, Exit.DONE)
    return parser


def _is_there(path: str) -> bool:
    return os.path.lexists(path) or os.path.lexists(f"{path}.dtui")


def _nearest(word: str) -> str | None:
    import difflib

    from dtui.cli.parser import COMMANDS

    close = difflib.get_close_matches(word, [command.name for command in COMMANDS], n=1)
    return close[0] if close else None


def _call(command: Command, options: argparse.Namespace) -> Outcome:
    home = import_module(f"dtui.cli.{command.home}")
    return cast(Outcome, getattr(home, f"run_{command.name or 'open'}")(options))


def _print(outcome: Outcome) -> int:
    """Print an outcome. If the reader closed the pipe, or never opened it, the exit code stays the same."""
    try:
        if outcome.text and sys.stdout is not None:
            print(outcome.text)
            sys.stdout.flush()
    except BrokenPipeError:
        stop_printing()
    except OSError as error:
        stop_printing()
        return _fail(f"standard output: {_describe(error)}", Exit.NOT_JUDGED)
    if outcome.remark:
        return _fail(outcome.remark, outcome.code)
    return int(outcome.code)


def _fail(line: str, code: int) -> int:
    try:
        print(f"dtui: {safe(line, LONGEST_LINE)}", file=sys.stderr, flush=True)
    except OSError:  # the terminal is gone, and nobody reads this
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return int(code)


def _describe(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return "the folder that dtui was started in is no longer there; cd to another"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return f"unexpected {type(error).__name__}: {error}" if str(error) else f"unexpected {type(error).__name__}"


def _is_nowhere() -> bool:
    """Whether the working folder was removed: then no relative path has a meaning."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _keep_traceback() -> str:
    """Write the current traceback to a file and say where."""
    import tempfile
    import traceback

    from dtui.user_cache import user_folder

    places: tuple[Callable[[], str | Path | None], ...] = (
        lambda: user_folder("XDG_STATE_HOME", ".local/state"),
        tempfile.gettempdir,
    )
    for find in places:
        try:
            folder = Path(find() or os.devnull)  # a full disk has no temporary folder, and not everybody a home
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="dtui-traceback-", suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", errors="replace") as file:
                traceback.print_exc(file=file)
        except OSError:
            continue
        return f"its traceback is in {name}"
    return "its traceback could not be written anywhere"
