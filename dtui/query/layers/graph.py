"""Answers the network as a graph that can be drawn."""

from __future__ import annotations

from dtui.analysis.layers.graph_lanes import lay_out
from dtui.model.layers import GraphRow, NetworkGraph
from dtui.query.data import RunData


def network_graph(data: RunData) -> NetworkGraph:
    """Answer `RunQuery.network_graph`."""

    def laid_out() -> NetworkGraph:
        structure = data.structure
        if structure.edges:
            return lay_out([(edge.source, edge.target) for edge in structure.edges])
        rows = tuple(GraphRow(layer.name, 0, (0,), 0, 0) for layer in structure.layers)
        return NetworkGraph(rows, 1, is_recorded=False)

    return data.remembered("network graph", laid_out)
