"""The errors of some classes over time, below what is said of them: at each threshold, or where nothing went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import Anomaly, AnomalySettings, TimeAxis
from dtui.model.findings.advice import ThresholdAdvice
from dtui.model.judging import as_groups
from dtui.query import RunQuery
from dtui.tui.panes.companion import Companion
from dtui.tui.panes.looked_for import is_without_incident
from dtui.tui.panes.validation.classes_here import ErrorsNowQuestion, ErrorsQuestion
from dtui.tui.panes.validation.thresholds import Thresholds
from dtui.tui.renderables.panes.classes import TITLE, ClassesPicture, ClassRow
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.questions import Question

FEWEST = 7
"""Rows from which on they are shown."""


@dataclass(frozen=True, slots=True)
class MarksQuestion(Question[tuple[Anomaly, ...]]):
    """The class marks that a row of the advisor table counts."""

    advice: ThresholdAdvice
    threshold: float
    about = "what the threshold marks"
    is_slow = True

    @property
    def settings(self) -> AnomalySettings:
        """Those of the table, with the threshold."""
        return AnomalySettings(self.advice.rule, self.advice.window, "share", self.threshold)

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Read labels."""
        return query.prepare_anomalies(self.settings, seconds)

    def ask(self, query: RunQuery) -> tuple[Anomaly, ...]:
        """Return them, by iteration."""
        counted, direction = query.validation_iterations()[self.advice.left_out :], self.advice.direction
        first = int(counted[0]) if len(counted) else 0
        found = (one for one in query.anomalies(self.settings) if one.class_index is not None)
        return tuple(one for one in found if one.evidence.direction == direction and one.iteration >= first)


@dataclass(frozen=True, slots=True)
class AtEndQuestion(Question[tuple[tuple[int, float], ...]]):
    """All classes with an error at the last validation."""

    iteration: int
    classes: int
    about = "the classes at the end"

    def ask(self, query: RunQuery) -> tuple[tuple[int, float], ...]:
        """Return their labels and errors, the worst first."""
        return query.worst_classes(self.iteration, self.classes)


def asked_of(scene: Scene, labels: Sequence[int]) -> Iterator[Question[Any]]:
    """Yield the questions about the errors of classes, over time and at the crosshair."""
    if labels:
        groups, cursor = tuple((label,) for label in labels), scene.selection.cursor
        yield ErrorsQuestion(groups, scene.axis)
        yield ErrorsNowQuestion(groups, TimeAxis(cursor, cursor + 1, 1))


def courses_of(scene: Scene, labels: Sequence[int], marks: tuple[Anomaly, ...], title: str, empty: str) -> Picture:
    """Return the errors of classes over time, with some anomalies as marks."""
    judging, names = scene.view.info.judging, scene.view.classes
    return ClassesPicture(
        tuple(ClassRow(names[label], (label,), is_open=False, is_cluster=False) for label in labels),
        0,
        -1,
        scene.answers.get(ErrorsQuestion),
        marks,
        None,
        scene.view.stages,
        as_groups(title, judging),
        scene.answers.get(ErrorsNowQuestion),
        None,
        as_groups(empty, judging),
        as_groups(TITLE, judging),
    )


class MarkedClasses(Companion):
    """The classes that the selected threshold marks, in the room that the advisor table leaves."""

    name = "marked_classes"
    title = TITLE
    fewest_rows = FEWEST

    def __init__(self, of: Thresholds) -> None:
        """Take the table."""
        super().__init__(of)
        self.table = of

    def needed(self, scene: Scene) -> int:
        """Return all that there is; nothing where there is no table, so that the reason has all the room."""
        return 0 if self.table.picked(scene) is None else scene.size[1]

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the marks, and for the errors of the marked classes."""
        picked = self.table.picked(scene)
        if picked is not None and self.height(scene):
            yield MarksQuestion(*picked)
            yield from asked_of(scene, self._labels(scene))

    def picture(self, scene: Scene) -> Picture:
        """Return the marked classes, those that are marked most often first."""
        picked = self.table.picked(scene)
        at = "" if picked is None else f" at {picked[1]:.0%}"
        title = f"marked{at}, those marked most often first"
        return courses_of(scene, self._labels(scene), self._marks(scene), title, f"no class is marked{at}")

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return none: what is pressed here is a time."""
        return None

    @staticmethod
    def _marks(scene: Scene) -> tuple[Anomaly, ...]:
        return scene.answers.get(MarksQuestion) or ()

    def _labels(self, scene: Scene) -> list[int]:
        """Return as many classes as there is room for."""
        often = Counter(one.class_index for one in self._marks(scene) if one.class_index is not None)
        return [label for label, _ in often.most_common(max(0, self.height(scene) - 1))]


class ClassesAtEnd(Pane):
    """The classes of a run without incidents over time, the worst at its end first: one may be worse than it should."""

    name = "classes_at_end"
    title = TITLE
    fewest_rows = FEWEST

    def needed(self, scene: Scene) -> int:
        """Return the rows of all classes, where there is no incident."""
        has_some = bool(len(scene.view.classes) and scene.view.info.validations)
        return 1 + 2 * len(scene.view.classes) if has_some and is_without_incident(scene) else 0

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask which classes are worst, and for their errors."""
        last = scene.view.info.last_iteration
        if last is not None and self.height(scene):
            yield AtEndQuestion(last, len(scene.view.classes))
            yield from asked_of(scene, self._labels(scene))

    def picture(self, scene: Scene) -> Picture:
        """Return them."""
        title = f"the most wrong {'now' if scene.view.is_live else 'at the end'} first"
        return courses_of(scene, self._labels(scene), (), title, "")

    def _labels(self, scene: Scene) -> list[int]:
        """Return as many classes as there is room for; those without an error stand last."""
        worst = [label for label, _ in scene.answers.get(AtEndQuestion) or ()]
        rest = sorted(set(range(len(scene.view.classes))) - set(worst))
        return [*worst, *rest][: max(0, self.height(scene) - 1)]
