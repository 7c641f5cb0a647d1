"""A pane that tells more of what is picked in another pane of its screen, in the rows that this one leaves."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.tui.state.actions import BarItem
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.selection import RowWindow, Selection


class Companion(Pane):
    """Its rows and keys are those of the pane that it tells more of."""

    fewest_rows = 8

    def __init__(self, of: Pane) -> None:
        """Take the pane that it tells more of."""
        self.of = of

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return those of the other pane."""
        return self.of.keys(scene)

    def rows(self, scene: Scene) -> int:
        """Return the rows of the other pane."""
        return self.of.rows(scene)

    def row(self, scene: Scene) -> int:
        """Return the row that is picked there."""
        return self.of.row(scene)

    def window(self, selection: Selection) -> RowWindow:
        """Return the window of the rows there."""
        return self.of.window(selection)

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row there."""
        return self.of.select(scene, row)

    def page(self, scene: Scene) -> int:
        """Return the steps of a page key there."""
        return self.of.page(scene)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether the row can be gone to."""
        return self.of.is_foldable(scene)

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Go where the other pane goes."""
        return self.of.fold(scene, open_)

    def mark(self, scene: Scene) -> Selection:
        """Mark what is picked there."""
        return self.of.mark(scene)
