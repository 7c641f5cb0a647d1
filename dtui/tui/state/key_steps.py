"""Where each key leads: action id to the next Selection.

Owns the values that keys step through and the table of all steps. A second copy would give a key another meaning in
the palette.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from dtui.model import SOURCES
from dtui.tui.state.anomaly_steps import next_anomaly
from dtui.tui.state.navigate import (
    Scene,
    first_row,
    fold,
    last_row,
    move_columns,
    move_records,
    move_rows,
    page_rows,
    zoom,
    zoom_rows,
)
from dtui.tui.state.selection import PANES, Selection

CHARTS = ("horizon", "line", "box")
NORMALISATIONS = ("layer", "filter", "iteration")
FILTER_SORTS = ("index", "activity", "peak")
IMAGE_SORTS = ("error", "similarity", "index")
COLOURINGS = ("correctness", "label")
CLUSTER_COUNTS = (2, 3, 4, 5, 6, 8, 10, 12)
WINDOWS = (None, 1, 2, 3, 5, 10, 20, 40)
RULES = ("either", "left", "right")
THRESHOLD_STEP = 0.05

T = TypeVar("T")
Step = Callable[[Scene], Selection]


def next_of(values: tuple[T, ...], value: T, by: int = 1) -> T:
    """Return the value `by` places on, around the end; the first if `value` is not among them, itself of none."""
    if value not in values:
        return values[0] if values else value
    return values[(values.index(value) + by) % len(values)]


def cycle(scene: Scene, name: str, values: tuple[object, ...], by: int = 1) -> Selection:
    """Return the selection with one of its fields on the next of its values."""
    return scene.selection.changed(**{name: next_of(values, getattr(scene.selection, name), by)})


def cycle_statistic(scene: Scene, by: int) -> Selection:
    """Return the selection with the next statistic in the pane that has the keyboard."""
    if scene.selection.pane == "filters":
        return cycle(scene, "filter_statistic", scene.view.filter_statistics, by)
    return cycle(scene, "statistic", scene.view.layer_statistics, by)


def cycle_sort(scene: Scene) -> Selection:
    """Return the selection with the next order of filters or images."""
    if scene.selection.screen == "validation":
        return cycle(scene, "image_sort", IMAGE_SORTS)
    return cycle(scene, "filter_sort", FILTER_SORTS)


def cycle_clusters(scene: Scene) -> Selection:
    """Return the selection with the next number of clusters or, in the Images pane, the next colouring."""
    if scene.selection.pane == "images":
        return cycle(scene, "colour_by", COLOURINGS)
    return cycle(scene, "cluster_count", CLUSTER_COUNTS)


def cycle_window(scene: Scene) -> Selection:
    """Return the selection with the next window of the anomaly rules."""
    settings = scene.selection.anomaly_settings
    return scene.selection.with_settings(replace(settings, window=next_of(WINDOWS, settings.window)))


def cycle_rule(scene: Scene) -> Selection:
    """Return the selection with the next anomaly rule."""
    settings = scene.selection.anomaly_settings
    return scene.selection.with_settings(replace(settings, rule=next_of(RULES, settings.rule)))


def move_threshold(scene: Scene, by: int) -> Selection:
    """Return the selection with the anomaly threshold one step lower or higher."""
    settings = scene.selection.anomaly_settings
    if settings.unit == "images":
        threshold = max(1.0, settings.threshold + by)
    else:
        threshold = min(1.0, max(THRESHOLD_STEP, round(settings.threshold + by * THRESHOLD_STEP, 2)))
    return scene.selection.with_settings(replace(settings, threshold=threshold))


STEPS: dict[str, Step] = {
    "row_down": lambda scene: move_rows(scene, 1),
    "row_up": lambda scene: move_rows(scene, -1),
    "page_down": lambda scene: move_rows(scene, page_rows(scene)),
    "page_up": lambda scene: move_rows(scene, -page_rows(scene)),
    "first": first_row,
    "last": last_row,
    "column_left": lambda scene: move_columns(scene, -1),
    "column_right": lambda scene: move_columns(scene, 1),
    "column_left_ten": lambda scene: move_columns(scene, -10),
    "column_right_ten": lambda scene: move_columns(scene, 10),
    "record_before": lambda scene: move_records(scene, -1),
    "record_after": lambda scene: move_records(scene, 1),
    "anomaly_next": lambda scene: next_anomaly(scene, 1),
    "anomaly_previous": lambda scene: next_anomaly(scene, -1),
    "fold_toggle": lambda scene: fold(scene, None),
    "fold_close": lambda scene: fold(scene, False),
    "fold_open": lambda scene: fold(scene, True),
    "zoom_in": lambda scene: zoom(scene, 2.0),
    "zoom_out": lambda scene: zoom(scene, 0.5),
    "zoom_all": lambda scene: scene.selection.with_window(None),
    "rows_fewer": lambda scene: zoom_rows(scene, 2.0),
    "rows_more": lambda scene: zoom_rows(scene, 0.5),
    "sort": cycle_sort,
    "normalise": lambda scene: cycle(scene, "filter_normalise", NORMALISATIONS),
    "statistic": lambda scene: cycle_statistic(scene, 1),
    "statistic_back": lambda scene: cycle_statistic(scene, -1),
    "source": lambda scene: cycle(scene, "source", SOURCES),
    "log_scale": lambda scene: scene.selection.changed(log_scale=not scene.selection.log_scale),
    "two_rows": lambda scene: scene.selection.changed(two_rows=not scene.selection.two_rows),
    "chart": lambda scene: cycle(scene, "chart", CHARTS),
    "threshold_down": lambda scene: move_threshold(scene, -1),
    "threshold_up": lambda scene: move_threshold(scene, 1),
    "window": cycle_window,
    "rule": cycle_rule,
    "clusters": cycle_clusters,
    "pane": lambda scene: scene.selection.with_pane(next_of(PANES[scene.selection.screen], scene.selection.pane)),
    "maximise": lambda scene: scene.selection.changed(maximised=not scene.selection.maximised),
    "screen_layers": lambda scene: scene.selection.with_screen("layers"),
    "screen_validation": lambda scene: scene.selection.with_screen("validation"),
}
"""Action id to where it leads. What is not here needs more than the Selection: see `app`."""
