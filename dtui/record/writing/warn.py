"""Reports trouble of the recorder: one warning per cause, never an exception. There is no other way.

Owns the promise that each cause is reported once.
"""

from __future__ import annotations

import logging
import os
import re
import select
import sys
import threading
import warnings
from contextlib import suppress

from dtui.errors import DtuiError
from dtui.safe_text import safe

LONGEST_REASON = 600
"""Characters of an exception that a run keeps: some quote all of their data."""

LONGEST_TOLD = 200
"""Characters of an exception within a line that is told."""
_SENTENCE_END = re.compile(r"[.!?](?= +[A-Z])")

PATIENCE_SECONDS = 1.0
"""How long standard error may take to have room for a line, the first time that it has none."""

_told: set[str] = set()
_had_no_room: set[bool] = set()
_in_one_line: set[bool] = set()
_said_otherwise: set[str] = set()
_lock = threading.RLock()
"""A thread that holds it may tell of a network that is collected just then."""


class RecorderWarning(RuntimeWarning):
    """Something was not recorded; training goes on."""


def without_numbers(line: str) -> str:
    """Return a line as a cause of its kind: it is told again where it says something else, and not with other numbers.

    It has 200 characters at most, for it may quote names from outside.
    """
    return "".join(one for one in line[:400] if not one.isdigit())[:200]


def warn_once(cause: str, message: str) -> None:
    """Report trouble as a RecorderWarning, once per cause; as a log line if that raises, for warnings are errors.

    Where standard error takes no line now, the trouble is reported when it comes again.

    Args:
        cause: What went wrong, as a key.
        message: One line; may quote names from outside.
    """
    if cause in _told or not _has_room():
        return
    with _lock:
        if cause in _told:
            return
        _told.add(cause)
    text = f"dtui: {safe(message, 600)}"
    if _in_one_line:
        if cause not in _said_otherwise:
            tell(text)
        return
    try:
        warnings.warn(text, RecorderWarning, stacklevel=3)
    except Exception:  # noqa: BLE001 - warnings are errors, or a function of the script displays them
        logging.getLogger("dtui").warning(text)


def tell_in_one_line(*said_otherwise: str) -> None:
    """Tell all from here on in lines on standard error: the script's filters of warnings know nothing of dtui.

    Args:
        said_otherwise: Causes that the caller tells of in its own words.
    """
    _in_one_line.add(True)
    _said_otherwise.update(said_otherwise)


def tell(text: str) -> None:
    """Write one line to standard error, if there is one that takes it."""
    if not _has_room():
        return
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def tell_once(cause: str, text: str) -> None:
    """Write one line to standard error that tells of no trouble, once per cause."""
    if cause not in _told:
        hush(cause)
        tell(text)


def _has_room() -> bool:
    """Whether standard error takes a line now: a full pipe that nobody reads would hold up the training for ever."""
    poll = select.poll()
    try:
        poll.register(sys.stderr, select.POLLOUT)
        has_room = bool(poll.poll(0 if _had_no_room else PATIENCE_SECONDS * 1000))
    except (OSError, ValueError, TypeError, AttributeError):  # none, or no file: a notebook's
        return True
    if not has_room:
        _had_no_room.add(True)
    return has_room


def hush(cause: str) -> None:
    """Mark a cause as reported: another warning has said more."""
    with _lock:
        _told.add(cause)


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


def forget_told() -> None:
    """Forget all reported causes: a new recorder reports its own trouble."""
    with _lock:
        _told.clear()


def reason_of(error: BaseException) -> str:
    """Return what names an exception within a line of ours: its first sentence, and those behind it that have room.

    Libraries write whole paragraphs; our own lines stay whole. `whole_reason_of` has more of them, for a run to keep.
    """
    whole = whole_reason_of(error)
    if len(whole) <= LONGEST_TOLD or isinstance(error, DtuiError):
        return whole
    ends = [found.end() for found in _SENTENCE_END.finditer(whole) if found.end() <= LONGEST_TOLD]
    return whole[: ends[-1]].removesuffix(".") if ends else f"{whole[: LONGEST_TOLD - 2].rstrip()} …"


def words_of(error: BaseException) -> str:
    """Return what an exception says; its name where it says nothing, as a MemoryError; no number of the system's."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, DtuiError):
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error).strip() or type(error).__name__


def whole_reason_of(error: BaseException) -> str:
    """Return one line of at most LONGEST_REASON characters that names an exception."""
    text = str(error).strip().splitlines()
    return (type(error).__name__ + (f": {text[0]}" if text else ""))[:LONGEST_REASON]
