"""What is so at the end of a run and is no event: filters and layers that stand out, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How filters or a layer stand at the end of the run."""

    DEAD = "dead"
    """Filters that no longer learn: next to no gradient while their layer has one."""
    MOVING = "moving"
    """The few filters that go on changing when the rest of their layer has converged."""
    LATE_STARTER = "late starter"
    """Filters that began to change long after their layer did."""
    UNCHANGED = "unchanged"
    """A layer that gets gradients and does not change."""
    NO_GRADIENT = "no gradient"
    """A layer that never got a gradient: frozen, or the loss does not depend on it."""
    FROZEN = "frozen"
    """A layer that changed before, and gets no gradient any more."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """Some filters of a layer, or a whole layer, that stand the same way.

    Attributes:
        standing: How.
        layer: Its name; data from outside.
        filters: Indices within the layer, ascending; empty where it is about the whole layer.
        since: For each filter, or for the layer alone, the iteration of the first record at which it was so without an
            end; None where that is not known.
        of: Filters of the layer.
    """

    standing: Standing
    layer: str
    filters: tuple[int, ...]
    since: tuple[int | None, ...]
    of: int


@dataclass(frozen=True, slots=True)
class RunState:
    """All that stands out.

    Attributes:
        entries: By standing, then in layer order.
        missing: What could not be told and why, one sentence each.
        records: Records that it was told from.
    """

    entries: tuple[StateEntry, ...]
    missing: tuple[str, ...]
    records: int
