"""One person looking at one run: takes keys, presses, answers and changes, and keeps the Selection.

Owns the current Selection, RunView, Answers and Layout; knows no widget and no terminal, so that all of it is
tested without either. A second copy would let a key act on a run that the screen no longer shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dtui.model import Anomaly
from dtui.safe_text import safe
from dtui.tui.state.actions import BY_ID
from dtui.tui.state.anomaly_steps import next_anomaly, reviewable, select_anomaly, with_node_shown, without_anomalies
from dtui.tui.state.clamp import initial_clusters, initial_selection, settle
from dtui.tui.state.key_steps import STEPS
from dtui.tui.state.layout import Layout, divide
from dtui.tui.state.navigate import (
    Scene,
    cursor_to_column,
    fold,
    move_columns,
    move_rows,
    row_of,
    select_row,
    zoom,
)
from dtui.tui.state.requests import Answers, Request, wanted
from dtui.tui.state.selection import RunView, Selection, compile_search

WHEEL_ROWS = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on an anomaly, to be written by the loader."""

    anomaly: str
    status: str
    note: str | None


class Session:
    """The state of the TUI once a run is open."""

    def __init__(self, view: RunView, width: int, height: int) -> None:
        """Begin with a run on a screen of a size."""
        self.view = view
        self.answers = Answers()
        self.selection = Selection()
        self.message = ""
        self._size = (width, height)
        self._touched = False
        self._undo: list[Decision] = []
        self.selection = initial_selection(view, self.selection, self.layout.tree_rows)
        self._settle(self.selection)

    # --- what is

    @property
    def layout(self) -> Layout:
        """How the screen is divided now."""
        selection, view = self.selection, self.view
        if selection.screen == "layers":
            needed = 1 + len(view.tree) * (2 if selection.two_rows else 1)
        else:
            needed = 1 + 2 * (len(view.classes) + selection.cluster_count)
        is_upper = selection.pane in ("tree", "classes")
        return divide(
            *self._size,
            needed=needed,
            is_upper=is_upper,
            maximised=selection.maximised,
            two_rows=selection.two_rows,
        )

    @property
    def scene(self) -> Scene:
        """All that decides where a key leads."""
        return Scene(self.selection, self.view, self.layout)

    def wanted(self) -> Mapping[str, Request]:
        """Return the questions that the screen raises now."""
        return wanted(self.scene, self.answers)

    # --- keys

    def perform(self, action: str) -> Decision | None:
        """Do what an action does; a decision is returned, to be written.

        Raises:
            KeyError: Not an action of the Selection or of review.
        """
        self.message, self._touched = "", True
        if not BY_ID[action].applies(self.selection.screen):
            self.message = f"{BY_ID[action].words}: not on this screen"
            return None
        if action in ("flag", "dismiss", "undo"):
            return self._review(action)
        if action in ("anomaly_next", "anomaly_previous") and not reviewable(self.view):
            none = without_anomalies(self.view, self.selection.anomaly_settings)[0]
            words = "[ lowers the threshold" if none == "none found" else none
            self.message = f"no anomalies to review: {words}"
            return None
        before = self.selection
        self._settle(STEPS[action](self.scene))
        self.message = self._say(action, before)
        return None

    def go_back(self) -> bool:
        """End the innermost of search, maximised pane, zoom and lower pane; False where there is none."""
        self.message, self._touched = "", True
        selection = self.selection
        if selection.screen == "layers" and selection.layer_search:
            back = replace(selection, layer_search="")
        elif selection.screen == "validation" and selection.class_search:
            back = replace(selection, class_search="")
        elif selection.maximised:
            back = replace(selection, maximised=False)
        elif selection.window is not None:
            back = replace(selection, window=None)
        elif selection.pane in ("filters", "images"):
            back = fold(self.scene, False)
        else:
            return False
        self._settle(back)
        return True

    def choose(self, selection: Selection) -> None:
        """Take a selection that a person put together in another way than by keys."""
        self.message, self._touched = "", True
        self._settle(selection)

    def go_to_node(self, node: int) -> None:
        """Select a tree node, opening what it is in."""
        selection = self.selection.with_pane("tree")
        self.choose(with_node_shown(selection, self.view, node))

    def search(self, pattern: str) -> str:
        """Search for names on the current screen; return what is wrong with the pattern, "" if nothing."""
        self._touched = True
        try:
            compile_search(pattern)
        except re.error as error:
            return f"not a regular expression: {error.msg}"
        name = "layer_search" if self.selection.screen == "layers" else "class_search"
        self._settle(self.selection.changed(**{name: pattern}))
        return ""

    @property
    def current_search(self) -> str:
        """The search on the current screen."""
        selection = self.selection
        return selection.layer_search if selection.screen == "layers" else selection.class_search

    def _say(self, action: str, before: Selection) -> str:
        """Return a line about a change that is not seen otherwise."""
        settings = self.selection.anomaly_settings
        if settings != before.anomaly_settings:
            window = "automatic" if settings.window is None else settings.window
            unit = (
                f"{settings.threshold:.0%} of a class" if settings.unit == "share" else f"{settings.threshold:g} images"
            )
            return f"anomalies: {settings.rule} rule, window {window}, at least {unit}"
        if action == "clusters" and self.selection.cluster_count != before.cluster_count:
            return f"{self.selection.cluster_count} clusters of classes"
        return ""

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

    def press_time(self, x: int) -> None:
        """Put the crosshair on a column of the screen."""
        self.message, self._touched = "", True
        if not self.view.is_empty and x >= self.layout.gutter:
            self._settle(cursor_to_column(self.scene, x - self.layout.gutter))

    def press_row(self, pane: str, row: int | None, with_fold: bool) -> None:
        """Give a pane the keyboard and select a row of it; a second press on a selected row folds it."""
        self.message, self._touched = "", True
        was_here = self.selection.pane == pane
        self._settle(self.selection.with_pane(pane))
        if row is None:
            return
        if with_fold and was_here and row == row_of(self.scene):
            if pane in ("tree", "classes") and self._is_foldable():
                self._settle(fold(self.scene, None))
            return
        self._settle(select_row(self.scene, row))

    def _is_foldable(self) -> bool:
        if self.selection.pane == "tree":
            return bool(self.view.tree) and self.view.tree[self.selection.node].layer is None
        return self.selection.class_index is None

    def press_anomaly(self, anomaly: str) -> None:
        """Go to an anomaly."""
        self.message, self._touched = "", True
        self._settle(select_anomaly(self.scene, anomaly))

    def turn_wheel(self, pane: str, by: int, with_control: bool) -> None:
        """Scroll a pane, or zoom time with Ctrl."""
        self._touched = True
        if with_control:
            self._settle(zoom(self.scene, 1.25 if by < 0 else 0.8))
        elif pane in ("tree", "filters", "classes", "images"):
            self._settle(self.selection.with_pane(pane))
            self._settle(move_rows(self.scene, by * WHEEL_ROWS))
        else:
            self._settle(move_columns(self.scene, by))

    # --- what comes from outside

    def resized(self, width: int, height: int) -> None:
        """Fit to another size."""
        self._size = (width, height)
        self._settle(self.selection)

    def opened(self, view: RunView) -> None:
        """Show what was recorded since; what was asked apart stays until it is answered anew."""
        was_empty = self.view.is_empty
        old = self.view
        self.view = replace(view, anomalies=old.anomalies, searched=old.searched, clusters=old.clusters)
        if was_empty and not view.is_empty:
            self.selection = initial_selection(self.view, self.selection, self.layout.tree_rows)
        self._settle(self.selection)

    def answered(self, slot: str, value: Any) -> None:
        """Take an answer into what is shown."""
        if slot == "anomalies":
            self.view = replace(self.view, anomalies=value, searched=self.selection.anomaly_settings)
            self._select_strongest()
        elif slot == "clusters":
            is_first = not self.view.clusters
            self.view = replace(self.view, clusters=value)
            if is_first:
                self.selection = initial_clusters(self.view, self.selection, self.layout.class_rows)
        else:
            if slot in ("heatmap", "images"):
                self._keep_identity(slot, value)
            self.answers = replace(self.answers, **{slot: value})
        self._settle(self.selection)

    def fail(self, message: str) -> None:
        """Show what could not be read or written."""
        self.message = safe(message)

    def _select_strongest(self) -> None:
        """Begin a finished run at its strongest anomaly, as long as the person has not gone anywhere."""
        candidates = reviewable(self.view)
        if self._touched or self.view.is_live or self.selection.anomaly or not candidates:
            return
        strongest = max(candidates, key=lambda anomaly: anomaly.score)
        self._settle(select_anomaly(self.scene, strongest.id))

    def _keep_identity(self, slot: str, value: Any) -> None:
        """Stay on the same filter or image when its rows are in another order than before."""
        old = getattr(self.answers, slot)
        name, key = ("filter", "node") if slot == "heatmap" else ("image", "classes")
        if old is None or getattr(old.request, key) != getattr(value.request, key):
            return
        row = getattr(self.selection, name)
        if row < len(old.order) and len(old.order) == len(value.order):
            found = (value.order == old.order[row]).nonzero()[0]
            if len(found):
                self.selection = self.selection.changed(**{name: int(found[0])})

    def _settle(self, selection: Selection) -> None:
        """Take a selection, made possible."""
        self.selection = selection
        self.selection = settle(self.scene)
