"""Reads and writes run.json and the heartbeat, which say who records a run.

Owns both files.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError
from dtui.model import RunStatus
from dtui.store.disk.atomic_files import open_again, read_small, stamp_of, write_whole
from dtui.store.disk.json_lines import check_of
from dtui.store.format.contents import FORMAT_VERSION, OLDEST_FORMAT, is_known_format
from dtui.store.format.joins import Join
from dtui.store.format.schema import HEARTBEAT_FILE, RUN_FILE

_LARGEST_FILE = 4 << 20
"""Bytes; some 10,000 joins."""
_NO_TIMES = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP)


@dataclass(frozen=True, slots=True)
class Process:
    """The identity of a process, unique over all hosts and all times.

    Attributes:
        pid: Its id.
        host: Host name.
        boot: Id of the host's boot and of the pid namespace, "" where the system has none.
        started: Start time in clock ticks since boot, -1 if unknown.
    """

    pid: int
    host: str
    boot: str
    started: int

    @classmethod
    def this(cls) -> Process:
        """Return the calling process."""
        return cls(os.getpid(), socket.gethostname(), _boot(os.getpid()), _start_ticks(os.getpid()))

    def is_alive(self) -> bool | None:
        """Whether it is alive; None if that cannot be known here, as for another host."""
        if self.host != socket.gethostname() or self.boot != _boot(os.getpid()) or self.pid <= 0:
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            pass
        now = _start_ticks(self.pid)
        return now == self.started if now >= 0 and self.started >= 0 else True


@lru_cache(maxsize=1)  # a viewer asks at every look, and the answer stays as long as this process
def _boot(_: int) -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start_ticks(pid: int) -> int:
    """Return the start time of a process in clock ticks; 0 for a zombie, -1 if it cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return -1


@dataclass(frozen=True, slots=True)
class RunFile:
    """The contents of run.json.

    Attributes:
        format: Format version.
        run: Id of the run, 32 hexadecimal digits.
        writer: The recording process.
        closed: How the run ended, None while it is open.
        reason: One line: why it crashed; or, if it is done, what part of the training was not seen. Data from outside.
        counts: Frames per stream when it was closed, superseded ones included.
        joins: Where a training was resumed, in order of time.
        turn: Number of processes that have recorded the run, this one included; see `dtui.store.run.turns`.
        ended: When it was closed, ISO 8601 with offset; "" while it is open, or if an older dtui closed it. Data from
            outside.
    """

    format: int
    run: str
    writer: Process
    closed: RunStatus | None = None
    reason: str = ""
    counts: Mapping[str, int] | None = None
    joins: tuple[Join, ...] = ()
    turn: int = 1
    ended: str = ""

    def write(self, folder: Path) -> None:
        """Replace the run's run.json.

        Raises:
            OSError: The disk is full or fails; EFBIG: the file would be too large for a reader.
        """
        process = self.writer
        values: dict[str, object] = {
            "format": self.format,
            "run": self.run,
            "writer": {"pid": process.pid, "host": process.host, "boot": process.boot, "started": process.started},
            "closed": None if self.closed is None else str(self.closed),
            "reason": self.reason,
            "counts": None if self.counts is None else dict(self.counts),
        }
        if self.joins:
            values["joins"] = [join.as_json() for join in self.joins]
        if self.turn > 1:
            values["turn"] = self.turn
        if self.ended and self.format > OLDEST_FORMAT:  # format 1 stays what it was
            values["ended"] = self.ended
        data = json.dumps({**values, "check": check_of(values)}, indent=1).encode() + b"\n"
        if len(data) > _LARGEST_FILE:
            reason = f"it was resumed {len(self.joins):,} times, and more is not kept; record into another run"
            raise OSError(errno.EFBIG, reason, str(folder / RUN_FILE))
        write_whole(folder / RUN_FILE, data)

    @classmethod
    def read(cls, folder: Path) -> RunFile:
        """Read a run's run.json.

        Raises:
            FileNotFoundError: There is no run.json.
            RunDamagedError: It is damaged.
            OSError: It cannot be read.
        """
        path = folder / RUN_FILE
        try:
            values = json.loads(read_small(path, _LARGEST_FILE))
            check = values.pop("check")
            if check != check_of(values) and _is_misread(values, check):
                raise ValueError("its format version fails its check")  # no newer dtui wrote it
            if not is_known_format(values["format"]):
                return cls(int(values["format"]), "", Process(0, "", "", -1))
            if check != check_of(values):
                raise ValueError("it fails its check")
            writer = values["writer"]
            process = Process(int(writer["pid"]), str(writer["host"]), str(writer["boot"]), int(writer["started"]))
            closed = None if values["closed"] is None else RunStatus(values["closed"])
            counts = None if values["counts"] is None else {str(k): int(n) for k, n in values["counts"].items()}
            joins, turn = tuple(map(Join.parse, values.get("joins", ()))), max(1, int(values.get("turn", 1)))
            ending = (closed, str(values["reason"]), counts)
            return cls(
                values["format"], str(values["run"]), process, *ending, joins, turn, str(values.get("ended", ""))
            )
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
            raise RunDamagedError(f"{path}: damaged, {error}; status is told without it") from error


def _is_misread(values: Mapping[str, object], check: object) -> bool:
    """Whether a run.json states a wrong format, and was written in another one that this dtui knows."""
    others = range(OLDEST_FORMAT, FORMAT_VERSION + 1)
    return any(check == check_of({**values, "format": other}) for other in others)


class RunFileWatch:
    """Reads run.json again only after it was replaced. If it cannot be read, the last content counts."""

    def __init__(self, folder: Path, run: str) -> None:
        """Prepare for the run with the id `run`."""
        self._folder = folder
        self._run = run
        self._seen: object = None
        self._joins: tuple[Join, ...] = ()

    def joins(self) -> tuple[Join, ...]:
        """Return the joins that are known now."""
        try:
            seen = stamp_of(self._folder / RUN_FILE)
            if seen != self._seen:
                found = RunFile.read(self._folder)
                self._joins = found.joins if found.run == self._run else self._joins
                self._seen = seen
        except OSError:
            pass
        return self._joins


def touch_heartbeat(folder: Path) -> None:
    """Set the heartbeat to now. Where nobody may set the time of a file, writing a byte does.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / HEARTBEAT_FILE
    try:
        os.utime(path, follow_symlinks=False)
    except FileNotFoundError:
        path.touch()
    except OSError as error:
        if error.errno not in _NO_TIMES:
            raise
        descriptor = open_again(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW)
        try:
            os.write(descriptor, b".")
        finally:
            os.close(descriptor)
