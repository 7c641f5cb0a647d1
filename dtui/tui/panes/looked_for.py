"""What was looked for in a run without incidents, below the sentence that says that there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import Check
from dtui.model.findings.review import INCIDENTS
from dtui.query import RunQuery
from dtui.tui.renderables.panes.looked_for import TITLE, LookedForPicture
from dtui.tui.renderables.panes.message import reading
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.review.entry_steps import is_searching

FEWEST, MOST = 8, 15
"""Rows from which on it is shown, and those of all checks."""


@dataclass(frozen=True, slots=True)
class ChecksQuestion(Question[tuple[Check, ...]]):
    """Every check, and why it could not judge; asked again when the run has more records."""

    records: int
    about = "what was looked for"

    def ask(self, query: RunQuery) -> tuple[Check, ...]:
        """Return them."""
        return query.all_checks()


class LookedFor(Pane):
    """A row for each check; there is nothing to select."""

    name = "looked_for"
    title = TITLE
    has_time = False
    fewest_rows = FEWEST

    def needed(self, scene: Scene) -> int:
        """Return the rows of all checks, where some have judged and found nothing."""
        checks = scene.answers.get(ChecksQuestion) or ()
        return MOST if is_without_incident(scene) and not all(one.lacks for one in checks) else 0

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the checks."""
        if is_without_incident(scene):
            yield ChecksQuestion(scene.view.info.records)

    def picture(self, scene: Scene) -> Picture:
        """Return the checks."""
        checks = scene.answers.get(ChecksQuestion)
        return reading("what was looked for", self.title) if checks is None else LookedForPicture(checks)


def is_without_incident(scene: Scene) -> bool:
    """Whether incidents are listed, and there is none."""
    return not scene.entries and scene.selection.listing == INCIDENTS and not is_searching(scene)
