"""Takes the values of each channel of normalisation layers out of what was read of all of them."""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray, Structure
from dtui.model.statistics import CHANNEL_STATISTICS
from dtui.record.network.norm_layers import SHIFT, Kept

_ROWS = {"scale": Kept.SCALE, "shift": SHIFT, "running_mean": Kept.MEAN, "running_variance": Kept.VARIANCE}


class ChannelPlaces:
    """The places of the channels that a run has rows for, among those of all normalisation layers."""

    def __init__(self, structure: Structure) -> None:
        """Prepare for a network; without `channel_norms` there is nothing to take."""
        stops = np.cumsum([norm.channels for norm in structure.norms], dtype=np.int64)
        own = [
            np.arange(stops[place] - structure.norms[place].channels, stops[place]) for place in structure.channel_norms
        ]
        self._at = np.concatenate(own) if own else None
        self._rows = np.array([_ROWS[name] for name in CHANNEL_STATISTICS], np.int64)

    def values(self, norms: FloatArray) -> FloatArray | None:
        """Return the values of each channel, shape (len(CHANNEL_STATISTICS), channels), float32.

        NaN for what a layer lacks and for what is NaN or Inf itself; None where no channels are recorded.

        Args:
            norms: What `NormValues.take` gave, with shifts.
        """
        if self._at is None or len(norms) <= SHIFT:
            return None
        taken: FloatArray = norms[np.ix_(self._rows, self._at)]
        taken[~np.isfinite(taken)] = np.nan
        return taken
