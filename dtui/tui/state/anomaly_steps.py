"""Going through the anomalies, in the order of review: pure functions to the Selection that shows one."""

from __future__ import annotations

import numpy as np

from dtui.model import Anomaly, AnomalySettings
from dtui.tui.state.navigate import shown
from dtui.tui.state.pane import Scene
from dtui.tui.state.run_view import RunView
from dtui.tui.state.selection import Selection


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
    """Return the selection on an anomaly: its iteration, and what each pane knows of what it names."""
    found = scene.view.find_anomaly(anomaly)
    if found is None:
        return scene.selection
    scene = scene.at(scene.selection.changed(anomaly=found.id).with_cursor(found.iteration))
    return shown(scene.through(lambda pane, scene: pane.show(scene, found)), scene)
