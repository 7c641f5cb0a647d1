"""The part of a FakeQuery that answers about layers and their filters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dtui.analysis.layers.graph_lanes import lay_out
from dtui.model import Layer, Module, NodeSeries, NormLayer, OtherParameter, RunState, Structure
from dtui.model.findings.state import Standing, StateEntry
from dtui.model.layers import INSPECTED, FilterCourse, FilterHistory, InitialStd, NodeBoxes, NodeHistograms, NormSeries
from dtui.model.relations import Event


class FakeLayers:
    """Deterministic: a block's second layer has two dead filters, and one that moves."""

    norms: tuple[NormLayer, ...] = ()
    parameters: tuple[OtherParameter, ...] = ()
    standing: tuple[StateEntry, ...] | None = None

    def structure(self):
        layers = tuple(
            Layer(node.layer, node.name, node.kind, (node.filters, 4, 3, 3), node.first_filter)
            for node in self.tree_
            if node.layer is not None
        )
        return Structure(
            layers, (Module(0, "", "Net", -1, tuple(range(len(layers)))),), norms=self.norms, parameters=self.parameters
        )

    def with_norms(self):
        """Return itself, with a normalisation layer behind each layer of a block."""
        self.norms = tuple(
            NormLayer(f"{node.name}_bn", "BatchNorm2d", node.filters, node.name)
            for node in self.tree_
            if node.layer is not None and node.depth == 1
        )
        return self

    def with_parameters(self):
        """Return itself, with a bias of each layer of a block, and a table of words that follows none."""
        biases = (
            OtherParameter(f"{node.name}.bias", "Conv2d", node.filters, node.name)
            for node in self.tree_
            if node.layer is not None and node.depth == 1
        )
        self.parameters = (OtherParameter("wte.weight", "Embedding", 1000), *biases)
        return self

    def state(self, is_brief=False):
        self._ask("state")
        if self.standing is not None:
            return RunState(self.standing, (), self.records)
        layers = [node for node in self.tree_ if node.layer is not None and node.depth == 1][1:2]
        entries = [StateEntry(Standing.DEAD, node.name, (1, 4), (50, 50), node.filters) for node in layers]
        entries += [StateEntry(Standing.MOVING, node.name, (9,), (400,), node.filters) for node in layers]
        return RunState(tuple(entries), (), self.records)

    def node_update_ratios(self, nodes, axis):
        self._ask("ratios", tuple(nodes))
        values = np.array([np.where(np.isnan(self._times(axis)), np.nan, 10.0 ** -(1 + node % 5)) for node in nodes])
        return NodeSeries(axis, "update_ratio", "updates", tuple(nodes), values.reshape(len(nodes), axis.columns), 1.0)

    def node_boxes(self, nodes, source, axis):
        self._ask("boxes", tuple(nodes), source)
        middle = np.zeros((len(nodes), axis.columns))
        values = np.stack([middle + offset for offset in (-1.0, -0.25, 0.0, 0.25, 1.0)])
        return NodeBoxes(axis, source, tuple(nodes), values, -1.0, 1.0)

    def node_histograms(self, nodes, source, axis, bins=16):
        self._ask("histograms", tuple(nodes), source, bins)
        shares = np.full((len(nodes), bins, axis.columns), 1 / bins)
        return NodeHistograms(
            axis, source, tuple(nodes), shares, np.tile(np.linspace(-1, 1, bins + 1), (len(nodes), 1))
        )

    def norm_series(self, norms, statistic, axis):
        self._ask("norms", tuple(norms), statistic)
        return NormSeries(axis, statistic, tuple(norms), np.full((len(norms), axis.columns), 0.25), 0.5)

    def parameter_series(self, places, statistic, axis):
        self._ask("parameters", tuple(places), statistic)
        value = 0.003 if statistic == "update_ratio" else 7.5
        return NormSeries(axis, statistic, tuple(places), np.full((len(places), axis.columns), value), 10.0)

    def heads(self, layer=None):
        return ()

    def initial_std(self, layer):
        return InitialStd(0.25, 0.2, 0.1)

    def filter_history(self, layer, filter, axis):
        self._ask("filter", layer, filter)
        values = np.full(axis.columns, 1.0 + filter)
        of = next(node.filters for node in self.tree_ if node.layer == layer)
        ranks = np.full(axis.columns, of - filter)
        courses = tuple(FilterCourse(name, values, values / 2, values / 4, values * 2, ranks) for name in INSPECTED)
        return FilterHistory(axis, layer, filter, of, courses)

    def network_graph(self):
        self._ask("graph")
        names = [node.name for node in self.tree_ if node.layer is not None]
        edges = [("input", names[0]), *pairwise(names)]
        return lay_out([*edges, (names[0], "block0/add"), (names[2], "block0/add"), ("block0/add", names[3])])

    def incident_evidence(self, incidents, window=20):
        return ()

    def incident_events(self):
        return (Event(None, 100, "incident-100"),)

    def class_events(self, settings=None):
        return (Event(0, 105, "class-0"), Event(1, 200, "class-1"))

    def kept_weights(self, layer=None, filter=None, iteration=None):
        return ()

    def events_of_filter(self, layer, filter, events, choice=None):
        self._ask("acts", layer, filter)
        return tuple(events) if filter % 2 else ()
