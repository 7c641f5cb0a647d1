"""The error curves pane: validation and train error (else loss) over the time axis, with learning-rate stages."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import Curves, Stage
from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame, Region


def draw_curves(
    frame: Frame,
    curves: Curves,
    stages: Sequence[Stage],
    log_scale: bool = False,
    iteration: int | None = None,
) -> Cells:
    """Draw the curves with axis labels, stages and the readout at `iteration`.

    Args:
        frame: Any size; curves over another axis are resampled to the frame's.
        curves: Errors in [0, 1]; where the run has none, its loss on its own scale.
        stages: Learning-rate stages, dashed verticals.
        log_scale: Whether the y axis is logarithmic.
        iteration: The cursor, None for none.
    """
    raise NotImplementedError


def write_curves_readout(cells: Cells, frame: Frame, curves: Curves, iteration: int | None) -> None:
    """Rewrite the readout in the gutter: every curve's value at the cursor."""
    raise NotImplementedError


def curves_readout_region(frame: Frame) -> Region:
    """Return the cells that `write_curves_readout` may change."""
    raise NotImplementedError
