"""Makes the data of the pictures that the page's own script draws (`rows.js`): the layers, and their filters."""

from __future__ import annotations

from dtui.model.statistics import SOURCES
from dtui.reports.charts import theme
from dtui.reports.charts.rows.horizon import initially_open
from dtui.reports.charts.rows.layer_tree import indent_of
from dtui.reports.charts.rows.planes import encode, grey_picture, plane_data
from dtui.reports.document import Spec
from dtui.reports.rows import FilterMap, FilterMaps, LayerTree, TreeRow

FILTER_ROW = {"pitch": 17, "height": 15}
"""Pixels from one filter to the next, and of its strip."""
LAYER_ROW = {"pitch": 26, "height": 23}
_COMMON = {"gutter": theme.GUTTER, "margin": theme.MARGIN, "bad": theme.LOST}


def rows_data(item: LayerTree | FilterMaps) -> Spec:
    """Return what the script needs to draw an item, as JSON values."""
    return _tree(item) if isinstance(item, LayerTree) else _maps(item)


def _tree(tree: LayerTree) -> Spec:
    rows = [
        {
            "label": row.label,
            "name": row.name,
            "detail": row.detail,
            "about": _about(row),
            "depth": row.depth,
            "parent": row.parent,
            "module": row.is_module,
        }
        for row in tree.rows
    ]
    return {
        **_COMMON,
        **LAYER_ROW,
        "switch": "Statistic",
        "rows": rows,
        "open": initially_open(tree.rows),
        "indent": indent_of(tree.rows),
        "axis": [tree.axis.first, tree.axis.stop, tree.axis.columns],
        "stages": list(tree.stages),
        "groups": [source for source in SOURCES if any(plane.source == source for plane in tree.planes)],
        "scales": ["one scale for all rows", "each row on its own scale"],
        "planes": [plane_data(plane) for plane in tree.planes],
        "positive": theme.HORIZON_POSITIVE,
        "negative": theme.HORIZON_NEGATIVE,
    }


def _about(row: TreeRow) -> str:
    """Return what stands beside the name of a module or layer."""
    size = f"{row.kind}, {row.filters:,} filter{'s' if row.filters != 1 else ''}"
    return f"{size}; {row.starts}" if row.starts else size


def _maps(maps: FilterMaps) -> Spec:
    axis = maps.maps[0].courses.axis
    return {
        **_COMMON,
        **FILTER_ROW,
        "switch": "Layer",
        "open": [],
        "axis": [axis.first, axis.stop, axis.columns],
        "stages": list(maps.stages),
        "groups": list(dict.fromkeys(shown.group for shown in maps.maps)),
        "scales": ["shades by layer", "shades by filter", "shades by iteration"],
        "planes": [_map(maps, shown) for shown in maps.maps],
        "shades": theme.SHADE_STOPS,
    }


def _map(maps: FilterMaps, shown: FilterMap) -> Spec:
    codes, courses = encode(shown.courses.values), shown.courses
    rows = [
        {"label": f"filter {name}", "name": f"{shown.layer}, filter {name}", "about": about, "depth": 0, "parent": -1}
        for name, about in zip(shown.names, shown.about, strict=True)
    ]
    return {
        "source": shown.group,
        "choice": shown.layer,
        "quantity": maps.quantity,
        "rows": rows,
        "first": 0,
        "full": [[_short(courses.layer_scale)], _all(courses.filter_scales), _all(courses.column_scales)],
        "limits": codes.limits.tolist(),
        "picture": grey_picture(codes.bytes),
    }


def _all(values: object) -> list[float]:
    return [_short(value) for value in values.tolist()]  # type: ignore[attr-defined]


def _short(value: float) -> float:
    return float(f"{value:.4g}")
