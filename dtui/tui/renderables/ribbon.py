"""The anomaly ribbon: a triangle for each column's strongest anomaly, lost above, gained below."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import Anomaly, Stage
from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame


def draw_ribbon(
    frame: Frame,
    anomalies: Sequence[Anomaly],
    selected: str | None,
    classes: Sequence[str],
    stages: Sequence[Stage] = (),
) -> Cells:
    """Draw the ribbon: label of the selected anomaly in row 0, lost ▼ in row 1, gained ▲ in row 2.

    Width and strength of colour grow with the share; flagged ones and the selected one have the flag colour,
    dismissed ones are hidden. The gutter counts those still to review.

    Args:
        frame: Made for 3 rows; any size works.
        anomalies: In any order.
        selected: Id of the selected one; its label is placed where it is not cut.
        classes: Names by label.
        stages: Learning-rate stages, dashed verticals.
    """
    raise NotImplementedError


def anomaly_at(frame: Frame, anomalies: Sequence[Anomaly], x: int, y: int) -> str | None:
    """Return the id of the anomaly drawn nearest to a cell, at most two columns away; None where there is none."""
    raise NotImplementedError
