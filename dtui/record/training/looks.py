"""Joins the looks at gradients, on the training's thread, with what the writer's thread notes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dtui.model import FloatArray, IntArray, Record, Structure
from dtui.record.network.layers import LayerProbe
from dtui.record.network.norm_layers import NormProbe
from dtui.record.training.gradient_look import GradientLook
from dtui.record.training.nonfinite_notes import NonfiniteNotes
from dtui.record.writing.warn import reason_of, warn_once
from dtui.record.writing.writer_thread import Job, Sink, Store


class Looks:
    """The looks of one run."""

    def __init__(self, updates: int) -> None:
        """Begin a run, or go on after some updates."""
        self.gradients = GradientLook()
        self.notes = NonfiniteNotes(updates)
        self._is_spread = False

    def begin(
        self,
        structure: Structure,
        probes: Sequence[LayerProbe],
        norms: Sequence[NormProbe],
        *,
        is_first: bool,
        is_spread: bool,
    ) -> None:
        """Look from now on: the first process, and where weights are spread over processes each at its own part."""
        self._is_spread = is_spread
        self.notes.begin(structure)
        if is_first or is_spread:
            self.gradients.bind(probes, norms)

    def take(self, *, is_changed: bool) -> Callable[[], IntArray | None]:
        """Return a function for the writer's thread that gives what was seen since the last record, None for nothing.

        It is `Seen.as_array`, which a record takes along: so the first process gets it from all others.
        """
        self.gradients.refresh(is_changed=is_changed)
        read = self.gradients.take()
        return lambda: next((one.as_array() for one in (() if read is None else read())), None)

    def note_record(self, store: Store, seen: IntArray | None, record: Record) -> None:
        """Note, on the writer's thread, what was seen before a record, and what the record counted."""
        with _quietly():
            self.notes.saw(store, seen)
            self.notes.saw_record(store, record)

    def note_watch(self, store: Store, iteration: int, counts: FloatArray) -> None:
        """Note, on the writer's thread, what a watch counted; see `NonfiniteNotes.saw_counts`."""
        with _quietly():
            self.notes.saw_counts(store, iteration, counts)

    def tell(self, sink: Sink | None, stream: str, iteration: int, *, is_first: bool) -> None:
        """Queue what was seen; where weights are spread, the next record takes it along."""
        plan, self.gradients.plan = self.gradients.plan, None
        read = None if self._is_spread else self.gradients.take()
        if sink is None or not is_first or (read is None and plan is None):
            return
        notes = self.notes

        def write(store: Store) -> None:
            with _quietly():
                if plan is not None:
                    store.append_nonfinite(plan)
                for seen in () if read is None else read():
                    notes.saw(store, seen.as_array())

        sink.offer(Job(stream, iteration, write), sys.maxsize)


@contextmanager
def _quietly() -> Iterator[None]:
    """Let what fails here cost nothing else: records and watches are kept all the same."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the rest is recorded
        warn_once("nonfinite", f"where NaN or Inf began is not noted: {reason_of(error)}")
