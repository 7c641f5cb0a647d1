"""Going through the anomalies: pure functions to the Selection that shows one.

Owns the order of review and what "showing an anomaly" selects. A second copy would let n and a click on the ribbon
end up at different classes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.model import Anomaly, AnomalySettings
from dtui.tui.state.navigate import Scene, shown
from dtui.tui.state.selection import RunView, Selection, find_matches


def without_anomalies(view: RunView, settings: AnomalySettings) -> tuple[str, ...]:
    """Return what to say where there are none, the longest words first: they may be looked for, or it is too early."""
    if view.searched != settings:
        return ("searching …",)
    found, needed = view.info.validations, settings.validations_needed
    if not found and not view.is_live:
        return ("no validations recorded", "no validations")
    if found < needed:
        return (f"too early: {found} of {needed} validations", f"too early: {found}/{needed}")
    return ("none found",)


def reviewable(view: RunView) -> tuple[Anomaly, ...]:
    """Return the anomalies that n and N go through: all that were not dismissed."""
    return tuple(anomaly for anomaly in view.anomalies if anomaly.status != "dismissed")


def next_anomaly(scene: Scene, by: int) -> Selection:
    """Return the selection on the next (1) or previous (-1) anomaly, around the end."""
    selection, view = scene.selection, scene.view
    candidates = reviewable(view)
    if not candidates:
        return selection
    order = {anomaly.id: place for place, anomaly in enumerate(view.anomalies)}
    here = order.get(selection.anomaly or "")
    if here is None:
        key = [anomaly.iteration >= selection.cursor for anomaly in candidates]
        place = key.index(True) if True in key else 0
        place = place if by > 0 else place - 1
    else:
        places = [order[anomaly.id] for anomaly in candidates]
        place = int(np.searchsorted(places, here, "right")) if by > 0 else int(np.searchsorted(places, here)) - 1
    return select_anomaly(scene, candidates[place % len(candidates)].id)


def select_anomaly(scene: Scene, anomaly: str) -> Selection:
    """Return the selection on an anomaly: its iteration, its class in its opened cluster, its layer and filter."""
    view = scene.view
    found = view.find_anomaly(anomaly)
    if found is None:
        return scene.selection
    selection = replace(scene.selection, anomaly=found.id).with_cursor(found.iteration)
    if found.class_index is not None:
        cluster = next((group.index for group in view.clusters if found.class_index in group.classes), 0)
        selection = selection.with_group(cluster, found.class_index)
        selection = replace(selection, open_clusters=selection.open_clusters | {cluster})
        if found.class_index not in find_matches(selection.class_search, view.classes):
            selection = replace(selection, class_search="")
    if found.layer is not None:
        selection = _with_layer(selection, view, found)
    return shown(selection, scene)


def _with_layer(selection: Selection, view: RunView, anomaly: Anomaly) -> Selection:
    node = next((node for node in view.tree if node.layer is not None and node.name == anomaly.layer), None)
    if node is None:
        return selection
    selection = with_node_shown(selection, view, node.index)
    if selection.filter_sort == "index" and anomaly.filters and 0 <= anomaly.filters[0] < node.filters:
        selection = replace(selection, filter=anomaly.filters[0])  # in another order its row is not known here
    return selection


def with_node_shown(selection: Selection, view: RunView, node: int) -> Selection:
    """Return the selection on a tree node, with everything that it is in opened."""
    parents, parent = set(), view.tree[node].parent
    while parent >= 0:
        parents.add(parent)
        parent = view.tree[parent].parent
    return replace(selection.with_node(node), folded=selection.folded - parents, layer_search="")
