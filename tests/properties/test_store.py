"""A run against a perfect in-memory twin: append, crash, fail, compact, read, in any order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dtui.errors import UsageError
from dtui.model import Gap, Record, Validation
from dtui.store import RunReader, RunWriter
from dtui.store.compact import worker as compact
from dtui.store.format.schema import Stream
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.dying import shrink_parts
from tests.store.read.test_watches import watch_at
from tests.store.twin import Twin


class RunMachine(RuleBasedStateMachine):
    """One writer, compactors that come and go, and a reader that stays open all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.twin = Twin()
        self.gaps: list[Gap] = []
        self.next = 0
        self.earliest = 0
        self.is_closed = False
        self.has_images = False
        self.patch = pytest.MonkeyPatch()
        shrink_parts(self.patch, 4, 12)

    @initialize()
    def create(self) -> None:
        self.writer = RunWriter(self.folder / "run", STRUCTURE, METADATA, compact=False)
        self.reader = RunReader(self.writer.path)

    @precondition(lambda self: not self.is_closed and not self.has_images)
    @rule()
    def know_the_images(self) -> None:
        self.writer.set_images(IMAGES)
        self.has_images = True

    def teardown(self) -> None:
        self.patch.undo()
        self.reader.close()
        self.writer.close()
        shutil.rmtree(self.folder)

    def make(self) -> Record:
        self.next += 1
        return make_record(self.next)

    def judge(self) -> Validation:
        return make_validation(len(self.twin.validations))

    def watch(self) -> Record:
        """Return the next watch: some come when the records around them were written, as late judgements do."""
        last = self.twin.watches[-1].iteration if self.twin.watches else -1
        return watch_at(max(last + 1, 10 * self.next - 25, self.earliest))

    @property
    def may_go_back(self) -> bool:
        """Whether an iteration that was recorded may be recorded anew."""
        return False

    def begin_to_write(self) -> None:
        """Called before anything is written that counts as recorded."""

    @precondition(lambda self: not self.is_closed)
    @rule(count=st.sampled_from([1, 2, 3, 4, 5, 9]))
    def append_records(self, count: int) -> None:
        self.begin_to_write()
        for _ in range(count):
            record = self.make()
            self.writer.append_record(record)
            self.twin.records.append(record)

    @precondition(lambda self: not self.is_closed and self.has_images)
    @rule(count=st.sampled_from([1, 3, 4]))
    def append_validations(self, count: int) -> None:
        self.begin_to_write()
        for _ in range(count):
            validation = self.judge()
            self.writer.append_validation(validation)
            self.twin.validations.append(validation)

    @precondition(lambda self: not self.is_closed)
    @rule(count=st.sampled_from([1, 4, 7, 13]))
    def append_watches(self, count: int) -> None:
        self.begin_to_write()
        for _ in range(count):
            watch = self.watch()
            self.writer.append_watch(watch)
            self.twin.watches.append(watch)

    @precondition(lambda self: not self.is_closed)
    @rule(
        written=st.integers(0, 2200),
        can_take_back=st.booleans(),
        stream=st.sampled_from([Stream.RECORDS, Stream.WATCHES]),
    )
    def fail_to_append(self, written: int, can_take_back: bool, stream: Stream) -> None:
        """The disk fills in the middle of a frame, and perhaps what was written cannot be cut off again."""
        from dtui.store.write import journal_writer

        def fill_up(descriptor: int, pieces: list[memoryview]) -> None:
            journal_writer.os.write(descriptor, b"".join(pieces)[:written])
            raise OSError(28, "No space left on device")

        def stay(*_: object) -> None:
            raise OSError(5, "Input/output error")

        self.begin_to_write()
        is_watch = stream is Stream.WATCHES
        frame = self.watch() if is_watch else self.make()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(journal_writer, "_write_all", fill_up)
            if not can_take_back:
                patch.setattr(journal_writer.os, "ftruncate", stay)
            with pytest.raises(OSError, match="No space"):
                (self.writer.append_watch if is_watch else self.writer.append_record)(frame)
        gap = Gap(frame.iteration, frame.iteration, str(stream), "disk full")
        self.writer.append_gap(gap)
        self.gaps.append(gap)

    @precondition(lambda self: not self.is_closed)
    @rule()
    def repeat_an_iteration(self) -> None:
        if self.twin.records and not self.may_go_back:
            with pytest.raises(UsageError):
                self.writer.append_record(self.twin.records[-1])

    @rule(finish=st.booleans(), large=st.sampled_from([8, 12, 1024]), sweep=st.booleans())
    def compact(self, finish: bool, large: int, sweep: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compact, "LARGE_PART", large)
            compactor = compact.RunCompactor(self.writer.path)
            assert compactor.compact(finish=finish) is not None
            if sweep:
                compactor.sweep(0.0)
            compactor.close()

    @rule(step=st.sampled_from(["SealedFileBuilder.seal", "ProvenFile._prove", "SealedFileBuilder.publish"]))
    def crash_in_compaction(self, step: str) -> None:
        """The compactor dies: no clean-up of any kind runs, the lock stays."""

        class Died(BaseException):
            pass

        def die(*_: object) -> None:
            raise Died

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"dtui.store.disk.verified_builder.{step}", die)
            patch.setattr(
                "dtui.store.disk.verified_builder.SealedFileBuilder.discard", lambda builder: builder._file.close()
            )
            compactor = compact.RunCompactor(self.writer.path)
            try:
                compactor.compact(finish=self.is_closed)
            except Died:
                pass
            finally:
                compactor.close()

    @rule()
    def sweep(self) -> None:
        compactor = compact.RunCompactor(self.writer.path)
        compactor.sweep(0.0)
        compactor.close()

    @precondition(lambda self: not self.is_closed and len(self.twin.records) > 8)
    @rule()
    def close_the_run(self) -> None:
        self.writer.close()
        self.is_closed = True

    @rule()
    def open_another_reader(self) -> None:
        reader = RunReader(self.writer.path)
        self.twin.assert_read_by(reader)
        reader.close()

    @invariant()
    def the_open_reader_reads_it_all(self) -> None:
        if not hasattr(self, "reader"):
            return
        self.reader.refresh()
        assert self.reader.faults == ()
        assert list(self.reader.gaps) == self.gaps
        self.twin.assert_records(self.reader, slice(None, None, 3))
        self.twin.assert_validations(self.reader, slice(None))


class TestRun(RunMachine.TestCase):
    settings = settings(
        max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
