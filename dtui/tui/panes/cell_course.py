"""What the picked cell of the correlation did over the run, below the grid, on the time axis of the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.model.cube import CellCourses
from dtui.model.layers import layer_called
from dtui.model.statistics import title_of
from dtui.query import RunQuery
from dtui.safe_text import safe
from dtui.tui.panes.companion import Companion
from dtui.tui.panes.entry_detail import EvidenceQuestion, images_asked, images_of
from dtui.tui.panes.grid import CellQuestion, GridOptions, GridPane, layer_names
from dtui.tui.renderables.panes.message import MessagePicture, reading
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question

MOST_FILTERS = 4


@dataclass(frozen=True, slots=True)
class CellCoursesQuestion(Question[CellCourses]):
    """What a cell did over time."""

    label: int | None
    layer: int
    filters: tuple[int, ...]
    statistic: str
    axis: TimeAxis
    about = "the picked cell over time"

    def ask(self, query: RunQuery) -> CellCourses:
        """Return it."""
        return query.cell_courses(self.label, self.layer, self.filters, self.statistic, self.axis)


class CellCoursesNowQuestion(CellCoursesQuestion):
    """Its exact values at the cursor: the axis is one column of one iteration."""

    about = "the picked cell at the cursor"


class CellCourse(Companion):
    """The error of the class, the change of its filters, and images that flipped."""

    name = "cell_course"
    title = "Over time"

    def __init__(self, of: GridPane) -> None:
        """Take the grid."""
        super().__init__(of)
        self.of_grid = of

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the courses once it is known which filters the cell has, and for images that flipped."""
        chosen = self._chosen(scene)
        if not self.height(scene) or chosen is None:
            return
        label, layer, filters = chosen
        statistic, at = scene.selection.get(GridOptions).statistic, scene.selection.cursor
        yield CellCoursesQuestion(label, layer, filters, statistic, scene.axis)
        yield CellCoursesNowQuestion(label, layer, filters, statistic, TimeAxis(at, at + 1, 1))
        if scene.selection.entry is not None:
            yield EvidenceQuestion((scene.selection.entry,))
        yield from images_asked(scene, True)

    def picture(self, scene: Scene) -> Picture:
        """Return the courses of the picked cell."""
        from dtui.tui.renderables.panes.layers.cell_course import CellCoursePicture

        grid, chosen = self.of_grid.grid(scene), self._chosen(scene)
        if grid is None or not grid.rows:
            return MessagePicture(title=self.title)
        if chosen is None:
            return reading("the picked cell over time", self.title)
        found, now = scene.answers.get(CellCoursesQuestion), scene.answers.get(CellCoursesNowQuestion)
        kept = [one if one is not None and _is_of(one, chosen) else None for one in (found, now)]
        words = self._words(scene)
        view = scene.view
        return CellCoursePicture(self.title, words, view.classes, kept[0], images_of(scene), view.info.judging, kept[1])

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the courses, each beside the median."""
        found, chosen = scene.answers.get(CellCoursesQuestion), self._chosen(scene)
        if found is None or chosen is None or not _is_of(found, chosen):
            return None
        names = [*(["error", "error of all images"] if found.error is not None else [])]
        for filter_, course in zip(found.filters, found.moved, strict=True):
            names += [f"filter {filter_} {title_of(course.statistic)}", "median of the layer"]
        values = [part for course in found.courses for part in (course.values, course.median)]
        return over_time(self._words(scene)[0], found.axis, names, values)

    def _chosen(self, scene: Scene) -> tuple[int | None, int, tuple[int, ...]] | None:
        """Return class, layer and filters of the picked cell; None until they are known."""
        grid, cell = self.of_grid.grid(scene), scene.answers.get(CellQuestion)
        if grid is None or not grid.rows or cell is None:
            return None
        row, layer = self.of_grid.grid_row(scene), self.of_grid.layer(scene)
        if (cell.row, cell.layer) != (row, layer):
            return None
        entry = scene.view.find_entry(scene.selection.entry)
        named = entry.filters if entry is not None and entry.layer == layer_names(scene)[layer] else ()
        filters = dict.fromkeys([*named, *(one.filter for event in cell.events for one in event.filters)])
        return grid.rows[row].label, layer, tuple(filters)[:MOST_FILTERS]

    def _words(self, scene: Scene) -> tuple[str, ...]:
        grid = self.of_grid.grid(scene)
        assert grid is not None
        row = self.of_grid.look(scene, grid).names[self.of_grid.grid_row(scene)]
        layer = safe(layer_called(layer_names(scene)[self.of_grid.layer(scene)]), 60)
        chosen = self._chosen(scene)
        if chosen is not None and not chosen[2]:
            return (f"{row}; no filter of {layer} is among those that changed most", f"{row} × {layer}", row)
        return (f"{row}, and filters of {layer}", f"{row} × {layer}", row)


def _is_of(found: CellCourses, chosen: tuple[int | None, int, tuple[int, ...]]) -> bool:
    return (found.label, found.layer, found.filters) == chosen
