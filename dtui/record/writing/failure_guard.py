"""Catches every failure of the recorder, and notes what was not recorded because of it.

Owns the list of streams that are switched off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dtui.model import Gap
from dtui.record.writing.warn import reason_of, warn_once
from dtui.record.writing.writer_thread import Sink

RECORDS = "records"
VALIDATIONS = "validations"
WATCHES = "watches"
_LOST = {
    "log": "what is logged is no longer recorded",
    "close": "the end of the run could not be recorded",
}
"""What is said of streams that are no word for several things."""
_STORED = (RECORDS, VALIDATIONS, WATCHES)


class Boundary:
    """Catches every exception of a stream, warns once, switches the stream off and notes the gap."""

    def __init__(self) -> None:
        """Begin with every stream on."""
        self._off: dict[str, int] = {}
        self._reasons: set[str] = set()
        """What failed so far: one cause that ends several streams is told once."""
        self._early: list[Gap] = []
        self.sink: Sink | None = None

    def attach(self, sink: Sink) -> None:
        """Send gaps to a sink, including those noted so far."""
        self.sink = sink
        for gap in self._early:
            sink.miss(gap)
        self._early = []

    @property
    def has_missed_nothing(self) -> bool:
        """Whether nothing has failed, and no gap waits for the run to be created."""
        return not self._off and not self._early

    def is_on(self, stream: str) -> bool:
        """Whether a stream has not failed yet."""
        return stream not in self._off

    @contextmanager
    def guard(self, stream: str, iteration: int) -> Iterator[None]:
        """Guard code of a stream; a failure switches the stream off."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the boundary between the recorder and somebody's training
            reason = reason_of(error)
            if reason not in self._reasons:
                warn_once(
                    stream, f"iteration {iteration}: {_LOST.get(stream, f'{stream} are no longer recorded')}: {reason}"
                )
            self._reasons.add(reason)
            self._off.setdefault(stream, iteration)
            self.miss(stream, iteration, reason)

    def miss(self, stream: str, iteration: int, reason: str, last: int | None = None) -> None:
        """Note that something of a stream was not recorded, from `iteration` to `last`."""
        if stream not in _STORED:
            return
        first = max(iteration, 0)
        gap = Gap(first, max(first, iteration if last is None else last), stream, reason)
        if self.sink is None:
            self._early.append(gap)
        else:
            self.sink.miss(gap)

    def finish(self, iteration: int) -> None:
        """Note how long the streams were off."""
        for stream, first in self._off.items():
            if iteration > first:
                self.miss(stream, first + 1, "switched off after a failure", iteration)
