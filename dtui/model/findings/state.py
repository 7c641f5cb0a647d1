"""The state at the end of a run: filters and layers that stand out, and since when."""

from __future__ import annotations

from enum import StrEnum

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.adapters import AdapterState


class Standing(StrEnum):
    """State of filters or of a layer at the end of the run."""

    DEAD = "dead"
    """Filters that no longer learn: next to no gradient while their layer has one."""
    SILENT = "silent"
    """Filters that let nothing through: zero behind their ReLU for every image of the last validation."""
    MOVING = "moving"
    """The few filters that go on changing when the rest of their layer has converged."""
    LATE_STARTER = "late starter"
    """Filters that began to change long after their layer did."""
    UNCHANGED = "unchanged"
    """A layer that gets gradients and does not change."""
    NO_GRADIENT = "no gradient"
    """A layer that was to be trained and never got a gradient: the loss does not depend on it."""
    FROZEN = "frozen"
    """A layer that changed before, and gets no gradient any more."""
    UNTRAINED = "not trained"
    """A layer that was frozen when recording began, and never changed: that is meant to be so."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """Some filters of a layer, or a whole layer, in the same state.

    Attributes:
        standing: Their state.
        layer: Its name; data from outside.
        filters: Indices within the layer, ascending; empty if the entry is about the whole layer.
        since: For each filter, or once for the layer, the iteration of the first record since which the state has
            lasted; None where that is not known.
        of: Number of filters in the layer.
    """

    standing: Standing
    layer: str
    filters: tuple[int, ...]
    since: tuple[int | None, ...]
    of: int


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything that stands out at the end of a run.

    Attributes:
        entries: By state, then in layer order.
        missing: What could not be judged and why, one sentence each.
        records: Number of records behind the answer.
        adapters: The adapters at the last record.
    """

    entries: tuple[StateEntry, ...]
    missing: tuple[str, ...]
    records: int
    adapters: tuple[AdapterState, ...] = ()

    def tells(self, what: str) -> bool:
        """Return whether it could be judged which "dead filters", "moving filters" or "late starters" there are."""
        return self.records > 0 and not any(what in line.partition(" could not be told")[0] for line in self.missing)
