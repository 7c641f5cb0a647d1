"""The series that shows the evidence of an incident: what a small picture of it is drawn from."""

from __future__ import annotations

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import FloatArray, IntArray

DECADES = 100


@dataclass(frozen=True, eq=False, slots=True)
class Telling:
    """One series around the beginning of an incident.

    Attributes:
        kind: The detector whose evidence it shows, such as "filter".
        what: What is drawn, such as "change of filter 17 of conv1 in one record"; holds data from outside.
        unit: "share" for values in [0, 1], or "number".
        iterations: Of the records or validations around the beginning, shape (n,), ascending, n >= 2.
        values: Shape (n,), NaN where there is no value, Inf where it was NaN or Inf.
        others: What it is compared with, shape (n,); None for nothing.
        others_what: What that is, such as "middle filter of the layer"; "" for nothing.
        before: The middle of the finite values before the incident; None where there is none.
        then: The finite value within the incident that is farthest from `before`; None where there is none.
        then_at: Iteration of that value.
        began: The first finite value from its beginning on; None where there is none.
        began_at: Iteration of that value.
        rose: How high an error rose, in words, where the sentence of its incident names less than the peak, such as
            "stayed at 80 % or more (peak 100 % at 750)"; "" where both are the same. Our words.
    """

    kind: str
    what: str
    unit: str
    iterations: IntArray
    values: FloatArray
    others: FloatArray | None = None
    others_what: str = ""
    before: float | None = None
    then: float | None = None
    then_at: int | None = None
    began: float | None = None
    began_at: int | None = None
    rose: str = ""

    @property
    def spans_decades(self) -> bool:
        """Whether a logarithmic scale shows it better: no share, none below 0, and more than two decades."""
        if self.unit == "share":
            return False
        known = self.values[np.isfinite(self.values)]
        positive = known[known > 0]
        return bool(len(positive) and known.min() >= 0 and positive.max() > DECADES * positive.min())
