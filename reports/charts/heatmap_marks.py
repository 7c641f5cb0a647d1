"""What a class heatmap draws: pictures, triangles, names, values, and the readout above them."""

from __future__ import annotations

from dtui.reports.charts import theme
from dtui.reports.charts.raster import LEVELS, error_palette
from dtui.reports.document import Spec


def hover_signals() -> list[Spec]:
    """Return the signals of the row under the pointer; `values` is set from outside, one a row, null at first."""
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
        {"name": "values", "value": None},
        {"name": "value", "value": None},
    ]


def image_mark() -> Spec:
    """Return the picture of each row."""
    return {
        "type": "image",
        "interactive": False,
        "aria": False,
        "from": {"data": "rows"},
        "encode": {
            "enter": {
                "x": {"value": 0},
                "y": {"field": "y"},
                "height": {"field": "height"},
                "aspect": {"value": False},
                "smooth": {"value": False},
                "url": {"field": "url"},
            },
            "update": {"width": {"signal": "width"}},
        },
    }


def hover_mark() -> Spec:
    """Return the emphasis of the row under the pointer."""
    return {
        "type": "rect",
        "interactive": False,
        "aria": False,
        "encode": {
            "enter": {"stroke": {"value": theme.INK}, "x": {"value": 0}},
            "update": {
                "width": {"signal": "width"},
                "y": {"signal": "over ? over.y - 0.5 : 0"},
                "height": {"signal": "over ? over.height + 1 : 0"},
                "strokeOpacity": {"signal": "over ? 0.8 : 0"},
            },
        },
    }


def hit_mark() -> Spec:
    """Return what the pointer meets over a row."""
    return {
        "type": "rect",
        "name": "hit",
        "aria": False,
        "from": {"data": "rows"},
        "encode": {
            "enter": {
                "x": {"value": 0},
                "y": {"field": "y"},
                "height": {"field": "height"},
                "fill": {"value": "transparent"},
                "cursor": {"value": "crosshair"},
            },
            "update": {"width": {"signal": "width"}},
        },
    }


def label_marks() -> list[Spec]:
    """Return names, numbers of classes and the error at the crosshair."""
    middle = "datum.y + min(datum.height, 14) / 2"
    value = "(values ? values[datum.id] : datum.last)"

    def text(enter: Spec, update: Spec) -> Spec:
        return {
            "type": "text",
            "interactive": False,
            "aria": False,
            "from": {"data": "rows"},
            "encode": {"enter": {"baseline": {"value": "middle"}, **enter}, "update": update},
        }

    return [
        text(
            {
                "x": {"signal": f"datum.heading ? {-theme.GUTTER} : {12 - theme.GUTTER}"},
                "y": {"signal": middle},
                "text": {"field": "label"},
                "fontSize": {"value": 12},
                "fontWeight": {"signal": "datum.heading ? 'bold' : 'normal'"},
                "limit": {"value": theme.GUTTER - 95},
            },
            {},
        ),
        text(
            {
                "x": {"value": -58},
                "y": {"signal": middle},
                "text": {"field": "detail"},
                "align": {"value": "right"},
                "fill": {"value": theme.MUTED},
            },
            {},
        ),
        text(
            {"x": {"value": -8}, "y": {"signal": middle}, "align": {"value": "right"}},
            {
                "text": {"signal": f"{value} == null ? '' : format({value}, '.1%')"},
                "fontWeight": {"signal": "datum.heading ? 'bold' : 'normal'"},
            },
        ),
    ]


def triangle_mark() -> Spec:
    """Return the anomaly iterations."""
    return {
        "type": "symbol",
        "name": "triangle",
        "aria": False,
        "from": {"data": "marks"},
        "encode": {
            "enter": {
                "shape": {"signal": "datum.direction == 'gained' ? 'triangle-up' : 'triangle-down'"},
                "fill": {"signal": f"datum.direction == 'gained' ? '{theme.GAINED}' : '{theme.LOST}'"},
                "size": {"field": "size"},
                "y": {"field": "y"},
                "cursor": {"value": "pointer"},
            },
            "update": {
                "x": {"signal": "scale('x', datum.iteration)"},
                "stroke": {"signal": f"mark && mark.target == datum.target ? '{theme.INK}' : '#ffffff'"},
                "strokeWidth": {"signal": "mark && mark.target == datum.target ? 1.5 : 0.6"},
            },
        },
    }


def header_marks() -> list[Spec]:
    """Return the scale of the colours and the readout above the strips."""
    palette = error_palette()
    swatches = 24
    width = theme.GUTTER - 110
    marks: list[Spec] = []
    for k in range(swatches):
        colour = f"#{palette[round(k * (LEVELS - 1) / (swatches - 1))]:06x}"
        marks.append(
            {
                "type": "rect",
                "interactive": False,
                "aria": False,
                "encode": {
                    "enter": {
                        "x": {"value": round(50 - theme.GUTTER + k * width / swatches, 2)},
                        "width": {"value": round(width / swatches + 0.5, 2)},
                        "y": {"value": -22},
                        "height": {"value": 10},
                        "fill": {"value": colour},
                    }
                },
            }
        )
    readout = (
        "mark ? (mark.direction == 'gained' ? '▲ gained ' : '▼ lost ') + format(mark.share, '.1%') + ' of ' + mark.of"
        " + ' · iteration ' + format(mark.iteration - 0.5, ',d')"
        " + (mark.anomalies > 1 ? ' · ' + mark.anomalies + ' anomalies here' : '')"
        " : over ? over.name + ' · ' + shown_text + (value == null ? '' : ' · error ' + format(value, '.1%'))"
        " : 'error of each class' + (iteration == null ? '' : ' · ' + shown_text)"
    )
    for signal, x, fill in (
        ("'error 0'", -theme.GUTTER, theme.MUTED),
        ("'100%'", -54, theme.MUTED),
        (readout, 0, theme.INK),
    ):
        marks.append(
            {
                "type": "text",
                "interactive": False,
                "aria": False,
                "encode": {
                    "enter": {
                        "x": {"value": x},
                        "y": {"value": -17},
                        "baseline": {"value": "middle"},
                        "fill": {"value": fill},
                    },
                    "update": {"text": {"signal": signal}},
                },
            }
        )
    return marks
