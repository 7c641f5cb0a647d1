"""Base classes for panes with rows: rows of text that scroll, and rows of pixels that can be magnified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from dtui.model import Heatmap, ImageRows
from dtui.tui.renderables.parts.pixel_rows import PixelRows
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import RowWindow, Selection

MANY_ROWS = 200
"""Up to so many rows are asked for at once, so that scrolling asks nothing."""
FEWEST_PIXEL_ROWS = 8
"""Rows of pixels that a pane is magnified to, at most."""


def scrolled(first: int, row: int, shown: int, total: int) -> int:
    """Return the first visible row, moved as little as possible so that `row` is among the `shown` rows."""
    first = min(first, row)
    first = max(first, row - shown + 1)
    return max(0, min(first, total - shown))


class ListPane(Pane):
    """Rows of text under a header. `place` finds the selected row from the Selection."""

    def items(self, scene: Scene) -> Sequence[Any]:
        """Return the item of each row."""
        raise NotImplementedError

    def tall(self, scene: Scene) -> int:
        """Return the terminal rows of a row."""
        return 1

    def shown(self, scene: Scene) -> int:
        """Return the rows that are visible at once, >= 1."""
        return max(1, (self.height(scene) - 1) // self.tall(scene))

    def asked_for(self, scene: Scene) -> Sequence[Any]:
        """Return the items to ask for: all, or if there are many, those on the screen."""
        items, first = self.items(scene), self.window(scene.selection).first
        return items if len(items) <= MANY_ROWS else items[first : first + self.shown(scene)]

    def place(self, scene: Scene, items: Sequence[Any]) -> int:
        """Return the selected row among the present rows."""
        return max(0, min(self.row(scene), len(items) - 1))

    def rows(self, scene: Scene) -> int:
        """Return how many rows there are."""
        return len(self.items(scene))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row."""
        return scene.selection.with_rows(self.name, replace(self.window(scene.selection), row=row))

    def page(self, scene: Scene) -> int:
        """Return a page less a row."""
        return max(1, self.shown(scene) - 1)

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return the row at terminal row `y`, which may be one past the last."""
        return None if y < 1 else self.window(scene.selection).first + (y - 1) // self.tall(scene)

    def settle(self, scene: Scene) -> Selection:
        """Return the selection with the selected row on the screen; a hidden pane stays where it is."""
        items, window = self.items(scene), self.window(scene.selection)
        row = self.place(scene, items)
        is_hidden = self.height(scene) == 0
        first = window.first if is_hidden else scrolled(window.first, row, self.shown(scene), len(items))
        return scene.selection.with_rows(self.name, RowWindow(row, first))


class PixelPane(Pane):
    """One row of pixels per item: all at once on the screen, or magnified around the selected one."""

    question: ClassVar[type[Question[Any]]]
    """What asks for the rows: its answer has `order` and `request`."""
    about: ClassVar[staticmethod[[Any], object]]
    """Returns what the rows of an answer are of."""
    place_of: ClassVar[staticmethod[[Any, int], PixelRows]]
    """Returns where the rows of an answer stand in a pane of so many terminal rows."""

    @property
    def steps(self) -> Mapping[str, Step]:
        """Magnify the rows."""
        return {
            "rows_fewer": lambda scene: self._magnified(scene, 2.0),
            "rows_more": lambda scene: self._magnified(scene, 0.5),
        }

    def subject(self, selection: Selection) -> object:
        """Return the subject that the rows belong to, such as a tree node."""
        raise NotImplementedError

    def window(self, selection: Selection) -> RowWindow:
        """Return the window of rows of the subject."""
        return selection.rows_of(self.name, self.subject(selection))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row."""
        return self._with(scene, row=row)

    def pixels(self, scene: Scene) -> int:
        """Return the pixel rows that there is room for, >= 1."""
        return pixels_of(self.height(scene))

    def step(self, scene: Scene) -> int:
        """Return the number of rows in one pixel."""
        return max(1, self._shown(scene) // self.pixels(scene))

    def page(self, scene: Scene) -> int:
        """Return the number of steps for half of the shown rows; rows that share a pixel also share a step."""
        return max(1, self._shown(scene) // self.step(scene) // 2)

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return the first row that is drawn at terminal row `y`."""
        answer = scene.answers.get(self.question)
        return None if answer is None else self.place_of(answer, self.height(scene)).row_at(y)

    def settle(self, scene: Scene) -> Selection:
        """Return the selection on a row that exists and is shown."""
        window, total = self.window(scene.selection), self.rows(scene)
        row = max(0, min(window.row, total - 1))
        count = None if window.count is None or window.count >= total else window.count
        first = scrolled(window.first, row, count, total) if count else 0
        return self._with(scene, row=row, first=first, count=count)

    def answered(self, scene: Scene, question: Question[Any], answer: Heatmap | ImageRows) -> Selection:
        """Stay on the same filter or image when the order of the rows changes."""
        old = scene.answers.get(self.question) if isinstance(question, self.question) else None
        row = self.row(scene)
        if old is not None and self.about(old) == self.about(answer) and row < len(old.order) == len(answer.order):
            found = (answer.order == old.order[row]).nonzero()[0]
            if len(found):
                return self.select(scene, int(found[0]))
        return scene.selection

    def _with(self, scene: Scene, **fields: Any) -> Selection:
        return scene.selection.with_rows(self.name, replace(self.window(scene.selection), **fields))

    def _shown(self, scene: Scene) -> int:
        total = self.rows(scene)
        return max(1, min(total, self.window(scene.selection).count or total))

    def _magnified(self, scene: Scene, factor: float) -> Selection:
        """Return the selection with fewer (factor > 1) or more rows, around the selected one."""
        window, total = self.window(scene.selection), self.rows(scene)
        count = max(min(FEWEST_PIXEL_ROWS, total), round((window.count or total) / factor))
        if count >= total:
            return self._with(scene, count=None, first=0)
        return self._with(scene, count=count, first=max(0, min(total - count, window.row - count // 2)))


def pixels_of(height: int) -> int:
    """Return the pixel rows of a pane of `height` rows, >= 1."""
    return max(1, 2 * (height - 1))
