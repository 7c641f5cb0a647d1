"""The vocabulary of dtui as frozen value types, with nothing below it but the errors."""

from dtui.model.arrays import BoolArray, ByteArray, FloatArray, IntArray, LabelArray, read_only
from dtui.model.axis import TimeAxis
from dtui.model.records import Gap, Record, RunMetadata, RunStatus, Validation
from dtui.model.statistics import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    SOURCES,
)
from dtui.model.structure import Edge, ImageSet, Layer, Module, Structure
from dtui.model.views import (
    Anomaly,
    AnomalySettings,
    ClassCluster,
    ClassErrors,
    Curves,
    Heatmap,
    HeatmapRequest,
    ImageRows,
    ImagesRequest,
    ImageVerdict,
    NodeSeries,
    RunInfo,
    Stage,
    TreeNode,
)

__all__ = [
    "CHANGE_RATIO_EDGES",
    "FILTER_STATISTICS",
    "HISTOGRAM_BINS",
    "LAYER_STATISTICS",
    "SOURCES",
    "Anomaly",
    "AnomalySettings",
    "BoolArray",
    "ByteArray",
    "ClassCluster",
    "ClassErrors",
    "Curves",
    "Edge",
    "FloatArray",
    "Gap",
    "Heatmap",
    "HeatmapRequest",
    "ImageRows",
    "ImageSet",
    "ImageVerdict",
    "ImagesRequest",
    "IntArray",
    "LabelArray",
    "Layer",
    "Module",
    "NodeSeries",
    "Record",
    "RunInfo",
    "RunMetadata",
    "RunStatus",
    "Stage",
    "Structure",
    "TimeAxis",
    "TreeNode",
    "Validation",
    "read_only",
]
