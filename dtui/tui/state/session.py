"""The session of one user with one run: it takes keys, presses, answers and changes, and keeps the Selection.

It knows no widget and no terminal, so it can be tested without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from dtui.model.findings.review import INCIDENTS, Entry, reviewable
from dtui.safe_text import safe
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.choice import Choice, Option
from dtui.tui.state.key_steps import STEPS, without_effect
from dtui.tui.state.look import look
from dtui.tui.state.navigate import gone_back
from dtui.tui.state.pane import Pane, Scene, Step, Table
from dtui.tui.state.places.going import Going
from dtui.tui.state.places.link import Link
from dtui.tui.state.places.search import compile_search
from dtui.tui.state.questions import AnomaliesQuestion, Answers, ClustersQuestion, IncidentsQuestion, Question
from dtui.tui.state.review.entry_steps import (
    NONE_FOUND,
    neighbour,
    next_entry,
    searched_pane,
    select_entry,
    select_strongest,
    without_entries,
)
from dtui.tui.state.review.reviewing import Decision, about, decided, news, no_target, noted, targets, told, undoing
from dtui.tui.state.run_view import RunView
from dtui.tui.state.selection import Selection, anomaly_words
from dtui.tui.state.settle import begin
from dtui.tui.state.settle import settle as settled
from dtui.tui.state.waiting import Waiting


class Session(Waiting, Going):
    """The state of the TUI once a run is open."""

    def __init__(
        self,
        table: Table,
        view: RunView,
        width: int,
        height: int,
        link: Link | None = None,
        start: Selection | None = None,
    ) -> None:
        """Start with a run and the size of the screen; first at a place in the run, or where another run was left."""
        self.table = table
        self.view = view
        self.answers = Answers()
        self.selection = start or Selection()
        self.message = ""
        self.rings = False
        """Whether something new was found that a person may want to hear of; the app rings and takes it back."""
        self._size = (width, height)
        self._touched = False
        self._undo: list[tuple[Decision, ...]] = []
        self._failed: dict[str, Exception] = {}
        """Panes that raised since something happened last, by name: each says so in its place."""
        self._link, self._awaited = link, None
        self._kept, self._answered = None, {}
        self._scene: Scene | None = None
        self.settle(begin(self.scene))
        self.follow_link()

    # --- what is

    @property
    def scene(self) -> Scene:
        """Everything that decides what a key does; the same scene, with what it found out, until something changes."""
        now = (self.table, self.selection, self.view, self.answers, self._size, self.message, bool(self._undo))
        if self._scene is None or any(one is not other for one, other in zip(self._scene.parts, now, strict=True)):
            self._scene = Scene(*now, tell=self._tell)
        return self._scene

    def look(self, waiting: Collection[Pane] = ()) -> tuple[dict[Pane, Picture], list[Question[Any]]]:
        """Return what each pane shows now, and the questions to ask; some panes may wait with theirs."""
        return look(self.scene, self._failed, waiting)

    # --- keys

    def perform(self, action: str) -> tuple[Decision, ...]:
        """Perform an action; return the decisions that it makes, to be written.

        Raises:
            KeyError: The table has no such action.
        """
        was_touched, before = self._touched, self.selection
        self.begin_to_act()
        if action in ("flag", "dismiss", "undo"):
            return self._review(action)
        self.act(action)
        if self.keep(action, before):
            self._touched = was_touched  # what is selected by itself comes before it
        return ()

    def act(self, action: str) -> None:
        """Perform an action that decides nothing."""
        step = self.step_of(action)
        if step is None:
            homes = ", ".join(self.table.homes_of(action))
            self.message = f"{self.table.by_id[action].words}: not here" + (f", but on {homes}" if homes else "")
            return
        before = self.scene
        by = {"entry_next": 1, "entry_previous": -1}.get(action) if before.step_of(action) is None else None
        at_end = by is not None and searched_pane(self.scene) is None and self._says_end(by)
        if not at_end:
            self.take(self.scene.pane, step)
            led = before.asked(before.pane, lambda pane, scene: pane.led(scene, self.selection))
            self.message = (
                self._say(before.selection) or led or self.message or self._said_without_effect(before, action)
            )

    def _said_without_effect(self, before: Scene, action: str) -> str:
        return without_effect(before, action) if self.selection == before.selection and not self.is_missing() else ""

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

    def choice(self, action: str) -> Choice | None:
        """Return the list that an action opens on this screen; None if it opens none."""
        for pane in (self.scene.pane, *self.scene.screen.panes):
            if action in pane.steps:
                return self.scene.asked(pane, lambda pane, scene: pane.choice(scene, action))
        return None

    def take_option(self, option: Option) -> None:
        """Take what was chosen from a list."""
        self.begin_to_act()
        self.take(self.scene.pane, option.step)

    def step_of(self, action: str) -> Step | None:
        """Return the step of an action: a pane's own, or else that of every screen; None if it has none."""
        return self.scene.step_of(action) or STEPS.get(action) or self.table.steps.get(action)

    def go_back(self) -> bool:
        """End a search, maximised pane, zoom, inner screen or lower pane; return False if none is on."""
        self.begin_to_act()
        back = gone_back(self.scene)
        if back is None:
            self.message = "nothing to go back from: q leaves"
        else:
            self.settle(back)
        return back is not None

    def choose(self, selection: Selection) -> None:
        """Take a selection that was not made by keys."""
        self.begin_to_act()
        self.settle(selection)

    def refuse_run(self, message: str) -> None:
        """Stay with the open run, because the other one cannot be opened; a screen that needs both is left."""
        self.settle(self.selection.changed(run=None).gone_back())
        self.fail(message)

    def search(self, pattern: str) -> str:
        """Search for names in the searched pane; return what is wrong with the pattern, or ""."""
        self._touched, self._failed, self._awaited = True, {}, None
        try:
            compile_search(pattern)
        except re.error as error:
            return f"not a regular expression: {error.msg}"
        if self.searched is not None:
            self.settle(self.selection.with_search(self.searched.name, pattern))
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
            return "" if self.scene.pane.lists_entries else f"review of {self.selection.listing}; L goes back"
        if self.selection.run not in (None, before.run, self.view.path):
            return f"opening {safe(PurePath(str(self.selection.run)).stem)} …"
        if settings != before.anomaly_settings:
            return anomaly_words(settings)
        scene, panes = self.scene, () if self.selection.options is before.options else self.table.panes
        said = (scene.asked(pane, lambda pane, scene: pane.said(before, scene)) for pane in panes)
        return next(filter(None, said), "")

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
            self.settle(next_entry(self.scene, 1))
        if decisions:
            self.settle(self.selection.changed(marked=frozenset()))
            self.message = told(decisions, self.scene)
        return decisions

    def _take_back(self) -> tuple[Decision, ...]:
        if not self._undo:
            self.message = "nothing to undo"
            return ()
        decisions = self._undo.pop()
        self._apply(decisions)
        self.settle(select_entry(self.scene, decisions[0].entry))
        self.message = f"taken back, {decisions[0].status} again: {about(decisions, self.view)}"
        return decisions

    def note(self, text: str) -> tuple[Decision, ...]:
        """Put a note on the entries under review."""
        return self._decide(noted(targets(self.scene), text))

    def _decide(self, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
        found = (self.view.find_entry(decision.entry) for decision in decisions)
        if decisions:
            self._undo.append(undoing({entry.id: entry for entry in found if entry is not None}.values()))
            self._apply(decisions)
        return decisions

    def _apply(self, decisions: tuple[Decision, ...]) -> None:
        """Show decisions before they are written."""
        told = {decision.entry: (decision.status, decision.note) for decision in decisions}
        self.view = replace(self.view, review=self.view.review.decided(told))

    # --- what comes from outside

    def with_run(self, view: RunView, said: str = "") -> Session:
        """Return the session with another run, on the same screen; what was asked, decided and marked here is gone."""
        other = Session(self.table, view, *self._size, start=self.selection.for_other_run())
        other.message = said
        return other

    def resized(self, width: int, height: int) -> None:
        """Fit to another size."""
        self._size, self._failed = (width, height), {}
        self.settle(self.selection)

    def opened(self, view: RunView) -> None:
        """Show newly recorded data; answers to separate questions stay until new ones arrive."""
        old, self._failed = self.view, {}
        self.view = view.keeping_answers(old)
        self.settle(begin(self.scene) if old.is_empty and not view.is_empty else self.selection)
        self.follow_link()

    def quiet(self, seconds: float) -> None:
        """Show that a live run has recorded nothing new for so long."""
        self.view = replace(self.view, quiet_seconds=seconds)

    def lost(self, message: str) -> None:
        """Show that the run is no longer there: said in the last row once, and in the top bar until it is back."""
        if not self.view.is_gone:
            self.fail(message)
        self.view = replace(self.view, is_gone=True)

    def answered(self, question: Question[Any], answer: Any) -> None:
        """Take a new answer and show it."""
        self.answered_all([(question, answer)])

    def answered_all(self, answers: Iterable[tuple[Question[Any], Any]]) -> None:
        """Take new answers, one after the other, and show them all."""
        self._failed, answers = {}, list(answers)
        for question, answer in answers:
            self.selection = self._having(question, answer)
        self.settle(self.selection)
        self.follow_to_entry()
        self.take_again(question for question, _ in answers)

    def _having(self, question: Question[Any], answer: Any) -> Selection:
        """Keep an answer; return the selection that it leads to."""
        selection = self.scene.through(lambda pane, scene: pane.answered(scene, question, answer))
        if isinstance(question, AnomaliesQuestion):
            self.view = self.view.with_anomalies(answer, self.selection.anomaly_settings)
            selection = self._select_strongest(selection)
        elif isinstance(question, IncidentsQuestion):
            self._tell_news(answer)
            self.view = self.view.with_incidents(answer)
            selection = self._select_strongest(selection)
        elif isinstance(question, ClustersQuestion):
            self.view = replace(self.view, clusters=answer)
        else:
            self.answers = self.answers.having(question, answer)
        return selection

    def fail(self, message: str, about: str = "") -> None:
        """Show a message about data that could not be read or written; a pane that waits for them says it, too."""
        self.message, self.answers = safe(message), self.answers.refusing(about, message) if about else self.answers

    def _tell_news(self, incidents: Sequence[Entry]) -> None:
        """Say what a live run has shown since the detectors answered last, and remember to ring."""
        said = news(self.view, incidents)
        if said:
            self.message, self.rings = said, True

    def _select_strongest(self, selection: Selection) -> Selection:
        """Return the selection on the strongest entry of a finished run, unless the user has moved already."""
        return selection if self._touched else select_strongest(self.scene.at(selection))

    def begin_to_act(self) -> None:
        """Clear the last message. From now on the user decides what is shown."""
        self.message, self._touched, self._failed, self._awaited, self._kept = "", True, {}, None, None

    def _tell(self, pane: Pane, error: Exception) -> None:
        """Report a pane that raised an error, in its place and in the key bar: the next key may change its place."""
        self._failed[pane.name] = error
        self.fail(f"{pane.title or pane.name}: {type(error).__name__}; details are in the log")

    def take(self, pane: Pane, step: Callable[[Scene], Selection]) -> None:
        """Take a step of a pane; if it raises, the selection stays."""
        self.settle(self.scene.asked(pane, lambda _, scene: step(scene)) or self.selection)

    def settle(self, selection: Selection) -> None:
        """Take a selection and make it valid."""
        self.selection = selection
        self.selection = settled(self.scene)
