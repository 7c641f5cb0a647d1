"""Defines colours, fonts and sizes of every chart on a white page.

Owns the common layout of the charts: all have the same left gutter and right margin, so that one iteration is one
straight vertical line through the whole page.

The colours are those of the TUI, adapted to paper: the background is white instead of dark.
"""

from __future__ import annotations

from typing import Any

from dtui.number_text import NO_BREAK
from dtui.reports.document import Spec

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

GUTTER = 200
"""Pixels left of the time axis: names, values and scales."""
MARGIN = 18
"""Pixels right of the time axis."""
PAGE_WIDTH = 1176
"""Pixels of a picture on a wide page: all that the page has between its margins."""
PLOT_WIDTH = 760
"""Pixels of the time axis where nobody widens it: in a static picture and in print."""
NARROW_GUTTER = 60
"""Pixels left of the time axis on a narrow page, where names stand above the curves."""
NARROW_STRIPS = 118
"""The same beside strips with names."""
NARROW_PLOT = 280
"""Pixels of the time axis on a narrow page, about."""
PAPER_PLOT = 483
"""Pixels of the time axis on paper: printed over the width of an A4 page, a letter of 11 pixels is 8 points high."""
PAPER_WIDTH = GUTTER + PAPER_PLOT + MARGIN
"""Pixels of a whole picture on paper."""
PAPER_HEIGHT = 890
"""Most pixels of a picture on paper from its upper to its lower edge, so that it and its heading fit a page."""
MAX_COLUMNS = 760
"""Most columns that a series is reduced to."""

INK = "#1c2430"
MUTED = "#5b6675"
FAINT = "#c9d1db"
GRID = "#e6eaef"
CROSSHAIR = "#1c2430"
VALIDATION = "#b8540a"
TRAIN = "#52708f"
LOSS = "#3d4f63"
GAINED = "#0077a8"
LOST = "#cf2a3c"
EVENT = "#6b3fa0"

HORIZON_POSITIVE = ("#a9dcff", "#2f86c6", "#173f5f")
HORIZON_NEGATIVE = ("#ffb892", "#bf5a2a", "#54301c")
ERROR_STOPS = ("#fffaf0", "#ffe0b0", "#fbb45c", "#f28e2b", "#b4542f", "#6b3552", "#1d2a57", "#0a1030")
"""Error from none (cream) over orange to all wrong (navy); lightness falls all the way."""
CORRELATION_STOPS = ("#f7f9fb", "#def5e5", "#9cdcbb", "#54c0ae", "#36a2ab", "#357ba3", "#3b5d91", "#3f3f76", "#2b1c35")
"""Anomaly filters from none (paper) over green to many (violet); lightness falls all the way."""
USUAL_STOPS = ("#54301c", "#bf5a2a", "#ffb892", "#f7f9fb", "#a9dcff", "#2f86c6", "#173f5f")
"""A value against its usual one, from a tenth (brown) over the usual (paper) to ten times (blue)."""

SHADE_STOPS = ("#f6f9fc", "#b5daf2", "#4d97cf", "#1d4f86", "#0a1c3d")
"""Size from none (almost white) over blue to full (navy); lightness falls all the way."""

VEGA_SCHEMA = "https://vega.github.io/schema/vega/v6.json"


def time_scale(limits: tuple[float, float]) -> Spec:
    """Return the one Vega scale from iterations to pixels."""
    return {
        "name": "x",
        "type": "linear",
        "domain": [float(limits[0]), float(limits[1])],
        "range": "width",
        "nice": False,
        "zero": False,
    }


def time_axis() -> Spec:
    """Return the Vega axis below a picture."""
    return {
        "scale": "x",
        "orient": "bottom",
        "title": "iteration",
        "format": ",d",
        "tickMinStep": 1,
        "labelOverlap": True,
    }


def config() -> dict[str, Any]:
    """Return the settings that Vega and Vega-Lite share."""
    return {
        "font": FONT,
        "background": "transparent",
        "axis": {
            "labelFont": FONT,
            "titleFont": FONT,
            "labelColor": MUTED,
            "titleColor": MUTED,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "domainColor": FAINT,
            "tickColor": FAINT,
            "gridColor": GRID,
            "labelFlush": False,
        },
        "axisBottom": {"labelFlush": True, "labelSeparation": 8},
        "text": {"font": FONT, "fontSize": 11, "fill": INK},
    }


