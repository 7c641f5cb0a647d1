"""Finds room for the words around curves: names and values beside them, or above them where a page is narrow, and the
labels of events in lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtui.model import Stage, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.curve_rows import Event

EVENT_LANES = 3
"""Lines of labels above the curves; an event for which none has room is a line without a label."""
CHARACTER = 6.2
"""Pixels that a character of a label takes, on average."""
GAP = 4 * CHARACTER
"""Pixels between two labels of a lane, the mark between label and line included."""
NAME = 18
"""Pixels from one name to the next."""


def either(wide: float | str, narrow: float | str) -> dict[str, Any]:
    """Return a value that the parameter `narrow` of a specification chooses."""
    return {"expr": f"narrow ? {narrow} : {wide}"}


def name_row(place: int, curves: int, top: float) -> dict[str, Any]:
    """Return where a name stands: beside the curves, or above everything else; `place` may be `curves`, for one more.

    Args:
        place: Of the curve, from 0.
        curves: How many there are.
        top: Pixels above the plot without the names.
    """
    return either(7 + NAME * place, 9 + NAME * place - names_room(curves) - top)


def names_room(curves: int) -> int:
    """Return how many pixels more a narrow chart needs above the plot."""
    return NAME * (curves + 1) + 4


def event_rows(events: Sequence[Event], axis: TimeAxis, width: float) -> list[dict[str, Any]]:
    """Return the events with the lanes of their labels, on a wide page and on a narrow one; -1 for no room.

    A label that would run over the right edge stands left of its line: its `side` is "right", as text is aligned.
    """
    both = [_lanes(events, axis, pixels) for pixels in (width, theme.NARROW_PLOT)]
    return [
        {"iteration": event.iteration, "label": event.label, "lane": lane, "side": side, "thin": thin, "bent": bent}
        for event, (lane, side), (thin, bent) in zip(events, *both, strict=True)
    ]


def stage_rows(stages: Sequence[Stage], axis: TimeAxis) -> list[dict[str, Any]]:
    """Return the stages with their labels, and whether a label has room on a narrow page."""
    rows, end = [], 0.0
    for stage in stages:
        label = f"lr {stage.learning_rate:.3g}"
        left = (stage.iteration - axis.first) / axis.span * theme.NARROW_PLOT
        right = left + CHARACTER * len(label)
        fits = left >= end and right <= theme.NARROW_PLOT + theme.MARGIN
        end = right if fits else end
        rows.append({"iteration": stage.iteration, "label": label, "fits": fits})
    return rows


def _lanes(events: Sequence[Event], axis: TimeAxis, width: float) -> list[tuple[int, str]]:
    """Return lane and side of each label, so that no two labels of a lane overlap."""
    ends: list[float] = []
    found = []
    for event in events:
        at, long = (event.iteration - axis.first) / axis.span * width, CHARACTER * len(event.label) + GAP
        side = "left" if at + long - GAP / 2 <= width + theme.MARGIN else "right"
        left = at if side == "left" else at - long
        lane = next((k for k, end in enumerate(ends) if end <= left), len(ends))
        if lane == EVENT_LANES or (left < 0 and side == "right"):
            found.append((-1, side))
            continue
        ends[lane : lane + 1] = [left + long]
        found.append((lane, side))
    return found
