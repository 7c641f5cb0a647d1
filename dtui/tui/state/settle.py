"""Finds the first Selection, and the nearest valid one after a change of run, size or search."""

from __future__ import annotations

from dtui.tui.state.pane import Scene
from dtui.tui.state.run_view import axis_limits
from dtui.tui.state.selection import Selection


def begin(scene: Scene) -> Selection:
    """Return the first selection: the newest iteration, and the first choice of each pane."""
    selection = scene.selection.changed(cursor=scene.view.last_iteration, follow=scene.view.is_live)
    return scene.at(selection).through(lambda pane, scene: pane.begin(scene))


def settle(scene: Scene) -> Selection:
    """Return the nearest valid selection. The panes of other screens settle when these are shown."""
    panes = scene.screen.panes
    scene = scene.at(scene.selection.changed(pane=min(scene.selection.pane, len(panes) - 1)))
    return _settle_time(scene.at(scene.through(lambda pane, scene: pane.settle(scene), scene.stacked)))


def _settle_time(scene: Scene) -> Selection:
    selection, view = scene.selection, scene.view
    if selection.entry is not None:
        found = view.find_entry(selection.entry)
        selection = selection.changed(entry=None if found is None else found.id)
    if view.is_empty:
        return selection.changed(window=None)
    low, high = axis_limits(view)
    if selection.window is not None:
        first, stop = selection.window
        span = min(stop - first, high - low)
        first = max(low, min(first, high - span))
        selection = selection.changed(window=None if span >= high - low else (first, first + span))
    if selection.follow:
        selection = selection.changed(cursor=view.last_iteration)
        if selection.window is not None:
            axis = scene.at(selection).axis.showing(selection.cursor, (low, high))
            selection = selection.changed(window=(axis.first, axis.stop))
    return selection.changed(cursor=max(int(view.limits[0]), min(selection.cursor, view.last_iteration)))
