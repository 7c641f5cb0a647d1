"""More of the run that is picked in the list, below it: its verdict, incidents, settings and curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dtui.dataclass_on_use import dataclass
from dtui.model.compare import RunRow, RunTold
from dtui.safe_text import safe
from dtui.tui.panes.companion import Companion
from dtui.tui.panes.runs.run_list import Runs, RunsQuestion
from dtui.tui.renderables.panes.message import MessagePicture, reading
from dtui.tui.renderables.panes.runs.run_list import name_of
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import OthersQuestion, Question

if TYPE_CHECKING:
    from dtui.query.compare.others import Others

CURVE_COLUMNS = 240


@dataclass(frozen=True, slots=True)
class ToldQuestion(OthersQuestion[RunTold]):
    """What is told of a run of the list."""

    path: str
    about = "the picked run"
    is_slow = True

    def ask_others(self, others: Others) -> RunTold:
        """Return it."""
        return others.told(self.path, CURVE_COLUMNS)


class PickedRun(Companion):
    """The run that is picked in the list."""

    name = "picked_run"
    title = "Picked run"
    has_time = False
    needs_records = False

    def __init__(self, of: Runs) -> None:
        """Take the list."""
        super().__init__(of)
        self.list = of

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for what is told of the run, once its row is read."""
        row = self._row(scene)
        if self.height(scene) and row is not None and row.info is not None:
            yield ToldQuestion(row.path)

    def picture(self, scene: Scene) -> Picture:
        """Return the run, or why nothing can be told of it."""
        from dtui.tui.renderables.panes.runs.picked_run import PickedRunPicture

        row, told = self._row(scene), scene.answers.get(ToldQuestion)
        if row is None:
            return MessagePicture(title=self.title)
        if row.info is None:
            words = row.error or ("it has recorded nothing yet" if row.is_claimed else "")
            return MessagePicture(f"{name_of(row)}: {safe(words, 400)}" if words else "", title=self.title)
        known = scene.answers.get(RunsQuestion)
        if told is None or told.path != row.path or known is None:
            return reading("the picked run", self.title)
        differing = frozenset(name for name, _ in known.differing(row.path))
        return PickedRunPicture(self.title, row, told, differing, row.path == scene.view.path)

    def _row(self, scene: Scene) -> RunRow | None:
        rows = self.list.items(scene)
        return rows[self.list.place(scene, rows)] if rows else None
