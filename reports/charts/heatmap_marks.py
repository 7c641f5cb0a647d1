"""The Vega marks of a class heatmap: pictures, triangles, names, values, and the readout above them."""

from __future__ import annotations

from dtui.reports.charts import theme
from dtui.reports.charts.marks import field, mark, signal
from dtui.reports.charts.raster import LEVELS, error_palette
from dtui.reports.document import Spec

SCALE_LINE = 18
"""Pixels of a line of its own that the scale of the colours takes on a narrow page, above the readout."""
DETAIL = -68
"""Where the number of classes of a cluster ends: left of its error in bold, "100.0 %" at the longest."""
_HIGHER = f"(narrow ? {SCALE_LINE} : 0)"


def hover_signals() -> list[Spec]:
    """Return the signals for the row under the pointer; `values` is set from outside, one per row, null at first."""
    row = "clamp(floor((y() - datum.y) / datum.height * length(datum.names)), 0, length(datum.names) - 1)"
    return [
        {
            "name": "over",
            "value": None,
            "on": [
                {
                    "events": "@hit:mousemove",
                    "update": f"{{id: datum.id, name: datum.names[{row}], row: {row}, "
                    "y: datum.y, height: datum.height}",
                },
                {"events": "@hit:mouseout", "update": "null"},
            ],
        },
        {
            "name": "mark",
            "value": None,
            "on": [
                {"events": "@triangle:mouseover", "update": "datum"},
                {"events": "@triangle:mouseout", "update": "null"},
            ],
        },
        {"name": "narrow", "value": False},
        {"name": "gutter", "update": f"narrow ? {theme.NARROW_STRIPS} : {theme.GUTTER}"},
        {"name": "values", "value": None},
        {"name": "value", "value": None},
    ]


def image_mark() -> Spec:
    """Return the picture of each row."""
    where = {"x": 0, "y": field("y"), "height": field("height"), "url": field("url")}
    return mark("image", {**where, "aspect": False, "smooth": False}, {"width": signal("width")}, data="rows")


def hover_mark() -> Spec:
    """Return the mark that highlights the row under the pointer."""
    update = {
        "width": signal("width"),
        "y": signal("over ? over.y - 0.5 : 0"),
        "height": signal("over ? over.height + 1 : 0"),
        "strokeOpacity": signal("over ? 0.8 : 0"),
    }
    return mark("rect", {"stroke": theme.INK, "x": 0}, update)


def hit_mark() -> Spec:
    """Return the mark that receives the pointer over a row."""
    where = {"x": 0, "y": field("y"), "height": field("height")}
    enter = {**where, "fill": "transparent", "cursor": "crosshair"}
    return mark("rect", enter, {"width": signal("width")}, data="rows", name="hit")


def label_marks() -> list[Spec]:
    """Return names, numbers of classes and the error at the crosshair."""
    place = {"baseline": "middle", "y": signal("datum.y + min(datum.height, 14) / 2")}
    weight = signal("datum.heading ? 'bold' : 'normal'")
    value = "(values ? values[datum.id] : datum.last)"
    name = {
        **place,
        "text": field("label"),
        "fontSize": 12,
        "fontWeight": weight,
    }
    begin = {
        "x": signal("datum.heading ? -gutter : 12 - gutter"),
        "limit": signal("gutter - (length(datum.names) > 1 ? 20 : narrow ? 62 : 95)"),  # beside a block is no value
    }
    detail = {**place, "x": DETAIL, "text": field("detail"), "align": "right", "fill": theme.MUTED}
    unless_narrow = {"fillOpacity": signal("narrow ? 0 : 1")}
    shown = {"text": signal(f"{value} == null ? '' : {theme.share_expression(value)}"), "fontWeight": weight}
    return [
        mark("text", name, begin, data="rows"),
        mark("text", detail, unless_narrow, data="rows"),
        mark("text", {**place, "x": -8, "align": "right"}, shown, data="rows"),
    ]


def triangle_mark() -> Spec:
    """Return the anomaly iterations."""
    enter = {
        "shape": signal("datum.direction == 'gained' ? 'triangle-up' : 'triangle-down'"),
        "fill": signal(f"datum.direction == 'gained' ? '{theme.GAINED}' : '{theme.LOST}'"),
        "size": field("size"),
        "y": field("y"),
        "cursor": "pointer",
    }
    update = {
        "x": signal("scale('x', datum.iteration)"),
        "stroke": signal(f"mark && mark.target == datum.target ? '{theme.INK}' : '#ffffff'"),
        "strokeWidth": signal("mark && mark.target == datum.target ? 1.5 : 0.6"),
    }
    return mark("symbol", enter, update, data="marks", name="triangle")


def header_marks(one: str = "class") -> list[Spec]:
    """Return the scale of the colours and the readout above the strips; `one` is what a strip is of."""
    palette = error_palette()
    swatches = 24
    width = theme.GUTTER - 110
    marks: list[Spec] = []
    for k in range(swatches):
        colour = f"#{palette[round(k * (LEVELS - 1) / (swatches - 1))]:06x}"
        where = {"width": round(width / swatches + 0.5, 2), "height": 10, "fill": colour}
        moved = {"x": signal(f"{round(50 + k * width / swatches, 2)} - gutter"), "y": signal(f"-22 - {_HIGHER}")}
        marks.append(mark("rect", where, moved))
    readout = (
        "mark ? (mark.direction == 'gained' ? '▲ gained ' : '▼ lost ')"
        f" + {theme.share_expression('mark.share')} + ' of ' + mark.of"
        " + ' · iteration ' + format(mark.iteration - 0.5, ',d')"
        " + (mark.anomalies > 1 ? ' · ' + mark.anomalies + ' anomalies here' : '')"
        " : over ? over.name + ' · ' + shown_text"
        f" + (value == null ? '' : ' · error ' + {theme.share_expression('value')})"
        f" : 'error of each {one}' + (iteration == null ? '' : ' · ' + shown_text)"
    )
    for text, x, y, fill in (
        ("'error 0'", "-gutter", f"-17 - {_HIGHER}", theme.MUTED),
        ("'100 %'", f"{theme.GUTTER - 54} - gutter", f"-17 - {_HIGHER}", theme.MUTED),
        (readout, "narrow ? -gutter : 0", "-17", theme.INK),
    ):
        moved = {"text": signal(text), "x": signal(x), "y": signal(y)}
        marks.append(mark("text", {"baseline": "middle", "fill": fill}, moved))
    return marks
