"""The panes of the confusion matrix: the confusions that changed most around the incident, and the matrix here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.model.learning import ConfusionChange, ConfusionMatrix
from dtui.query import RunQuery
from dtui.tui.panes.rows import ListPane
from dtui.tui.panes.validation.inside import INSIDE, incident_begin, open_gallery, without_validations
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import MessagePicture, reading
from dtui.tui.renderables.panes.validation import matrix as drawn
from dtui.tui.renderables.panes.validation import pairs as drawn_pairs
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.judged_words import has_labels, score_name
from dtui.tui.state.pane import Pane, Scene, Shows, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.screens.layout import LEAST_ROWS, divide
from dtui.tui.state.selection import Selection

Pair = tuple[int, int]
MATRIX_PLACE = 1
"""Of the matrix among the panes of its screen."""
ROWS_OF_A_MATRIX = 3
"""Of its header, the names of its columns, and the words below it."""
ROWS_OF_IMAGES = 8
"""From which on the images of the picked pair are shown below it."""


@dataclass(frozen=True, slots=True)
class ConfusionOptions:
    """The selected pair of true and predicted label; None before one is chosen."""

    pair: Pair | None = None


@dataclass(frozen=True, slots=True)
class MatrixQuestion(Question[ConfusionMatrix]):
    """The confusion matrix at an iteration, and what changed since another."""

    iteration: int
    since: int | None
    rows: int
    columns: int
    picked: tuple[int, int | None] | None = None
    about = "the confusion matrix"

    def ask(self, query: RunQuery) -> ConfusionMatrix:
        """Return it."""
        return query.confusion_matrix(self.iteration, self.since, self.rows, self.columns, self.picked)


@dataclass(frozen=True, slots=True)
class SharesQuestion(Question[drawn_pairs.PairShares]):
    """The confusions that changed most, over time; asked together with their matrix, so that both are drawn at once.

    Attributes:
        matrix: The question for the matrix.
        first: Place of the first that is on the screen.
        count: How many are on the screen.
        axis: The columns.
    """

    matrix: MatrixQuestion
    first: int
    count: int
    axis: TimeAxis
    about = "confusions over time"

    def ask(self, query: RunQuery) -> drawn_pairs.PairShares:
        """Return them."""
        changed = self.matrix.ask(query).changed[self.first : self.first + self.count]
        pairs = tuple((one.target, one.label) for one in changed)
        return drawn_pairs.PairShares(self.axis, pairs, query.confusion_shares(pairs, self.axis))


def _changed(scene: Scene) -> tuple[ConfusionChange, ...]:
    matrix = scene.answers.get(MatrixQuestion)
    return () if matrix is None else matrix.changed


def selected_pair(scene: Scene) -> Pair | None:
    """Return the selected pair; before one is chosen, the first of the selected class, or the first of all."""
    chosen, changed = scene.selection.get(ConfusionOptions).pair, _changed(scene)
    if chosen is not None and chosen[0] == scene.selection.class_index:
        return chosen
    own = [one for one in changed if one.target == scene.selection.class_index]
    first = next(iter(own or changed), None)
    return None if first is None else (first.target, first.label)


def _with_pair(scene: Scene, pair: Pair) -> Selection:
    """Return the selection on a pair, and on its class."""
    return scene.selection.put(ConfusionOptions(pair)).changed(class_index=pair[0])


class Pairs(ListPane):
    """Confusions by how much they changed; the selected one is a cell of the matrix below."""

    name = "pairs"
    title = drawn_pairs.TITLE
    shows = Shows.CLASSES
    bar = ((("fold_toggle",), "its images"), (("always_wrong",), "always wrong"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Open the other inner screens."""
        return INSIDE

    def needed(self, scene: Scene) -> int:
        """Return the rows that the matrix leaves, if it has few classes; a third where images have room, too."""
        total = sum(divide(*scene.size, (1, 1)).panes)
        room, third = total - rows_of_matrix(scene), total // 3
        if room - third >= ROWS_OF_IMAGES:
            return min(1 + len(_changed(scene)), third)
        return min(1 + len(_changed(scene)), room if room >= LEAST_ROWS else scene.size[1])

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the matrix, and for the pairs on the screen over time."""
        if not self.height(scene) or not len(scene.view.classes):
            return
        matrix = matrix_question(scene)
        yield matrix
        yield SharesQuestion(matrix, self.window(scene.selection).first, self.shown(scene), scene.axis)

    def picture(self, scene: Scene) -> Picture:
        """Return the pairs that are there."""
        matrix, view = scene.answers.get(MatrixQuestion), scene.view
        if not len(view.classes) or not view.info.validations:
            lacking = ("No validations in this run", "so there are no wrong labels; Esc goes back")
            return MessagePicture(*without_validations(scene, *lacking), self.title)
        if matrix is None:
            return reading("which class was taken for which", self.title)
        if not has_labels(matrix.judging):
            name = score_name(matrix.judging)
            return MessagePicture(
                "No confusion in this run",
                f"an item is right or not, by its {name}; Esc goes back",
                self.title,
            )
        window, pair = self.window(scene.selection), selected_pair(scene)
        is_here = any((one.target, one.label) == pair for one in matrix.changed)
        return drawn_pairs.PairsPicture(
            matrix.changed,
            window.first,
            window.row if is_here else -1,
            scene.answers.get(SharesQuestion),
            view.classes,
            self._title(matrix),
            view.stages,
        )

    @staticmethod
    def _title(matrix: ConfusionMatrix) -> str:
        if matrix.iteration is None:
            return "not validated yet"
        if matrix.reference is None:
            return f"at {matrix.iteration:,}, the first validation"
        return f"what changed most from validation {matrix.reference:,} to {matrix.iteration:,}"

    def items(self, scene: Scene) -> Sequence[ConfusionChange]:
        """Return the confusions that changed."""
        return _changed(scene)

    def place(self, scene: Scene, items: Sequence[ConfusionChange]) -> int:
        """Return the row of the selected pair."""
        pair = selected_pair(scene)
        return next((row for row, one in enumerate(items) if (one.target, one.label) == pair), 0)

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a pair, and on its class."""
        items = self.items(scene)
        return _with_pair(scene, (items[row].target, items[row].label)) if items else scene.selection

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is a class to look at."""
        return selected_pair(scene) is not None

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Look at the images of the class."""
        pair = selected_pair(scene)
        if pair is None or open_ is False:
            return scene.selection
        return open_gallery(scene.at(_with_pair(scene, pair)))


