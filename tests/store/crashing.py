"""A writer and a compactor that die at a chosen call, and what must be left of their run; for tests and benchmark.

`python -m tests.store.crashing writer|compactor SMALL LARGE CALL [torn]` lets one of them die so again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dtui.errors import DtuiError
from dtui.store import RunReader, RunWriter, check_run
from dtui.store.check.result import FileState
from dtui.store.run.lock import CompactionLock
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.dying import in_child, seen_at_calls, shrink_parts
from tests.store.folding import fold
from tests.store.remains import remains_of
from tests.store.tally import Tally
from tests.store.twin import Twin

RECORDS = [make_record(n) for n in range(7)]
VALIDATIONS = [make_validation(n) for n in range(5)]
EXPLAINED = {FileState.FINE, FileState.LEFT_OVER}
PART_SIZES = ((1, 2), (2, 4), (3, 6), (2, 100), (32, 1024))


def write_run(path: Path, descriptor: int) -> None:
    """Record a run that fills journals, and acknowledge: c created, i images, r record, v validation, e ended."""
    writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
    os.write(descriptor, b"c")
    writer.set_images(IMAGES)
    os.write(descriptor, b"i")
    for n, record in enumerate(RECORDS):
        writer.append_record(record)
        os.write(descriptor, b"r")
        if n < len(VALIDATIONS):
            writer.append_validation(VALIDATIONS[n])
            os.write(descriptor, b"v")
    writer.close()
    os.write(descriptor, b"e")


def compact_run(path: Path) -> None:
    """Fold twice, first as if the run went on, then the rest, and remove what was replaced."""
    for is_last in (False, True):
        fold(path, finish=is_last)


class Crashes:
    """Deaths at calls of the operating system, with parts of one size, each judged by what it left.

    What a process left decides what the next one reads and does. So remains that are equal, byte for byte, are judged
    once: most calls change nothing that another process could see, such as the closing of a file.

    Attributes:
        calls: Of a writer, how many it makes.
        folds: Of a compactor, how many it makes.
    """

    def __init__(self, folder: Path, small: int, large: int, tally: Tally) -> None:
        """Let a writer and a compactor do all their work, to count their calls.

        Args:
            folder: For all the runs.
            small: Frames that fill a journal.
            large: Frames in a large part.
            tally: Counts the deaths.
        """
        self._folder, self._sizes, self._tally = folder, (small, large), tally
        self._judged: set[object] = set()
        self._good = folder / "good.dtui"
        with self._small_parts():
            # What is imported on the way makes calls, too: once, so that is done before they are counted.
            first = folder / "first.dtui"
            with open(os.devnull, "wb") as unheard:
                write_run(first, unheard.fileno())
            compact_run(first)
            self.calls = in_child(lambda pipe: write_run(self._good, pipe), 0)[1]
            whole = folder / "whole.dtui"
            shutil.copytree(self._good, whole)
            self._folded = seen_at_calls(lambda _: compact_run(whole), lambda _: remains_of(whole))
            self.folds = len(self._folded)
            again = folder / "again.dtui"
            self._written = seen_at_calls(lambda pipe: write_run(again, pipe), lambda name: name.encode())

    @property
    def kinds_of_remains(self) -> int:
        """How many deaths left something else than all before them."""
        return len(self._judged)

    def torn_calls(self) -> list[int]:
        """Return the calls of a writer that write frames, of which half may be on the disk."""
        return [number for number, name in enumerate(self._written, 1) if name == b"writev"]

    def telling_folds(self) -> list[int]:
        """Return the calls of a compactor before which its run is as it was before no call earlier."""
        return [number for number, one in enumerate(self._folded, 1) if self._folded.index(one) == number - 1]

    def crash_writer(self, call: int, *, torn: bool = False) -> None:
        """Let a writer die at a call; what it acknowledged must be there, and compacting must finish the run."""
        with self._death(f"writer {{}} {call}{' torn' * torn}") as path:
            told, count = in_child(lambda pipe: write_run(path, pipe), call, torn=torn)
            self._tally.counts["writer at a call"] += count < 0
            self._judge(path, told, lambda: _judge_writer(path, told))

    def crash_compactor(self, call: int) -> None:
        """Let a compactor die at a call, under a reader that is open all the time; then the next one must finish."""
        with self._death(f"compactor {{}} {call}") as path:
            shutil.copytree(self._good, path)
            reader = RunReader(path)
            count = in_child(lambda _: compact_run(path), call)[1]
            self._tally.counts["compactor at a call"] += count < 0
            self._judge(path, b"", lambda: _judge_compactor(path, reader))
            reader.close()

    @contextlib.contextmanager
    def _death(self, what: str) -> Iterator[Path]:
        path = self._folder / "crashed.dtui"
        again = what.format(" ".join(map(str, self._sizes)))
        with self._small_parts(), self._tally.verdict(f"python -m tests.store.crashing {again}"):
            yield path
        shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _small_parts(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            shrink_parts(patch, *self._sizes)
            patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=4))  # the same bytes for the same deeds
            patch.setattr(
                "dtui.store.write.run_writer._HEARTBEAT_SECONDS", 1e9
            )  # and as many calls, however slow the machine is
            patch.setattr("dtui.store.write.syncing.SYNC_SECONDS", 1e9)
            patch.setattr(CompactionLock, "touch", lambda _: None)
            yield

    def _judge(self, path: Path, told: bytes, judge: Callable[[], None]) -> None:
        remains = (told, remains_of(path))
        if remains not in self._judged:
            judge()
            self._judged.add(remains)


def _judge_writer(path: Path, told: bytes) -> None:
    if b"c" not in told:  # nobody was promised a run: there is none yet, or one line that says what is missing
        with contextlib.suppress(DtuiError):
            RunReader(path).close()
        return
    reader = RunReader(path)
    records, validations = len(reader.record_iterations), len(reader.validation_iterations)
    reader.close()
    assert told.count(b"r") <= records <= told.count(b"r") + 1, told
    assert told.count(b"v") <= validations <= told.count(b"v") + 1, told
    _finish(path, Twin(RECORDS[:records], VALIDATIONS[:validations]))


def _judge_compactor(path: Path, reader: RunReader) -> None:
    twin = Twin(RECORDS, VALIDATIONS)
    reader.refresh()
    twin.assert_read_by(reader)
    states = {file.state for file in check_run(path).files}
    assert states <= EXPLAINED, states
    _finish(path, twin)


def _finish(path: Path, twin: Twin) -> None:
    """Compact what a crash left: everything is still there, and nothing else."""
    compact_run(path)
    reader = RunReader(path)
    twin.assert_read_by(reader)
    reader.close()
    left = [file for file in check_run(path).files if file.state is not FileState.FINE]
    assert all(file.state is FileState.LEFT_OVER and "safe to remove" in file.detail for file in left), left
    assert not any((path / "journal").iterdir())


def main() -> int:
    """Let one process die again as the command line says."""
    kind, small, large, call, *torn = sys.argv[1:]
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        crashes = Crashes(Path(folder), int(small), int(large), tally)
        if kind == "writer":
            crashes.crash_writer(int(call), torn=torn == ["torn"])
        else:
            crashes.crash_compactor(int(call))
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
