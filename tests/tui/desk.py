"""A session driven by keys and without a terminal: each key is pressed, everything is answered, the screen is text."""

from __future__ import annotations

from dtui.query import RunQuery
from dtui.tui.opening import view_of
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.state.pane import Table
from dtui.tui.state.places.link import Link
from dtui.tui.state.run_view import RunView
from dtui.tui.state.session import Session

ROUNDS = 12
"""Questions that follow from answers are asked at most so often."""


class Desk:
    """One user with one run."""

    def __init__(
        self,
        query: RunQuery,
        size: tuple[int, int] = (150, 50),
        table: Table = TABLE,
        *,
        link: Link | None = None,
        view: RunView | None = None,
    ) -> None:
        self.query = query
        self.session = Session(table, view or view_of(query, 0), *size, link=link)
        self._actions = {key: action.id for action in table.actions for key in action.keys}
        self._asked: dict[type, object] = {}
        self._answer()

    def press(self, *keys: str) -> Desk:
        """Press keys in Textual's names."""
        for key in keys:
            if key in ("escape", "q"):
                self.session.go_back()
            else:
                self.session.perform(self._actions[key])
            self._answer()
        return self

    def go(self, iteration: int) -> Desk:
        """Move the crosshair."""
        self.session.choose(self.session.selection.with_cursor(iteration))
        self._answer()
        return self

    def refresh(self, revision: int) -> Desk:
        """Look for newly recorded data."""
        self.query.refresh()
        self.session.opened(view_of(self.query, revision))
        self._asked.clear()
        self._answer()
        return self

    def _answer(self) -> None:
        for _ in range(ROUNDS):
            _, questions = self.session.look()
            new = [question for question in questions if self._asked.get(type(question)) != question]
            if not new:
                return
            for question in new:
                self._asked[type(question)] = question
                self.session.answered(question, question.ask(self.query))
        raise AssertionError(f"asked again and again: {new}")

    def panes(self) -> dict[str, str]:
        """Return what each pane shows, by its name."""
        scene, (pictures, _) = self.session.scene, self.session.look()
        assert not self.session._failed, self.session._failed
        frames = {pane: scene.frame_of(pane, DARK, Output()) for pane in pictures}
        cursor = self.session.selection.cursor
        return {pane.name: to_text(picture.draw(frames[pane], cursor)) for pane, picture in pictures.items()}

    def text(self) -> str:
        """Return what the screen shows."""
        return "\n".join(self.panes().values())

    @property
    def screen(self) -> str:
        """The name of the screen."""
        return self.session.scene.screen.name
