"""Draws the network hierarchy with one horizon graph per row; a click unfolds a row: a full Vega specification.

Owns how a series becomes bands. Paths are computed here, one step per column, because one mark per iteration does not
scale. Vega only moves and stretches the paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dtui.model import BoolArray, FloatArray, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.horizon_marks import (
    ROW,
    ROW_HEIGHT,
    ground_mark,
    header_marks,
    hit_mark,
    hover_mark,
    label_marks,
    path_mark,
)
from dtui.reports.document import Spec

BANDS = 3
UNFOLDED_ROWS = 44
"""The levels of the hierarchy that stand open at first: as many as fit into this many rows."""
DWARFED = 6
"""One scale for all rows starts switched off where the median row would stay under 1/DWARFED of the first band."""
BAR_HEIGHT = 5
"""Pixels of the bar that marks NaN and Inf; half-way up a row, where no band ends."""
QUANTUM = 2
"""Steps of a path are rounded to 1/QUANTUM pixel."""


@dataclass(frozen=True, slots=True)
class HorizonRow:
    """A module or a layer.

    Attributes:
        label: Shown name.
        detail: Short addition, such as "3×3".
        kind: Class name.
        filters: Number of filters at or below it.
        parent: Position of its parent among the rows, -1 at the top.
        depth: 0 at the top.
        is_module: Whether it holds other rows.
    """

    label: str
    detail: str
    kind: str
    filters: int
    parent: int
    depth: int
    is_module: bool


def band_paths(values: FloatArray, scale: float, height: float, bands: int = BANDS) -> list[tuple[int, int, str]]:
    """Return the outline of each band of one series.

    Args:
        values: Shape (columns,); NaN leaves a hole.
        scale: The absolute value that fills all bands; larger values are cut off.
        height: Pixels.
        bands: How many, >= 1.

    Returns:
        (sign, band, SVG path) for each band that is not empty; one unit of x is a column, y grows downwards from
        the top of the row; sign is 1 or -1, band counts from 0.

    Source: Heer, Kong, Agrawala: Sizing the Horizon (CHI 2009); paths ours.
    """
    paths = []
    sides = {1: np.clip(np.nan_to_num(values), 0, None), -1: np.clip(-np.nan_to_num(values), 0, None)}
    for sign, side in sides.items():
        for band in range(bands):
            filled = np.clip(side * bands / scale - band, 0, 1) * height
            steps = np.rint(filled * QUANTUM) / QUANTUM
            if steps.any():
                paths.append((sign, band, _step_path(steps, height)))
    return paths


def _step_path(steps: FloatArray, height: float) -> str:
    """Return the closed outline of columns of the given heights that stand on the row's lower edge."""
    padded = np.concatenate(([0.0], steps, [0.0]))
    parts = [f"M0,{height:g}"]
    at = 0
    for change in np.flatnonzero(np.diff(padded)).tolist():
        if change != at:
            parts.append(f"h{change - at}")
            at = change
        parts.append(f"v{padded[change] - padded[change + 1]:g}")
    return "".join(parts) + "Z"


def initially_open(rows: Sequence[HorizonRow], limit: int = UNFOLDED_ROWS) -> list[int]:
    """Return the rows that are open at first: whole levels, up to `limit` rows."""
    unfolded: list[int] = []
    visible = sum(row.depth == 0 for row in rows)
    for depth in range(max((row.depth for row in rows), default=0)):
        visible += sum(row.depth == depth + 1 for row in rows)
        if visible > limit:
            break
        unfolded += [k for k, row in enumerate(rows) if row.depth == depth and row.is_module]
    return unfolded


def horizon_tree(
    rows: Sequence[HorizonRow],
    values: FloatArray,
    scale: float,
    axis: TimeAxis,
    *,
    quantity: str,
    stages: Sequence[int],
    nonfinite: BoolArray | None = None,
) -> Spec:
    """Return the hierarchy with one horizon graph a row.

    Args:
        rows: Depth first, parents before children.
        values: Shape (rows, columns); NaN where there is no value.
        scale: The absolute value that fills all bands, the same for all rows, > 0.
        axis: The columns.
        quantity: What the values are, such as "mean of weights".
        stages: Iterations at which the learning rate changed.
        nonfinite: Shape (rows, columns): NaN or Inf was counted, which a bar through the row marks; None for nowhere.

    Raises:
        ValueError: The number of rows or columns differs, or the scale is not positive.

    Source: DeepTracker (ACM TIST 2018), layer view.
    """
    if values.shape != (len(rows), axis.columns) or not scale > 0:
        raise ValueError(f"horizon tree: {values.shape} values for {len(rows)} × {axis.columns}, scale {scale}")
    limits = (axis.first, axis.stop)
    full = [full_scale(row) for row in values]
    signed = bool(np.nanmin(values, initial=0.0) < 0)
    spec = theme.frame(None, top=30, bottom=40, limits=limits)
    spec["signals"] += [*theme.column_signals(limits, axis.columns), *_fold_signals(rows), _scale_signal(full, scale)]
    spec["data"] = [
        {"name": "rows", "values": _row_values(rows, values, full, nonfinite), "transform": _visible(rows)},
        {
            "name": "paths",
            "values": _path_values(values, [scale] * len(rows), own=False) + _path_values(values, full, own=True),
            "transform": [
                {"type": "filter", "expr": "datum.own == own"},
                {"type": "lookup", "from": "rows", "key": "id", "fields": ["id"], "values": ["y"], "default": None},
                {"type": "filter", "expr": "datum.y != null"},
            ],
        },
    ]
    if nonfinite is not None:
        spec["data"][1]["values"] += _bar_values(nonfinite)
    spec["marks"] = [
        ground_mark(),
        path_mark(axis.columns),
        theme.stage_rules(list(stages)),
        hover_mark(),
        *label_marks(signed=signed),
        theme.crosshair(),
        hit_mark(),
        *header_marks(quantity, scale, signed=signed, several=len(rows) > 1, folds=any(row.is_module for row in rows)),
    ]
    return spec


