"""Draws error and loss over the iterations as Altair charts.

Owns the charts with a value axis. The data are already reduced to the columns of the axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dtui.model import Stage, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.curves import labels
from dtui.reports.charts.curves.marks import (
    EVENT_LANE,
    RIBBON_LANE,
    RIBBON_TOP,
    channels,
    crosshair_layer,
    event_layers,
    nonfinite_layers,
    ribbon_layers,
    stage_layers,
)
from dtui.reports.charts.curves.rows import Curve, Event, curve_rows, nonfinite_rows
from dtui.reports.charts.ribbon import RibbonMark
from dtui.reports.document import Spec
from dtui.user_cache import some_home

with some_home():
    import altair as alt  # it asks for the home at once

ERROR_HEIGHT = 230
LOSS_HEIGHT = 120
LOG_FROM = 40.0
"""Ratio of the largest to the smallest value from which on the loss is drawn on a logarithmic scale."""
_READ_OUT = "(iteration == null ? datum.last === true : datum.column == shown)"
"""Which row's value stands beside the name: the crosshair's, else the curve's last, which another curve may outlast."""
_VALUES_AT = labels.either(-44, "width")
"""Where the values end: in the gutter, or at the right."""
_BEGIN = labels.either(-theme.GUTTER, -theme.NARROW_GUTTER)


@alt.utils.schemapi.debug_mode(False)  # else each part is held against the schema; the tests hold the whole against it
def curve_chart(
    curves: Sequence[Curve],
    axis: TimeAxis,
    *,
    unit: str,
    stages: Sequence[Stage] = (),
    ribbon: Sequence[RibbonMark] = (),
    events: Sequence[Event] = (),
    width: int = theme.PLOT_WIDTH,
) -> Spec:
    """Return curves over the iterations as a Vega-Lite specification.

    Args:
        curves: At least one; all have `axis.columns` values.
        axis: The columns.
        unit: "share" draws values in [0, 1] as percentages from zero; "number" scales to the values.
        stages: Stretches of constant learning rate: a dashed line and a label each.
        ribbon: Triangles below the curves; if empty, that lane is left out.
        events: Labelled lines.
        width: Pixels of the time axis at first.

    Returns:
        A specification whose parameter `iteration` is the crosshair, null for none. With its parameter `narrow` and the
        padding of `usermeta.narrow` the names stand above the curves.

    Raises:
        ValueError: There is no curve, or one has another number of columns.

    Source: DeepTracker (ACM TIST 2018), overview.
    """
    if not curves or any(curve.values.shape != (axis.columns,) for curve in curves):
        raise ValueError(f"curves: need at least one, each with {axis.columns} columns")
    height = ERROR_HEIGHT if unit == "share" else LOSS_HEIGHT
    known = labels.event_rows(events, axis, width)
    lanes = 1 + max((max(event["lane"], event["thin"]) for event in known), default=-1)
    top = 28 + EVENT_LANE * lanes
    changes = labels.stage_rows(stages, axis)
    strip = RIBBON_TOP + 2 * RIBBON_LANE if ribbon else 0
    layers = [
        *stage_layers(stages, axis, height),
        *event_layers(known, lanes, height, labels.under_labels(changes, axis)),
        *nonfinite_layers(curves, height),
        *_curve_layers(curves, axis, unit, strip, top),
        *ribbon_layers(ribbon, height),
        _place_layer(len(curves), top, labels.lines_a_name([curve.name for curve in curves], unit)),
        crosshair_layer(height + strip),
    ]
    spec = _layered(layers, axis, (width, height), (top, 40 + strip))
    spec["usermeta"]["narrow"] = {"left": theme.NARROW_GUTTER, "top": top + labels.names_room(len(curves))}
    spec["datasets"] = {
        "once": [{"x": 0}],
        "curves": curve_rows(curves, axis),
        "nonfinite": nonfinite_rows(curves, axis),
        "stages": changes,
        "events": known,
        "ribbon": [mark.as_row() for mark in ribbon],
    }
    used = {layer["data"]["name"] for layer in spec["layer"]}
    spec["datasets"] = {name: rows for name, rows in spec["datasets"].items() if name in used}
    return spec


def _layered(layers: list[alt.Chart], axis: TimeAxis, size: tuple[int, int], room: tuple[int, int]) -> Spec:
    """Return the layers as one specification, with its width and height, and the room above and below."""
    width, height = size
    top, bottom = room
    params: list[Any] = [
        alt.param(name="iteration", value=None).param,
        alt.param(name="narrow", value=False).param,
        alt.param(name="shown", expr=_shown(axis)).param,
    ]
    chart = alt.LayerChart(
        layer=[],
        width=width,
        height=height,
        padding={"left": theme.GUTTER, "right": theme.MARGIN, "top": top, "bottom": bottom},
        autosize=alt.AutoSizeParams(type="none"),
        params=params,
        config=alt.Config(
            **theme.config(), view=alt.ViewConfig(stroke=None), aria=False, mark=alt.MarkConfig(aria=False)
        ),
    )
    spec: Spec = chart.to_dict(validate=False)
    # a chart that is given layers copies each of them four times
    spec["layer"] = [layer.to_dict(validate=False, context={"top_level": False}) for layer in layers]
    spec["usermeta"] = {"columns": axis.columns}
    return spec


def _shown(axis: TimeAxis) -> str:
    """Return the expression for the column to read out: the crosshair's, or else the last."""
    return (
        f"iteration == null ? {axis.columns - 1} : "
        f"clamp(floor((iteration + 0.5 - {axis.first}) / {axis.column_span}), 0, {axis.columns - 1})"
    )


