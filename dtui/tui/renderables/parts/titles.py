"""What a statistic is called on the screen."""

from __future__ import annotations

from dtui.model import FILTER_STATISTICS

_TITLES = {
    "cosine_distance": "cosine similarity",
    "share_negative": "share of negative weights",
    "sum_positive": "sum of positive weights",
    "sum_negative": "sum of negative weights",
    "nonfinite": "NaN and Inf",
}


def statistic_title(statistic: str) -> str:
    """Return a statistic of FILTER_STATISTICS or LAYER_STATISTICS as people read it."""
    default = statistic.replace("_", " ")
    return _TITLES.get(statistic, default) if statistic in FILTER_STATISTICS else default
