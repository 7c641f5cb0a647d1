"""The questions of `RunQuery` about layers, their filters, and the network that they make."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dtui.on_use import on_use

if TYPE_CHECKING:
    from dtui.model import FilterCourses, FloatArray, Heatmap, HeatmapRequest, IntArray, NodeSeries, TimeAxis, TreeNode
    from dtui.model.findings.kept_weights import KeptWeights
    from dtui.model.layers import (
        AttentionHead,
        FilterHistory,
        InitialStd,
        MovedChannel,
        MovedHead,
        NetworkGraph,
        NodeBoxes,
        NodeHistograms,
        NormSeries,
    )
    from dtui.query import heatmap, tree
    from dtui.query.data import RunData
    from dtui.query.layers import (
        activations,
        boxes,
        filter_history,
        filter_learning,
        graph,
        histograms,
        kept_weights,
        update_ratios,
    )
    from dtui.query.layers.beside import adapters, channels, heads, norm_series
else:
    heatmap, tree = on_use("dtui.query", "heatmap", "tree")
    activations, boxes, filter_history, filter_learning, graph = on_use(
        "dtui.query.layers", "activations", "boxes", "filter_history", "filter_learning", "graph"
    )
    histograms, kept_weights, update_ratios = on_use("dtui.query.layers", "histograms", "kept_weights", "update_ratios")
    adapters, channels, heads, norm_series = on_use(
        "dtui.query.layers.beside", "adapters", "channels", "heads", "norm_series"
    )


class LayerQuestions:
    """The part of `RunQuery` that answers questions about layers."""

    _data: RunData

    @cached_property
    def _heatmaps(self) -> heatmap.HeatmapQuery:
        return heatmap.HeatmapQuery(self._data, self._filter_learning)

    @cached_property
    def _filter_learning(self) -> filter_learning.FilterLearning:
        return filter_learning.FilterLearning(self._data)

    def tree(self) -> tuple[TreeNode, ...]:
        """Return the modules and layers below the root, depth-first in layer order."""
        return tree.tree_of(self._data)

    def node_series(self, nodes: Sequence[int], statistic: str, source: str, axis: TimeAxis) -> NodeSeries:
        """Return one statistic of some tree nodes over time.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: An unknown node, statistic or source.
        """
        return tree.node_series(self._data, nodes, statistic, source, axis)

    def layer_update_ratios(self) -> FloatArray:
        """Return how fast each layer learns, shape (layers, records), float32, >= 0, read-only.

        ‖Δw‖ ⁄ ‖w‖ since the record before, with w at that record, divided by the number of updates since. So runs with
        another recording interval, and closing records, can be compared. Updates in opposite directions cancel out, so
        the value is less than the ratio of a single update. NaN at the first record, in watches, where the weights were
        all zero, and at the first record after a resume. Statistics of filters (`update_ratio`) are not divided.

        Raises:
            NotRecordedError: The run does not hold the norms.
        """
        return update_ratios.layer_update_ratios(self._data)

    def module_update_ratios(self) -> FloatArray:
        """Return the same for the modules, shape (modules, records): of all weights in a module together.

        Raises:
            NotRecordedError: The run does not hold the norms.
        """
        return update_ratios.module_update_ratios(self._data)

    def norms(self, statistic: str) -> FloatArray:
        """Return one statistic of the normalisation layers at every record, shape (norms, records), float32, read-only.

        Rows are those of `structure().norms`, each with the name of the layer that it follows; columns those of
        `record_iterations`. NaN where there is no value, as in every watch.

        Raises:
            NotRecordedError: The run does not hold the statistic, or no normalisation layers.
            UsageError: There is no such statistic.
        """
        return self._data.norms(statistic)

    def channels(self, norm: int, statistic: str) -> FloatArray:
        """Return one of CHANNEL_STATISTICS of a normalisation layer, shape (channels, records), as `norms` does."""
        return channels.channel_values(self._data, norm, statistic)

    def moved_channels(self, most: int) -> tuple[MovedChannel, ...]:
        """Return at most `most` channels for each of their statistics, those that moved farthest over the run first."""
        return channels.moved_channels(self._data, most)

    def heatmap(self, request: HeatmapRequest) -> Heatmap:
        """Return the filters of a tree node, or the channels of a normalisation layer, over time.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: An unknown node, statistic, normalisation or order.
        """
        return self._heatmaps.heatmap(request)

    def filter_courses(
        self, layer: int, statistic: str, axis: TimeAxis, count: int, first: Sequence[int] = ()
    ) -> FilterCourses:
        """Return at most `count` filters of a layer over time: those of `first`, then those that stand out most.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: An unknown layer or statistic.
        """
        return self._heatmaps.courses(layer, statistic, axis, count, first)

    def node_boxes(self, nodes: Sequence[int], source: str, axis: TimeAxis) -> NodeBoxes:
        """Return box plots of some tree nodes over time, on one scale for the network.

        Raises:
            NotRecordedError: The run does not hold quartiles, or the source.
            UsageError: An unknown node or source.
        """
        return boxes.node_boxes(self._data, nodes, source, axis)

    def node_histograms(self, nodes: Sequence[int], source: str, axis: TimeAxis, bins: int = 16) -> NodeHistograms:
        """Return how the weights of some tree nodes, or the sizes of gradient/weight, are distributed over time.

        Args:
            nodes: Tree node indices.
            source: Of HISTOGRAM_SOURCES.
            axis: The columns.
            bins: Bins of weights, >= 1; gradients have the decades that were stored.

        Raises:
            UsageError: An unknown node or source, or no bins.
        """
        return histograms.node_histograms(self._data, nodes, source, axis, bins)

    def node_update_ratios(self, nodes: Sequence[int], axis: TimeAxis) -> NodeSeries:
        """Return `layer_update_ratios` and `module_update_ratios` of some tree nodes; the largest within a column.

        Raises:
            NotRecordedError: The run does not hold the norms.
            UsageError: An unknown node.
        """
        return update_ratios.node_update_ratios(self._data, nodes, axis)

    def norm_series(self, norms: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
        """Return one statistic of some normalisation layers over time.

        Args:
            norms: Places in `structure().norms`.
            statistic: Of NORM_STATISTICS.
            axis: The columns.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: An unknown normalisation layer or statistic.
        """
        return norm_series.norm_series(self._data, norms, statistic, axis)

    def parameters(self, statistic: str) -> FloatArray:
        """Return one statistic of the parameters outside the layers at every record, as `norms` does.

        Rows are those of `structure().parameters`, shape (parameters, records), float32, read-only.

        Raises:
            NotRecordedError: The run does not hold the statistic, or no such parameters.
            UsageError: There is no such statistic.
        """
        return self._data.parameters(statistic)

    def parameter_series(self, places: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
        """Return one statistic of some parameters outside the layers over time.

        Args:
            places: Places in `structure().parameters`.
            statistic: Of PARAMETER_STATISTICS, or UPDATE_RATIO.
            axis: The columns.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: An unknown parameter or statistic.
        """
        return norm_series.parameter_series(self._data, places, statistic, axis)

    def adapters(self, statistic: str) -> FloatArray:
        """Return one statistic of the adapters at every record, shape (adapters, records), float32, read-only.

        Rows are those of `structure().adapters`. NaN where there is no value: of adapters that are not measured or are
        merged into their weight, of a share where that weight is not recorded, and in every watch.

        Args:
            statistic: "adapter_norm", ‖BA‖ · scale; or ADAPTER_RATIO, that as a share of the norm of its weight.

        Raises:
            NotRecordedError: The run does not hold it, or no adapters.
            UsageError: There is no such statistic.
        """
        return adapters.adapters(self._data, statistic)

    def adapter_series(self, places: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
        """Return one statistic of some adapters over time, as `adapters` has it; places in `structure().adapters`.

        Raises:
            NotRecordedError: The run does not hold it, or no adapters.
            UsageError: An unknown adapter or statistic.
        """
        return adapters.adapter_series(self._data, places, statistic, axis)

    def heads(self) -> tuple[AttentionHead, ...]:
        """Return the attention heads that the layers make; those of outputs are stretches of inputs."""
        return heads.heads_of(self._data)

    def head_values(self, layer: int, statistic: str) -> FloatArray:
        """Return one statistic of the heads that a layer's filters make, shape (heads, records), float32, read-only.

        Made of the statistics of their filters: norms as the root of the sum of squares, means, spreads and sums as for
        all their weights together, the update ratio ‖Δw‖ ⁄ ‖w before‖. The cosine distance is the mean of the filters',
        weighted with their squared norms, which is exact as far as these keep their shares.

        Args:
            layer: Index of the layer.
            statistic: Of FILTER_STATISTICS.

        Raises:
            NotRecordedError: The run does not hold the statistics behind it, or the layer makes no heads.
            UsageError: There is no such layer or statistic.
        """
        return heads.head_values(self._data, layer, statistic)

    def head_series(self, places: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
        """Return one statistic of some heads over time, on a scale of their own; the update ratio per update.

        Args:
            places: Places among the items of `heads()` that are not of inputs.
            statistic: Of FILTER_STATISTICS.
            axis: The columns.

        Raises:
            NotRecordedError: The run does not hold the statistics behind it.
            UsageError: An unknown head or statistic.
        """
        return heads.head_series(self._data, places, statistic, axis)

    def moved_heads(self, most: int) -> tuple[MovedHead, ...]:
        """Return at most `most` heads: those that moved most beside the others of their layer. Long runs are sampled.

        Empty where no heads are known, or their updates were not recorded.
        """
        return heads.moved_heads(self._data, most)

    def initial_std(self, layer: int) -> InitialStd | None:
        """Return the standard deviations with which a layer's weights would start; None where its shape does not tell.

        Raises:
            UsageError: There is no such layer.
        """
        return filter_history.starts_of(self._data, layer)

    def filter_history(self, layer: int, filter: int, axis: TimeAxis) -> FilterHistory:
        """Return what a filter did over the run, beside the other filters of its layer.

        Raises:
            UsageError: There is no such layer or filter.
        """
        return filter_history.filter_history(self._data, layer, filter, axis)

    def kept_weights(
        self, layer: int | None = None, filter: int | None = None, iteration: int | None = None
    ) -> tuple[KeptWeights, ...]:
        """Return the weights that the flight recorder kept of filters that its triggers name, by trigger and filter.

        Args:
            layer: Index of the only layer that is wanted; None for all.
            filter: The only filter of that layer; None for all.
            iteration: Of the only trigger; None for all.

        Returns:
            One item a trigger and filter, ascending; empty where nothing was kept.

        Raises:
            UsageError: There is no such layer or filter.
        """
        return kept_weights.kept_weights(self._data, layer, filter, iteration)

    def has_activations(self) -> bool:
        """Whether validations hold activations of filters; known once the first validation is."""
        return activations.has_activations(self._data)

    def activations(self, name: str, layer: int) -> FloatArray:
        """Return activations of a layer's filters, shape (filters, validations), float32, read-only.

        Columns are those of `validation_iterations`. NaN where the layer was not called, or not seen.

        Args:
            name: Of ACTIVATION_COLUMNS: "activation_zeros" is the share of activations that are not above zero, in
                [0, 1], which are zero behind a ReLU; "activation_mean" their mean, behind the ReLU where one follows.
            layer: Index of the layer; `structure().activations` says what is read of it.

        Raises:
            NotRecordedError: The run holds no activations.
            UsageError: There is no such column or layer.
        """
        return activations.checked(self._data, name, layer)

    def silent_filters(self, layer: int) -> dict[int, int]:
        """Return the filters of a layer that let nothing through at the last validation, and since which iteration."""
        return activations.silent_filters(self._data, layer)

    def exciting_images(self, layer: int, filter: int, iteration: int) -> IntArray:
        """Return the images that excite a filter most at the last validation up to an iteration, the strongest first.

        Returns:
            At most nine indices in the ImageSet, shape (n,), int64; empty where the run does not hold them, before the
            first validation, and for a filter that lets nothing through.

        Raises:
            UsageError: There is no such layer or filter.
        """
        return activations.exciting_images(self._data, layer, filter, iteration)

    def network_graph(self) -> NetworkGraph:
        """Return the network as rows and lanes that can be drawn; its layers in order if no graph was recorded."""
        return graph.network_graph(self._data)
