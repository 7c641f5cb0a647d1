"""Maps the actions of every screen to the next Selection. Panes have more actions (`Pane.steps`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from dtui.tui.state.navigate import last_row, move_columns, move_records, move_rows, select_row, zoom
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.review.entry_steps import next_entry, switch_listing
from dtui.tui.state.review.reviewing import no_target, targets
from dtui.tui.state.selection import Selection

WINDOWS = (None, 1, 2, 3, 5, 10, 20, 40)
RULES = ("either", "left", "right")
THRESHOLD_STEP = 0.05

T = TypeVar("T")


def next_of(values: tuple[T, ...], value: T, by: int = 1) -> T:
    """Return the value `by` places on, cyclic; the first if `value` is not among them, `value` if there are none."""
    if value not in values:
        return values[0] if values else value
    return values[(values.index(value) + by) % len(values)]


def cycling(
    kind: type[Any], name: str, values: tuple[object, ...] | Callable[[Scene], tuple[object, ...]], by: int = 1
) -> Step:
    """Return a step to the next value of a field of a pane's options. The values may depend on the run."""

    def step(scene: Scene) -> Selection:
        options, among = scene.selection.get(kind), values(scene) if callable(values) else values
        return scene.selection.put(replace(options, **{name: next_of(among, getattr(options, name), by)}))

    return step


def starting_on(kind: type[Any], name: str, recorded: Sequence[str]) -> Step:
    """Return a step to the first recorded value, for a pane whose chosen value was not recorded."""

    def step(scene: Scene) -> Selection:
        options = scene.selection.get(kind)
        if not recorded or getattr(options, name) in recorded:
            return scene.selection
        return scene.selection.put(replace(options, **{name: recorded[0]}))

    return step


def cycle_window(scene: Scene) -> Selection:
    """Return the selection with the next window of the anomaly rules."""
    settings = scene.selection.anomaly_settings
    return scene.selection.changed(anomaly_settings=replace(settings, window=next_of(WINDOWS, settings.window)))


def cycle_rule(scene: Scene) -> Selection:
    """Return the selection with the next anomaly rule."""
    settings = scene.selection.anomaly_settings
    return scene.selection.changed(anomaly_settings=replace(settings, rule=next_of(RULES, settings.rule)))


def move_threshold(scene: Scene, by: int) -> Selection:
    """Return the selection with the anomaly threshold one step lower or higher."""
    settings = scene.selection.anomaly_settings
    if settings.unit == "share":
        threshold = min(1.0, max(THRESHOLD_STEP, round(settings.threshold + by * THRESHOLD_STEP, 2)))
    else:
        threshold = max(1.0, settings.threshold + by)
    return scene.selection.changed(anomaly_settings=replace(settings, threshold=threshold))


def _entered(scene: Scene, open_: bool | None) -> Selection:
    """Return the selection inside the row; on another screen it remembers from where, so that q and Esc lead back."""
    here, there = scene.selection, scene.pane.fold(scene, open_)
    if there.screen == here.screen or there.came_from or there.run is not here.run:
        return there
    way = [*here.came_from, (here.screen, here.pane)]
    before = next((place for place, (screen, _) in enumerate(way) if screen == there.screen), len(way))
    return there.changed(came_from=tuple(way[:before]))


def next_pane(scene: Scene) -> Selection:
    """Return the selection in the next pane of the screen that is shown; after the last comes the first."""
    panes, here = scene.screen.panes, scene.screen.panes.index(scene.pane)
    after = [*range(here + 1, len(panes)), *range(here)]
    found = next((place for place in after if scene.selection.maximised or scene.layout.panes[place]), here)
    return scene.selection.changed(pane=found)


def _maximised(scene: Scene) -> Selection:
    """Return the selection with the pane alone on the screen, where that gives it room, or no longer."""
    is_alone = len(scene.screen.panes) == 1 and not scene.layout.curves
    return scene.selection.changed(maximised=not scene.selection.maximised and not is_alone)


