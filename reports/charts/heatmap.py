"""Draws the error of every class over the iterations as coloured strips in clusters: a full Vega specification.

Owns how classes become pictures: one palette PNG per strip. A cluster of too many classes becomes one block. Each of
its pixel rows holds the largest error of several classes, so that no burst is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from dtui.model import FloatArray, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.heatmap_marks import (
    SCALE_LINE,
    header_marks,
    hit_mark,
    hover_mark,
    hover_signals,
    image_mark,
    label_marks,
    triangle_mark,
)
from dtui.reports.charts.raster import error_palette, error_picture
from dtui.reports.charts.ribbon import RibbonMark
from dtui.reports.document import Pieces, Spec

LANE = 11
"""Pixels above a strip for its triangles; a cluster has two such lanes, lost above gained."""
STRIP = 14
GAP = 3
HEADING_GAP = 8
STRIPS = 64
"""Up to this many classes have a strip each."""
BLOCK_PIXELS = 480
"""Pixel rows of all blocks together."""
TOP, BOTTOM = 34, 40
TOGETHER = 6
"""Strips of a piece of the picture on paper."""
DECODE = "error"
"""What `usermeta.decode` is called for charts whose pictures give their values back."""


@dataclass(frozen=True, eq=False, slots=True)
class Strip:
    """A class.

    Attributes:
        name: Shown name.
        values: Shape (columns,), error in [0, 1]; NaN before the first validation.
        marks: Its anomaly iterations.
    """

    name: str
    values: FloatArray
    marks: tuple[RibbonMark, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """A cluster of classes.

    Attributes:
        name: Shown name.
        values: Shape (columns,), its mean error.
        strips: Its classes in reading order; none where the group is the only class.
        marks: Anomaly iterations of all of them.
    """

    name: str
    values: FloatArray
    strips: tuple[Strip, ...]
    marks: tuple[RibbonMark, ...]


def class_heatmap(groups: Sequence[Group], axis: TimeAxis, *, stages: Sequence[int], one: str = "class") -> Spec:
    """Return the clusters with their classes.

    Args:
        groups: In reading order, at least one.
        axis: The columns of all values.
        stages: Iterations at which the learning rate changed.
        one: What a strip is of.

    Raises:
        ValueError: There is no group, or a strip has another number of columns.

    Source: DeepTracker (ACM TIST 2018), validation view.
    """
    series = [group.values for group in groups] + [strip.values for group in groups for strip in group.strips]
    if not groups or any(values.shape != (axis.columns,) for values in series):
        raise ValueError(f"class heatmap: need at least one group, each with {axis.columns} columns")
    limits = (axis.first, axis.stop)
    rows, marks = _lay_out(groups, sum(len(group.strips) for group in groups))
    height = rows[-1]["y"] + rows[-1]["height"] + 4
    spec = theme.frame(height, top=TOP, bottom=BOTTOM, limits=limits)
    spec["usermeta"] = {"decode": DECODE, "palette": error_palette(), "columns": axis.columns}
    spec["usermeta"]["narrow"] = {"left": theme.NARROW_STRIPS, "top": TOP + SCALE_LINE}
    spec["signals"] += [*theme.column_signals(limits, axis.columns), *hover_signals()]
    spec["data"] = [{"name": "rows", "values": rows}, {"name": "marks", "values": marks}]
    spec["marks"] = [
        image_mark(),
        theme.stage_rules(list(stages)),
        hover_mark(),
        *label_marks(),
        hit_mark(),
        theme.crosshair(),
        triangle_mark(),
        *header_marks(one),
    ]
    return spec


def class_heatmap_pieces(
    groups: Sequence[Group], axis: TimeAxis, *, stages: Sequence[int], one: str = "class"
) -> tuple[Pieces, ...]:
    """Return the clusters for paper, cut between them, and a long one between its strips."""
    limits, parts = (axis.first, axis.stop), []
    shares_rows = sum(len(group.strips) for group in groups) > STRIPS
    for group in groups:
        most = max(1, len(group.strips)) if shares_rows else TOGETHER
        for first in range(0, max(1, len(group.strips)), most):
            name = f"{group.name}, more" if first else group.name
            some = replace(group, name=name, strips=group.strips[first : first + most])
            rows, marks = _lay_out([some], sum(len(other.strips) for other in groups))
            spec = _begun(rows[-1]["y"] + rows[-1]["height"] + HEADING_GAP + 4, limits, axis)
            spec["data"] = [{"name": "rows", "values": rows}, {"name": "marks", "values": marks}]
            spec["marks"] = [image_mark(), theme.stage_rules(list(stages)), *label_marks(), triangle_mark()]
            parts.append(spec)
    head = {**_begun(1, limits, axis, top=TOP), "marks": header_marks(one)}
    foot = _begun(1, limits, axis, bottom=BOTTOM)
    foot["axes"] = [theme.time_axis()]
    return (Pieces(tuple(parts), head, foot),)


def _begun(
    height: float, limits: tuple[float, float], axis: TimeAxis, *, top: int = 0, bottom: int = 0
) -> dict[str, Any]:
    """Return a part of the picture on paper, without data, marks and axis."""
    spec = theme.frame(height, top=top, bottom=bottom, limits=limits)
    spec["signals"] += [*theme.column_signals(limits, axis.columns), *hover_signals()]
    return {**spec, "axes": [], "width": theme.PAPER_PLOT}


def _lay_out(groups: Sequence[Group], total: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows from top to bottom and the triangles on them; `total` is of the strips of the whole picture."""
    rows: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    at = 0.0
    for group in groups:
        at += LANE + (HEADING_GAP if rows else 0)
        _add_strip(rows, marks, group, at, heading=True, detail=f"{len(group.strips)}×" if group.strips else "")
        at += LANE + STRIP + GAP
        if total <= STRIPS:
            for strip in group.strips:
                _add_strip(rows, marks, strip, at, heading=False, detail="")
                at += LANE + STRIP + GAP
        elif group.strips:
            height = max(1, round(BLOCK_PIXELS * len(group.strips) / total))
            rows.append(_block_row(len(rows), group, at, height))
            at += height + GAP
    return rows, marks


