"""Shows runs in a browser: serve."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from dtui.cli.command import Command
from dtui.cli.outcome import Outcome
from dtui.cli.shell.places import runs_to_open
from dtui.errors import MissingExtraError, UsageError
from dtui.safe_text import safe

PORT, LAST_PORT = 8177, 65_535


def run_serve(options: argparse.Namespace) -> Outcome:
    """Serve the TUI until Ctrl+C; say once what to open."""
    if find_spec("textual_serve") is None:
        raise MissingExtraError("serve: textual-serve is not installed; pip install '.[serve]' in dtui's folder")
    from dtui.query import open_run
    from dtui.tui.serving import serve

    with open_run(runs_to_open(options.paths)[1][0]):
        pass  # what cannot be opened is said here, and not by a page that is empty
    paths = [str(Path(path)) for path in options.paths]
    paths = [path if path.startswith("/") else f"./{path}" for path in paths]
    theme = "light" if options.theme == "light" else "dark"  # no terminal can be asked
    title = safe(" · ".join(["dtui", *(Path(path).stem for path in options.paths[:2])]), 60)
    try:
        serve(paths, title, theme, options.host, options.port, _tell)
    except OSError as error:
        where = f"{safe(options.host)} port {options.port}"
        raise UsageError(f"{where}: cannot listen there ({error.strerror}); give another --port or --host") from error
    return Outcome()


def _tell(address: str) -> None:
    print(f"open {address}", flush=True)
    print("whoever has this address can decide on incidents; Ctrl+C ends it", flush=True)


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a whole number from 1 to {LAST_PORT}")
    return number


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="a run, several, or a folder, as dtui opens them (default: ./runs)"
    )
    parser.add_argument("--host", default="localhost", help="where to listen (default: %(default)s: this machine only)")
    parser.add_argument("--port", type=_port, default=PORT, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark", help="background (default: %(default)s)")


COMMAND = Command(
    "serve",
    "Show runs in a browser, as dtui shows them in a terminal.",
    (
        ("dtui serve runs/resnet20", "print the address to open; it holds a secret"),
        ("dtui serve --port 9000 --theme light", "the runs under ./runs, elsewhere, on light ground"),
        ("dtui serve runs/resnet20 --host 10.0.0.7", "to other machines, too: whoever listens in sees the secret"),
    ),
    "watching.serve",
    _arguments,
)
