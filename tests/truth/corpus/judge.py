"""Judges what was found in a run against the truth about it: pure functions of plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.truth.corpus.found import Found

WINDOW = 10
"""Records after the last iteration of a fault within which an incident may begin and be its."""

RECOVERY = 4
"""Records more that are not quiet either: what begins there is counted as an incident, and neither right nor false."""

SILENT = 15
"""First records of a run, where no detector speaks yet: not quiet; an incident there is false all the same."""


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A fault as truth.json has it; see `faults.Fault`."""

    kind: str
    begin: int
    end: int
    layers: tuple[str, ...]
    classes: tuple[int, ...]
    causes: tuple[str, ...]
    visible: bool


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known about a run.

    Attributes:
        seed: Its seed.
        block: "tuning" or "judging".
        classes: Number of classes.
        rendered: Whether its pictures are rendered.
        every: Iterations from one record to the next.
        iterations: Updates done.
        faults: Those that were reached, in order.
        not_reached: Kinds of those that were not, for the training was ruined before.
        corpus: Checksum of the files that made it.
    """

    seed: int
    block: str
    classes: int
    rendered: bool
    every: int
    iterations: int
    faults: tuple[KnownFault, ...] = ()
    not_reached: tuple[str, ...] = ()
    corpus: str = ""


def read_truth(path: Path) -> Truth:
    """Read a truth.json."""
    told = json.loads(path.read_text())
    return Truth(
        told["seed"],
        told["block"],
        told["classes"],
        told["rendered"],
        told["every"],
        told["iterations"],
        tuple(
            KnownFault(
                each["kind"],
                each["begin"],
                each["end"],
                tuple(each["layers"]),
                tuple(each["classes"]),
                tuple(each["causes"]),
                each["visible"],
            )
            for each in told["faults"]
        ),
        tuple(told["not_reached"]),
        told.get("corpus", ""),
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one fault was found.

    Attributes:
        fault: The fault.
        found: The incidents that begin in its window, in order.
        delay: Records from the first that could show it to the beginning of the first incident; None where none is.
        chance: Share of the quiet stretches of the same length, in the same run, in which an incident begins; NaN where
            the run has no such stretch.
    """

    fault: KnownFault
    found: tuple[Found, ...]
    delay: int | None
    chance: float

    @property
    def is_hit(self) -> bool:
        """Whether any incident begins in its window."""
        return bool(self.found)

    def names_cause(self, only_first: bool = False) -> bool:
        """Whether an incident of the window, or the first of them, has a cause that is right."""
        return any(each.cause in self.fault.causes for each in self._those(only_first))

    def names_layer(self, only_first: bool = False) -> bool:
        """Whether an incident of the window, or the first of them, names the layer."""
        return any(set(each.layers) & set(self.fault.layers) for each in self._those(only_first))

    def names_class(self, only_first: bool = False) -> bool:
        """Whether an incident of the window names the class, or the first of them at the head of its classes."""
        return any(
            set(each.classes[: 1 if only_first else None]) & set(self.fault.classes) for each in self._those(only_first)
        )

    def _those(self, only_first: bool) -> tuple[Found, ...]:
        return self.found[:1] if only_first else self.found


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a run was judged.

    Attributes:
        truth: What is known about it.
        verdicts: One a fault that was reached.
        false: Incidents that begin where nothing was wrong.
        quiet: Quiet records.
        incidents: All incidents of the run.
        seconds: Processor time that finding them took.
    """

    truth: Truth
    verdicts: tuple[Verdict, ...]
    false: tuple[Found, ...]
    quiet: int
    incidents: int
    seconds: float = field(default=0.0, compare=False)

    @property
    def is_healthy(self) -> bool:
        """Whether it is a run without faults."""
        return not self.truth.faults


def judge(truth: Truth, found: Sequence[Found], seconds: float = 0.0) -> Judgement:
    """Judge what was found in a run.

    Args:
        truth: What is known about it.
        found: What was found, in order of beginning.
        seconds: Processor time that this took.
    """
    quiet = quiet_records(truth)
    begun = np.zeros(len(quiet), bool)
    for each in found:
        begun[min(-(-each.first // truth.every), len(quiet) - 1)] = True
    verdicts = tuple(_verdict(truth, fault, found, quiet, begun) for fault in truth.faults)
    false = tuple(each for each in found if not _belongs(truth, each.first))
    return Judgement(truth, verdicts, false, int(quiet.sum()), len(found), seconds)


def quiet_records(truth: Truth) -> np.ndarray:
    """Return which records are quiet, shape (records,): no fault acts, or acted shortly before."""
    iterations = np.arange(0, truth.iterations, truth.every)
    quiet = np.arange(len(iterations)) >= SILENT
    for fault in truth.faults:
        quiet &= ~((iterations >= fault.begin) & (iterations <= _last(fault, truth.every, WINDOW + RECOVERY)))
    return quiet


def _last(fault: KnownFault, every: int, records: int) -> int:
    return fault.end + records * every


def _belongs(truth: Truth, iteration: int) -> bool:
    return any(fault.begin <= iteration <= _last(fault, truth.every, WINDOW + RECOVERY) for fault in truth.faults)


def _verdict(truth: Truth, fault: KnownFault, found: Sequence[Found], quiet: np.ndarray, begun: np.ndarray) -> Verdict:
    stop = _last(fault, truth.every, WINDOW)
    within = tuple(each for each in found if fault.begin <= each.first <= stop)
    first = -(-fault.begin // truth.every)
    length = min(stop, truth.iterations - 1) // truth.every - first + 1
    delay = max(0, -(-within[0].first // truth.every) - first) if within else None
    return Verdict(fault, within, delay, _by_chance(length, quiet, begun))


def _by_chance(length: int, quiet: np.ndarray, begun: np.ndarray) -> float:
    """Return the share of the stretches of quiet records of a length in which an incident begins, NaN without any."""
    windows = np.lib.stride_tricks.sliding_window_view
    if length < 1 or length > len(quiet):
        return float("nan")
    stretches = windows(quiet, length).all(1)
    if not stretches.any():
        return float("nan")
    return float(windows(begun, length).any(1)[stretches].mean())
