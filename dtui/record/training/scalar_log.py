"""Keeps logged values: the last of each name for the next record, and rarer ones with their own iterations.

Owns two rules. Logging never waits for a device. A value belongs to the last update before it was logged. If a name is
logged at every update, only records keep its values.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor
from torch.optim import Optimizer

from dtui.model import LARGEST
from dtui.record.rates import learning_rate
from dtui.record.training.largest import Largest
from dtui.record.writing.warn import reason_of, warn_once
from dtui.record.writing.writer_thread import Store

MOST_NAMES = 256
"""Names that a record takes."""
MOST_OWN_NAMES = 1_024
"""Names of which values keep iterations of their own."""
FEW = 16
"""Values of one name between two records that keep their own iterations; of a name that has more, records keep one."""


class Logged(NamedTuple):
    """One value that was logged between records; a tensor may still be on a device."""

    iteration: int
    name: str
    value: float | Tensor


class ScalarLog:
    """The last value of each name since the last record, and since the last watch."""

    def __init__(self) -> None:
        self._values: dict[str, float | Tensor] = {}
        self._fresh: dict[str, float | Tensor] = {}
        self._losses, self._rates = Largest(), Largest()
        self.on_loss: Callable[[float | Tensor], None] = _nothing
        """Called with each logged loss."""
        self.own = OwnIterations()

    def add(self, values: Mapping[str, Any], iteration: int = -1) -> None:
        """Keep values; anything but a single number is left out, with one warning per name.

        Args:
            values: Numbers, or tensors of one element.
            iteration: Iteration of the last update, -1 before the first.
        """
        for name, kept in self.put(values).items():
            self.own.add(name, iteration, kept)
            if name == "loss":
                self._losses.add(kept)
                self.on_loss(kept)

    def see_rate(self, optimizer: Optimizer | None) -> None:
        """Note the learning rate of an update."""
        for rate in learning_rate(optimizer).values():
            kept = rate if isinstance(rate, float) else _as_scalar(rate)
            if kept is not None:
                self._rates.add(kept)

    def put(self, values: Mapping[str, Any]) -> dict[str, float | Tensor]:
        """Keep values for the next record only; returns the kept values."""
        taken = {}
        for name, value in values.items():
            kept = _as_scalar(value)
            if kept is None:
                warn_once(f"log {name}", f"log: {name} is not a single number ({type(value).__name__}); it is left out")
            elif name in self._values or len(self._values) < MOST_NAMES:
                taken[name] = self._values[name] = self._fresh[name] = kept
            else:
                warn_once("log names", f"log: {name} is left out; a record takes {MOST_NAMES} names")
        return taken

    def take(self) -> Callable[[], dict[str, float]]:
        """Return a function for another thread that gives the values as numbers, and start again."""
        values, self._values = self._values, {}
        self.own.begin_period()
        found = ((name, one.take()) for name, one in (("loss", self._losses), ("learning_rate", self._rates)))
        largest = {LARGEST[name]: read for name, read in found if read is not None}

        def read_all() -> dict[str, float]:
            numbers = {name: float(value) for name, value in values.items()}
            return numbers | {name: read() for name, read in largest.items() if name not in numbers}

        return read_all

    def fresh(self) -> Callable[[], dict[str, float]]:
        """Return a function that gives the values since the last call; it does not affect `take`."""
        values, self._fresh = self._fresh, {}
        return lambda: {name: float(value) for name, value in values.items()}

    def end(self, iteration: int) -> None:
        """Decide on all logged values, including those that no record took; `iteration` is that of the last update."""
        self.own.end(iteration, list(self._values))


@dataclass(slots=True)
class _Last:
    """The last value of one name.

    Attributes:
        iteration: Iteration of the last update when it was logged.
        value: The logged value.
        is_steady: Whether the name was logged at the update before as well.
        is_open: Whether it is not known yet if the name is logged at every update; the next update decides.
        is_kept: Whether it keeps its own iteration.
        count: Number of values since the last record that could keep their iteration.
        is_frequent: Whether there were too many of them before the last record.
    """

    iteration: int
    value: float | Tensor
    is_steady: bool = False
    is_open: bool = True
    is_kept: bool = False
    count: int = 0
    is_frequent: bool = False


class OwnIterations:
    """Chooses values that are not logged at every update; they keep their own iterations.

    A value is decided at the next update: if the name was not logged again by then, it is not logged at every update.
    """

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}
        self._open: dict[str, _Last] = {}
        self._chosen: list[Logged] = []

    def add(self, name: str, iteration: int, value: float | Tensor) -> None:
        """Add a value; it replaces an earlier value of the name since the same update."""
        last = self._last.get(name)
        if last is None:
            if len(self._last) == MOST_OWN_NAMES:
                warn_once(
                    "own names", f"log: more than {MOST_OWN_NAMES:,} names; of further ones records alone keep values"
                )
                return
            last = self._last[name] = _Last(iteration, value)
        elif iteration != last.iteration:
            is_next = iteration == last.iteration + 1
            if last.is_open and not is_next:
                self._close(name, last)
            last.iteration, last.is_steady, last.is_open, last.is_kept = iteration, is_next, True, False
        last.value = value
        self._open[name] = last

    def passed(self, iteration: int) -> bool:
        """Note an update; True if there are values to `drain`."""
        for name, last in list(self._open.items()) if self._open else ():
            if last.iteration + 1 < iteration:
                self._close(name, last)
        return bool(self._chosen)

    def drain(self) -> Sequence[Logged]:
        """Return the values chosen since the last call, in the order of choice."""
        chosen, self._chosen = self._chosen, []
        return chosen

    def put_back(self, values: Sequence[Logged]) -> None:
        """Take back what `drain` returned."""
        self._chosen = [*values, *self._chosen]

    def begin_period(self) -> None:
        """Note a record: it holds all values logged so far."""
        for last in list(self._last.values()):
            last.is_frequent, last.count = last.count > FEW, 0

    def end(self, iteration: int, left: Iterable[str]) -> None:
        """Decide on all values that are left.

        Args:
            iteration: Of the last update.
            left: Names whose last value is in no record.
        """
        names = set(left)
        for name, last in list(self._open.items()):
            if not (last.is_steady and last.iteration < iteration and name not in names):
                self._close(name, last)
        for name, last in list(self._last.items()):
            if name in names and not last.is_kept:
                self._choose(name, last)
        self._open = {}

    def _close(self, name: str, last: _Last) -> None:
        self._open.pop(name, None)
        last.is_open = False
        last.count += 1
        if last.count <= FEW and not last.is_frequent:
            self._choose(name, last)

    def _choose(self, name: str, last: _Last) -> None:
        last.is_kept = True
        self._chosen.append(Logged(max(last.iteration, 0), name, last.value))


def _nothing(_: float | Tensor) -> None:
    """Do nothing."""


def _as_scalar(value: Any) -> float | Tensor | None:
    """Return a number, or a copy of a tensor on a device; None for anything else."""
    if isinstance(value, Tensor):
        if value.numel() != 1 or value.is_complex():
            return None
        value = value.detach()
        return float(value) if value.device.type == "cpu" else value.clone()
    if isinstance(value, numbers.Real):
        return float(value)
    item = getattr(value, "item", None)
    number = item() if item is not None and getattr(value, "size", 0) == 1 else None
    return float(number) if isinstance(number, numbers.Real) else None


def writing(values: Sequence[Logged]) -> Callable[[Store], None]:
    """Return a function that writes values on the writer's thread, where waiting for a tensor is allowed."""

    def write(store: Store) -> None:
        by_iteration: dict[int, dict[str, float]] = {}
        try:
            for iteration, name, value in values:
                by_iteration.setdefault(iteration, {})[name] = float(value)
            for iteration, found in sorted(by_iteration.items()):
                store.append_logged(iteration, found)
        except Exception as error:  # noqa: BLE001 - records go on, and the training too
            warn_once("write logged", f"what was logged between records is not kept: {reason_of(error)}")

    return write
