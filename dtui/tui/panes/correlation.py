"""The correlation pane: classes with incidents × layers; the picked cell moves class, layer and iteration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from dtui.model.judging import as_groups
from dtui.number_text import counted
from dtui.tui.panes.grid import ORDER_WORDS, CellQuestion, GridOptions, GridPane, moving_layers
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.correlation import TITLE, CorrelationPicture, place_of, rows_needed
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.selection import Selection

MODULE_STEP = 10


class Correlation(GridPane):
    """Rows are classes, columns are layers."""

    name = "incident_grid"
    title = TITLE
    has_time = False
    actions = (
        Action("least_lower", ("less_than_sign",), "less important", "Show mini-sets of less importance too.", SHOWN),
        Action("least_higher", ("greater_than_sign",), "more important", "Show only more important mini-sets.", SHOWN),
    )
    bar = (
        (("fold_toggle",), "go there"),
        (("column_left", "column_right"), "layer"),
        (("chart",), "in detail"),
        (("least_lower", "least_higher"), "importance"),
        (("rows_more", "rows_fewer"), "how many"),
        (("sort",), "sort"),
        (("statistic",), "statistic"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through layers, and through what is shown."""
        return {
            **super().steps,
            "column_left": moving_layers(self, -1),
            "column_right": moving_layers(self, 1),
            "column_left_ten": moving_layers(self, -MODULE_STEP),
            "column_right_ten": moving_layers(self, MODULE_STEP),
            "chart": cycling(GridOptions, "is_detailed", (False, True)),
            "least_lower": partial(self._least, by=-1),
            "least_higher": partial(self._least, by=1),
        }

    def picture(self, scene: Scene) -> Picture:
        """Return the grid, or why there is none."""
        grid = self.grid(scene)
        if grid is None or not grid.rows:
            return self.nothing(scene)
        options, picked = scene.selection.get(GridOptions), (self.grid_row(scene), self.layer(scene))
        cell = scene.answers.get(CellQuestion)
        return CorrelationPicture(grid, self.look(scene, grid), picked, options.is_detailed, options.least, cell)

    def needed(self, scene: Scene) -> int:
        """Return the rows of the grid at its highest, and of the words below it on any of its cells."""
        grid = self.grid(scene)
        if grid is None or not grid.rows:
            return scene.size[1]
        return rows_needed(grid, scene.selection.get(GridOptions).is_detailed, scene.size[0])

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return the row of the grid at a terminal row."""
        picture = self.picture(scene)
        if not isinstance(picture, CorrelationPicture):
            return None
        place = place_of(picture, scene.layout.width, self.height(scene), scene.layout.gutter)
        line = place.line_at(y)
        return None if line is None else place.lines[line][0]

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Return the selection on the pressed cell; on the gutter its row, below the grid nothing."""
        scene, picture = scene.at(scene.with_pane(self)), self.picture(scene)
        row = self.row_at(scene, y)
        if not isinstance(picture, CorrelationPicture) or row is None:
            return scene.selection
        place = place_of(picture, frame.width, frame.height, frame.gutter)
        layer = place.layer_at(x, picture.is_detailed) if x >= frame.gutter else None
        return self.picked(scene, row, self.layer(scene) if layer is None else layer)

    def said(self, before: Selection, scene: Scene) -> str:
        """Say which mini-sets are shown, and in which order the rows are."""
        old, new = before.get(GridOptions), scene.selection.get(GridOptions)
        if old.order != new.order:
            return as_groups(f"rows {ORDER_WORDS[new.order]}", scene.view.info.judging)
        if old.least != new.least:
            return f"mini-sets of importance {new.least} and more" + ("" if new.is_detailed else "; b draws them")
        return f"{counted(new.count, 'filter')} at each incident" if old.count != new.count else ""

    def _least(self, scene: Scene, by: int) -> Selection:
        """Return the selection with the next importance that any mini-set has as the least."""
        grid, options = self.grid(scene), scene.selection.get(GridOptions)
        if grid is None or not grid.importances:
            return scene.selection
        steps = (1, *(one for one in grid.importances if one > 1))
        here = max(place for place, one in enumerate(steps) if one <= max(options.least, 1))
        least = steps[max(0, min(len(steps) - 1, here + by))]
        return scene.selection.put(replace(options, least=least))
