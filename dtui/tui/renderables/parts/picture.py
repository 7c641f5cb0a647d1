"""What a pane shows at the moment: one frozen value that draws itself, for a size, as a pure function."""

from __future__ import annotations

from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame


class Picture:
    """The numbers of a pane at the moment; a frozen dataclass, compared field by field, arrays by identity.

    An equal picture is not drawn again. What only the readout shows is a field with compare=False that `readout_of`
    returns: a change of it rewrites the readout and nothing else.
    """

    crosshair: float = 0.0
    """How strongly the crosshair lights a column; 0 for none."""

    is_all_readout: bool = False
    """Whether all of it depends on the cursor, so that it is drawn again instead of rewritten."""

    header_rows: int = 1
    """Rows at the top that the crosshair leaves out."""

    @property
    def readout_of(self) -> object:
        """What the readout shows besides the cursor; compared, answers by identity."""
        return None

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Return the pane's cells, with the readout at `iteration`, the cursor (None for none)."""
        raise NotImplementedError

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite in `cells`, drawn for `frame`, what depends on the cursor alone."""
