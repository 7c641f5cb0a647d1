"""Finds room for the words around curves: names and values beside them, or above them where a page is narrow, and the
labels of events in lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtui.model import Stage, TimeAxis
from dtui.number_text import number_text
from dtui.reports.charts import theme
from dtui.reports.charts.curves.rows import Event

EVENT_LANES, FEW_EVENTS, FEW_LANES = 3, 6, 5
"""Lines of labels above the curves, more for few events; an event for which none has room has no label."""
CHARACTER = 6.2
"""Pixels that a character of a label takes, on average."""
GAP = 4 * CHARACTER
"""Pixels between two labels of a lane, the mark between label and line included."""
LONGEST_NAME, LONGEST_OF_SHARE = 14, 16
"""Characters of a name beside which a value has room, and beside which a share has, which is shorter."""
NAME = 18
"""Pixels from one name to the next."""


def either(wide: float | str, narrow: float | str) -> dict[str, Any]:
    """Return a value that the parameter `narrow` of a specification chooses."""
    return {"expr": f"narrow ? {narrow} : {wide}"}


def name_row(place: int, curves: int, top: float, line: float | None = None) -> dict[str, Any]:
    """Return where a name stands: beside the curves, or above everything else; `place` may be `curves`, for one more.

    Args:
        place: Of the curve, from 0.
        curves: How many there are.
        top: Pixels above the plot without the names.
        line: Of those beside the curves, from 0; None where it is that of the curve.
    """
    return either(7 + NAME * (place if line is None else line), 9 + NAME * place - names_room(curves) - top)


def lines_a_name(names: Sequence[str], unit: str) -> int:
    """Return how many lines a curve takes beside the curves: a second one for its value, where a name is long."""
    most = LONGEST_OF_SHARE if unit == "share" else LONGEST_NAME
    return 1 if all(len(name) <= most for name in names) else 2


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
        label = f"lr {number_text(stage.learning_rate)}"
        left = (stage.iteration - axis.first) / axis.span * theme.NARROW_PLOT
        right = left + CHARACTER * len(label)
        fits = left >= end and right <= theme.NARROW_PLOT + theme.MARGIN
        end = right if fits else end
        rows.append({"iteration": stage.iteration, "label": label, "fits": fits})
    return rows


def under_labels(stages: Sequence[dict[str, Any]], axis: TimeAxis) -> str:
    """Return the expression for whether the line of an event would go through the label of a stage.

    Args:
        stages: As `stage_rows` returns them.
        axis: The columns.
    """
    at = f"(datum.iteration - {axis.first}) / {axis.span} * width"
    parts = []
    for stage in stages:
        begin = f"{(stage['iteration'] - axis.first) / axis.span:.6g} * width"
        inside = f"{at} > {begin} + 1 && {at} < {begin} + {CHARACTER * len(stage['label']) + 6:.0f}"
        parts.append(f"({inside}{'' if stage['fits'] else ' && !narrow'})")
    return " || ".join(parts) or "false"


def _lanes(events: Sequence[Event], axis: TimeAxis, width: float) -> list[tuple[int, str]]:
    """Return lane and side of each label, so that it meets neither another label nor the line of another event.

    The line of an event goes through all lanes below its own, counted from the curves. So of two that are near, the
    later one stands lower: the last is placed first.
    """
    placed: list[tuple[float, float, float, int]] = []  # its line, the ends of its label, and its lane
    found = []
    for event in reversed(events):
        at, long = (event.iteration - axis.first) / axis.span * width, CHARACTER * len(event.label) + GAP
        side = "left" if at + long - GAP / 2 <= width + theme.MARGIN else "right"
        left, right = (at, at + long) if side == "left" else (at - long, at)

        def meets(lane: int, mine: tuple[float, float, float]) -> bool:
            line, begin, end = mine
            return any(
                (lane == other and begin < right_end and left_end < end)
                or (other > lane and begin < place < end)
                or (other < lane and left_end < line < right_end)
                for place, left_end, right_end, other in placed
            )

        every = range(FEW_LANES if len(events) <= FEW_EVENTS else EVENT_LANES)
        lanes = every if side == "left" else reversed(every)
        lane = next((k for k in lanes if left >= 0 and not meets(k, (at, left, right))), -1)
        if lane >= 0:
            placed.append((at, left, right, lane))
        found.append((lane, side))
    return found[::-1]