def full_scale(values: FloatArray) -> float:
    """Return the absolute value that fills all bands of a row on its own scale: its 99th percentile, > 0."""
    finite = np.abs(values[np.isfinite(values)])
    full = float(np.quantile(finite, 0.99)) if finite.size else 0.0
    return full if full > 0 else float(finite.max(initial=0.0)) or 1.0


def dwarfs(full: Sequence[float], scale: float) -> bool:
    """Return whether on one scale for all rows a few would dwarf the others; each row has its own scale then."""
    return bool(np.median(full) * BANDS * DWARFED < scale)


def _scale_signal(full: Sequence[float], scale: float) -> Spec:
    """Return the switch between one scale and own scales."""
    return {"name": "own", "value": dwarfs(full, scale), "on": [{"events": "@scales:click", "update": "!own"}]}


def _row_values(
    rows: Sequence[HorizonRow], values: FloatArray, full: Sequence[float], nonfinite: BoolArray | None
) -> list[dict[str, Any]]:
    result = []
    for position, row in enumerate(rows):
        above: list[int] = []
        parent = row.parent
        while parent >= 0:
            above.append(parent)
            parent = rows[parent].parent
        result.append(
            {
                "id": position,
                "label": row.label,
                "detail": row.detail,
                "about": f"{row.kind}, {row.filters:,} filter{'s' if row.filters != 1 else ''}",
                "depth": row.depth,
                "module": row.is_module,
                "above": above,
                "full": float(f"{full[position]:.3g}"),
                "v": [float(f"{v:.3g}") if np.isfinite(v) else None for v in values[position].tolist()],
            }
        )
        if nonfinite is not None and nonfinite[position].any():
            result[-1]["bad"] = nonfinite[position].astype(int).tolist()
    return result


def horizon_paths(values: FloatArray, scale: float, height: float) -> list[tuple[str, str]]:
    """Return colour and outline of each band of one series, as `band_paths`."""
    palettes = {1: theme.HORIZON_POSITIVE, -1: theme.HORIZON_NEGATIVE}
    return [(palettes[sign][band], path) for sign, band, path in band_paths(values, scale, height)]


def _path_values(values: FloatArray, scales: Sequence[float], *, own: bool) -> list[dict[str, Any]]:
    return [
        {"id": position, "own": own, "colour": colour, "path": path}
        for position in range(len(values))
        for colour, path in horizon_paths(values[position], scales[position], ROW_HEIGHT)
    ]


def _bar_values(nonfinite: BoolArray) -> list[dict[str, Any]]:
    """Return a bar through the middle of each row wherever NaN or Inf was counted, on either scale."""
    return [
        {"id": position, "own": own, "colour": theme.LOST, "path": bar_path(row, ROW_HEIGHT)}
        for own in (False, True)
        for position, row in enumerate(nonfinite)
        if row.any()
    ]


def bar_path(row: BoolArray, height: float) -> str:
    """Return the outline of a bar of BAR_HEIGHT pixels over the columns that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
    top = (height - BAR_HEIGHT) / 2
    return "".join(
        f"M{begin},{top:g}h{end - begin}v{BAR_HEIGHT}h{begin - end}Z" for begin, end in edges.reshape(-1, 2).tolist()
    )


def _fold_signals(rows: Sequence[HorizonRow]) -> list[Spec]:
    """Return the signals of folding: `open` holds "|id|id|"."""

    def held(ids: Sequence[int]) -> str:
        return "|" + "".join(f"{k}|" for k in ids)

    key = "'|' + datum.id + '|'"
    return [
        {
            "name": "open",
            "value": held(initially_open(rows)),
            "on": [
                {
                    "events": "@label:click, @hit:click",
                    "update": f"!datum.module ? open : indexof(open, {key}) >= 0 "
                    f"? replace(open, {key}, '|') : open + datum.id + '|'",
                },
                {"events": "@unfold:click", "update": f"'{held([k for k, r in enumerate(rows) if r.is_module])}'"},
                {"events": "@fold:click", "update": "'|'"},
            ],
        },
        {"name": "height", "update": f"max(1, length(data('rows'))) * {ROW}"},
        {
            "name": "over",
            "value": None,
            "on": [
                {"events": "@hit:mousemove, @label:mousemove", "update": "datum"},
                {"events": "@hit:mouseout, @label:mouseout", "update": "null"},
            ],
        },
    ]


def _visible(rows: Sequence[HorizonRow]) -> list[Spec]:
    """Return the transforms that keep the rows whose ancestors are all open, and stack them."""
    deepest = max((row.depth for row in rows), default=0)
    tests = [
        f"(length(datum.above) < {k + 1} || indexof(open, '|' + datum.above[{k}] + '|') >= 0)" for k in range(deepest)
    ]
    return [
        {"type": "filter", "expr": " && ".join(tests) or "true"},
        {"type": "window", "sort": {"field": "id"}, "ops": ["row_number"], "as": ["row"]},
        {"type": "formula", "as": "y", "expr": f"(datum.row - 1) * {ROW}"},
    ]
