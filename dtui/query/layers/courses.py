"""Makes the course of one filter among those of its layer."""

from __future__ import annotations

import numpy as np

from dtui.analysis.quantiles import column_medians, column_quantiles
from dtui.model import FloatArray, read_only
from dtui.model.layers import FilterCourse
from dtui.query.data import Arrays, have

BAND = (0.05, 0.95)


def course_of(statistic: str, filter: int, pooled: FloatArray) -> FilterCourse:
    """Return the course of one filter; `pooled` are the values of all filters, shape (filters, columns)."""
    values = pooled[filter].astype(np.float64)
    larger = np.count_nonzero(pooled > pooled[filter], axis=0)
    low, high = (column_quantiles(pooled, share) for share in BAND)
    return FilterCourse(
        statistic=statistic,
        values=read_only(values),
        median=read_only(column_medians(pooled)),
        low=read_only(low),
        high=read_only(high),
        ranks=read_only(np.where(np.isnan(values), 0, 1 + larger).astype(np.int64)),
    )


def are_courses(found: Arrays, filters: int, chosen: int, columns: int) -> bool:
    """Whether arrays from outside can be those that `FilterCourses` of a layer is made of."""
    scales = ("f", (chosen,)), ("f", (columns,)), ("f", ())
    if not have(found, ("i", (chosen,)), ("f", (chosen,)), ("f", (chosen, columns)), *scales):
        return False
    rows, are_scales = found[0], all((one > 0).all() for one in found[3:])
    return bool(are_scales and ((rows >= 0) & (rows < filters)).all() and len(np.unique(rows)) == chosen)
