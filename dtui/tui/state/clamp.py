"""Keeps the Selection possible: on rows, iterations and anomalies that exist, and scrolled to where it is seen.

Owns what happens to a selection when the run, the screen's size or a search changes under it. A second copy
would let a pane scroll to a row that another has left.
"""

from __future__ import annotations

from dataclasses import replace

from dtui.tui.state.navigate import Scene, filters_of, images_of
from dtui.tui.state.selection import (
    ClassRow,
    RunView,
    Selection,
    axis_limits,
    class_rows,
    initial_folds,
    time_axis,
    visible_nodes,
)


def initial_selection(view: RunView, selection: Selection, tree_rows: int) -> Selection:
    """Return what to look at first: the first layer, the newest iteration, few enough rows to see them all."""
    layer = next((node.index for node in view.tree if node.layer is not None), 0)
    folded = initial_folds(view.tree, tree_rows)
    parent = view.tree[layer].parent if view.tree else -1
    while parent >= 0:
        folded -= {parent}
        parent = view.tree[parent].parent
    return replace(selection, folded=folded, node=layer, cursor=view.last_iteration, follow=view.is_live)


def initial_clusters(view: RunView, selection: Selection, rows: int) -> Selection:
    """Return the selection on the hardest cluster, with the hardest ones opened as far as all rows fit."""
    opened, used = set(selection.open_clusters), len(view.clusters)
    for cluster in reversed(view.clusters):
        if used + len(cluster.classes) > rows:
            break
        opened.add(cluster.index)
        used += len(cluster.classes)
    if selection.class_index is None and view.clusters:
        selection = selection.with_group(view.clusters[-1].index, None)
    return replace(selection, open_clusters=frozenset(opened))


def settle(scene: Scene) -> Selection:
    """Return the nearest selection that is possible."""
    selection = _settle_tree(scene)
    selection = _settle_classes(replace(scene, selection=selection))
    selection = _settle_lower(replace(scene, selection=selection))
    return _settle_time(replace(scene, selection=selection))


def scrolled(top: int, row: int, shown: int, total: int) -> int:
    """Return the first visible row, moved no more than it must be for `row` to be among `shown`."""
    top = min(top, row)
    top = max(top, row - shown + 1)
    return max(0, min(top, total - shown))


def _settle_tree(scene: Scene) -> Selection:
    selection, tree = scene.selection, scene.view.tree
    if not tree:
        return selection
    rows = visible_nodes(tree, selection.folded, selection.layer_search)
    indices = [node.index for node in rows]
    index = min(selection.node, len(tree) - 1)
    while index >= 0 and index not in indices:
        index = tree[index].parent
    if index < 0:
        found = [node.index for node in rows if node.layer is not None] or indices
        if not found:
            return replace(selection, tree_top=0)
        index = found[0]
    top = scrolled(selection.tree_top, indices.index(index), scene.layout.tree_rows, len(rows))
    return replace(selection.with_node(index), tree_top=top)


def _settle_classes(scene: Scene) -> Selection:
    selection, view = scene.selection, scene.view
    if not view.clusters:
        return selection
    if selection.class_index is not None:
        cluster = next((c.index for c in view.clusters if selection.class_index in c.classes), selection.cluster)
        opened = selection.open_clusters | {cluster}
        selection = replace(selection, cluster=cluster, open_clusters=opened)
    rows = class_rows(view, selection)
    row = ClassRow(selection.cluster, selection.class_index)
    if rows and row not in rows:
        classes = [found for found in rows if found.class_index is not None]
        row = classes[0] if classes and selection.class_search else rows[0]
        selection = selection.with_group(row.cluster, row.class_index)
    place = rows.index(row) if row in rows else 0
    return replace(selection, class_top=scrolled(selection.class_top, place, scene.layout.class_rows, len(rows)))


def _settle_lower(scene: Scene) -> Selection:
    selection = scene.selection
    for name, total in (("filter", filters_of(scene)), ("image", images_of(scene))):
        row = max(0, min(getattr(selection, name), total - 1))
        count = getattr(selection, f"{name}_count")
        if count is not None and count >= total:
            count = None
        first = scrolled(getattr(selection, f"{name}_first"), row, count, total) if count else 0
        selection = selection.changed(**{name: row, f"{name}_count": count, f"{name}_first": first})
    return selection


def _settle_time(scene: Scene) -> Selection:
    selection, view = scene.selection, scene.view
    if view.find_anomaly(selection.anomaly) is None:
        selection = replace(selection, anomaly=None)
    if view.is_empty:
        return replace(selection, window=None)
    low, high = axis_limits(view)
    if selection.window is not None:
        first, stop = selection.window
        span = min(stop - first, high - low)
        first = max(low, min(first, high - span))
        selection = replace(selection, window=None if span >= high - low else (first, first + span))
    if selection.follow:
        selection = replace(selection, cursor=view.last_iteration)
        if selection.window is not None:
            axis = time_axis(selection, view, scene.layout.columns).showing(selection.cursor, (low, high))
            selection = replace(selection, window=(axis.first, axis.stop))
    cursor = max(int(view.limits[0]), min(selection.cursor, view.last_iteration))
    return replace(selection, cursor=cursor)
