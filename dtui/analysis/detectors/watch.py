"""What the flight recorder fired on while the training ran."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from dtui.analysis.detectors.registry import Constant, Detector, RunValues, detector
from dtui.model import Evidence, Showing, Trigger

_SUBJECTS = {"loss": "loss", "gradient": "gradients", "update": "updates", "filter": "filters"}
"""What of the whole network a trigger is about."""
NONFINITE = "nonfinite"


@detector
class Watch(Detector):
    """Evidence a trigger; its share is of the layer's filters, its strength the recorder's robust z."""

    name = "watch"
    title = "flight recorder"
    source = "dtui: the flight recorder's own history of each value (dtui/record/flight/triggers.py)"
    needs = "triggers, with keep_around; a run without any tells of nothing, whether the flight recorder was on or off"
    legend = "Flight recorder: a loss, gradients, updates or filters far above their own history, NaN or Inf."
    constants: ClassVar[Mapping[str, Constant]] = {
        "nonfinite strength": Constant(1000.0, "dtui: above what any jump of a training that goes on has"),
    }

    def find(self, values: RunValues) -> list[Evidence]:
        """Return one for each trigger; a layer or filter that the network does not have is left out."""
        sizes = {layer.name: layer.filters for layer in values.run.structure.layers}
        return [self._evidence(trigger, sizes.get(trigger.layer)) for trigger in values.run.triggers]

    def _evidence(self, trigger: Trigger, size: int | None) -> Evidence:
        filters = tuple(number for number in trigger.filters if 0 <= number < (size or 0))
        strength = trigger.score if math.isfinite(trigger.score) else 0.0
        return Evidence(
            detector=self.name,
            iteration=trigger.iteration,
            rule=trigger.kind,
            layer=None if size is None else trigger.layer,
            filters=filters,
            strength=self.constants["nonfinite strength"].value if trigger.kind == NONFINITE else strength,
            count=len(filters) if trigger.layer else None,
            share=len(filters) / size if size else None,
            times=trigger.times if math.isfinite(trigger.times) else None,
        )

    def describe(self, evidence: Evidence) -> Showing:
        """Return a diamond, and what jumped or is no number."""
        if evidence.rule == NONFINITE:
            is_loss = evidence.count is None
            verb = "is NaN or Inf" if is_loss else "holds NaN or Inf"
            return Showing("◆", self.title, verb, subject="loss" if is_loss else "network")
        detail = "" if evidence.times is None else f"to {evidence.times:.3g} times the usual"
        return Showing("◆", self.title, "jumped", detail, _SUBJECTS.get(evidence.rule, evidence.rule))

    def identify(self, evidence: Evidence) -> str:
        """Return an id of what fired and when; a kind of trigger fires once at an iteration."""
        return f"{self.name}-{evidence.rule}-{evidence.iteration}"
