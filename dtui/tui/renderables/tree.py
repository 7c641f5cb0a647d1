"""The network hierarchy with a chart of one statistic in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from dtui.model import NodeSeries, Stage, TreeNode
from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame, Region


class ChartKind(Enum):
    """How a tree row shows its series."""

    HORIZON = "horizon"
    LINE = "line"
    BOX = "box"


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A visible row of the tree.

    Attributes:
        node: What it shows.
        is_open: Whether its children are visible; False for a layer.
        is_module: Whether it can be opened.
    """

    node: TreeNode
    is_open: bool
    is_module: bool


@dataclass(frozen=True, slots=True)
class TreeLook:
    """How the tree is drawn.

    Attributes:
        title: What the rows show, such as "mean of weights".
        chart: Kind of chart.
        bands: Horizon bands, 1 to 3.
        two_row: Whether a row of the tree takes two rows of the terminal.
    """

    title: str = ""
    chart: ChartKind = ChartKind.HORIZON
    bands: int = 3
    two_row: bool = False


def draw_tree(
    frame: Frame,
    rows: Sequence[TreeRow],
    top: int,
    selected: int,
    series: NodeSeries | None,
    look: TreeLook,
    quartiles: tuple[NodeSeries, NodeSeries] | None = None,
    stages: Sequence[Stage] = (),
    iteration: int | None = None,
) -> Cells:
    """Draw header, rows from `top` on, their charts and the readout at `iteration`.

    Args:
        frame: Any size; series over another axis are resampled to the frame's.
        rows: All visible rows of the tree, in order.
        top: Index of the first row on screen.
        selected: Index of the selected row.
        series: By node index; nodes without a series have an empty chart. None while it loads.
        look: Chart kind, bands, title.
        quartiles: First and third quartile for ChartKind.BOX, whose `series` is the median.
        stages: Learning-rate stages, dashed verticals.
        iteration: The cursor, None for none.
    """
    raise NotImplementedError


def write_tree_readout(
    cells: Cells,
    frame: Frame,
    rows: Sequence[TreeRow],
    top: int,
    selected: int,
    series: NodeSeries | None,
    look: TreeLook,
    iteration: int | None,
) -> None:
    """Rewrite each row's value at the cursor, in the gutter."""
    raise NotImplementedError


def tree_readout_region(frame: Frame) -> Region:
    """Return the cells that `write_tree_readout` may change; width 0 where the gutter is too narrow for values."""
    raise NotImplementedError


def tree_rows_shown(height: int, look: TreeLook) -> int:
    """Return how many tree rows a pane of `height` rows shows under its header, >= 0."""
    return max(0, height - 1) // (2 if look.two_row else 1)


def tree_row_at(y: int, top: int, look: TreeLook) -> int | None:
    """Return the tree row drawn at terminal row `y` of the pane; None for the header."""
    return None if y < 1 else top + (y - 1) // (2 if look.two_row else 1)
