"""When the samples that stand out were trained on, below the batch, on the time axis of the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dtui.tui.panes.batches.batch import Batch
from dtui.tui.panes.companion import Companion
from dtui.tui.panes.curves import CurvesQuestion
from dtui.tui.renderables.panes.batches.sample_times import TITLE, SampleTimesPicture
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question


class SampleTimes(Companion):
    """A row for each sample that stands out, in the room that the batch leaves; it has the rows of that pane."""

    name = "sample_times"
    title = TITLE
    fewest_rows = 5

    def __init__(self, of: Batch) -> None:
        """Take the batch."""
        super().__init__(of)
        self.batch = of

    def needed(self, scene: Scene) -> int:
        """Return all that there is; nothing where there is no batch, so that the reason has all the room."""
        return 0 if self.batch.found(scene) is None else scene.size[1]

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the loss over time."""
        if self.height(scene):
            yield CurvesQuestion(scene.axis)

    def picture(self, scene: Scene) -> Picture:
        """Return the rows of the samples."""
        found = self.batch.found(scene)
        if found is None:
            return MessagePicture(title=self.title)
        samples = tuple(self.batch.samples(scene))
        return SampleTimesPicture(found, samples, self.batch.row(scene), scene.answers.get(CurvesQuestion))

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return none: what is pressed here is a time."""
        return None

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return every batch of every sample that stands out."""
        found = self.batch.found(scene)
        unit = "trigger" if found is None else found.unit
        rows = [
            (one.sample, at, "yes" if at in one.before else "no")
            for one in self.batch.samples(scene)
            for at in one.held
        ]
        return (
            Numbers("samples that stand out", ("sample", "iteration", f"right before {unit}"), rows) if rows else None
        )
