"""Draws anomaly iterations as triangles whose size shows how many images flipped.

Owns how anomalies become marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dtui.model import Anomaly, TimeAxis

SMALLEST_AREA = 26.0
LARGEST_AREA = 150.0
CELL_PIXELS = 9
"""Triangles nearer than this many pixels become one."""


@dataclass(frozen=True, slots=True)
class RibbonMark:
    """One triangle.

    Attributes:
        iteration: Iteration of the strongest of its anomalies.
        direction: "gained" (point up) or "lost" (point down).
        share: Share of that anomaly's class, [0, 1]; 1 for an anomaly without a share.
        anomalies: Number of its anomalies, >= 1.
        anomaly: Id of the strongest.
    """

    iteration: int
    direction: str
    share: float
    anomalies: int
    anomaly: str

    @property
    def size(self) -> float:
        """Area in square pixels: grows with the share."""
        return round(SMALLEST_AREA + (LARGEST_AREA - SMALLEST_AREA) * min(1.0, self.share), 1)

    def as_row(self) -> dict[str, Any]:
        """Return the row of a Vega data set."""
        return {
            "iteration": self.iteration + 0.5,
            "direction": self.direction,
            "size": self.size,
            "anomalies": self.anomalies,
            "target": self.anomaly,
        }


def ribbon_marks(anomalies: Sequence[Anomaly], axis: TimeAxis, width: float) -> tuple[RibbonMark, ...]:
    """Return triangles that do not hide each other: the strongest anomaly at each place.

    Args:
        anomalies: Anomalies of any classes and rules; each is drawn in the lanes that its detector names.
        axis: The window; anomalies outside it are left out.
        width: Pixels of the axis.

    Returns:
        By direction, then by iteration.

    Source: dtui.
    """
    cells = axis.with_columns(max(1, int(width // CELL_PIXELS)))
    best: dict[tuple[str, int], list[Anomaly]] = {}
    for anomaly in anomalies:
        if not axis.contains(anomaly.iteration):
            continue
        for direction in anomaly.shown.lanes:
            best.setdefault((direction, cells.column_of(anomaly.iteration)), []).append(anomaly)
    marks = []
    for (direction, _), group in sorted(best.items()):
        strongest = max(group, key=lambda anomaly: (anomaly.size, anomaly.score, -anomaly.iteration))
        marks.append(RibbonMark(strongest.iteration, direction, strongest.size, len(group), strongest.id))
    return tuple(marks)
