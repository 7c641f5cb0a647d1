"""The settings of the flight recorder, and whether they fit together."""

from __future__ import annotations

from dataclasses import dataclass

from dtui.errors import RecorderError
from dtui.record.flight.kept_weights import MOST_BYTES
from dtui.record.flight.norm_meter import Norm, one_device
from dtui.record.network.layers import LayerProbe

LEAST_WAITING = 16
"""Watches that may wait for the writer, at least; more are dropped, and the run says so."""
LARGEST_RING = 4 << 30
"""Bytes of the ring that are taken for a mistake."""


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """The settings of the flight recorder for one run.

    Attributes:
        every: Iterations from one watch to the next, >= 1.
        keep_around: Watches kept around a trigger, >= 2: half of them before it, the rest after it.
        keep_weights: Bytes of weights kept of the filters that a trigger names, 0 to MOST_BYTES.
    """

    every: int
    keep_around: int
    keep_weights: int = MOST_BYTES

    @property
    def before(self) -> int:
        """Watches kept before a trigger."""
        return self.keep_around // 2

    @property
    def after(self) -> int:
        """Watches kept after a trigger."""
        return self.keep_around - self.before

    @property
    def waiting(self) -> int:
        """Most watches that may wait to be judged."""
        return max(self.after, LEAST_WAITING)

    @property
    def slots(self) -> int:
        """Watches in the ring: the window before a trigger, one watch before that, and the waiting watches."""
        return self.before + 1 + self.waiting

    def ring_bytes(self, filters: int) -> int:
        """Return the bytes of the ring: three float32 per filter and watch."""
        return self.slots * 4 * len(Norm) * filters


def plan_watches(
    every: int,
    watch_every: int | None,
    keep_around: int,
    probes: list[LayerProbe],
    is_first: bool,
    keep_weights: int = MOST_BYTES,
) -> WatchPlan | None:
    """Return the settings of the flight recorder, None if there is none.

    Args:
        every: Iterations from one record to the next.
        watch_every: Iterations from one watch to the next; None stands for 1.
        keep_around: Watches kept around a trigger; 0 for no flight recorder.
        probes: The layers.
        is_first: Whether this process writes the run; only that process watches.
        keep_weights: Bytes of weights kept a trigger, 0 for none.

    Raises:
        RecorderError: The numbers do not fit together, or the weights cannot be watched.
    """
    for name, value in (("watch_every", 1 if watch_every is None else watch_every), ("keep_around", keep_around)):
        if isinstance(value, bool) or not isinstance(value, int) or value < (name == "watch_every"):
            raise RecorderError(f"{name}={value!r}: give an integer of at least {int(name == 'watch_every')}")
    if isinstance(keep_weights, bool) or not isinstance(keep_weights, int) or not 0 <= keep_weights <= MOST_BYTES:
        raise RecorderError(f"keep_weights={keep_weights!r}: give an integer from 0 to {MOST_BYTES:,}, bytes a trigger")
    if keep_around == 0:
        if watch_every is not None:
            raise RecorderError(
                f"watch_every={watch_every}: nothing is watched without keep_around; try keep_around=200"
            )
        return None
    plan = WatchPlan(1 if watch_every is None else watch_every, keep_around, keep_weights)
    if keep_around < 2:
        raise RecorderError(f"keep_around={keep_around}: a trigger needs a watch on each side; give at least 2")
    if every == 1:
        raise RecorderError(
            f"keep_around={keep_around}: with every=1 each iteration is a record, and none is left to watch; "
            "leave one of the two out"
        )
    if plan.every >= every or every % plan.every:
        raise RecorderError(
            f"watch_every={plan.every}: watches come between records, which come every {every}; "
            "give a smaller number that divides it"
        )
    filters = sum(probe.shape[0] for probe in probes if probe.shape)
    if plan.ring_bytes(filters) > LARGEST_RING:
        most = LARGEST_RING // max(1, plan.ring_bytes(filters) // plan.slots)
        raise RecorderError(
            f"keep_around={keep_around}: its ring would take {plan.ring_bytes(filters) / 1e9:.1f} GB of memory "
            f"(12 bytes for each of {filters:,} filters and watches); give at most {most:,}"
        )
    if all(probe.shape for probe in probes):
        one_device(probes)
    return plan if is_first else None
