"""What each pane shows, as frozen values that know their draw function.

Owns which numbers a pane is drawn from. Values are compared field by field, arrays by identity: an equal picture
is not drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dtui.model import (
    Anomaly,
    ClassErrors,
    Curves,
    Heatmap,
    ImageRows,
    ImageVerdict,
    NodeSeries,
    RunInfo,
    Stage,
)
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.axis import draw_axis
from dtui.tui.renderables.panes.classes import ClassRow, draw_classes, write_classes_readout
from dtui.tui.renderables.panes.curves import draw_curves, write_curves_readout
from dtui.tui.renderables.panes.filters import FiltersLook, draw_filters, write_filters_readout
from dtui.tui.renderables.panes.images import draw_images, write_images_readout
from dtui.tui.renderables.panes.key_bar import draw_key_bar
from dtui.tui.renderables.panes.message import draw_message
from dtui.tui.renderables.panes.ribbon import draw_ribbon
from dtui.tui.renderables.panes.top_bar import draw_top_bar
from dtui.tui.renderables.panes.tree import TreeLook, TreeRow, draw_tree, write_tree_readout
from dtui.tui.state.requests import CursorValues
from dtui.tui.widgets.pane import Picture


@dataclass(frozen=True, slots=True)
class TopBarPicture(Picture):
    """The top bar."""

    info: RunInfo | None
    tabs: tuple[tuple[str, str, str], ...]
    active: int
    is_damaged: bool = False

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw one row."""
        return draw_top_bar(frame, self.info, self.tabs, self.active, self.is_damaged)


@dataclass(frozen=True, slots=True)
class CurvesPicture(Picture):
    """Error curves."""

    curves: Curves
    stages: tuple[Stage, ...]
    log_scale: bool
    values: CursorValues | None = field(default=None, compare=False)
    joins: tuple[int, ...] = ()
    crosshair = 0.17
    header_rows = 0

    @property
    def readout_of(self) -> object:
        """The exact values at the cursor."""
        return self.values

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw curves and readout."""
        cells = draw_curves(frame, self.curves, self.stages, self.log_scale, iteration, self.joins)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> bool:
        """Rewrite the values at the cursor: a column's until the exact ones are there."""
        write_curves_readout(cells, frame, self._with_values(frame, iteration), iteration)
        return True

    def _with_values(self, frame: Frame, iteration: int | None) -> Curves:
        """Return the curves with the exact values in the cursor's column."""
        x, values = frame.column_of(iteration), self.values
        if x is None or values is None or values.iteration != iteration or self.curves.axis != frame.axis:
            return self.curves
        series = {}
        for name, column_values in self.curves.series.items():
            series[name] = column_values.copy()
            series[name][x - frame.gutter] = values.values.get(name, np.nan)
        return replace(self.curves, series=series)


@dataclass(frozen=True, slots=True)
class RibbonPicture(Picture):
    """The anomaly ribbon."""

    anomalies: tuple[Anomaly, ...]
    selected: str | None
    classes: tuple[str, ...]
    stages: tuple[Stage, ...]
    nothing: tuple[str, ...] = ("none found",)
    crosshair = 0.17
    header_rows = 0

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw three rows."""
        return draw_ribbon(frame, self.anomalies, self.selected, self.classes, self.stages, self.nothing)


@dataclass(frozen=True, slots=True)
class AxisPicture(Picture):
    """The time axis with the cursor's badge and where the training was resumed."""

    joins: tuple[int, ...] = ()

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw one row."""
        return draw_axis(frame, iteration, self.joins)

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> bool:
        """The badge may cover any tick: draw it all again."""
        return False


@dataclass(frozen=True, slots=True)
class TreePicture(Picture):
    """The network hierarchy."""

    rows: tuple[TreeRow, ...]
    top: int
    selected: int
    series: NodeSeries | None
    quartiles: tuple[NodeSeries, NodeSeries] | None
    look: TreeLook
    stages: tuple[Stage, ...]
    crosshair = 0.17

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw header, rows, charts and readout."""
        return draw_tree(
            frame, self.rows, self.top, self.selected, self.series, self.look, self.quartiles, self.stages, iteration
        )

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> bool:
        """Rewrite the values at the cursor."""
        write_tree_readout(cells, frame, self.rows, self.top, self.selected, self.series, self.look, iteration)
        return True


