"""The batch at the crosshair, an inner screen that opens from everywhere: which samples came before what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.errors import NotRecordedError, UsageError
from dtui.model.findings.batches import BatchAnswer, StandoutSample
from dtui.query import RunQuery
from dtui.tui.renderables.panes.batches.batch import MOST_STANDOUTS, TITLE, BatchPicture, heading_of, rows_needed
from dtui.tui.renderables.panes.message import reading, refused
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action, BarItem
from dtui.tui.state.navigate import shown
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

SCREEN = "batch"


@dataclass(frozen=True, slots=True)
class NoBatch:
    """Why no batch is known at an iteration, and whether one is elsewhere in the run."""

    why: str
    is_elsewhere: bool


@dataclass(frozen=True, slots=True)
class BatchQuestion(Question[BatchAnswer | NoBatch]):
    """The batch of an iteration."""

    iteration: int
    about = "the batch"

    def ask(self, query: RunQuery) -> BatchAnswer | NoBatch:
        """Return it, or why there is none."""
        try:
            return query.batch(self.iteration)
        except (NotRecordedError, UsageError) as error:
            return NoBatch(str(error).removeprefix(f"{query.path}: "), not isinstance(error, NotRecordedError))


def open_batch(scene: Scene) -> Selection:
    """Return the selection on the batch at the crosshair; if that is open, the one from where it was opened."""
    is_open = scene.screen.name == SCREEN
    return scene.selection.gone_back() if is_open else scene.opened(SCREEN)


OPENING = Action("batch", ("D",), "batch", "Show the samples of the batch at the crosshair.", SHOWN)
OPENING_STEPS: Mapping[str, Step] = {OPENING.id: open_batch}
"""Of a pane that every screen has, so that the batch is one key away."""


@dataclass(frozen=True, slots=True)
class PickedSample:
    """The sample that was picked among those that stand out; None for none yet."""

    sample: int | None = None


class Batch(Pane):
    """The samples at the crosshair; rows are those that stand out, and the keys of time go to other batches."""

    name = "batch_samples"
    title = TITLE
    has_time = False
    bar = ((("record_before", "record_after"), "other batch"),)

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return those that do something: to other batches, and from one batch of the picked sample to the next."""
        found = scene.answers.get(BatchQuestion)
        others = self.bar if not isinstance(found, NoBatch) or found.is_elsewhere else ()
        return ((("fold_toggle",), "its next batch"), *others) if self.is_foldable(scene) else others

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the batch at the crosshair."""
        if self.height(scene):
            yield BatchQuestion(scene.selection.cursor)

    def needed(self, scene: Scene) -> int:
        """Return the rows of everything; why there is no batch has all the room."""
        found = self.found(scene)
        return scene.size[1] if found is None else rows_needed(found, scene.size[0])

    def picture(self, scene: Scene) -> Picture:
        """Return the batch, or why there is none."""
        found = scene.answers.get(BatchQuestion)
        if found is None:
            return reading("the batch", self.title)
        if isinstance(found, NoBatch):
            return refused(found.why, self.title)
        return BatchPicture(found, self.row(scene) if found.standouts else -1)

    @staticmethod
    def found(scene: Scene) -> BatchAnswer | None:
        """Return the batch; None while it is not known, and where there is none."""
        found = scene.answers.get(BatchQuestion)
        return found if isinstance(found, BatchAnswer) else None

    # --- its rows

    def samples(self, scene: Scene) -> Sequence[StandoutSample]:
        """Return those that stand out, as many as have a row."""
        found = self.found(scene)
        return () if found is None else found.standouts[:MOST_STANDOUTS]

    def rows(self, scene: Scene) -> int:
        """Return how many stand out."""
        return len(self.samples(scene))

    def row(self, scene: Scene) -> int:
        """Return the row of the picked sample; else of the first one that is in this batch or those before it."""
        found, picked = self.found(scene), scene.selection.get(PickedSample).sample
        if found is None:
            return 0
        here = {one.sample for one in found.here}
        names = [one.sample for one in self.samples(scene)]
        wanted = picked if picked in names else next((name for name in names if name in here), None)
        return names.index(wanted) if wanted is not None else 0

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return the sample that is drawn in row `y`."""
        found = self.found(scene)
        return None if found is None else max(0, y - 1 - len(heading_of(found, scene.size[0])))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a sample."""
        samples = self.samples(scene)
        return scene.selection.put(PickedSample(samples[row].sample)) if row < len(samples) else scene.selection

    def is_foldable(self, scene: Scene) -> bool:
        """Whether a sample is picked that stands before triggers."""
        samples = self.samples(scene)
        return bool(samples) and bool(samples[self.row(scene)].before)

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Go to the next batch of the picked sample that a trigger follows; behind the last one to the first."""
        if open_ is False or not self.is_foldable(scene):
            return scene.selection
        one = self.samples(scene)[self.row(scene)]
        at = next((at for at in one.before if at > scene.selection.cursor), one.before[0])
        picked = scene.at(scene.selection.put(PickedSample(one.sample)))
        return shown(picked.selection.with_cursor(at), picked)

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the samples of the batch and of those before it."""
        found = self.found(scene)
        if found is None:
            return None
        named = {one.sample: one.times for one in found.standouts}
        rows = [
            (batch.iteration, batch.loss, int(sample), named.get(int(sample), ""))
            for batch in (found.batch, *found.before)
            for sample in batch.samples
        ]
        columns = ("iteration", "loss", "sample", f"{found.unit}s")
        return Numbers(f"batch of {found.batch.iteration}", columns, rows)
