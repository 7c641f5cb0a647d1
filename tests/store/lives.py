"""What processes that are to be killed do with a run, and what a run must hold after they acknowledged some of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from dtui.errors import DtuiError
from dtui.model import Gap, Record, RunStatus, Validation
from dtui.store import RunReader, RunWriter, find_past
from dtui.store.compact.worker import RunCompactor
from tests.store.builders import IMAGES, METADATA, STRUCTURE
from tests.store.read.test_watches import watch_at
from tests.store.resuming import iterations_of, record_of, validation_of
from tests.store.twin import Twin

CREATED, IMAGES_SET, WRITTEN, CLOSED = b"c", b"i", b"w", b"e"
RECORDED_TWICE = frozenset(["loss", "learning_rate", "late [bold]"])
Deed = Record | Validation | Gap
"""What one call of a writer adds; a record whose iteration is no multiple of ten is a watch."""


@dataclass(frozen=True)
class Script:
    """All that one training adds to a run, in order."""

    deeds: tuple[Deed, ...]
    is_closed: bool


@lru_cache(maxsize=4096)
def _record(training: int, iteration: int) -> Record:
    return watch_at(iteration, training) if iteration % 10 else record_of(training, iteration)


@lru_cache(maxsize=4096)
def _validation(training: int, iteration: int) -> Validation:
    return validation_of(training, iteration)


def make_script(training: int, first: int, records: int, *, is_closed: bool) -> Script:
    """Return what a training adds from an iteration on, a multiple of ten: some of every kind."""
    deeds: list[Deed] = []
    for iteration in range(first, first + 10 * records, 10):
        deeds.append(_record(training, iteration))
        if iteration % 20 == 0:
            deeds.append(_validation(training, iteration))
        if iteration % 30 == 0:
            deeds += [_record(training, iteration + step) for step in (1, 2, 7)]
        if iteration % 70 == 0:
            deeds.append(Gap(iteration + 3, iteration + 6, "records", "a test"))
    return Script(tuple(deeds), is_closed)


def perform(writer: RunWriter, script: Script, pipe: int) -> None:
    """Do what a script says, and acknowledge every call after it returned."""
    for deed in script.deeds:
        if isinstance(deed, Gap):
            writer.append_gap(deed)
        elif isinstance(deed, Validation):
            writer.append_validation(deed)
        else:
            (writer.append_watch if deed.iteration % 10 else writer.append_record)(deed)
        os.write(pipe, WRITTEN)
    if script.is_closed:
        writer.close()
        os.write(pipe, CLOSED)


def write_new(path: Path, script: Script, pipe: int) -> None:
    """Create a run and write it."""
    writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
    os.write(pipe, CREATED)
    writer.set_images(IMAGES)
    os.write(pipe, IMAGES_SET)
    perform(writer, script, pipe)


def go_on(path: Path, iteration: int, script: Script, pipe: int) -> None:
    """Resume a run and write on."""
    past = find_past(path)
    assert past is not None
    writer = RunWriter.resume(past, iteration, compact=False)
    os.write(pipe, CREATED)
    if past.images is None:
        writer.set_images(IMAGES)
    perform(writer, script, pipe)


def compact_for_ever(path: Path) -> None:
    """Fold and remove again and again what a living writer fills, as soon as there is a run."""
    while True:
        with contextlib.suppress(DtuiError):
            compactor = RunCompactor(path)
            try:
                compactor.compact(finish=False)
                compactor.sweep(0.0)
            finally:
                compactor.close()


@dataclass
class Held:
    """What a run holds."""

    twin: Twin = field(default_factory=Twin)
    gaps: list[Gap] = field(default_factory=list)

    def after(self, script: Script, count: int, resumed_at: int | None = None) -> Held:
        """Return what it holds after some deeds of a script, which begin with a join where it was resumed."""
        twin = self.twin
        names = set(twin.superseded_names) if resumed_at is None else {*twin.superseded_names, *RECORDED_TWICE}
        held = Held(Twin([*twin.records], [*twin.validations], [*twin.watches], superseded_names=names), [*self.gaps])
        if resumed_at is not None:
            held.twin.supersede(resumed_at)
            kept = [gap for gap in self.gaps if gap.first < resumed_at]
            held.gaps = [replace(gap, last=min(gap.last, resumed_at - 1)) for gap in kept]
        for deed in script.deeds[:count]:
            if isinstance(deed, Gap):
                held.gaps.append(deed)
            elif isinstance(deed, Validation):
                held.twin.validations.append(deed)
            else:
                (held.twin.watches if deed.iteration % 10 else held.twin.records).append(deed)
        return held

    def may_be(self, reader: RunReader) -> bool:
        """Whether a reader reads this many of everything, at these iterations."""
        return (
            reader.record_iterations.tolist() == iterations_of(self.twin.axis)
            and reader.validation_iterations.tolist() == iterations_of(self.twin.validations)
            and list(reader.gaps) == self.gaps
        )

    @property
    def last_iteration(self) -> int:
        """Of the last record or watch, -1 where there is none."""
        return max((record.iteration for record in self.twin.axis), default=-1)


def read_one_of(path: Path, candidates: Sequence[Held], states: Collection[RunStatus] = RunStatus) -> Held:
    """Compare all that can be read with what a run may hold, and how it may stand; returns which it is."""
    reader = RunReader(path)
    try:
        fitting = [held for held in candidates if held.may_be(reader)]
        most = candidates[-1]
        assert fitting, (
            f"records {reader.record_iterations.tolist()}, validations {reader.validation_iterations.tolist()}, "
            f"gaps {reader.gaps}, faults {reader.faults}; at most {iterations_of(most.twin.axis)}, "
            f"{iterations_of(most.twin.validations)}, {most.gaps} of {len(candidates)} candidates"
        )
        assert reader.status() in states, f"{reader.status()}, not {states}"
        for held in fitting[:-1]:  # a resumed training may reach where the one before it ended, with other numbers
            with contextlib.suppress(AssertionError):
                held.twin.assert_read_by(reader)
                return held
        fitting[-1].twin.assert_read_by(reader)
        return fitting[-1]
    finally:
        reader.close()


def tables(count: int) -> list[np.ndarray]:
    """Return tables of findings, each of other numbers."""
    return [np.arange(10 * n, dtype=np.int64).reshape(-1, 2) + 1000 * n for n in range(1, count + 1)]