@dataclass(frozen=True, slots=True)
class FiltersPicture(Picture):
    """Filters by iterations."""

    heatmap: Heatmap
    selected: int
    look: FiltersLook
    crosshair = 0.32

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw header, pixels and readout."""
        return draw_filters(frame, self.heatmap, self.selected, self.look, iteration)

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> bool:
        """Rewrite the cross-section at the cursor."""
        write_filters_readout(cells, frame, self.heatmap, self.selected, self.look, iteration)
        return True


@dataclass(frozen=True, slots=True)
class ClassesPicture(Picture):
    """Clusters and classes."""

    rows: tuple[ClassRow, ...]
    top: int
    selected: int
    errors: ClassErrors | None
    anomalies: tuple[Anomaly, ...]
    anomaly: str | None
    stages: tuple[Stage, ...]
    title: str
    errors_now: ClassErrors | None = field(default=None, compare=False)
    crosshair = 0.17

    @property
    def readout_of(self) -> object:
        """The exact errors at the cursor."""
        return self.errors_now

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw header, strips, triangles and readout."""
        return draw_classes(
            frame,
            self.rows,
            self.top,
            self.selected,
            self.errors,
            self.anomalies,
            self.anomaly,
            self.stages,
            iteration,
            self.title,
            self.errors_now,
        )

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> bool:
        """Rewrite the errors at the cursor."""
        write_classes_readout(cells, frame, self.rows, self.top, self.errors, iteration, self.errors_now)
        return True


@dataclass(frozen=True, slots=True)
class ImagesPicture(Picture):
    """Images by validations."""

    images: ImageRows
    title: str
    selected: int
    classes: tuple[str, ...]
    validations: int
    verdict: ImageVerdict | None = field(default=None, compare=False)
    errors_now: ClassErrors | None = field(default=None, compare=False)
    crosshair = 0.32

    @property
    def readout_of(self) -> object:
        """Verdict and errors at the cursor."""
        return self.verdict, self.errors_now

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw header, pixels, verdict and thumbnail."""
        return draw_images(
            frame,
            self.images,
            self.title,
            self.selected,
            self.classes,
            self.verdict,
            self.validations,
            iteration,
            self._share_right(iteration),
        )

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> bool:
        """Rewrite verdict and thumbnail."""
        share = self._share_right(iteration)
        write_images_readout(cells, frame, self.images, self.selected, self.classes, self.verdict, iteration, share)
        return True

    def _share_right(self, iteration: int | None) -> float | None:
        """Return the share of the classes' images that are right at the cursor; None while it loads."""
        now, classes = self.errors_now, self.images.request.classes
        if now is None or now.axis.first != iteration or classes not in now.groups:
            return None
        return 1.0 - float(now.values[now.groups.index(classes), 0])


@dataclass(frozen=True, slots=True)
class KeyBarPicture(Picture):
    """The key bar, or a message in its place."""

    keys: tuple[tuple[str, str], ...]
    message: str = ""

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw one row."""
        if not self.message:
            return draw_key_bar(frame, self.keys)
        cells = Cells(frame.width, frame.height, frame.theme, frame.theme.background)
        cells.text(1, 0, self.message, frame.theme.flag, limit=frame.width - 2)
        return cells


@dataclass(frozen=True, slots=True)
class MessagePicture(Picture):
    """A pane that has only something to say."""

    text: str
    detail: str = ""
    title: str = ""

    def draw(self, frame: Frame, iteration: int | None) -> Cells:
        """Draw the message."""
        return draw_message(frame, self.text, self.detail, self.title)
