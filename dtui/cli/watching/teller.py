"""Tells a person of events: prints them, calls the person's command, and asks the training to stop.

Owns how an event is spelled: as a line for people, as plain text, and as JSON.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dtui.errors import DtuiError
from dtui.number_text import counted
from dtui.safe_text import safe

if TYPE_CHECKING:
    from datetime import datetime

    from dtui.query.watching.events import WatchEvent
    from dtui.query.watching.told import Told
    from dtui.query.watching.watcher import Watcher

LONGEST_LINE = 500
_STYLES = {"crash": "bad", "nonfinite": "bad", "stall": "warn", "incident": "warn"}


class Teller:
    """Prints events, calls the person's command, and asks the training to stop."""

    def __init__(self, options: argparse.Namespace) -> None:
        from dtui.cli.shell.progress import StatusLine

        self._options = options
        self._status = StatusLine("watch")
        self.has_fired = False
        self.is_lost = False
        self._hindered: set[str] = set()

    def tell(self, event: WatchEvent) -> None:
        """Tell one event. Whatever fails is a line, and the watch goes on."""
        import json
        from datetime import datetime

        self.has_fired = True
        options, when = self._options, datetime.now().astimezone()
        as_json = json.dumps(event_fields(event, when.isoformat(timespec="seconds")), allow_nan=False)
        self._print(as_json if options.json else line_of(event, when))
        if options.stop and event.kind != "crash":
            self._ask_to_stop(event)
        if options.run_command is not None:
            told = plain_line(event) if options.plain else as_json
            from dtui.cli.watching.calling import call

            fault = call(options.run_command, f"{told}\n", options.timeout)
            if fault:
                self.remark(fault)

    def remark(self, line: str) -> None:
        """Say on standard error what hinders the watch."""
        self._status.clear()
        with suppress(OSError):
            print(f"dtui: {safe(line, LONGEST_LINE)}", file=sys.stderr, flush=True)

    def keep(self, told: Told) -> None:
        """Keep what was told. Where the disk is full, the watch goes on, and the next look tries again."""
        try:
            told.save()
        except DtuiError as error:
            self._hinder(f"--state: {error}")

    def close(self) -> None:
        """Give up what there was no room to print; Python, at its end, would call that a failure."""
        from dtui.output import stop_printing

        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            stop_printing()

    @contextmanager
    def waiting(self, watcher: Watcher) -> Iterator[None]:
        """Say on a terminal what is watched, until the next look."""
        runs = watcher.following
        names = ", ".join(safe(run.path.stem, 40) for run in runs[:3]) + (" …" if len(runs) > 3 else "")
        at = (
            f" at iteration {runs[0].last_iteration:,}" if len(runs) == 1 and runs[0].last_iteration is not None else ""
        )
        self._status.say(f"{counted(len(runs), 'live run')}{f': {names}' if runs else ''}{at}")
        try:
            yield
        finally:
            self._status.clear()

    def _ask_to_stop(self, event: WatchEvent) -> None:
        from dtui.store.run.stop_request import leave_stop_request

        try:
            leave_stop_request(event.path, str(event.kind))
        except DtuiError as error:
            self._hinder(f"--stop: {error}")
        else:
            self.remark(f"{event.path}: asked to stop")

    def _hinder(self, line: str) -> None:
        """Say what hinders the watch, once, though it is tried again and again."""
        self.is_lost = True
        if line not in self._hindered:
            self._hindered.add(line)
            self.remark(line)

    def _print(self, line: str) -> None:
        """Print a line at once; where nobody reads any more, only the command is called from then on."""
        from dtui.output import FULL, stop_printing

        try:
            print(line, flush=True)
        except OSError as error:
            if error.errno in FULL:  # there may be room for the next one
                self.remark(f"standard output: {error.strerror}; not printed there: {line}")
                return
            stop_printing()
            if self._options.run_command is None:
                raise KeyboardInterrupt from None


def line_of(event: WatchEvent, when: datetime) -> str:
    """Return an event as one line for people."""
    from dtui.cli.table import paint

    kind = paint(str(event.kind).ljust(9), _STYLES[event.kind])
    return f"{paint(when.strftime('%H:%M:%S'), 'dim')}  {kind}  {safe(f'{event.run}: {_said(event)}', LONGEST_LINE)}"


def plain_line(event: WatchEvent) -> str:
    """Return an event as one line of visible ASCII; it begins with our name, so that mailers see no order in it."""
    text = safe(f"dtui: {event.run}: {event.kind}, {_said(event)}", LONGEST_LINE)
    return text.encode("ascii", "replace").decode()


def _said(event: WatchEvent) -> str:
    """Return what happened, and what to look at next."""
    return f"{event.sentence}; next: {event.incident.next_step}" if event.incident is not None else event.sentence


def event_fields(event: WatchEvent, when: str) -> dict[str, Any]:
    """Return the JSON object of an event; every text is data from outside."""
    from dtui.cli.as_json import incident_fields, plain

    fields: dict[str, Any] = plain(
        {
            "event": event.kind,
            "run": event.run,
            "path": event.path,
            "status": event.status,
            "iteration": event.iteration,
            "sentence": event.sentence,
            "text": plain_line(event),
            "time": when,
            "details": event.details,
        }
    )
    fields["incident"] = None if event.incident is None else incident_fields(event.incident, event.classes)
    return fields
