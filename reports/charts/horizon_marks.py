"""The Vega marks of a horizon tree: bands, names, values, and the line of switches above them."""

from __future__ import annotations

from dtui.reports.charts import theme
from dtui.reports.charts.marks import field, mark, signal
from dtui.reports.document import Spec

ROW = 26
"""Pixels from one row to the next."""
ROW_HEIGHT = 23
"""Pixels of a horizon graph."""


def ground_mark() -> Spec:
    """Return the base line of each graph."""
    update = {"x2": signal("width"), "y": signal(f"datum.y + {ROW_HEIGHT + 0.5}")}
    return mark("rule", {"stroke": theme.GRID, "x": 0}, update, data="rows")


def path_mark(columns: int) -> Spec:
    """Return the bands, stretched from columns to pixels."""
    update = {"y": field("y"), "scaleX": signal(f"width / {columns}")}
    return mark("path", {"path": field("path"), "fill": field("colour")}, update, data="paths")


def hover_mark() -> Spec:
    """Return the mark that highlights the row under the pointer."""
    enter = {"fill": theme.INK, "x": -theme.GUTTER, "height": ROW_HEIGHT}
    place = {"x2": signal("width"), "y": signal("over ? over.y : 0")}
    return mark("rect", enter, {**place, "fillOpacity": signal("over ? 0.07 : 0")})


def hit_mark() -> Spec:
    """Return the mark that receives the pointer over a row."""
    update = {
        "y": field("y"),
        "width": signal("width"),
        "cursor": signal("datum.module ? 'pointer' : 'crosshair'"),
    }
    return mark("rect", {"x": 0, "height": ROW, "fill": "transparent"}, update, data="rows", name="hit")


def label_marks(*, signed: bool) -> list[Spec]:
    """Return the names with their folding marks, and the value at the crosshair."""
    middle = signal(f"datum.y + {ROW_HEIGHT / 2}")
    fold = "(datum.module ? (indexof(open, '|' + datum.id + '|') >= 0 ? '▾ ' : '▸ ') : '')"
    value = "datum.v[shown]"
    negative = theme.HORIZON_NEGATIVE[1] if signed else theme.INK
    positive = theme.HORIZON_POSITIVE[2] if signed else theme.INK
    name = {
        "x": signal(f"{-theme.GUTTER} + datum.depth * 11 + (datum.module ? 0 : 12)"),
        "y": middle,
        "text": signal(f"{fold} + datum.label + (datum.detail ? '  ' + datum.detail : '')"),
        "fontWeight": signal("datum.module ? 'bold' : 'normal'"),
        "limit": signal(f"max(36, {theme.GUTTER - 70} - datum.depth * 11 - (datum.module ? 0 : 12))"),
        "cursor": signal("datum.module ? 'pointer' : 'default'"),
    }
    shown = {
        "y": middle,
        "text": signal(f"{value} == null ? '' : {_formatted(value, '+' if signed else '')}"),
        "fill": signal(f"{value} < 0 ? '{negative}' : '{positive}'"),
    }
    return [
        mark("text", {"baseline": "middle", "fontSize": 12}, name, data="rows", name="label"),
        mark("text", {"baseline": "middle", "align": "right", "x": -8}, shown, data="rows"),
    ]


def header_marks(quantity: str, scale: float, *, signed: bool, several: bool, folds: bool) -> list[Spec]:
    """Return the line above the rows: scale, readout, and the switches that fold and unfold everything."""
    colours = ([*theme.HORIZON_NEGATIVE[::-1]] if signed else []) + [*theme.HORIZON_POSITIVE]
    lowest = f"−{scale:.3g}" if signed else "0"
    start = -theme.GUTTER + max(12, round(6.2 * len(lowest)) + 6)
    swatches = [
        mark("rect", {"x": start + 14 * k, "width": 14, "y": -18, "height": 10, "fill": colour})
        for k, colour in enumerate(colours)
    ]
    name = theme.quoted(quantity)
    readout = (
        f"over ? over.label + ' (' + over.about + ') · ' + shown_text + ' · ' + {name} + ' ' + "
        f"(over.v[shown] == null ? 'none' : {_formatted('over.v[shown]')})"
        " + (over.bad && over.bad[shown] ? ' · NaN or Inf' : '')"
        f" + (own ? ' of ' + {_formatted('over.full')} : '')"
        f" : {name} + (own ? ', each row on its own scale' : '') + (iteration == null ? '' : ' · ' + shown_text)"
    )
    marks = [
        *swatches,
        _text(f"own && {str(signed).lower()} ? '−' : '{lowest}'", -theme.GUTTER, align="left", fill=theme.MUTED),
        _text(f"own ? 'by row' : '{scale:.3g}'", start + 14 * len(colours) + 5, align="left", fill=theme.MUTED),
        _text(readout, 0, align="left", fill=theme.INK, limit="width - 205"),
    ]
    if several:
        switch = "own ? 'one scale' : 'scale by row'"
        dx = -118 if folds else 0
        marks.append(_text(switch, None, align="right", fill=theme.GAINED, name="scales", dx=dx))
    if folds:
        marks += [
            _text("'unfold all'", None, align="right", fill=theme.GAINED, name="unfold", dx=-54),
            _text("'fold all'", None, align="right", fill=theme.GAINED, name="fold"),
        ]
    return marks


def _formatted(value: str, sign: str = "") -> str:
    """Return the expression that writes a number, even a very small one, in a few characters."""
    return f"({value} != 0 && abs({value}) < 0.001 ? format({value}, '{sign}.2~e') : format({value}, '{sign}.3~g'))"


def _text(text: str, x: float | None, *, align: str, fill: str, name: str = "", dx: float = 0, limit: str = "") -> Spec:
    """Return one text mark on the header line; x=None is the right end of the axis."""
    enter: dict[str, object] = {"baseline": "middle", "align": align, "fill": fill, "y": -13, "dx": dx}
    if name:
        enter["cursor"] = "pointer"
    update: dict[str, object] = {"x": signal("width") if x is None else x, "text": signal(text)}
    if limit:
        update["limit"] = signal(limit)
    return mark("text", enter, update, name=name)
