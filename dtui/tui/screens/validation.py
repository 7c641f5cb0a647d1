"""The Validation screen: clusters and classes over the images of the selected one."""

from __future__ import annotations

from dtui.tui.screens.base import DataScreen


class ValidationScreen(DataScreen):
    """Classes and Images."""

    UPPER = "classes"
    LOWER = "images"
