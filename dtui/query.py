"""Every question about a run, answered once.

Owns the meaning of each number on a screen or in a report. A second copy would let the TUI and the report
disagree about the same run. Front ends call it and compute nothing themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from dtui.model import (
    Anomaly,
    AnomalySettings,
    ClassCluster,
    ClassErrors,
    Curves,
    Heatmap,
    HeatmapRequest,
    ImageRows,
    ImageSet,
    ImagesRequest,
    ImageVerdict,
    IntArray,
    NodeSeries,
    RunInfo,
    RunMetadata,
    Stage,
    Structure,
    TimeAxis,
    TreeNode,
)


def open_run(path: str | Path) -> RunQuery:
    """Open a run for reading.

    Raises:
        RunNotFoundError: Nothing at `path` (or at `path` + ".dtui") is a run.
        RunFormatError: It was written by a newer dtui.
        RunDamagedError: It cannot be read at all.
    """
    return RunQuery(Path(path))


class RunQuery:
    """A run, live or ended, as questions and answers. Not thread-safe: one thread owns it."""

    def __init__(self, path: Path) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def close(self) -> None: ...

    def refresh(self) -> bool:
        """Look for what was recorded since; True if anything that a view shows has changed."""

    # --- the run
    @property
    def path(self) -> Path: ...
    def info(self) -> RunInfo: ...
    def metadata(self) -> RunMetadata: ...
    def structure(self) -> Structure: ...
    def image_set(self) -> ImageSet | None: ...
    def limits(self) -> tuple[float, float]:
        """Return the first iteration and the stop (exclusive) that a TimeAxis of the whole run has."""

    def record_iterations(self) -> IntArray: ...
    def validation_iterations(self) -> IntArray: ...

    # --- curves
    def curves(self, axis: TimeAxis) -> Curves: ...
    def curves_at(self, iteration: int) -> dict[str, float]:
        """Return each curve's value at the last record or validation at or before `iteration`."""

    def stages(self) -> tuple[Stage, ...]: ...

    # --- layers
    def tree(self) -> tuple[TreeNode, ...]: ...
    def node_series(self, nodes: Sequence[int], statistic: str, source: str, axis: TimeAxis) -> NodeSeries: ...
    def heatmap(self, request: HeatmapRequest) -> Heatmap: ...

    # --- validation
    def clusters(self, count: int = 4) -> tuple[ClassCluster, ...]: ...
    def class_errors(self, groups: Sequence[Sequence[int]], axis: TimeAxis) -> ClassErrors: ...
    def image_rows(self, request: ImagesRequest) -> ImageRows: ...
    def image_verdict(self, image: int, iteration: int) -> ImageVerdict: ...

    # --- anomalies
    def anomalies(self, settings: AnomalySettings | None = None) -> tuple[Anomaly, ...]:
        """Return the anomalies with people's decisions on them, by iteration, then by falling score."""

    def decide(self, anomaly: str, status: str, note: str | None = None) -> None:
        """Append a person's decision on an anomaly id; status "new", "flagged" or "dismissed"."""