class Matrix(Pane):
    """True against predicted labels at the crosshair."""

    name = "matrix"
    title = drawn.TITLE
    has_time = False
    bar = ((("fold_toggle",), "its images"), (("always_wrong",), "always wrong"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Open the other inner screens."""
        return INSIDE

    def table(self, scene: Scene) -> drawn.Table:
        """Return where the cells stand."""
        layout = scene.layout
        return drawn.table_of(layout.width, self.height(scene), layout.gutter, scene.view.classes)

    def needed(self, scene: Scene) -> int:
        """Return the rows of all classes; none where no label is known: the pane above says why."""
        matrix = scene.answers.get(MatrixQuestion)
        return rows_of_matrix(scene) if matrix is None or has_labels(matrix.judging) else 0

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the matrix."""
        if len(scene.view.classes):
            yield matrix_question(scene)

    def picture(self, scene: Scene) -> Picture:
        """Return the matrix at hand."""
        matrix = scene.answers.get(MatrixQuestion)
        if matrix is None:
            return reading("which class was taken for which", self.title)
        return drawn.MatrixPicture(matrix, selected_pair(scene), scene.view.classes)

    def rows(self, scene: Scene) -> int:
        """Return the true labels on the screen."""
        matrix = scene.answers.get(MatrixQuestion)
        return 0 if matrix is None else min(len(matrix.rows), self.table(scene).rows)

    def row(self, scene: Scene) -> int:
        """Return the row of the selected class."""
        matrix, pair = scene.answers.get(MatrixQuestion), selected_pair(scene)
        if matrix is None or pair is None or pair[0] not in matrix.rows:
            return 0
        return int((matrix.rows == pair[0]).argmax())

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a class: its most frequent wrong label, or its own."""
        matrix = scene.answers.get(MatrixQuestion)
        if matrix is None or row >= len(matrix.rows):
            return scene.selection
        target = int(matrix.rows[row])
        counts = matrix.counts[row].copy()
        counts[matrix.columns == target] = 0
        label = int(matrix.columns[counts.argmax()]) if counts.any() else target
        return _with_pair(scene, (target, label))

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is a class to look at."""
        return selected_pair(scene) is not None

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Look at the images of the class; closing goes to the pairs."""
        pair = selected_pair(scene)
        if pair is None or open_ is False:
            return super().fold(scene, open_)
        return open_gallery(scene.at(_with_pair(scene, pair)))

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Select the pressed cell, and its class."""
        matrix, cell = scene.answers.get(MatrixQuestion), self.table(scene).at(x, y)
        if matrix is None or cell is None or cell[0] >= len(matrix.rows) or cell[1] >= len(matrix.columns):
            return None
        return _with_pair(scene.at(scene.with_pane(self)), (int(matrix.rows[cell[0]]), int(matrix.columns[cell[1]])))


def rows_of_matrix(scene: Scene) -> int:
    """Return the rows of a matrix of all classes, higher ones where it takes no more than a third of the screen."""
    classes = scene.view.classes
    tall = drawn.table_of(scene.size[0], scene.size[1] // 3, 0, classes).tall
    return ROWS_OF_A_MATRIX - 1 + max(1, len(classes)) * tall


def matrix_question(scene: Scene) -> MatrixQuestion:
    """Return the question for the matrix that fits, at the crosshair, and what changed since the incident began."""
    layout = scene.layout
    height = layout.panes[MATRIX_PLACE] if len(layout.panes) > MATRIX_PLACE else layout.height
    table = drawn.table_of(layout.width, height, layout.gutter, scene.view.classes)
    has_all = len(scene.view.classes) <= min(table.rows, table.columns)
    picked = None if has_all else _picked(scene)
    return MatrixQuestion(scene.selection.cursor, incident_begin(scene), table.rows, table.columns, picked)


def _picked(scene: Scene) -> tuple[int, int | None] | None:
    """Return the selected class and the label that was picked of it, so that their cell is among those shown."""
    label, pair = scene.selection.class_index, scene.selection.get(ConfusionOptions).pair
    if label is None:
        return None
    return label, pair[1] if pair is not None and pair[0] == label else None
