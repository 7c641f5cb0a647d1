"""Whether a fault could be seen at all: the training with it beside its clean twin, before any detector has run.

The twin is forked from the same state just before the fault and goes on with the same batches. The rule is here and
nowhere else; a detector's opinion has no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FloatArray = np.ndarray

RULE = (
    "worst class error rises by 0.2 or more over two records in a row, or the network's by 0.05, and by 1.5 times what "
    "it falls elsewhere by chance; or the weights of a filter or layer differ by more than 25 % within two records, "
    "and twice as far as the twin moved itself; or a layer moves less than 1 % as far as in the twin; or 10 % of a "
    "layer's filters get no gradient any more for three records; or something is not finite"
)
"""In words, written into each truth.json."""

CLASS_RISE, NETWORK_RISE, BY_CHANCE = 0.2, 0.05, 1.5
WEIGHTS_DIFFER, BEYOND_OWN, SOON = 0.25, 2.0, 2
STANDS_STILL, STILL_RECORDS = 0.01, 3
DEAD_SHARE, NO_GRADIENT, DEAD_RECORDS = 0.1, 1e-5, 3
_SMALL_FILTER = 0.1


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """A training at one record.

    Attributes:
        iteration: Of the record.
        class_errors: Shape (classes,), [0, 1].
        weights: Of each layer, shape (filters, elements).
        gradients: Norm of each filter's gradient in each layer, shape (filters,); zeros where a layer gets none.
        is_finite: Whether the loss and all weights are.
    """

    iteration: int
    class_errors: FloatArray
    weights: dict[str, FloatArray]
    gradients: dict[str, FloatArray]
    is_finite: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fault did, by comparison with the twin.

    Attributes:
        class_rise: Largest rise of a class error over two records in a row.
        class_chance: Largest fall of one, likewise.
        worst_class: Its label.
        network_rise: Largest rise of the mean over classes.
        network_chance: Largest fall of it.
        filter_change: Largest relative difference of a filter's weights soon after, beyond the twin's own movement.
        layer_change: Of a layer's, likewise.
        still: Layers that stood still while the twin's moved.
        dead: Largest share of a layer's filters that died.
        nonfinite: Whether something became NaN or infinite.
    """

    class_rise: float
    class_chance: float
    worst_class: int
    network_rise: float
    network_chance: float
    filter_change: float
    layer_change: float
    still: tuple[str, ...]
    dead: float
    nonfinite: bool

    @property
    def is_visible(self) -> bool:
        """Whether `RULE` holds."""
        return (
            self.nonfinite
            or self.class_rise >= max(CLASS_RISE, BY_CHANCE * self.class_chance)
            or self.network_rise >= max(NETWORK_RISE, BY_CHANCE * self.network_chance)
            or self.filter_change > WEIGHTS_DIFFER
            or self.layer_change > WEIGHTS_DIFFER
            or bool(self.still)
            or self.dead >= DEAD_SHARE
        )


def compare(before: Look, faulty: Sequence[Look], twin: Sequence[Look]) -> Effect:
    """Compare the records of a training with those of its twin.

    Args:
        before: Both, just before the fault.
        faulty: The records from the fault on.
        twin: Those of the twin at the same iterations; as many, or more where the training ended.

    Raises:
        ValueError: The iterations differ.
    """
    twin = twin[: len(faulty)]
    if [look.iteration for look in faulty] != [look.iteration for look in twin]:
        raise ValueError("a training and its twin were looked at at different iterations")
    rises = np.array([have.class_errors - own.class_errors for have, own in zip(faulty, twin, strict=True)])
    held = np.minimum(rises[:-1], rises[1:]) if len(rises) > 1 else rises
    sunk = np.maximum(rises[:-1], rises[1:]) if len(rises) > 1 else rises
    network = rises.mean(1)
    filters, layer = _weights_differ(before, faulty[:SOON], twin[:SOON])
    return Effect(
        class_rise=float(held.max()),
        class_chance=float(max(0.0, -sunk.min())),
        worst_class=int(held.max(0).argmax()),
        network_rise=float(network.max()),
        network_chance=float(max(0.0, -network.min())),
        filter_change=filters,
        layer_change=layer,
        still=_stands_still(before, faulty, twin),
        dead=_dead(before, faulty, twin),
        nonfinite=not all(look.is_finite for look in faulty) and all(look.is_finite for look in twin),
    )


def _weights_differ(before: Look, faulty: Sequence[Look], twin: Sequence[Look]) -> tuple[float, float]:
    """Return the largest relative difference of a filter and of a layer, beyond the twin's own movement."""
    filters = layers = 0.0
    for have, own in zip(faulty, twin, strict=True):
        for name, weights in own.weights.items():
            if not np.isfinite(have.weights[name]).all():
                continue
            norms = np.linalg.norm(weights, axis=1)
            apart = np.linalg.norm(have.weights[name] - weights, axis=1)
            moved = np.linalg.norm(weights - before.weights[name], axis=1)
            counts = (norms > _SMALL_FILTER * np.median(norms)) & (apart > BEYOND_OWN * moved)
            filters = max(filters, float((apart / np.maximum(norms, 1e-12))[counts].max(initial=0.0)))
            if np.linalg.norm(apart) > BEYOND_OWN * np.linalg.norm(moved):
                layers = max(layers, float(np.linalg.norm(apart) / max(np.linalg.norm(norms), 1e-12)))
    return filters, layers


def _stands_still(before: Look, faulty: Sequence[Look], twin: Sequence[Look]) -> tuple[str, ...]:
    """Return the layers that move at least `STILL_RECORDS` records in a row hardly at all, while the twin's do."""
    still = []
    for name in before.weights:
        steps = np.array([_step(a, b, name) for a, b in zip([before, *faulty[:-1]], faulty, strict=True)])
        usual = np.array([_step(a, b, name) for a, b in zip([before, *twin[:-1]], twin, strict=True)])
        stands = (steps < STANDS_STILL * usual) & (usual > 0)
        if len(stands) >= STILL_RECORDS and any(
            stands[first : first + STILL_RECORDS].all() for first in range(len(stands) - STILL_RECORDS + 1)
        ):
            still.append(name)
    return tuple(still)


def _step(before: Look, after: Look, name: str) -> float:
    return float(np.linalg.norm(after.weights[name] - before.weights[name]))


def _dead(before: Look, faulty: Sequence[Look], twin: Sequence[Look]) -> float:
    """Return the largest share of a layer's filters that get no gradient for `DEAD_RECORDS` records; the twin's do."""
    worst = 0.0
    for first in range(len(faulty) - DEAD_RECORDS + 1):
        for name in before.weights:
            gone = np.ones(len(before.weights[name]), bool)
            for have, own in zip(faulty[first:][:DEAD_RECORDS], twin[first:][:DEAD_RECORDS], strict=True):
                least = NO_GRADIENT * np.quantile(own.gradients[name], 0.75)
                gone &= (have.gradients[name] < least) & (own.gradients[name] >= least)
            if not gone.all():  # a whole layer without gradients stands still; no filter of it has died
                worst = max(worst, float(gone.mean()))
    return worst
