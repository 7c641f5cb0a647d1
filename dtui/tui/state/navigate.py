"""Moves over rows and time: pure functions that return the next Selection."""

from __future__ import annotations

import numpy as np

from dtui.tui.state.pane import Scene
from dtui.tui.state.run_view import axis_limits, time_axis
from dtui.tui.state.selection import Selection

# --- rows


def select_row(scene: Scene, row: int) -> Selection:
    """Return the selection on a row of the current pane; rows outside are clamped."""
    return scene.pane.select(scene, max(0, min(row, scene.pane.rows(scene) - 1)))


def move_rows(scene: Scene, by: int) -> Selection:
    """Return the selection `by` steps on. If several rows share a pixel, one step is one pixel."""
    return select_row(scene, scene.pane.row(scene) + by * scene.pane.step(scene))


def last_row(scene: Scene) -> Selection:
    """Return the selection on the last row; in a live run, following its newest iteration instead."""
    if scene.view.is_live:
        return follow(scene)
    return select_row(scene, scene.pane.rows(scene) - 1)


def follow(scene: Scene) -> Selection:
    """Return the selection that follows the newest iteration."""
    return shown(scene.selection.changed(follow=scene.view.is_live, cursor=scene.view.last_iteration), scene)


# --- back


def gone_back(scene: Scene) -> Selection | None:
    """Return the selection without the search, or the maximised pane, or the zoom; or on the screen before, or above.

    None if nothing is left to go back from.
    """
    selection = scene.selection
    searched = next((pane for pane in scene.screen.panes if selection.search_of(pane.name)), None)
    if searched is not None:
        return selection.with_search(searched.name, "")
    if selection.maximised:
        return selection.changed(maximised=False)
    if selection.window is not None:
        return selection.changed(window=None)
    if selection.came_from:
        return selection.gone_back()
    return selection.changed(pane=0) if selection.pane else None


# --- time


def shown(selection: Selection, scene: Scene) -> Selection:
    """Return the selection with the cursor inside the window; the window moves if necessary."""
    if selection.window is None:
        return selection
    axis = time_axis(selection, scene.view, scene.layout.columns)
    moved = axis.showing(selection.cursor, axis_limits(scene.view))
    return selection.changed(window=(moved.first, moved.stop))


def snapped(scene: Scene, column: int) -> int:
    """Return a column's iteration: the recorded one nearest to its middle; the middle if none was recorded there."""
    axis = scene.axis
    middle = axis.iteration_of(column)
    iterations = scene.view.iterations
    inside = iterations[axis.columns_of(iterations) == column]
    return int(inside[np.argmin(np.abs(inside - middle))]) if len(inside) else middle


def cursor_to_column(scene: Scene, column: int) -> Selection:
    """Return the selection with the crosshair on a column, within what has been recorded."""
    low, high = int(scene.view.limits[0]), scene.view.last_iteration
    iteration = max(low, min(high, snapped(scene, column)))
    return shown(scene.selection.with_cursor(iteration), scene)


def move_columns(scene: Scene, by: int) -> Selection:
    """Return the selection with the crosshair `by` columns on."""
    if scene.view.is_empty:
        return scene.selection
    axis = scene.axis
    moved = cursor_to_column(scene, axis.column_of(scene.selection.cursor) + by)
    return moved if moved.cursor != scene.selection.cursor else move_records(scene, 1 if by > 0 else -1)


def move_records(scene: Scene, by: int) -> Selection:
    """Return the selection with the crosshair `by` recorded iterations on."""
    iterations, cursor = scene.view.iterations, scene.selection.cursor
    if not len(iterations):
        return scene.selection
    place = int(np.searchsorted(iterations, cursor, "left" if by < 0 else "right")) + (by if by < 0 else by - 1)
    iteration = int(iterations[max(0, min(len(iterations) - 1, place))])
    return shown(scene.selection.with_cursor(iteration), scene)


def zoom(scene: Scene, factor: float) -> Selection:
    """Return the selection with the time axis magnified by `factor` around the crosshair."""
    limits = axis_limits(scene.view)
    axis = scene.axis.zoomed(factor, scene.selection.cursor, limits)
    window = None if axis.span >= limits[1] - limits[0] else (axis.first, axis.stop)
    return shown(scene.selection.changed(window=window), scene)
