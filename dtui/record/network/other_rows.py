"""Finds what has a row of its own beside the layers: normalisation layers, and parameters outside the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from dtui.model import Structure
from dtui.record.network.layers import LayerProbe, unwrap
from dtui.record.network.norm_layers import NormProbe, placed_norms, try_norms
from dtui.record.network.other_parameters import ParameterProbe, placed_parameters, try_parameters


class OtherRows:
    """The normalisation layers and the parameters outside the layers of one run.

    Attributes:
        norms: The normalisation layers, in the order of the run.
        parameters: The parameters outside the layers, in the order of the run.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.norms: list[NormProbe] = []
        self.parameters: list[ParameterProbe] = []

    def find(self, root: nn.Module, probes: Sequence[LayerProbe], structure: Structure) -> Structure:
        """Find them in a network whose shapes are known, and return its structure with them."""
        self.norms, norms = try_norms(root, structure.layers, structure.edges)
        self.parameters, parameters = try_parameters(unwrap(root), probes, structure.layers, structure.edges)
        return replace(structure, norms=norms, parameters=parameters)

    def place(self, root: nn.Module | None, held: Structure, structure: Structure) -> Structure:
        """Find those of a run that goes on, and return the structure with them as they are there: no new ones."""
        self.norms = [] if root is None else placed_norms(root, held.norms)
        self.parameters = [] if root is None else placed_parameters(unwrap(root), held.parameters)
        return replace(structure, norms=held.norms, parameters=held.parameters)
