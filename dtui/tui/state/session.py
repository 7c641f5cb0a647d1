"""The session of one user with one run: it takes keys, presses, answers and changes, and keeps the Selection.

It knows no widget and no terminal, so it can be tested without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dtui.model.review import INCIDENTS, Entry, reviewable
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.entry_steps import (
    NONE_FOUND,
    neighbour,
    next_entry,
    searched_pane,
    select_entry,
    without_entries,
)
from dtui.tui.state.key_steps import STEPS
from dtui.tui.state.look import look
from dtui.tui.state.navigate import cursor_to_column, move_columns, move_rows, select_row, zoom
from dtui.tui.state.pane import Pane, Scene, Step, Table
from dtui.tui.state.questions import AnomaliesQuestion, Answers, ClustersQuestion, IncidentsQuestion, Question
from dtui.tui.state.reviewing import Decision, about, decided, no_target, noted, targets, told, undoing
from dtui.tui.state.run_view import RunView
from dtui.tui.state.search import compile_search
from dtui.tui.state.selection import Selection
from dtui.tui.state.settle import begin, settle

WHEEL_ROWS = 3


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
        self._undo: list[tuple[Decision, ...]] = []
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

    def perform(self, action: str) -> tuple[Decision, ...]:
        """Perform an action; return the decisions that it makes, to be written.

        Raises:
            KeyError: The table has no such action.
        """
        self._begin_to_act()
        if action in ("flag", "dismiss", "undo"):
            return self._review(action)
        step = self._step_of(action)
        if step is None:
            self.message = f"{self.table.by_id[action].words}: not on this screen"
            return ()
        before = self.selection
        by = {"entry_next": 1, "entry_previous": -1}.get(action)
        at_end = by is not None and searched_pane(self.scene) is None and self._says_end(by)
        if not at_end:
            self._take(self.scene.pane, step)
            self.message = self._say(before) or self.message
        return ()

    def _says_end(self, by: int) -> bool:
        """Say it where no entry is left in a direction; return whether that is so."""
        scene = self.scene
        if neighbour(scene, by) is not None:
            return False
        noun = "incidents" if self.selection.listing == INCIDENTS else "anomalies"
        if reviewable(scene.entries):
            self.message = f"no {'later' if by > 0 else 'earlier'} {noun}"
        else:
            none = without_entries(scene)[0]
            hint = "L lists the anomalies" if self.selection.listing == INCIDENTS else "[ lowers the threshold"
            self.message = f"no {noun} to review: {hint if none == NONE_FOUND else none}"
        return True

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
        """End a search, maximised pane, zoom, inner screen or lower pane; return False if none is on."""
        self._begin_to_act()
        selection = self.selection
        searched = next((pane for pane in self.scene.screen.panes if selection.search_of(pane.name)), None)
        if searched is not None:
            back = selection.with_search(searched.name, "")
        elif selection.maximised:
            back = selection.changed(maximised=False)
        elif selection.window is not None:
            back = selection.changed(window=None)
        elif selection.came_from is not None:
            screen, pane = selection.came_from
            back = selection.changed(screen=screen, pane=pane, came_from=None)
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
        if self.selection.listing != before.listing:
            return f"review of {self.selection.listing}; L goes back"
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

    def targets(self) -> tuple[Entry, ...]:
        """Return the entries that a decision would be about; if there are none, say why."""
        found = targets(self.scene)
        if not found:
            self.fail(no_target(self.scene))
        return found

    def _review(self, action: str) -> tuple[Decision, ...]:
        if action == "undo":
            return self._take_back()
        decisions = self._decide(decided(self.targets(), action))
        if decisions and action == "dismiss":
            self._settle(next_entry(self.scene, 1))
        if decisions:
            self._settle(self.selection.changed(marked=frozenset()))
            self.message = told(decisions, self.scene)
        return decisions

    def _take_back(self) -> tuple[Decision, ...]:
        if not self._undo:
            self.message = "nothing to undo"
            return ()
        decisions = self._undo.pop()
        self._apply(decisions)
        self._settle(select_entry(self.scene, decisions[0].entry))
        self.message = f"taken back, {decisions[0].status} again: {about(decisions, self.view)}"
        return decisions

    def note(self, text: str) -> tuple[Decision, ...]:
        """Put a note on the entries under review."""
        return self._decide(noted(targets(self.scene), text))

    def _decide(self, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
        entries = (self.view.find_entry(decision.entry) for decision in decisions)
        if decisions:
            self._undo.append(undoing([entry for entry in entries if entry is not None]))
            self._apply(decisions)
        return decisions

    def _apply(self, decisions: tuple[Decision, ...]) -> None:
        """Show decisions before they are written."""
        for decision in decisions:
            self.view = self.view.decided(decision.entry, decision.status, decision.note)

    # --- mouse

    def press(self, pane: Pane, frame: Frame, x: int, y: int, is_drag: bool) -> None:
        """Handle a press or a drag in a pane: the pane's own reaction, or else row and crosshair."""
        own = None if is_drag else self.scene.asked(pane, lambda pane, scene: pane.press(scene, frame, x, y))
        if own is not None:
            self.choose(own)
            return
        self._begin_to_act()
        if pane in self.scene.screen.panes and not is_drag:
            self._press_row(pane, y, not pane.has_time or x < frame.gutter)
        if pane.has_time and not self.view.is_empty and x >= frame.gutter:
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
        self.view = view.keeping_answers(old)
        self._settle(begin(self.scene) if old.is_empty and not view.is_empty else self.selection)

    def answered(self, question: Question[Any], answer: Any) -> None:
        """Take a new answer and show it."""
        self._failed = {}
        selection = self.scene.through(lambda pane, scene: pane.answered(scene, question, answer))
        if isinstance(question, AnomaliesQuestion):
            self.view = self.view.with_anomalies(answer, self.selection.anomaly_settings)
            selection = self._select_strongest(selection)
        elif isinstance(question, IncidentsQuestion):
            self.view = self.view.with_incidents(answer)
            selection = self._select_strongest(selection)
        elif isinstance(question, ClustersQuestion):
            self.view = replace(self.view, clusters=answer)
        else:
            self.answers = self.answers.having(question, answer)
        self._settle(selection)

    def fail(self, message: str) -> None:
        """Show a message about data that could not be read or written."""
        self.message = safe(message)

    def _select_strongest(self, selection: Selection) -> Selection:
        """Return the selection on the strongest entry of a finished run, unless the user has moved already."""
        scene = self.scene.at(selection)
        candidates = reviewable(scene.entries)
        if self._touched or self.view.is_live or selection.entry or not candidates:
            return selection
        return select_entry(scene, max(candidates, key=lambda entry: entry.score).id)

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
