"""Chooses the anomalies that a row of triangles shows, and draws them.

Owns width and colour by share.
"""

from __future__ import annotations

from collections.abc import Iterable

from dtui.dataclass_on_use import dataclass
from dtui.model import Anomaly
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.primitives import blend_one, draw_triangle

_Rank = tuple[bool, bool, float]
"""Whether it is selected, whether it is flagged, and its share."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The strongest anomaly of one column in one direction.

    Attributes:
        x: Column of the pane.
        down: True for lost.
        anomaly: Which.
        half: Columns on either side of the apex.
    """

    x: int
    down: bool
    anomaly: Anomaly
    half: int = 0


def strongest_marks(
    frame: Frame, anomalies: Iterable[Anomaly], selected: str | None, one_row: bool = False
) -> list[Mark]:
    """Return for each column and direction the strongest anomaly on screen; no mark covers another.

    Dismissed anomalies are hidden. The selected anomaly has priority, then flagged ones, then strong ones. A neighbour
    with lower priority becomes narrower, and is left out if its apex would be covered.

    Args:
        frame: Where the columns are.
        anomalies: In any order.
        selected: Id of the one under review.
        one_row: Whether both directions share a row of the terminal.
    """
    best: dict[tuple[int, bool], tuple[_Rank, Anomaly]] = {}
    shown = [anomaly for anomaly in anomalies if anomaly.status != "dismissed"]
    for x, anomaly in zip(frame.columns_of([one.evidence.iteration for one in shown]), shown, strict=True):
        if x is None:
            continue
        rank, lanes = _rank(anomaly, selected), anomaly.shown.lanes
        for lane, down in (("lost", True), ("gained", False)):
            if lane in lanes and ((x, down) not in best or rank > best[x, down][0]):
                best[x, down] = rank, anomaly
    ordered = sorted(best.items(), key=lambda item: (item[1][0], -item[0][0]), reverse=True)
    taken: dict[bool, set[int]] = {False: set(), True: set()}
    marks = []
    for (x, down), (_, anomaly) in ordered:
        columns = taken[down and not one_row]
        half = half_width(anomaly.size)
        while half >= 0 and not columns.isdisjoint(range(x - half, x + half + 1)):
            half -= 1
        if half >= 0:
            columns.update(range(x - half, x + half + 1))
            marks.append(Mark(x, down, anomaly, half))
    return marks


def _rank(anomaly: Anomaly, selected: str | None) -> _Rank:
    return anomaly.id == selected, anomaly.status == "flagged", anomaly.size


def half_width(share: float) -> int:
    """Return a triangle's columns on either side of its apex, 0 to 3, by share."""
    return min(3, int(max(0.0, share - 0.15) * 4.5))


def draw_mark(cells: Cells, frame: Frame, mark: Mark, y: int, selected: str | None) -> None:
    """Draw one triangle: wider and stronger in colour by share; flagged and selected ones in the flag colour."""
    theme, share = frame.theme, mark.anomaly.size
    colour = theme.lost if mark.down else theme.gained
    colour = blend_one(colour, theme.panel, max(0.0, min(0.5, 0.6 - share)))
    if mark.anomaly.status == "flagged" or mark.anomaly.id == selected:
        colour = theme.flag
    draw_triangle(cells, mark.x, y, mark.half, colour, mark.down, frame.gutter)