def frame(height: float | None, *, top: int, bottom: int, limits: tuple[float, float]) -> Spec:
    """Return the part that all full Vega specifications begin with.

    Args:
        height: Pixels of the plot; None when a signal computes it.
        top: Pixels above the plot.
        bottom: Pixels below it.
        limits: First iteration and stop of the axis.

    The signal `iteration` is the crosshair, null while the pointer is elsewhere. A page with several charts sets it in
    all of them.
    """
    spec: Spec = {
        "$schema": VEGA_SCHEMA,
        "width": PLOT_WIDTH,
        "padding": {"left": GUTTER, "right": MARGIN, "top": top, "bottom": bottom},
        "autosize": "none",
        "config": config(),
        "signals": [{"name": "iteration", "value": None}],
        "scales": [time_scale(limits)],
        "axes": [time_axis()],
    }
    if height is not None:
        spec["height"] = height
    return spec


def crosshair() -> Spec:
    """Return the Vega mark of the crosshair."""
    return {
        "type": "rule",
        "interactive": False,
        "aria": False,
        "encode": {
            "enter": {"stroke": {"value": CROSSHAIR}, "y": {"value": 0}},
            "update": {
                "x": {"signal": "iteration == null ? 0 : scale('x', iteration + 0.5)"},
                "y2": {"signal": "height"},
                "strokeOpacity": {"signal": "iteration == null ? 0 : 0.75"},
            },
        },
    }


def stage_rules(stages: list[int]) -> Spec:
    """Return the Vega mark of the lines at which the learning rate changed; `stages` are iterations."""
    return {
        "type": "group",
        "interactive": False,
        "aria": False,
        "marks": [
            {
                "type": "rule",
                "interactive": False,
                "aria": False,
                "encode": {
                    "enter": {
                        "stroke": {"value": MUTED},
                        "strokeOpacity": {"value": 0.55},
                        "strokeDash": {"value": [3, 3]},
                        "y": {"value": 0},
                    },
                    "update": {"x": {"signal": f"scale('x', {at})"}, "y2": {"signal": "height"}},
                },
            }
            for at in stages
        ],
    }


def column_signals(limits: tuple[float, float], columns: int) -> list[Spec]:
    """Return the Vega signals `shown` (a column: the crosshair's, else the last) and the iterations it holds."""
    first, stop = limits
    span = (stop - first) / columns
    return [
        {
            "name": "shown",
            "update": f"iteration == null ? {columns - 1} : "
            f"clamp(floor((iteration + 0.5 - {first}) / {span}), 0, {columns - 1})",
        },
        {"name": "shown_first", "update": f"ceil({first} + shown * {span} - 0.5)"},
        {"name": "shown_last", "update": f"max(shown_first, ceil({first} + (shown + 1) * {span} - 0.5) - 1)"},
        {
            "name": "shown_text",
            "update": "shown_first == shown_last ? 'iteration ' + format(shown_first, ',d')"
            " : 'iterations ' + format(shown_first, ',d') + '–' + format(shown_last, ',d')",
        },
    ]


def share_expression(value: str, digits: int = 1) -> str:
    """Return the Vega expression that writes a share in per cent, such as "2.4 %"; `digits` behind the point."""
    return f"format(100 * {value}, '.{digits}f') + '{NO_BREAK}%'"


def number_expression(value: str) -> str:
    """Return the Vega expression that writes a number as `number_text` does, but millions as a power of ten.

    Args:
        value: The expression of the number, finite.
    """
    power = f"floor(log(abs({value})) / LN10 + 1e-9)"
    digit = f"abs({power}) % 10"
    tens = f"floor(abs({power}) / 10)"
    raised = "'⁰¹²³⁴⁵⁶⁷⁸⁹'"
    over = (
        f"({power} < 0 ? '⁻' : '') + (abs({power}) >= 10 ? substring({raised}, {tens}, {tens} + 1) : '')"
        f" + substring({raised}, {digit}, {digit} + 1)"
    )
    return (
        f"({value} == 0 || (abs({value}) >= 0.00001 && abs({value}) < 1e6) ? format({value}, ',.4~r')"
        f" : format({value} / pow(10, {power}), '.2~r') + '·10' + {over})"
    )


def quoted(text: str) -> str:
    """Return `text` as a literal of Vega's expression language."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
