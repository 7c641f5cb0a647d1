"""The choices of the tree, and what it shows behind layers."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model import Adapter, NormLayer, OtherParameter
from dtui.model.layers import ADAPTER_RATIO, UPDATE_RATIO, AttentionHead
from dtui.tui.renderables.panes.layers.tree_charts import ChartKind
from dtui.tui.state.run_view import RunView


@dataclass(frozen=True, slots=True)
class SelectedHead:
    """An attention head that is selected: its node, its first filter there, and the filter behind its last."""

    node: int
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """The choices of the tree.

    Attributes:
        statistic: One of the statistics of layers, or UPDATE_RATIO; box plots and histograms show others.
        source: Of SOURCES.
        chart: Kind of chart in a row.
        two_rows: Whether a row is twice as high.
        folded: Nodes whose children are hidden.
        fitted: Rows that modules were folded for; None once a person has folded one.
        order: Of ORDERS.
        norm_statistic: Shown in the rows of normalisation layers; None where these rows are hidden.
        parameter_statistic: As norm_statistic, of the parameters outside the layers.
        adapter_statistic: As norm_statistic, of the adapters.
        head_statistic: Shown in the rows of attention heads.
        open_heads: Indices of the layers whose attention heads have rows.
        norm: Place in `RunView.beside` of what is selected behind a layer; None where a node is selected.
        head: The selected attention head, if that is one.
        channels: Place in `RunView.norms` of the selected normalisation layer, if its channels were recorded.
    """

    statistic: str = "mean"
    source: str = "weights"
    chart: ChartKind = ChartKind.HORIZON
    two_rows: bool = False
    folded: frozenset[int] = frozenset()
    fitted: int | None = -1
    order: str = "depth"
    norm_statistic: str | None = None
    parameter_statistic: str | None = None
    adapter_statistic: str | None = ADAPTER_RATIO
    head_statistic: str = UPDATE_RATIO
    open_heads: frozenset[int] = frozenset()
    norm: int | None = None
    head: SelectedHead | None = None
    channels: int | None = None

    def beside(self, view: RunView) -> tuple[int, ...]:
        """Return the places in `RunView.beside` of what has a row behind its layer, in the order of the rows."""
        heads = view.places(AttentionHead)
        return (
            *(place for place in heads if view.heads[place - heads.start].index in self.open_heads),
            *(view.places(Adapter) if self.adapter_statistic is not None else ()),
            *(view.places(NormLayer) if self.norm_statistic is not None else ()),
            *(view.places(OtherParameter) if self.parameter_statistic is not None else ()),
        )

    def within(self, node: int) -> tuple[int, int] | None:
        """Return first filter and stop of the head that is selected in a node; None where none is."""
        return None if self.head is None or self.head.node != node else (self.head.first, self.head.stop)
