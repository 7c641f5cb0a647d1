"""The images pane: one pixel row a validation image, right or wrong, and the image itself."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import ImageRows, ImageVerdict
from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame, Region


def draw_images(
    frame: Frame,
    rows: ImageRows,
    title: str,
    selected: int,
    classes: Sequence[str],
    verdict: ImageVerdict | None = None,
    validations: int = 0,
    iteration: int | None = None,
) -> Cells:
    """Draw header with legend, the pixel map, and image and verdict in the gutter.

    Args:
        frame: Any size; rows over another axis are resampled to the frame's.
        rows: Coloured by correctness or by wrong label, as its request says.
        title: Of the class or cluster; data from outside.
        selected: Selected row in sorted order.
        classes: Names by label; data from outside.
        verdict: On the selected image at the cursor; None while it loads.
        validations: Number of validations in the run.
        iteration: The cursor, None for none.
    """
    raise NotImplementedError


def write_images_readout(
    cells: Cells,
    frame: Frame,
    rows: ImageRows,
    selected: int,
    classes: Sequence[str],
    verdict: ImageVerdict | None,
    iteration: int | None,
) -> None:
    """Rewrite the gutter: image id, verdict at the cursor, share of right images, thumbnail."""
    raise NotImplementedError


def images_readout_region(frame: Frame) -> Region:
    """Return the cells that `write_images_readout` may change."""
    raise NotImplementedError


def image_at(frame: Frame, rows: ImageRows, y: int) -> int | None:
    """Return the row in sorted order drawn at terminal row `y`; None for the header and below the last image."""
    raise NotImplementedError
