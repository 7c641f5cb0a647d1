"""Which filter is looked at, and how its screen is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.selection import Selection

SCREEN = "filter"
EXCITED = "filter and images"
"""The same with the images that excite it, in a run that holds activations."""


@dataclass(frozen=True, slots=True)
class InspectedFilter:
    """Which filter is looked at: the index of its layer, and its own within the layer."""

    layer: int = 0
    filter: int = 0


def inspecting(scene: Scene, layer: int, filter: int) -> Selection:
    """Return the selection that looks into a filter."""
    name = EXCITED if scene.view.info.activations else SCREEN
    return scene.at(scene.opened(name)).selection.put(InspectedFilter(layer, filter))


class FilterLinks(Pane):
    """A pane whose rows are filters: a link names the selected one while the pane has the keyboard."""

    def selected(self, scene: Scene) -> tuple[int, int] | None:
        """Return layer and filter of the selected row; None where it is no filter, or not known yet."""
        raise NotImplementedError

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return the filter and its layer."""
        found = self.selected(scene) if scene.pane is self else None
        if found is None:
            return {}
        layer, row = found
        return {"layer": next(node.name for node in scene.view.tree if node.layer == layer), "filter": row}
