"""Clusters of classes and classes as error strips, each with its anomaly triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dtui.model import Anomaly, ClassErrors, Stage
from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame, Region


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A visible row: a cluster, or a class of an open cluster.

    Attributes:
        name: Of the cluster or the class; data from outside.
        labels: The classes that it stands for: one for a class; a group of ClassErrors.
        depth: 0 for a cluster, 1 for a class.
        is_open: Whether a cluster's classes are visible; False for a class.
        is_cluster: Whether it can be opened.
    """

    name: str
    labels: tuple[int, ...]
    depth: int
    is_open: bool
    is_cluster: bool


def draw_classes(
    frame: Frame,
    rows: Sequence[ClassRow],
    top: int,
    selected: int,
    errors: ClassErrors | None,
    anomalies: Sequence[Anomaly] = (),
    selected_anomaly: str | None = None,
    stages: Sequence[Stage] = (),
    iteration: int | None = None,
    title: str = "clusters by error",
) -> Cells:
    """Draw header with legend, rows from `top` on, and the readout at `iteration`.

    A row takes two rows of the terminal (triangles above the strip), or one in a pane of less than
    12 rows (`class_row_height`).

    Args:
        frame: Any size; errors over another axis are resampled to the frame's.
        rows: All visible rows, in order.
        top: Index of the first row on screen.
        selected: Index of the selected row.
        errors: By group of labels; rows without a group have an empty strip. None while it loads.
        anomalies: Those of kind "class"; dismissed ones are hidden.
        selected_anomaly: Id of the anomaly under review.
        stages: Learning-rate stages, dashed verticals.
        iteration: The cursor, None for none.
        title: Words beside the pane's name.
    """
    raise NotImplementedError


def write_classes_readout(
    cells: Cells,
    frame: Frame,
    rows: Sequence[ClassRow],
    top: int,
    selected: int,
    errors: ClassErrors | None,
    iteration: int | None,
) -> None:
    """Rewrite each row's error at the cursor, in the gutter."""
    raise NotImplementedError


def classes_readout_region(frame: Frame) -> Region:
    """Return the cells that `write_classes_readout` may change."""
    raise NotImplementedError


def class_row_height(height: int) -> int:
    """Return the terminal rows that one class takes in a pane of `height` rows: 2, or 1 when it is compact."""
    return 2 if height >= 12 else 1


def class_rows_shown(height: int) -> int:
    """Return how many class rows a pane of `height` rows shows under its header, >= 0."""
    return max(0, height - 1) // class_row_height(height)


def class_row_at(y: int, top: int, height: int) -> int | None:
    """Return the class row drawn at terminal row `y` of the pane; None for the header."""
    return None if y < 1 else top + (y - 1) // class_row_height(height)
