"""Moving over rows, folds and time: pure functions from what is on screen to the next Selection.

Owns what a row, a page, a column and a zoom step are. A second copy would let the mouse and the keyboard, or two
screens, move differently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dtui.tui.state.layout import Layout
from dtui.tui.state.selection import (
    PANES,
    ClassRow,
    RunView,
    Selection,
    axis_limits,
    class_rows,
    time_axis,
    visible_nodes,
)


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """All that decides where a key leads."""

    selection: Selection
    view: RunView
    layout: Layout


# --- rows


def row_count(scene: Scene) -> int:
    """Return the number of rows in the current pane."""
    selection, view = scene.selection, scene.view
    if selection.pane == "tree":
        return len(visible_nodes(view.tree, selection.folded, selection.layer_search))
    if selection.pane == "classes":
        return len(class_rows(view, selection))
    return filters_of(scene) if selection.pane == "filters" else images_of(scene)


def filters_of(scene: Scene) -> int:
    """Return the number of filters of the selected node."""
    node = scene.selection.node
    return scene.view.tree[node].filters if node < len(scene.view.tree) else 0


def images_of(scene: Scene) -> int:
    """Return the number of images of the selected classes."""
    return sum(int(scene.view.class_sizes[label]) for label in scene.view.group_classes(scene.selection))


def row_of(scene: Scene) -> int:
    """Return the selected row of the current pane."""
    selection, view = scene.selection, scene.view
    if selection.pane == "tree":
        nodes = [node.index for node in visible_nodes(view.tree, selection.folded, selection.layer_search)]
        return nodes.index(selection.node) if selection.node in nodes else 0
    if selection.pane == "classes":
        rows = class_rows(view, selection)
        row = ClassRow(selection.cluster, selection.class_index)
        return rows.index(row) if row in rows else 0
    return selection.filter if selection.pane == "filters" else selection.image


def select_row(scene: Scene, row: int) -> Selection:
    """Return the selection on a row of the current pane; rows outside are clamped."""
    selection, view = scene.selection, scene.view
    row = max(0, min(row, row_count(scene) - 1))
    if selection.pane == "tree":
        nodes = visible_nodes(view.tree, selection.folded, selection.layer_search)
        return selection.with_node(nodes[row].index) if nodes else selection
    if selection.pane == "classes":
        rows = class_rows(view, selection)
        return selection.with_group(rows[row].cluster, rows[row].class_index) if rows else selection
    if selection.pane == "filters":
        return replace(selection, filter=row)
    return replace(selection, image=row)


def page_rows(scene: Scene) -> int:
    """Return the rows that a page key moves by."""
    pane = scene.selection.pane
    if pane == "tree":
        return max(1, scene.layout.tree_rows - 1)
    if pane == "classes":
        return max(1, scene.layout.class_rows - 1)
    return max(1, _rows_shown(scene) // 2)


def _rows_shown(scene: Scene) -> int:
    selection = scene.selection
    total = row_count(scene)
    count = selection.filter_count if selection.pane == "filters" else selection.image_count
    return max(1, min(total, count or total))


def move_rows(scene: Scene, by: int) -> Selection:
    """Return the selection `by` rows on; where several rows share a pixel, a step is a pixel."""
    step = 1
    if scene.selection.pane in ("filters", "images"):
        step = max(1, _rows_shown(scene) // scene.layout.pixels)
    return select_row(scene, row_of(scene) + by * step)


def first_row(scene: Scene) -> Selection:
    """Return the selection on the first row."""
    return select_row(scene, 0)


def last_row(scene: Scene) -> Selection:
    """Return the selection on the last row; in a live run, following its newest iteration instead."""
    if scene.view.is_live:
        return follow(scene)
    return select_row(scene, row_count(scene) - 1)


def follow(scene: Scene) -> Selection:
    """Return the selection on the newest iteration, and staying there."""
    selection = replace(scene.selection, follow=scene.view.is_live, cursor=scene.view.last_iteration)
    return shown(selection, scene)


# --- folding


def fold(scene: Scene, open_: bool | None) -> Selection:
    """Return the selection with the selected row opened, closed, or toggled (None).

    Closing what has nothing to close goes to its parent; opening what is open goes to its first child.
    """
    selection = scene.selection
    if selection.pane == "tree" and scene.view.tree:
        return _fold_node(scene, open_)
    if selection.pane == "classes":
        return _fold_cluster(scene, open_)
    if selection.pane in ("filters", "images") and open_ is False:
        return selection.with_pane(PANES[selection.screen][0])
    return selection


def _fold_node(scene: Scene, open_: bool | None) -> Selection:
    selection, tree = scene.selection, scene.view.tree
    node = tree[selection.node]
    is_module, is_open = node.layer is None, node.index not in selection.folded
    if open_ is False and (not is_module or not is_open):
        return selection.with_node(node.parent) if node.parent >= 0 else selection
    if not is_module:
        return selection.with_pane("filters")
    if open_ is True and is_open:
        return select_row(scene, row_of(scene) + 1)
    return replace(selection, folded=selection.folded ^ {node.index})


def _fold_cluster(scene: Scene, open_: bool | None) -> Selection:
    selection = scene.selection
    is_open = selection.cluster in selection.open_clusters
    if selection.class_index is not None:
        if open_ is False:
            return selection.with_group(selection.cluster, None)
        return selection.with_pane("images")
    if open_ is True and is_open:
        return select_row(scene, row_of(scene) + 1)
    if open_ is False and not is_open:
        return selection
    return replace(selection, open_clusters=selection.open_clusters ^ {selection.cluster})


# --- time


def shown(selection: Selection, scene: Scene) -> Selection:
    """Return the selection with the window moved, if it must be, so that it shows the cursor."""
    if selection.window is None:
        return selection
    axis = time_axis(selection, scene.view, scene.layout.columns)
    moved = axis.showing(selection.cursor, axis_limits(scene.view))
    return selection.with_window((moved.first, moved.stop))


def snapped(scene: Scene, column: int) -> int:
    """Return the iteration that a column stands for: the recorded one nearest to its middle, if it has any."""
    axis = time_axis(scene.selection, scene.view, scene.layout.columns)
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
    axis = time_axis(scene.selection, scene.view, scene.layout.columns)
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
    axis = time_axis(scene.selection, scene.view, scene.layout.columns).zoomed(factor, scene.selection.cursor, limits)
    window = None if axis.span >= limits[1] - limits[0] else (axis.first, axis.stop)
    return shown(scene.selection.with_window(window), scene)


def zoom_rows(scene: Scene, factor: float) -> Selection:
    """Return the selection with fewer (factor > 1) or more rows in the lower pane, around the selected one."""
    selection = scene.selection
    name = "image" if selection.screen == "validation" else "filter"
    total = images_of(scene) if name == "image" else filters_of(scene)
    row, count = getattr(selection, name), getattr(selection, f"{name}_count") or total
    count = max(min(8, total), round(count / factor))
    if count >= total:
        return selection.changed(**{f"{name}_count": None, f"{name}_first": 0})
    first = max(0, min(total - count, row - count // 2))
    return selection.changed(**{f"{name}_count": count, f"{name}_first": first})
