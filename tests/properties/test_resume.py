"""A run that dies and is resumed, again and again, against a perfect in-memory twin."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dtui.errors import RunExistsError
from dtui.model import Gap, Record, Validation
from dtui.store import check_run, find_past
from dtui.store.check.folder import FileState
from tests.properties.test_store import RunMachine
from tests.store.read.test_watches import watch_at
from tests.store.resuming import die, half_frame, record_of, resume, validation_of


class ResumeMachine(RunMachine):
    """As a run that is recorded once, and beside it checkpoints from which a training goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.training = 0
        self.joins_at: int | None = None

    @property
    def may_go_back(self) -> bool:
        return self.joins_at is not None

    def make(self) -> Record:
        self.next += 1
        return record_of(self.training, 10 * self.next)

    def judge(self) -> Validation:
        last = self.twin.validations[-1].iteration if self.twin.validations else -1
        return validation_of(self.training, max(last + 20, 10 * self.next))

    def begin_to_write(self) -> None:
        """The first frame or gap after a resume supersedes what is past the checkpoint, and nothing does before."""
        if self.joins_at is not None:
            at, self.joins_at = self.joins_at, None
            self.twin.supersede(at)
            self.gaps = [replace(gap, last=min(gap.last, at - 1)) for gap in self.gaps if gap.first < at]

    def watch(self) -> Record:
        return watch_at(super().watch().iteration, self.training)

    @rule(back=st.integers(-30, 400), torn=st.sampled_from([0.0, 0.01, 0.5]))
    def die_and_resume(self, back: int, torn: float) -> None:
        if not self.is_closed:
            die(self.writer, half_frame(self.writer.path, torn))
        self.is_closed = False
        iteration = max(0, 10 * self.next - back)
        self.writer = resume(self.writer.path, iteration)
        self.training += 1
        self.joins_at = self.earliest = iteration
        self.next = -(-iteration // 10) - 1

    @precondition(lambda self: not self.is_closed)
    @rule()
    def resume_while_it_is_recorded(self) -> None:
        with pytest.raises(RunExistsError):
            find_past(self.writer.path)

    @precondition(lambda self: not self.is_closed)
    @rule()
    def note_a_gap(self) -> None:
        self.begin_to_write()
        first = max(0, 10 * self.next + 1)
        gap = Gap(first, first + 4, "records", "a test")
        self.writer.append_gap(gap)
        self.gaps.append(gap)

    @rule()
    def check_the_run(self) -> None:
        result = check_run(self.writer.path)
        assert result.faults == ()
        assert {file.state for file in result.files} <= {FileState.FINE, FileState.LEFT_OVER}


class TestResume(ResumeMachine.TestCase):
    settings = settings(
        max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
