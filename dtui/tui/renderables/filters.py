"""The filters pane: one pixel row a filter, one column a stretch of iterations."""

from __future__ import annotations

from dataclasses import dataclass

from dtui.model import Heatmap
from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame, Region


@dataclass(frozen=True, slots=True)
class FiltersLook:
    """What the filters pane says besides its numbers.

    Attributes:
        node: Name of the layer or module; data from outside.
        title: What is shown, such as "cosine similarity".
        records: Number of records in the run.
        is_cosine: Whether the values are cosine distances, to be read as similarities (1 - value).
        layer_names: Layer index to name, for a module with several layers; data from outside.
    """

    node: str
    title: str
    records: int
    is_cosine: bool = False
    layer_names: tuple[str, ...] = ()


def draw_filters(
    frame: Frame,
    heatmap: Heatmap,
    selected: int,
    look: FiltersLook,
    iteration: int | None = None,
) -> Cells:
    """Draw header with legend, the heatmap in half blocks, row numbers, marks and the readout at `iteration`.

    Args:
        frame: Any size; a heatmap over another axis is resampled to the frame's.
        heatmap: Its pixels are those of `filter_pixels(frame.height)`.
        selected: Selected row in sorted order.
        look: Names and title.
        iteration: The cursor, None for none.
    """
    raise NotImplementedError


def write_filters_readout(
    cells: Cells, frame: Frame, heatmap: Heatmap, selected: int, look: FiltersLook, iteration: int | None
) -> None:
    """Rewrite the gutter: the cross-section at the cursor, the selected filter and its value."""
    raise NotImplementedError


def filters_readout_region(frame: Frame) -> Region:
    """Return the cells that `write_filters_readout` may change."""
    raise NotImplementedError


def filter_pixels(height: int) -> int:
    """Return how many pixel rows a pane of `height` rows has for HeatmapRequest.pixels and ImagesRequest.pixels, >= 1."""
    return max(1, 2 * (height - 1))


def filter_at(frame: Frame, heatmap: Heatmap, y: int) -> int | None:
    """Return the row in sorted order drawn at terminal row `y`; None for the header and below the last filter."""
    raise NotImplementedError
