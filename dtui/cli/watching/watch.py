"""Watches a run or a folder of runs, and tells or calls somebody when something happens: watch."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtui.cli.command import Command, add_json
from dtui.cli.outcome import Exit, Outcome
from dtui.errors import DtuiError, UsageError
from dtui.safe_text import safe

if TYPE_CHECKING:
    from dtui.cli.watching.teller import Teller
    from dtui.query.watching.events import Look, Wanted

KINDS = ("crash", "nonfinite", "stall", "incident")
SEVERITIES = ("any", "strong", "lasting")
POLL_SECONDS, TIMEOUT_SECONDS = 5.0, 60.0
STALL_FACTOR, STALL_SECONDS = 10.0, 60.0


def run_watch(options: argparse.Namespace) -> Outcome:
    """Watch; print and call at every event. Exits with 0 for nothing, 1 for something, 2 where it could not watch."""
    try:
        if options.stop and not (options.on or options.run_command is not None or options.once):
            return _stop_now(options.place)
        from dtui.cli.watching.teller import Teller
        from dtui.query.watching.told import Told
        from dtui.query.watching.watcher import Watcher

        told = Told(Path(options.state) if options.state is not None else None)
        watcher = Watcher(Path(options.place), _wanted(options), told, is_once=options.once)
    except DtuiError as error:
        return Outcome(code=Exit.NOT_JUDGED, remark=str(error))
    teller = Teller(options)
    try:
        with _until_ended():
            while True:
                _tell(watcher.look(), teller)
                teller.keep(told)
                if options.once or watcher.is_over:
                    break
                with teller.waiting(watcher):
                    time.sleep(options.poll)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        watcher.close()
        teller.close()
    return Outcome(code=Exit.NOT_FINE if teller.has_fired else Exit.NOT_JUDGED if teller.is_lost else Exit.DONE)


def _stop_now(place: str) -> Outcome:
    from dtui.query.compare.listing import names_run
    from dtui.store.run.stop_request import leave_stop_request

    if not names_run(Path(place)):
        raise UsageError(f"{place}: a folder; --stop alone stops one training, so give its run")
    folder = leave_stop_request(place)
    return Outcome(f"{safe(str(folder), 400)}: asked to stop; it does where its loop asks recorder.should_stop")


def _wanted(options: argparse.Namespace) -> Wanted:
    from dtui.query.watching.events import EventKind, Severity, Wanted

    kinds = frozenset(EventKind(kind) for kind in options.on or KINDS)
    return Wanted(kinds, Severity(options.severity), options.stall_factor, options.stall_seconds)


def _tell(look: Look, teller: Teller) -> None:
    for event in look.events:
        teller.tell(event)
    for remark in look.remarks:
        teller.remark(remark)
    teller.is_lost = teller.is_lost or bool(look.remarks)


@contextmanager
def _until_ended() -> Iterator[None]:
    """Let SIGTERM end the watch as Ctrl-C does, so that the command of an event does not outlive it."""
    import signal

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before: Any = None
    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parse_kinds(text: str) -> tuple[str, ...]:
    """Return the kinds of events in a list with commas.

    Raises:
        argparse.ArgumentTypeError: It names another kind, or none.
    """
    kinds = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is no event; there are {', '.join(KINDS)}")
    return kinds


def parse_seconds(text: str) -> float:
    """Return a length of time: "90", "90s", "15m" or "2h".

    Raises:
        argparse.ArgumentTypeError: It is none, or out of range.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time; give seconds, or 15m, or 2h")
    return seconds


def parse_factor(text: str) -> float:
    """Return a number above 0.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0 < factor <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return factor


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="PATH", help="a run, or a folder: all its runs, also those that begin later")
    parser.add_argument(
        "--on", type=parse_kinds, metavar="EVENTS", help=f"what to tell: some of {','.join(KINDS)} (default: all)"
    )
    parser.add_argument(
        "--run",
        dest="run_command",
        metavar="CMD",
        help="a command line for the shell, run at each event; it gets the event as JSON on standard input",
    )
    parser.add_argument("--plain", action="store_true", help="give CMD one line of text instead of JSON")
    parser.add_argument(
        "--timeout",
        type=parse_seconds,
        default=TIMEOUT_SECONDS,
        metavar="TIME",
        help=f"how long CMD may take (default: {TIMEOUT_SECONDS:g}s)",
    )
    parser.add_argument("--once", action="store_true", help="look once and exit, also at runs that have ended")
    parser.add_argument(
        "--stop",
        action="store_true",
        help="at an event, ask the training to stop; without --on, --run and --once, ask it now and exit",
    )
    parser.add_argument(
        "--severity",
        choices=SEVERITIES,
        default="any",
        help="which incidents: all that a report counts, those that not only classes tell of, or those that last "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--stall-factor",
        type=parse_factor,
        default=STALL_FACTOR,
        metavar="N",
        help=f"a stall is N times the usual interval between records without anything new (default: {STALL_FACTOR:g})",
    )
    parser.add_argument(
        "--stall-seconds",
        type=parse_seconds,
        default=STALL_SECONDS,
        metavar="TIME",
        help=f"and so long at least: seconds, or 15m, or 2h (default: {STALL_SECONDS:g}s)",
    )
    parser.add_argument(
        "--poll",
        type=parse_seconds,
        default=POLL_SECONDS,
        metavar="TIME",
        help=f"between two looks (default: {POLL_SECONDS:g}s)",
    )
    parser.add_argument(
        "--state", metavar="FILE", help="keep what was told in FILE, so that nothing is told again after a restart"
    )
    add_json(parser)


COMMAND = Command(
    "watch",
    "Watch a run or a folder of runs, and run a command when a training crashes, stalls, or something happens in it.",
    (
        ("dtui watch runs", "print a line at each event, until Ctrl-C"),
        ("dtui watch runs --on crash,nonfinite --run 'mail -s dtui me@example.org' --plain", "send a mail"),
        ("dtui watch runs --run 'curl -d @- ntfy.sh/my-topic' --plain --timeout 20s", "to a phone"),
        ("dtui watch runs/resnet50 --on nonfinite --stop", "ask the training to stop at the first NaN"),
        ("dtui watch runs/resnet50 --stop", "ask it to stop now; its loop asks recorder.should_stop"),
        ("dtui watch runs --once --state told.json --json", "from cron: exits with 1 if there is anything new"),
        ("dtui watch runs --on stall --stall-factor 20 --stall-seconds 15m --poll 30s", "only hangs, and patiently"),
        ("dtui watch runs --on incident --severity strong", "only what not classes alone tell of"),
    ),
    "watching.watch",
    _arguments,
)
