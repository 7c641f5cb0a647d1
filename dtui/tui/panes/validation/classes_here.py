"""The questions about the errors of classes, and which classes have an incident at the crosshair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import Cause, ClassErrors, TimeAxis
from dtui.model.findings.review import Entry, reviewable
from dtui.query import RunQuery
from dtui.tui.renderables.canvas.frame import gutter_for
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.run_view import time_axis


@dataclass(frozen=True, slots=True)
class ErrorsQuestion(Question[ClassErrors]):
    """Error strips of groups of classes."""

    groups: tuple[tuple[int, ...], ...]
    axis: TimeAxis
    about = "errors"

    def ask(self, query: RunQuery) -> ClassErrors:
        """Return a strip for each group."""
        return query.class_errors(self.groups, self.axis)


class ErrorsNowQuestion(ErrorsQuestion):
    """Exact errors at the cursor: the axis is one column of one iteration.

    A column of the screen may hold many validations, and its strip shows the worst of them.
    """

    about = "errors at the cursor"


@dataclass(frozen=True, slots=True)
class WorstQuestion(Question[tuple[tuple[int, float], ...]]):
    """The worst class at the cursor."""

    iteration: int
    about = "the worst class"

    def ask(self, query: RunQuery) -> tuple[tuple[int, float], ...]:
        """Return its label and error."""
        return query.worst_classes(self.iteration)


def labels_here(scene: Scene) -> frozenset[int]:
    """Return the classes with an incident, or an anomaly where those are listed, in the crosshair's column.

    To an incident of layers or the whole network belong also the classes whose images flip at it.
    """
    columns = max(1, scene.size[0] - gutter_for(scene.size[0]))  # the layout asks for the rows that follow from this
    axis, found = time_axis(scene.selection, scene.view, columns), set[int]()
    here = axis.column_of(scene.selection.cursor)
    entries = reviewable(scene.entries)
    first, last = (axis.columns_of(np.array(places, np.int64)) for places in _ends(entries))
    for entry in (entries[place] for place in np.flatnonzero((first <= here) & (here <= last))):
        found.update(entry.classes)
        if entry.incident is not None and (entry.layers or entry.incident.cause is not Cause.CLASS):
            found.update(label for one in entry.incident.evidence for label in one.classes)
            found |= scene.once(f"flip in column {here} of {axis}", lambda: _flipping(scene, axis, here))
    return frozenset(found)


def _ends(entries: Sequence[Entry]) -> tuple[list[int], list[int]]:
    return [entry.iteration for entry in entries], [entry.last for entry in entries]


def _flipping(scene: Scene, axis: TimeAxis, column: int) -> frozenset[int]:
    """Return the classes with an anomaly in a column."""
    found = scene.view.review.class_anomalies
    places = np.flatnonzero(axis.columns_of(np.array([one.iteration for one in found], np.int64)) == column)
    return frozenset(label for place in places if (label := found[place].class_index) is not None)
