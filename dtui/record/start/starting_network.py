"""Finds the network with which a run begins: its layers, what else has rows of its own, its graph and its shapes.

Owns the references to the model, which are weak, and the watch on its first forward pass.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from dataclasses import replace

from torch import nn

from dtui.errors import RecorderError
from dtui.model import Structure
from dtui.record.network.coverage import try_coverage, try_trained
from dtui.record.network.followers import Followers
from dtui.record.network.graph import GraphTracer
from dtui.record.network.layers import LayerProbe, describe, find_layers, place, unwrap
from dtui.record.network.other_rows import OtherRows
from dtui.record.start.resume import Start


class StartingNetwork:
    """A network from the construction of the recorder until its run begins.

    Attributes:
        rows: What has rows besides the layers.
    """

    def __init__(
        self, model: nn.Module, probes: list[LayerProbe], start: Start, *, is_traced: bool, has_channels: bool
    ) -> None:
        """Look at the network, as far as its shapes are known.

        Args:
            model: The network, wrapped or not.
            probes: Its layers; those of lazy modules have no shape yet.
            start: Where the run begins.
            is_traced: Whether to watch the first forward pass to find the graph.
            has_channels: Whether to record each channel of normalisation layers.
        """
        self._model = weakref.ref(model)
        self._root = weakref.ref(unwrap(model))
        self._start = start
        self._probes = start.known_of(probes)
        self.rows = OtherRows(has_channels)
        self._known: Structure | None = None
        """Of a network whose shapes are known: it need not be there any more when the run begins."""
        if self.has_shapes:
            with suppress(Exception):  # it fails again at the first record, where that is told
                coverage = try_coverage(unwrap(model), self._probes, start.has_parameters)
                known = replace(describe(unwrap(model), place(self._probes)), coverage=coverage)
                self._known = self.rows.find(unwrap(model), self._probes, known)
        self._tracer = GraphTracer(model) if is_traced else None

    @property
    def has_shapes(self) -> bool:
        """Whether the shapes of all layers are known."""
        return all(probe.shape for probe in self._probes)

    @property
    def has_any_shape(self) -> bool:
        """Whether the shape of any layer is known."""
        return any(probe.shape for probe in self._probes)

    @property
    def was_called(self) -> bool:
        """Whether the network was called in training, as far as that was looked at."""
        return self._tracer is not None and self._tracer.was_trained

    @property
    def followers(self) -> Followers:
        """What follows each layer, as far as that was looked at."""
        return Followers() if self._tracer is None else self._tracer.followers

    def settle(self) -> tuple[nn.Module | None, list[LayerProbe], Structure]:
        """Return the network, its layers in their places, and its structure; nothing is watched any more.

        The network is None where it is gone, and its shapes were known before. A run that goes on keeps its other rows.

        Raises:
            RecorderError: The model is gone before its shapes were known, or the run to resume has another network.
        """
        root = self._root()
        edges = () if self._tracer is None else self._tracer.edges
        is_replaced = root is not None and any(probe.is_gone for probe in self._probes)
        if self._known is not None and not is_replaced:
            probes, structure = place(self._probes), replace(self._known, edges=edges)
        elif root is not None:
            self._probes[:] = self._start.known_of(find_layers(self._model() or root))
            probes = place(self._probes)
            structure = replace(
                describe(root, probes, edges), coverage=try_coverage(root, probes, self._start.has_parameters)
            )
        else:
            raise RecorderError(f"{self._start.path}: the model is gone before the shapes of its layers were known")
        if self._tracer is not None:
            self._tracer.retire()
        self._start.check_network(structure)
        past = self._start.past
        if past is not None:
            structure = self.rows.place(root, past.structure, structure)
        elif root is not None:
            structure = replace(self.rows.find(root, probes, structure), trained=try_trained(root, probes))
        return root, probes, structure

    def detach(self) -> None:
        """Stop watching the network."""
        if self._tracer is not None:
            self._tracer.detach()

    def let_go(self) -> None:
        """Stop watching the network, and forget what was seen of it."""
        self.detach()
        self._tracer = None
