"""The Layers screen: the network hierarchy over the filters of the selected layer."""

from __future__ import annotations

from dtui.tui.screens.base import DataScreen


class LayersScreen(DataScreen):
    """Tree and Filters."""

    UPPER = "tree"
    LOWER = "filters"