STEPS: Mapping[str, Step] = {
    "row_down": lambda scene: move_rows(scene, 1),
    "row_up": lambda scene: move_rows(scene, -1),
    "page_down": lambda scene: move_rows(scene, scene.pane.page(scene)),
    "page_up": lambda scene: move_rows(scene, -scene.pane.page(scene)),
    "first": lambda scene: select_row(scene, 0),
    "last": last_row,
    "column_left": lambda scene: move_columns(scene, -1),
    "column_right": lambda scene: move_columns(scene, 1),
    "column_left_ten": lambda scene: move_columns(scene, -10),
    "column_right_ten": lambda scene: move_columns(scene, 10),
    "record_before": lambda scene: move_records(scene, -1),
    "record_after": lambda scene: move_records(scene, 1),
    "entry_next": lambda scene: next_entry(scene, 1),
    "entry_previous": lambda scene: next_entry(scene, -1),
    "listing": switch_listing,
    "mark": lambda scene: scene.pane.mark(scene),
    "mark_alike": lambda scene: scene.pane.mark_alike(scene),
    "fold_toggle": lambda scene: _entered(scene, None),
    "fold_close": lambda scene: scene.pane.fold(scene, False),
    "fold_open": lambda scene: _entered(scene, True),
    "zoom_in": lambda scene: zoom(scene, 2.0),
    "compare": lambda scene: zoom(scene, 2.0),
    "zoom_out": lambda scene: zoom(scene, 0.5),
    "zoom_all": lambda scene: scene.selection.changed(window=None),
    "threshold_down": lambda scene: move_threshold(scene, -1),
    "threshold_up": lambda scene: move_threshold(scene, 1),
    "window": cycle_window,
    "rule": cycle_rule,
    "pane": next_pane,
    "maximise": _maximised,
}
"""Action id to where it leads. What is in no such table needs more than the Selection: see `session` and `app`."""

OF_ROWS = ("row_down", "row_up", "page_down", "page_up", "first", "last")
TO_OPEN = ("fold_toggle", "fold_open", "mark")

WITHOUT_EFFECT: Mapping[str, str] = {
    **dict.fromkeys(("row_down", "page_down", "last"), "this is the last row"),
    **dict.fromkeys(("row_up", "page_up", "first"), "this is the first row"),
    **dict.fromkeys(("column_left", "column_left_ten", "record_before"), "this is the first one"),
    **dict.fromkeys(("column_right", "column_right_ten", "record_after"), "this is the last one"),
    "entry_next": "no later one",
    "entry_previous": "no earlier one",
    **dict.fromkeys(("fold_toggle", "fold_open"), "nothing to open here"),
    "fold_close": "nothing to close here",
    **dict.fromkeys(("mark", "mark_alike"), "nothing to mark here"),
    "zoom_in": "time cannot be magnified further",
    "compare": "nothing to compare or to magnify here",
    **dict.fromkeys(("zoom_out", "zoom_all"), "this is the whole run"),
    "threshold_down": "no threshold is lower",
    "threshold_up": "no threshold is higher",
    "rows_fewer": "rows cannot be magnified further",
    "rows_more": "all rows are shown",
    "least_lower": "all mini-sets are shown",
    "least_higher": "no mini-set is more important",
    "pane": "no other pane on this screen",
    "maximise": "the pane has all the room there is",
}
"""What is said where an action changes nothing; of the others that what they show is shown already."""


def without_effect(scene: Scene, action: str) -> str:
    """Return why an action changed nothing; "" for the key of the screen that is shown: its tab is lit."""
    pane = scene.pane
    if action in scene.table.steps:
        return ""
    if action in OF_ROWS and not scene.asked(pane, lambda pane, scene: pane.rows(scene)):
        return f"{pane.title}: no rows to select"
    if action in TO_OPEN and pane.lists_entries and scene.entries and not targets(scene):
        return no_target(scene)
    return WITHOUT_EFFECT.get(action) or f"{scene.table.by_id[action].words}: already shown"
