"""Finds the layers that did not train, and why, from their gradients and updates at the records.

Owns the states and the order in which they are checked.
"""

from __future__ import annotations

import numpy as np

from dtui.analysis.standing import are_leftover
from dtui.model import BoolArray, LayerStates
from dtui.query.data import RunData


def layer_states(data: RunData) -> LayerStates:
    """Return the layers that did not train, by state. Layers with too few records are in no state.

    A layer is unchanged if all its updates are known to be zero, which takes at least two records. A layer that was
    frozen first and trained later has changed, so it is in no state. A leftover gradient counts as none.
    """
    return data.remembered("layer states", lambda: _find(data))


def _find(data: RunData) -> LayerStates:
    layers = data.structure.layers
    tied = tuple((layer.name, *layer.aliases) for layer in layers if layer.aliases)
    if not (data.records_layers("updates", "norm2") and data.records_layers("gradients", "nonfinite")):
        return LayerStates(tied=tied)
    updates = data.layers("updates", "norm2")
    is_known = ~np.isnan(updates)
    moved = (is_known & (updates != 0)) | (np.nan_to_num(data.layers("updates", "nonfinite")) > 0)
    is_still: BoolArray = np.asarray(np.any(is_known, axis=1) & ~np.any(moved, axis=1))
    has_gradient: BoolArray = np.asarray(np.any(~np.isnan(data.layers("gradients", "nonfinite")), axis=1))
    if data.records_layers("gradients", "norm2"):
        has_gradient &= ~are_leftover(data.layers("gradients", "norm2")[:, ~data.is_watch])
    is_frozen: BoolArray = np.zeros(len(layers), np.bool_)
    if data.structure.trained is not None:
        is_frozen[list(data.structure.trained.frozen)] = True

    def names(chosen: BoolArray) -> tuple[str, ...]:
        return tuple(layers[index].name for index in np.flatnonzero(chosen))

    return LayerStates(
        frozen=names(is_still & is_frozen & ~has_gradient),
        no_gradient=names(is_still & ~is_frozen & ~has_gradient),
        unchanged=names(is_still & has_gradient),
        tied=tied,
    )
