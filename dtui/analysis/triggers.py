"""What the flight recorder fired on, as anomalies and in words.

Owns the id and the score of such an anomaly. A second copy would attach a person's decision to another one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from dtui.model import Anomaly, Layer, Trigger

KIND = "watch"
NONFINITE_SCORE = 1000.0
"""Score of NaN or Inf: above what any jump of a training that goes on has."""
_WHAT = {"loss": "the loss jumped", "gradient": "the gradients jumped", "update": "the updates jumped"}


def find_trigger_anomalies(triggers: Iterable[Trigger], layers: Sequence[Layer]) -> list[Anomaly]:
    """Return an anomaly of kind "watch" for each trigger, in order.

    Its rule is what fired, its direction "both", its count the filters that stand out, its share that of the layer's
    filters (1 for the whole network), its score the robust z; it has no threshold of the settings (NaN).

    Args:
        triggers: As they were stored; data from outside.
        layers: Of the network; a layer that is none of them is left out.
    """
    filters = {layer.name: layer.filters for layer in layers}
    return [
        Anomaly(
            id=f"{KIND}-{trigger.kind}-{trigger.iteration}",
            kind=KIND,
            rule=trigger.kind,
            iteration=trigger.iteration,
            class_index=None,
            layer=trigger.layer if trigger.layer in filters else None,
            filters=_filters(trigger, filters),
            direction="both",
            count=len(_filters(trigger, filters)),
            share=len(_filters(trigger, filters)) / filters[trigger.layer] if trigger.layer in filters else 1.0,
            score=NONFINITE_SCORE if trigger.kind == "nonfinite" else _finite(trigger.score),
            threshold=math.nan,
        )
        for trigger in triggers
    ]


def describe_trigger(trigger: Trigger) -> str:
    """Return what a trigger says, such as "layer conv1 filter 17 jumped to 85 times the usual"."""
    some = "" if not trigger.filters else f" filter {trigger.filters[0]}"
    if len(trigger.filters) > 1:
        some += f" and {len(trigger.filters) - 1} more"
    if trigger.kind == "nonfinite":
        return f"layer {trigger.layer}{some} holds NaN or Inf" if trigger.layer else "the loss is NaN or Inf"
    what = _WHAT.get(trigger.kind, f"layer {trigger.layer}{some} jumped")
    return f"{what} to {trigger.times:.3g} times the usual" if math.isfinite(trigger.times) else what


def _filters(trigger: Trigger, filters: dict[str, int]) -> tuple[int, ...]:
    return tuple(number for number in trigger.filters if 0 <= number < filters.get(trigger.layer, 0))


def _finite(score: float) -> float:
    return score if math.isfinite(score) else 0.0
