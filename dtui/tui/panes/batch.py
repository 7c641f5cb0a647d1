"""The batch at the crosshair, an inner screen that opens from everywhere: which samples came before what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.errors import NotRecordedError, UsageError
from dtui.model.findings.batches import BatchAnswer
from dtui.query import RunQuery
from dtui.tui.renderables.panes.batch import TITLE, BatchPicture
from dtui.tui.renderables.panes.message import reading, refused
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action, BarItem
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


class Batch(Pane):
    """The samples at the crosshair; the keys of time go to other batches."""

    name = "batch_samples"
    title = TITLE
    has_time = False
    bar = ((("record_before", "record_after"), "other batch"),)

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return those to other batches, where there are some."""
        found = scene.answers.get(BatchQuestion)
        return self.bar if not isinstance(found, NoBatch) or found.is_elsewhere else ()

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the batch at the crosshair."""
        if self.height(scene):
            yield BatchQuestion(scene.selection.cursor)

    def picture(self, scene: Scene) -> Picture:
        """Return the batch, or why there is none."""
        found = scene.answers.get(BatchQuestion)
        if found is None:
            return reading("the batch", self.title)
        if isinstance(found, NoBatch):
            return refused(found.why, self.title)
        return BatchPicture(found)

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the samples of the batch and of those before it."""
        found = scene.answers.get(BatchQuestion)
        if not isinstance(found, BatchAnswer):
            return None
        named = {one.sample: one.times for one in found.standouts}
        rows = [
            (batch.iteration, int(sample), named.get(int(sample), ""))
            for batch in (found.batch, *found.before)
            for sample in batch.samples
        ]
        return Numbers(f"batch of {found.batch.iteration}", ("iteration", "sample", f"{found.unit}s"), rows)
