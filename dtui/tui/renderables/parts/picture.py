"""The base of what a pane shows: one frozen value that draws itself for a size, as a pure function."""

from __future__ import annotations

from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame


class Picture:
    """The current numbers of a pane; a frozen dataclass, compared field by field, arrays by identity.

    An equal picture is not drawn again. A field that only the readout shows has compare=False, and `readout_of` returns
    it: when it changes, only the readout is rewritten.
    """

    crosshair: bool = False
    """Whether the crosshair is drawn at the pane's edges."""

    is_all_readout: bool = False
    """Whether all of it depends on the cursor, so that it is drawn again instead of rewritten."""

    @property
    def readout_of(self) -> object:
        """Data of the readout, other than the cursor; compared, answers by identity."""
        return None

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Return the pane's cells, with the readout at `iteration`, the cursor (None for none)."""
        raise NotImplementedError

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the part of `cells` (drawn for `frame`) that depends only on the cursor."""
