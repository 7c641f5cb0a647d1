"""How dense anomalies are in the stages of the learning rate."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model.views import Stage


@dataclass(frozen=True, slots=True)
class StageDensity:
    """How dense anomalies of classes are in a stage of the learning rate.

    Attributes:
        stage: The stage.
        validations: In it.
        anomalies: In it.
        per_hundred: Anomalies a hundred validations, >= 0; NaN without validations.
    """

    stage: Stage
    validations: int
    anomalies: int
    per_hundred: float
