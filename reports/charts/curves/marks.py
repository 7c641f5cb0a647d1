"""Draws what stands around the curves of a chart: stages, events, NaN and Inf, the ribbon of flips, the crosshair.

Owns the lanes above and below the curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtui.model import Stage, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.curves import labels
from dtui.reports.charts.curves.rows import Curve
from dtui.reports.charts.ribbon import RibbonMark
from dtui.user_cache import some_home

with some_home():
    import altair as alt  # it asks for the home at once

RIBBON_TOP = 10
RIBBON_LANE = 15
EVENT_LANE = 14
EVENTS_WITH_LINES = 16
"""Up to this many events have a line through the curves; more would hide them."""
_STUB, _STAGE_TOP = -6, -19
"""Where the label of a stage ends and begins, above the curves."""
_SIDES: tuple[tuple[Any, int], ...] = (("left", 4), ("right", -4))
"""How the label of an event is aligned, and how far it stands from the line."""
_FIELDS: dict[str, Any] = {"x": alt.X, "x2": alt.X2, "y": alt.Y, "y2": alt.Y2, "text": alt.Text}
_PLACES: dict[str, Any] = {"x": alt.XValue, "x2": alt.X2Value, "y": alt.YValue, "y2": alt.Y2Value}


def channels(**wanted: float | str | dict[str, Any] | alt.SchemaBase) -> dict[str, Any]:
    """Return encodings with their classes: a number or expression is a place in pixels, a text a field with its type.

    Altair would find the classes by itself, but each time by comparing all that it has: 20 ms a channel.
    """
    return {
        name: channel
        if isinstance(channel, alt.SchemaBase)
        else (_FIELDS[name](channel) if isinstance(channel, str) else _PLACES[name](channel))
        for name, channel in wanted.items()
    }


def nonfinite_layers(curves: Sequence[Curve], height: int) -> list[alt.Chart]:
    """Return the bars behind the curves where one was NaN or Inf. A thin line keeps even the narrowest bar visible."""
    if all(curve.nonfinite is None or not curve.nonfinite.any() for curve in curves):
        return []
    bar: alt.Chart = (
        alt.Chart(alt.NamedData(name="nonfinite"))
        .mark_rect(color=theme.LOST, opacity=0.25, stroke=theme.LOST, strokeWidth=0.8, strokeOpacity=0.6)
        .encode(**channels(x="begin:Q", x2="end:Q", y=0, y2=height))
    )
    return [bar]


def stage_layers(stages: Sequence[Stage], axis: TimeAxis, height: int) -> list[alt.Chart]:
    """Return the names of the learning-rate stages above the curves, and a dashed line where each begins."""
    if not stages:
        return []
    base = alt.Chart(alt.NamedData(name="stages")).encode(**channels(x="iteration:Q"))
    layers = [
        base.transform_filter("!narrow || datum.fits")
        .mark_text(align="left", dx=4, color=theme.MUTED, fontSize=11, baseline="bottom")
        .encode(**channels(text="label:N", y=-6))
    ]
    changes = f"datum.iteration > {axis.first}"
    layers.append(
        base.transform_filter(changes)
        .mark_rule(color=theme.MUTED, strokeDash=[3, 3], opacity=0.55)
        .encode(**channels(y=-16, y2=height))
    )
    return layers


def event_layers(events: Sequence[dict[str, Any]], lanes: int, height: int, under: str) -> list[alt.Chart]:
    """Return lines with their labels; a line breaks off where the label of a stage stands, if `under` says so."""
    if not events:
        return []
    base = alt.Chart(alt.NamedData(name="events")).encode(**channels(x="iteration:Q"))
    through, around = base.transform_filter(f"!({under})"), base.transform_filter(under)
    layers = []
    foot = height if len(events) <= EVENTS_WITH_LINES else 0
    lane_of, side = "(narrow ? datum.thin : datum.lane)", "(narrow ? datum.bent : datum.side)"
    if any(min(event["lane"], event["thin"]) < 0 for event in events):
        unlabelled = base.transform_filter(f"{lane_of} < 0").mark_rule(color=theme.EVENT, opacity=0.6)
        layers.append(unlabelled.encode(**channels(y=_STUB, y2=foot)))
    for lane in range(lanes):
        at = -26 - EVENT_LANE * lane
        mine, here = base.transform_filter(f"{lane_of} == {lane}"), f"{lane_of} == {lane}"
        for part, ends in ((through, ((at, foot),)), (around, ((at, _STAGE_TOP), (_STUB, foot)))):
            rule = part.transform_filter(here).mark_rule(color=theme.EVENT, opacity=0.6)
            layers += [rule.encode(**channels(y=begin, y2=end)) for begin, end in ends]
        for align, dx in _SIDES[: 1 + any("right" in (event["side"], event["bent"]) for event in events)]:
            words = mine.transform_filter(f"{side} == '{align}'")
            layers.append(
                words.mark_text(align=align, dx=dx, color=theme.EVENT, fontSize=11, baseline="middle").encode(
                    **channels(text="label:N", y=at)
                )
            )
    return layers


def ribbon_layers(ribbon: Sequence[RibbonMark], height: int) -> list[alt.Chart]:
    """Return the triangles: lost point down in the upper lane, gained point up in the lower one."""
    if not ribbon:
        return []
    layers = []
    key = alt.Chart(alt.NamedData(name="once"))
    for lane, (direction, shape, colour) in enumerate(
        (("lost", "triangle-down", theme.LOST), ("gained", "triangle-up", theme.GAINED))
    ):
        at = height + RIBBON_TOP + RIBBON_LANE * lane + RIBBON_LANE / 2
        layers += [
            alt.Chart(alt.NamedData(name="ribbon"))
            .transform_filter(f"datum.direction == '{direction}'")
            .mark_point(shape=shape, filled=True, opacity=0.85, color=colour)
            .encode(**channels(x="iteration:Q", y=at, size=alt.Size("size:Q", scale=None, legend=None))),
            key.mark_point(shape=shape, filled=True, size=60, opacity=1, color=colour).encode(
                **channels(x=labels.either(6 - theme.GUTTER, 6 - theme.NARROW_GUTTER), y=at)
            ),
            key.mark_text(align="left", baseline="middle", color=colour, fontSize=12, text=direction).encode(
                **channels(x=labels.either(18 - theme.GUTTER, 14 - theme.NARROW_GUTTER), y=at)
            ),
        ]
    return layers


def crosshair_layer(height: float) -> alt.Chart:
    """Return the line at the iteration of the crosshair."""
    layer: alt.Chart = (
        alt.Chart(alt.NamedData(name="once"))
        .transform_calculate(iteration="iteration == null ? null : iteration + 0.5")
        .transform_filter("iteration != null")
        .mark_rule(color=theme.CROSSHAIR, opacity=0.75)
        .encode(**channels(x="iteration:Q", y=0, y2=height))
    )
    return layer
