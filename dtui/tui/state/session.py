"""The session of one user with one run: it takes keys, presses, answers and changes, and keeps the Selection.

It knows no widget and no terminal, so it can be tested without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dtui.model import Anomaly
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.anomaly_steps import NONE_FOUND, next_anomaly, reviewable, select_anomaly, without_anomalies
from dtui.tui.state.key_steps import STEPS
from dtui.tui.state.look import look
from dtui.tui.state.navigate import cursor_to_column, move_columns, move_rows, select_row, zoom
from dtui.tui.state.pane import Pane, Scene, Step, Table
from dtui.tui.state.questions import AnomaliesQuestion, Answers, ClustersQuestion, Question
from dtui.tui.state.run_view import RunView
from dtui.tui.state.search import compile_search
from dtui.tui.state.selection import Selection
from dtui.tui.state.settle import begin, settle

WHEEL_ROWS = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on an anomaly, to be written by the loader."""

    anomaly: str
    status: str
    note: str | None


class Session:
    """The state of the TUI once a run is open."""

    def __init__(self, table: Table, view: RunView, width: int, height: int) -> None:
        """Start with a run and the size of the screen."""
        self.table = table
        self.view = view
        self.answers = Answers()
        self.selection = Selection()
        self.message = ""
        self._size = (width, height)
        self._touched = False
        self._undo: list[Decision] = []
        self._failed: dict[str, Exception] = {}
        """Panes that raised since something happened last, by name: each says so in its place."""
        self._settle(begin(self.scene))

    # --- what is

    @property
    def scene(self) -> Scene:
        """Everything that decides what a key does."""
        return Scene(self.table, self.selection, self.view, self.answers, self._size, self.message, self._tell)

    def look(self) -> tuple[dict[Pane, Picture], list[Question[Any]]]:
        """Return what each pane shows now, and the questions to ask."""
        return look(self.scene, self._failed)

    # --- keys

    def perform(self, action: str) -> Decision | None:
        """Perform an action; if it makes a decision, return it to be written.

        Raises:
            KeyError: The table has no such action.
        """
        self._begin_to_act()
        if action in ("flag", "dismiss", "undo"):
            return self._review(action)
        step = self._step_of(action)
        if step is None:
            self.message = f"{self.table.by_id[action].words}: not on this screen"
            return None
        if action in ("anomaly_next", "anomaly_previous") and not reviewable(self.view):
            none = without_anomalies(self.scene)[0]
            words = "[ lowers the threshold" if none == NONE_FOUND else none
            self.message = f"no anomalies to review: {words}"
            return None
        before = self.selection
        self._take(self.scene.pane, step)
        self.message = self._say(before) or self.message
        return None

    def reach(self, action: str) -> None:
        """Go to the first screen where an action has an effect; stay if it has one here."""
        if self._step_of(action) is None:
            for pane in self.table.panes:
                if action in pane.steps:
                    self.choose(self.scene.with_pane(pane))
                    return

    def _step_of(self, action: str) -> Step | None:
        """Return the step of an action: a pane's own, or else that of every screen; None if it has none."""
        return self.scene.step_of(action) or STEPS.get(action) or self.table.steps.get(action)

    def go_back(self) -> bool:
        """End the innermost of search, maximised pane, zoom and lower pane; return False if there is none."""
        self._begin_to_act()
        selection = self.selection
        searched = next((pane for pane in self.scene.screen.panes if selection.search_of(pane.name)), None)
        if searched is not None:
            back = selection.with_search(searched.name, "")
        elif selection.maximised:
            back = selection.changed(maximised=False)
        elif selection.window is not None:
            back = selection.changed(window=None)
        elif selection.pane:
            back = selection.changed(pane=0)
        else:
            return False
        self._settle(back)
        return True

    def choose(self, selection: Selection) -> None:
        """Take a selection that was not made by keys."""
        self._begin_to_act()
        self._settle(selection)

    def go_to(self, pane: Pane, step: Step) -> None:
        """Go to a pane and take a step there."""
        self.choose(self.scene.with_pane(pane))
        self._take(pane, step)

    def search(self, pattern: str) -> str:
        """Search for names in the searched pane; return what is wrong with the pattern, or ""."""
        self._touched, self._failed = True, {}
        try:
            compile_search(pattern)
        except re.error as error:
            return f"not a regular expression: {error.msg}"
        if self.searched is not None:
            self._settle(self.selection.with_search(self.searched.name, pattern))
        return ""

    @property
    def searched(self) -> Pane | None:
        """The pane to search in: the one with the keyboard if it has names, or else another on the screen."""
        panes = (self.scene.pane, *self.scene.screen.panes)
        return next((pane for pane in panes if pane.is_searchable), None)

    @property
    def current_search(self) -> str:
        """The search on the current screen."""
        return "" if self.searched is None else self.selection.search_of(self.searched.name)

    def _say(self, before: Selection) -> str:
        """Return a message about a change that is not visible otherwise."""
        settings = self.selection.anomaly_settings
        if settings == before.anomaly_settings:
            said = (
                self.scene.asked(pane, lambda pane, scene: pane.said(before, scene.selection))
                for pane in self.table.panes
            )
            return next(filter(None, said), "")
        window = "automatic" if settings.window is None else settings.window
        unit = f"{settings.threshold:.0%} of a class" if settings.unit == "share" else f"{settings.threshold:g} images"
        return f"anomalies: {settings.rule} rule, window {window}, at least {unit}"

    # --- review

    def current_anomaly(self) -> Anomaly | None:
        """Return the anomaly under review."""
        return self.view.find_anomaly(self.selection.anomaly)

    def _review(self, action: str) -> Decision | None:
        if action == "undo":
            if not self._undo:
                self.message = "nothing to undo"
                return None
            decision = self._undo.pop()
            self._apply(decision)
            self._settle(select_anomaly(self.scene, decision.anomaly))
            self.message = f"taken back: {decision.status} again"
            return decision
        anomaly = self.current_anomaly()
        if anomaly is None:
            self.message = "no anomaly selected: n goes to the next"
            return None
        status = "dismissed" if action == "dismiss" else "new" if anomaly.status == "flagged" else "flagged"
        decision = self._decide(anomaly, status, None)
        if action == "dismiss":
            self._settle(next_anomaly(self.scene, 1))
        left = sum(found.status == "new" for found in self.view.anomalies)
        words = {"dismissed": "dismissed", "flagged": "flagged", "new": "no longer flagged"}[status]
        self.message = f"{words}; {left} to review, u takes it back"
        return decision

    def note(self, text: str) -> Decision | None:
        """Put a note on the anomaly under review."""
        anomaly = self.current_anomaly()
        return None if anomaly is None else self._decide(anomaly, anomaly.status, text)

    def _decide(self, anomaly: Anomaly, status: str, note: str | None) -> Decision:
        self._undo.append(Decision(anomaly.id, anomaly.status, anomaly.note))
        decision = Decision(anomaly.id, status, note)
        self._apply(decision)
        return decision

    def _apply(self, decision: Decision) -> None:
        """Show a decision before it is written."""
        anomalies = tuple(
            found
            if found.id != decision.anomaly
            else replace(found, status=decision.status, note=found.note if decision.note is None else decision.note)
            for found in self.view.anomalies
        )
        self.view = replace(self.view, anomalies=anomalies)

    # --- mouse

    def press(self, pane: Pane, frame: Frame, x: int, y: int, is_drag: bool) -> None:
        """Handle a press or a drag in a pane: the pane's own reaction, or else row and crosshair."""
        own = None if is_drag else self.scene.asked(pane, lambda pane, scene: pane.press(scene, frame, x, y))
        if own is not None:
            self.choose(own)
            return
        if not pane.has_time:
            return
        self._begin_to_act()
        if pane in self.scene.screen.panes and not is_drag:
            self._press_row(pane, y, x < frame.gutter)
        if not self.view.is_empty and x >= frame.gutter:
            self._settle(cursor_to_column(self.scene, x - frame.gutter))

    def _press_row(self, pane: Pane, y: int, with_fold: bool) -> None:
        """Give a pane the keyboard and select one of its rows; a second press on a selected row folds it."""
        was_here = self.scene.pane is pane
        self._settle(self.scene.with_pane(pane))
        self._take(pane, lambda scene: _pressed(scene, pane.row_at(scene, y), with_fold and was_here))

    def turn_wheel(self, pane: Pane, by: int, with_control: bool) -> None:
        """Scroll a pane, or zoom time with Ctrl."""
        self._touched, self._failed = True, {}
        if with_control:
            self._settle(zoom(self.scene, 1.25 if by < 0 else 0.8))
        elif pane in self.scene.screen.panes:
            self._settle(self.scene.with_pane(pane))
            self._take(pane, lambda scene: move_rows(scene, by * WHEEL_ROWS))
        else:
            self._settle(move_columns(self.scene, by))

    # --- what comes from outside

    def resized(self, width: int, height: int) -> None:
        """Fit to another size."""
        self._size, self._failed = (width, height), {}
        self._settle(self.selection)

    def opened(self, view: RunView) -> None:
        """Show newly recorded data; answers to separate questions stay until new ones arrive."""
        old, self._failed = self.view, {}
        self.view = replace(view, anomalies=old.anomalies, searched=old.searched, clusters=old.clusters)
        self._settle(begin(self.scene) if old.is_empty and not view.is_empty else self.selection)

    def answered(self, question: Question[Any], answer: Any) -> None:
        """Take a new answer and show it."""
        self._failed = {}
        selection = self.scene.through(lambda pane, scene: pane.answered(scene, question, answer))
        if isinstance(question, AnomaliesQuestion):
            self.view = replace(self.view, anomalies=answer, searched=self.selection.anomaly_settings)
            self._select_strongest()
            selection = self.selection
        elif isinstance(question, ClustersQuestion):
            self.view = replace(self.view, clusters=answer)
        else:
            self.answers = self.answers.having(question, answer)
        self._settle(selection)

    def fail(self, message: str) -> None:
        """Show a message about data that could not be read or written."""
        self.message = safe(message)

    def _select_strongest(self) -> None:
        """Select the strongest anomaly of a finished run first, unless the user has moved already."""
        candidates = reviewable(self.view)
        if self._touched or self.view.is_live or self.selection.anomaly or not candidates:
            return
        strongest = max(candidates, key=lambda anomaly: anomaly.score)
        self._settle(select_anomaly(self.scene, strongest.id))

    def _begin_to_act(self) -> None:
        """Clear the last message. From now on the user decides what is shown."""
        self.message, self._touched, self._failed = "", True, {}

    def _tell(self, pane: Pane, error: Exception) -> None:
        """Report a pane that raised an error, in its place and in the key bar: the next key may change its place."""
        self._failed[pane.name] = error
        self.fail(f"{pane.title or pane.name}: {type(error).__name__}; details are in the log")

    def _take(self, pane: Pane, step: Callable[[Scene], Selection]) -> None:
        """Take a step of a pane; if it raises, the selection stays."""
        self._settle(self.scene.asked(pane, lambda _, scene: step(scene)) or self.selection)

    def _settle(self, selection: Selection) -> None:
        """Take a selection and make it valid."""
        self.selection = selection
        self.selection = settle(self.scene)


def _pressed(scene: Scene, row: int | None, with_fold: bool) -> Selection:
    """Return the selection on a pressed row. If it was selected already and can be folded, it is folded."""
    if row is None:
        return scene.selection
    if not with_fold or row != scene.pane.row(scene):
        return select_row(scene, row)
    return scene.pane.fold(scene, None) if scene.pane.is_foldable(scene) else scene.selection