def _add_strip(
    rows: list[dict[str, Any]],
    marks: list[dict[str, Any]],
    strip: Strip | Group,
    at: float,
    *,
    heading: bool,
    detail: str,
) -> None:
    last = strip.values[np.isfinite(strip.values)][-1:]
    rows.append(
        {
            "id": len(rows),
            "label": strip.name,
            "detail": detail,
            "heading": heading,
            "y": at + LANE,
            "height": STRIP,
            "names": [strip.name],
            "url": error_picture(strip.values[None]),
            "last": round(float(last[0]), 3) if last.size else None,
        }
    )
    for mark in strip.marks:
        lane = at - LANE / 2 if heading and mark.direction == "lost" else at + LANE / 2
        marks.append({**mark.as_row(), "y": lane, "share": round(mark.share, 3), "of": strip.name})


def _block_row(position: int, group: Group, at: float, height: int) -> dict[str, Any]:
    """Return a block for many classes: each pixel row has the largest error of the classes that share it."""
    pixels = min(height, len(group.strips))
    edges = np.linspace(0, len(group.strips), pixels + 1).astype(int)
    stacked = np.stack([strip.values for strip in group.strips])
    largest = np.fmax.reduceat(stacked, edges[:-1], axis=0)
    names = [
        group.strips[a].name if b - a == 1 else f"{group.strips[a].name} … {group.strips[b - 1].name}"
        for a, b in pairwise(edges.tolist())
    ]
    return {
        "id": position,
        "label": "" if pixels == len(group.strips) else f"up to {-(-len(group.strips) // pixels)} a row",
        "detail": "",
        "heading": False,
        "y": at,
        "height": height,
        "names": names,
        "url": error_picture(largest),
        "last": None,
    }
