"""Names and order of everything that is measured on weights, gradients and updates.

Owns the order of the statistic axes in records, files and screens. A second copy would let a file written by
one module be read under the wrong names by another.
"""

from __future__ import annotations

SOURCES = ("weights", "gradients", "updates")
"""What a layer statistic is taken of, in storage order."""

LAYER_STATISTICS = (
    "max",
    "min",
    "mean",
    "sum",
    "var",
    "std",
    "norm1",
    "norm2",
    "median",
    "q1",
    "q3",
    "nonfinite",
)
"""Statistics of one layer or module for each source, in storage order; `nonfinite` counts NaN and Inf elements."""

FILTER_STATISTICS = (
    "mean",
    "std",
    "norm",
    "share_negative",
    "sum_positive",
    "sum_negative",
    "update_norm",
    "update_ratio",
    "cosine_distance",
    "gradient_mean",
    "gradient_std",
    "gradient_norm",
    "nonfinite",
)
"""Statistics of one filter, in storage order.

`cosine_distance` is 1 - cosine similarity of the weights at two consecutive records: stored as the difference
because float32 cannot hold a similarity close to one. `nonfinite` counts NaN and Inf among weights and gradients.
"""

WATCHED_FILTER_STATISTICS = ("norm", "update_norm", "update_ratio", "cosine_distance", "gradient_norm", "nonfinite")
WATCHED_LAYER_STATISTICS = ("norm2", "nonfinite")
"""What a watch of the flight recorder measures; its other statistics are NaN, its histograms empty."""

HISTOGRAM_BINS = 64
"""Equal bins from a layer's smallest to its largest finite weight, both of which are layer statistics."""

RECORDS_A_BIN = 8
"""Records that share one value of the coarse level that long runs are drawn from: the one farthest from zero."""

CHANGE_RATIO_EDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Upper edges for the cumulative shares of |gradient / weight|, one share an edge."""