def _x(axis: TimeAxis, strip: float = 0) -> alt.X:
    return alt.X(
        "iteration:Q",
        scale=alt.Scale(domain=[float(axis.first), float(axis.stop)], nice=False, zero=False),
        axis=alt.Axis(title="iteration", format=",d", tickMinStep=1, grid=False, offset=strip),
    )


def _decades(scale: alt.Scale, curves: Sequence[Curve]) -> dict[str, Any]:
    """Return the values with labels on the axis: powers of ten on a logarithmic scale, else round numbers."""
    if scale.to_dict().get("type") != "log":
        return {"tickCount": 5}
    finite = np.log10(np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves]))
    powers = range(math.ceil(finite.min()), math.floor(finite.max()) + 1)
    return {"values": [10.0**power for power in powers][:: max(1, len(powers) // 4)]}


def _value_scale(curves: Sequence[Curve], unit: str) -> alt.Scale:
    if unit == "share":
        highest = max(float(np.nanmax(curve.values, initial=0.0)) for curve in curves)
        return alt.Scale(domain=[0, max(0.05, min(1.0, highest * 1.04))], nice=False)
    finite = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves])
    if finite.size and finite.min() > 0 and finite.max() / finite.min() >= LOG_FROM:
        return alt.Scale(type="log", nice=False)
    return alt.Scale(zero=True, nice=True)


def _curve_layers(curves: Sequence[Curve], axis: TimeAxis, unit: str, strip: float, top: float) -> list[alt.Chart]:
    """Return bands, lines, and the names with their values in the gutter."""
    names = [curve.name for curve in curves]
    colour = alt.Color("curve:N", scale=alt.Scale(domain=names, range=[curve.colour for curve in curves]), legend=None)
    dash = alt.StrokeDash(
        "curve:N",
        scale=alt.Scale(domain=names, range=[[4, 2] if curve.dashed else [1, 0] for curve in curves]),
        legend=None,
    )
    written = theme.number_expression("datum.value")
    told = theme.share_expression("datum.value", 0) if unit == "share" else written
    scale = _value_scale(curves, unit)
    y = alt.Y(
        "value:Q",
        scale=scale,
        axis=alt.Axis(title=None, domain=False, ticks=False, labelExpr=told, **_decades(scale, curves)),
    )
    base = alt.Chart(alt.NamedData(name="curves")).encode(**channels(x=_x(axis, strip), color=colour))
    layers = []
    if any(curve.extremes is not None for curve in curves):
        layers.append(
            base.transform_filter("isValid(datum.high)")
            .mark_area(interpolate="step", opacity=0.28, clip=True, line=False)
            .encode(**channels(y=alt.Y("low:Q", title=None), y2="high:Q"))
        )
    layers.append(
        base.mark_line(interpolate="step", strokeWidth=1.6, strokeCap="round", clip=True).encode(
            **channels(y=y, strokeDash=dash)
        )
    )
    read = base.transform_filter("datum.column == shown")
    layers.append(
        read.mark_point(filled=True, size=34, opacity=1).encode(
            **channels(y="value:Q", opacity=alt.OpacityValue(1, condition={"test": "iteration == null", "value": 0}))
        )
    )
    share = theme.share_expression("datum.value"), theme.share_expression("datum.value", 0)
    told_value = (
        f"datum.value < 0.9995 ? {share[0]} : {share[1]}" if unit == "share" else written
    )  # 100.0 % is too wide
    lines = labels.lines_a_name(names, unit)
    for place, curve in enumerate(curves):
        row = labels.name_row(place, len(curves), top, lines * place)
        beside = labels.name_row(place, len(curves), top, lines * (place + 1) - 1)
        label: dict[str, Any] = {"baseline": "middle", "color": curve.colour}
        value = {**label, "fontSize": 12, "fontWeight": "bold"}  # not the names: in wide fonts they would meet
        key = alt.Chart(alt.NamedData(name="once"))
        layers += [
            key.mark_text(align="left", text=curve.name, fontSize=11, **label).encode(
                **channels(x=labels.either(18 - theme.GUTTER, 18 - theme.NARROW_GUTTER), y=row)
            ),
            key.mark_rule(strokeWidth=2.4, color=curve.colour, strokeDash=[4, 2] if curve.dashed else [1, 0]).encode(
                **channels(x=_BEGIN, x2=labels.either(12 - theme.GUTTER, 12 - theme.NARROW_GUTTER), y=row)
            ),
            alt.Chart(alt.NamedData(name="curves"))
            .transform_filter(f"{_READ_OUT} && datum.curve == {theme.quoted(curve.name)}")
            .transform_calculate(label=f"isValid(datum.value) ? {told_value} : datum.missing")
            .mark_text(align="right", **value)
            .encode(**channels(x=_VALUES_AT, y=beside, text="label:N")),
        ]
    return layers


def _place_layer(curves: int, top: float, lines: int) -> alt.Chart:
    """Return the line below the names that says which iteration their values belong to."""
    layer: alt.Chart = (
        alt.Chart(alt.NamedData(name="once"))
        .transform_calculate(label="iteration == null ? 'last' : 'iteration ' + format(iteration, ',d')")
        .mark_text(align="right", baseline="middle", color=theme.MUTED, fontSize=11)
        .encode(**channels(x=_VALUES_AT, y=labels.name_row(curves, curves, top, lines * curves), text="label:N"))
    )
    return layer
