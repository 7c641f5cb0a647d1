"""A Textual strip over cell arrays: cropping is a view, rendering writes only what changes."""

from __future__ import annotations

from textual.strip import Strip

from dtui.tui.renderables.cells import CellRow
from dtui.tui.renderables.output import Output


class CellStrip(Strip):
    """An immutable row of cells; segments are made only if somebody asks for them."""

    def __init__(self, row: CellRow, output: Output) -> None:
        """Take a row whose arrays nobody changes afterwards."""
        raise NotImplementedError
