"""The part of the Recorder that the training loop calls: `log`, `samples`, `step`, and what it may ask at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from dtui.record.batches.used import UsedSamples
from dtui.record.counting import Counting
from dtui.record.training.distributed import Exchange
from dtui.record.writing.failure_guard import Boundary
from dtui.record.writing.stopping import StopSignal
from dtui.record.writing.warn import warn_once


class LoopCalls:
    """The calls by which a loop logs, counts, and is told to stop."""

    path: Path
    _boundary: Boundary
    _batches: UsedSamples | None
    _counting: Counting
    _exchange: Exchange
    _stop: StopSignal
    _closed: bool
    _is_ended_elsewhere: bool
    _is_orphaned: bool

    def log(self, **values: float | Tensor) -> None:
        """Keep scalars; never waits for a device.

        A value belongs to the last update that was done when it was logged. Of a name that is logged at every update,
        or more than 16 times between two records, the records alone keep one: the last before each.

        Args:
            values: Numbers or tensors of one element, such as loss=loss; "loss" and "error" (a share in [0, 1])
                have their own place on the screens.
        """
        with self._boundary.guard("log", self.iteration):
            if not self._closed:
                self._counting.scalars.add(values, self.iteration)
                self._counting.unseen.logged(self.iteration)
            elif self._is_orphaned:
                self._tell_closed("log")
            elif not self._is_ended_elsewhere:
                warn_once("log closed", f"log: the run is closed; {', '.join(values)} and what follows are not kept")

    def samples(self, ids: Any) -> None:
        """State which samples the next gradients are of, where no DataLoader hands them out; needs `batches`.

        Args:
            ids: Integers, shape (n,); once for each batch, of as many batches as an update adds up.
        """
        with self._boundary.guard("samples", self.iteration):
            if self._batches is not None:
                self._batches.say(ids)
            elif self._exchange.is_first:
                warn_once("samples", "samples: they are not kept; make the recorder with batches=True")

    def step(self) -> None:
        """Count one update, where no optimizer was given: call it after each, before gradients are cleared."""
        self._tell_closed("step")
        if self._counting.updates.state():
            self._counting.count()
        elif self._counting.updates.is_given:
            warn_once("step", "step: the optimizer is hooked and counts its own updates; the call is ignored")

    @property
    def iteration(self) -> int:
        """Iteration of the last update, -1 before the first: the number of updates minus one."""
        return self._counting.iteration

    @property
    def should_stop(self) -> bool:
        """Whether the training should end itself; reading it costs nothing, and it stays True.

        True once the flight recorder saw a non-finite value, or `dtui watch … --stop` left a request in the run; never
        by itself. The recorder stops nothing: the loop asks, saves its checkpoint and breaks. Of several processes each
        gets the same answer at the same iteration, some 10 s later (see `dtui/record/README.md`).
        """
        return self._stop.is_due(self.iteration)

    def _tell_closed(self, what: str) -> None:
        if self._is_orphaned:
            gone = f"the model that {self.path.name} records is gone, and with it the run has ended"
            warn_once(
                "closed", f"{what}: {gone} at iteration {self.iteration}; make a recorder of the model that is trained"
            )
        elif self._closed:
            warn_once("closed", f"{what}: {self.path.name} is closed, and nothing is recorded; make another recorder")
