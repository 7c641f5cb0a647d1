"""Asks for the tree's exact numbers at the crosshair: a column of the screen may hold many records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.model.layers import UPDATE_RATIO
from dtui.query import RunQuery
from dtui.tui.panes.layers.questions import RatiosQuestion, SeriesQuestion
from dtui.tui.panes.layers.tree_beside import beside_of
from dtui.tui.panes.layers.tree_charts import chart_of, wanted_charts
from dtui.tui.panes.layers.tree_options import TreeOptions
from dtui.tui.panes.layers.tree_rows import TreeItem, values_at
from dtui.tui.renderables.panes.layers.tree import TreeNow
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Answers, Question


@dataclass(frozen=True, eq=False, slots=True)
class AnswersAt:
    """Answers about one iteration."""

    iteration: int
    answers: Answers


@dataclass(frozen=True, slots=True)
class AtCursorQuestion(Question[AnswersAt]):
    """Questions of the tree about one iteration: their axis is one column of it."""

    iteration: int
    questions: tuple[Question[Any], ...]
    about = "numbers at the cursor"

    def ask(self, query: RunQuery) -> AnswersAt:
        """Return the answers."""
        answers = Answers()
        for question in self.questions:
            answers = answers.having(question, question.ask(query))
        return AnswersAt(self.iteration, answers)


def wanted_now(
    scene: Scene, nodes: tuple[int, ...], here: Sequence[TreeItem], has_ratios: bool
) -> Iterator[AtCursorQuestion]:
    """Ask for the numbers at the crosshair of what `wanted_charts` asks for over time."""
    cursor = scene.selection.cursor
    moment = TimeAxis(cursor, cursor + 1, 1)
    wanted: list[Any] = [*wanted_charts(scene, nodes, here)]
    wanted += [RatiosQuestion(nodes, moment)] if has_ratios else []
    yield AtCursorQuestion(cursor, tuple(replace(question, axis=moment) for question in wanted))


def now_of(scene: Scene) -> TreeNow | None:
    """Return the exact numbers at hand."""
    found = scene.answers.get(AtCursorQuestion)
    if found is None:
        return None
    then = replace(scene, answers=found.answers)
    return TreeNow(found.iteration, chart_of(then), found.answers.get(RatiosQuestion), beside_of(then))


def values_here(scene: Scene) -> dict[int, float]:
    """Return each node's value at the crosshair, of its column until the exact ones arrive; NaN for none."""
    statistic, cursor = scene.selection.get(TreeOptions).statistic, scene.selection.cursor
    kind = RatiosQuestion if statistic == UPDATE_RATIO else SeriesQuestion
    now, series = scene.answers.get(AtCursorQuestion), scene.answers.get(kind)
    exact = None if now is None or now.iteration != cursor else now.answers.get(kind)
    is_same = exact is not None and series is not None and exact.nodes == series.nodes
    return values_at(exact if is_same else series, cursor)
