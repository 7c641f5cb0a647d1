"""Finds what the terminal can show, and keeps other output away from it.

Owns the choice of colours and glyphs from the environment, and the file that takes the output of libraries.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from dtui.errors import TerminalError, UsageError
from dtui.user_cache import user_folder

COLORS = ("auto", "truecolor", "256", "16", "never")
THEMES = ("auto", "dark", "light")
INSTEAD = "use `dtui report RUN -o OUT.html`, or `dtui info RUN`"
LOG_BYTES = 1_000_000
_WEB_DRIVER = "textual.drivers.web_driver:WebDriver"


def is_served(environment: Mapping[str, str]) -> bool:
    """Whether textual-serve started us, to be shown in a browser: it says so, and reads what we draw from a pipe."""
    return environment.get("TEXTUAL_DRIVER") == _WEB_DRIVER


def require_terminal() -> None:
    """Refuse this process' terminal if it cannot show the TUI. A browser can.

    Raises:
        TerminalError: See `check_terminal`.
    """
    if is_served(os.environ):
        return
    is_tty = sys.__stdin__ is not None and sys.__stdin__.isatty()
    check_terminal(os.environ, is_tty and terminal_stream() is not None)


def terminal_stream() -> TextIO | None:
    """Return where the TUI is drawn: standard error if it is a terminal, else standard output, else None."""
    for stream in (sys.__stderr__, sys.__stdout__):
        if stream is not None and not stream.closed and stream.isatty():
            return stream
    return None


def check_terminal(environment: Mapping[str, str], is_tty: bool) -> None:
    """Refuse a terminal that cannot show the TUI.

    Raises:
        TerminalError: There is none, or it is dumb; says what to use instead.
    """
    if not is_tty:
        raise TerminalError(f"the TUI needs a terminal, but input or output is not one; {INSTEAD}")
    term = environment.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        raise TerminalError(f"the TUI needs a terminal that can move its cursor, but TERM is {term!r}; {INSTEAD}")


def find_mode(color: str, environment: Mapping[str, str]) -> str:
    """Return "truecolor", "256", "16" or "none": as requested, or from the environment.

    Raises:
        UsageError: `color` is none of COLORS.
    """
    if color not in COLORS:
        raise UsageError(f"color {color!r}: not known; give one of {', '.join(COLORS)}")
    if color != "auto":
        return "none" if color == "never" else color
    if environment.get("NO_COLOR"):
        return "none"
    if environment.get("STY") and environment.get("TERM", "").lower().startswith("screen"):
        return "256"  # GNU screen passes COLORTERM on, and makes other colours of the codes that it stands for
    if is_served(environment) or environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    term = environment.get("TERM", "").lower()
    if term.endswith(("-direct", "-truecolor")) or "kitty" in term or "ghostty" in term:
        return "truecolor"
    if "256" in term:
        return "256"
    return "none" if term in ("vt100", "vt102", "vt220") else "16"


def needs_ascii(environment: Mapping[str, str], encoding: str | None) -> bool:
    """Whether the terminal's encoding cannot carry block elements. A browser's can, whatever the server's locale."""
    if is_served(environment):
        return False
    if (encoding or "").lower().replace("-", "").replace("_", "") != "utf8":
        return True
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if not locale:
        return False
    return locale.split("@")[0].split(".")[0] in ("C", "POSIX") and "utf" not in locale.lower()


def log_path() -> Path:
    """Return where logging goes: the user's state folder, else a folder for temporary files."""
    for folder in _log_folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / "tui.log"
            with path.open("a"):
                return path
    return Path(os.devnull)


def _log_folders() -> Iterator[Path]:
    own = user_folder("XDG_STATE_HOME", ".local/state")
    if own is not None:
        yield own
    with suppress(OSError):  # none that has room: on a full disk above all a run has to open
        yield Path(tempfile.gettempdir()) / f"dtui-{os.getuid()}"


@contextmanager
def quiet_terminal(path: Path) -> Iterator[None]:
    """Send logging, warnings and whatever C libraries print on stderr to a file; Textual keeps the terminal.

    Textual writes to `sys.__stderr__`: it gets a copy of the terminal's descriptor, and descriptor 2 becomes the file.
    """
    if path.exists() and path.stat().st_size > LOG_BYTES and path.is_file():
        path.unlink()
    errors = sys.__stderr__
    if errors is None:
        raise TerminalError(f"the TUI needs a terminal, but standard error is closed; {INSTEAD}")
    errors.flush()
    terminal = terminal_stream() or errors
    kept = os.dup(2)
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    before = list(root.handlers)
    stream = os.fdopen(os.dup(terminal.fileno()), "w", encoding=terminal.encoding, errors="replace", buffering=1 << 16)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.dup2(log, 2)
        sys.__stderr__ = stream  # type: ignore[misc]
        root.handlers[:] = [handler]
        logging.captureWarnings(True)
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        handler.close()
        with suppress(OSError, ValueError):
            stream.close()
        sys.__stderr__ = errors  # type: ignore[misc]
        os.dup2(kept, 2)
        os.close(kept)
        os.close(log)
