"""Finds what has a row of its own beside the layers: normalisation layers, parameters outside the layers, adapters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from dtui.model import Structure
from dtui.record.network.adapters import AdapterProbe, placed_adapters, try_adapters
from dtui.record.network.heads import try_heads
from dtui.record.network.layers import LayerProbe, unwrap
from dtui.record.network.norm_layers import NormProbe, placed_norms, try_norms, with_channels
from dtui.record.network.other_parameters import ParameterProbe, placed_parameters, try_parameters
from dtui.record.writing.warn import warn_once


class OtherRows:
    """The normalisation layers, the parameters outside the layers and the adapters of one run.

    Attributes:
        norms: The normalisation layers, in the order of the run.
        parameters: The parameters outside the layers, in the order of the run.
        adapters: The adapters, in the order of the run.
        has_channels: Whether the channels of normalisation layers have rows of their own.
    """

    def __init__(self, has_channels: bool = False) -> None:
        """Begin with none; `has_channels` is what the recorder was asked for."""
        self.has_channels = has_channels
        self.norms: list[NormProbe] = []
        self.parameters: list[ParameterProbe] = []
        self.adapters: list[AdapterProbe] = []

    @property
    def every(self) -> tuple[list[NormProbe], list[ParameterProbe], list[AdapterProbe], bool]:
        """All of them, kind by kind, and whether channels have rows."""
        return self.norms, self.parameters, self.adapters, self.has_channels

    def find(self, root: nn.Module, probes: Sequence[LayerProbe], structure: Structure) -> Structure:
        """Find them in a network whose shapes are known, and return its structure with them."""
        self.norms, norms = try_norms(root, structure.layers, structure.edges)
        self.parameters, parameters = try_parameters(unwrap(root), probes, structure.layers, structure.edges)
        self.adapters, adapters = try_adapters(unwrap(root), probes)
        heads = try_heads(unwrap(root), probes)
        structure = replace(structure, norms=norms, parameters=parameters, adapters=adapters, heads=heads)
        return replace(structure, channel_norms=with_channels(norms) if self.has_channels else ())

    def place(self, root: nn.Module | None, held: Structure, structure: Structure) -> Structure:
        """Find those of a run that goes on, and return the structure with them as they are there: no new ones."""
        self.norms = [] if root is None else placed_norms(root, held.norms)
        self.parameters = [] if root is None else placed_parameters(unwrap(root), held.parameters)
        self.adapters = [] if root is None else placed_adapters(unwrap(root), held.adapters)
        if self.has_channels and not held.channel_norms and held.norms:
            warn_once(
                "norm channels", "norms: this run began without channels, so none are recorded; begin a run of its own"
            )
        self.has_channels = bool(held.channel_norms)
        structure = replace(structure, norms=held.norms, parameters=held.parameters, adapters=held.adapters)
        return replace(structure, channel_norms=held.channel_norms)
