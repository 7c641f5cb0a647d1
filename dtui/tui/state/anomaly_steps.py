"""Steps through the anomalies in the order of review: pure functions that return the Selection on an anomaly."""

from __future__ import annotations

import numpy as np

from dtui.model import Anomaly
from dtui.tui.state.navigate import shown
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import NotJudgedQuestion
from dtui.tui.state.run_view import RunView
from dtui.tui.state.selection import Selection

NONE_FOUND = "none found"


def without_anomalies(scene: Scene) -> tuple[str, ...]:
    """Return messages for a run without anomalies, the longest first: still searching, or what detectors lack."""
    if scene.view.searched != scene.selection.anomaly_settings:
        return ("searching …",)
    said = [lacks.sentence for lacks in scene.answers.get(NotJudgedQuestion) or ()]
    if not said:
        return (NONE_FOUND,)
    return ("; ".join(said), f"{said[0]}, and {len(said) - 1} more", said[0]) if len(said) > 1 else (said[0],)


def reviewable(view: RunView) -> tuple[Anomaly, ...]:
    """Return the anomalies that the keys n and N go through: all that were not dismissed."""
    return tuple(anomaly for anomaly in view.anomalies if anomaly.status != "dismissed")


def next_anomaly(scene: Scene, by: int) -> Selection:
    """Return the selection on the next (1) or previous (-1) anomaly; after the last comes the first."""
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
    """Return the selection on an anomaly: its iteration, and its layer, filter or class in each pane."""
    found = scene.view.find_anomaly(anomaly)
    if found is None:
        return scene.selection
    scene = scene.at(scene.selection.changed(anomaly=found.id).with_cursor(found.iteration))
    return shown(scene.through(lambda pane, scene: pane.show(scene, found)), scene)
