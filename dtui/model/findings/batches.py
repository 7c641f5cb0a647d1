"""The samples that updates were trained on: the batch of an iteration, and samples that stand out in batches."""

from __future__ import annotations

from math import nan

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import IntArray
from dtui.number_text import counted

COLUMNS = (("samples", "sample_count"), ("record_samples", "record_sample_count"))
"""Of watches and of records: the ids, and how many there were."""
MOST_NAMED = 8
"""Samples that a sentence names."""

FEW_EVENTS = 3
"""Triggers below which hardly any sample can stand out."""


@dataclass(frozen=True, eq=False, slots=True)
class KeptBatch:
    """The samples of one update, all of its micro-batches together.

    Attributes:
        iteration: Of the update.
        samples: Their ids in the order of use, shape (n,), int64; data from outside. Those that were kept.
        count: How many the update had.
        loss: The `loss` that was logged at this very update; NaN where none was.
    """

    iteration: int
    samples: IntArray
    count: int
    loss: float = nan

    @property
    def left_out(self) -> int:
        """How many more there were than were kept."""
        return max(0, self.count - len(self.samples))


@dataclass(frozen=True, slots=True)
class StandoutSample:
    """A sample that stands in the batches before more triggers than chance allows.

    Attributes:
        sample: Its id; data from outside.
        times: Triggers with the sample in their own batch, or in one of the three before it.
        of: Triggers of which batches were kept.
        batches: Kept batches that hold it, anywhere in the run.
        chance: How likely as many would be for any of all samples, if batches before triggers were like the others;
            above 0, corrected for the number of samples.
        held: The iterations of those kept batches, ascending.
        before: Those of them that are the batch of a trigger, or one of the three before it.
    """

    sample: int
    times: int
    of: int
    batches: int
    chance: float
    held: tuple[int, ...] = ()
    before: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class BatchAnswer:
    """The batch of an iteration.

    Attributes:
        asked: The iteration that was asked for.
        batch: Its batch, or that of the nearest kept iteration before it.
        before: The kept batches right before that one, the newest first.
        standouts: The samples that stand out in the whole run, the most striking first.
        events: How many triggers (or incidents, in a run without triggers) they were counted over.
        unit: What these are: "trigger" or "incident".
        fired: Their iterations, ascending.
    """

    asked: int
    batch: KeptBatch
    before: tuple[KeptBatch, ...]
    standouts: tuple[StandoutSample, ...]
    events: int
    unit: str = "trigger"
    fired: tuple[int, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the batch is that of the iteration that was asked for."""
        return self.batch.iteration == self.asked

    @property
    def heading(self) -> str:
        """What the samples that stand out have in common; where none does, why."""
        events = f"{self.events:,} {self.unit}{'s' * (self.events != 1)}"
        if self.standouts:
            return f"samples that stand before more of the {events} than chance allows"
        if not self.events:
            return "nothing fired in this run and there is no incident, so no sample stands out"
        if self.events < FEW_EVENTS:
            return f"{events}: too few to say which samples are behind {'it' if self.events == 1 else 'them'}"
        return f"no sample stands before more of the {events} than chance allows"

    def place_of(self, one: StandoutSample) -> int | None:
        """Return the iteration of the newest of these batches that holds a sample; None if none does."""
        batches = (self.batch, *self.before)
        return next((batch.iteration for batch in batches if (batch.samples == one.sample).any()), None)

    @property
    def here(self) -> tuple[StandoutSample, ...]:
        """The samples that stand out and are in this batch, or in one of those before it."""
        return tuple(one for one in self.standouts if self.place_of(one) is not None)

    @property
    def sentence(self) -> str:
        """What the batches say of this place, in words without a full stop."""
        at = f"the batch of {self.batch.iteration:,}"
        size = counted(self.batch.count, "sample")
        if not self.here:
            over = f"; none stands out over {self.events:,} {self.unit}s"
            few = f"; one {self.unit} is too few to say which" if self.events else ""
            return f"{size} in {at}{over if self.events > 1 else few}"
        named = " ".join(str(one.sample) for one in self.here[:MOST_NAMED])
        more = " …" if len(self.here) > MOST_NAMED else ""
        times = [one.times for one in self.here]
        often = f"{min(times):,}" if min(times) == max(times) else f"{min(times):,} to {max(times):,}"
        what = f"{len(self.here):,} sample ids stand" if len(self.here) > 1 else "1 sample id stands"
        return f"{what} before {often} of {self.here[0].of:,} {self.unit}s, this one too: {named}{more}"
