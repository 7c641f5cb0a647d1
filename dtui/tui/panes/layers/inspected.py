"""Which filter is looked at, and how its screen is opened."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.tui.state.pane import Scene
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
