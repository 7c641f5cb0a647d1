"""Defines every error that dtui raises on purpose.

Owns the one error root. Each message says what was asked, what was found and what to do next. It may quote names from
outside, so code that shows it passes it through `dtui.safe_text` first.
"""

from __future__ import annotations


class DtuiError(Exception):
    """Root of all errors that dtui raises on purpose."""


class UsageError(DtuiError, ValueError):
    """A request that cannot be carried out as asked: an unknown name, a value out of range."""


class NotRecordedError(UsageError):
    """A question about data that dtui can record, but that this run does not hold."""


class MissingExtraError(DtuiError, ImportError):
    """A feature needs a package that this installation lacks."""


class TerminalError(DtuiError, RuntimeError):
    """The terminal cannot show the TUI."""


class RunNotFoundError(DtuiError, FileNotFoundError):
    """Nothing at the given path is a dtui run."""


class RunNotBegunError(RunNotFoundError):
    """A recorder has created the run, but has not recorded anything yet."""


class RunExistsError(DtuiError, FileExistsError):
    """A run is already there, or another process is recording into it."""


class RunFormatError(DtuiError, ValueError):
    """The run's format version is not one that this dtui reads."""


class RunDamagedError(DtuiError, OSError):
    """Files of the run are missing or fail their checksum, or the run cannot be read or written."""


class RunRemovedError(RunDamagedError):
    """The open run is no longer where it was."""


class RunReplacedError(RunDamagedError):
    """Another run is now where the open one was."""


class RecorderError(DtuiError, ValueError):
    """A recorder was set up with arguments that cannot work together."""


class ReportError(DtuiError, RuntimeError):
    """A report could not be made."""


class PackError(DtuiError, RuntimeError):
    """A packed run could not be written."""


class OutputError(DtuiError, OSError):
    """The output of a command cannot be written to the requested place."""
