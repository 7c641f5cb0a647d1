"""What the evidence of a group shows: its cause, and the layers, filters and classes that it names.

Source: FINDINGS §3, rule 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dtui.analysis.detectors.online.filter_jump import LEAST_CHANGE
from dtui.analysis.detectors.stream.block import Network
from dtui.analysis.incidents.grouping import Clock, is_strong, kind_of, rank_of
from dtui.dataclass_on_use import dataclass
from dtui.model import Cause, Evidence

FIRST = 0
"""Records from the first that tells of trouble by itself within which evidence tells of the cause: what leaps, dies or
stops a record later followed from it."""
EARLY = 4
"""Records from the beginning within which evidence tells of the place."""
MOST_LAYERS = 3
MOST_CLASSES = 3
MOST_FILTERS = 32
LEAP = 3.0
"""Times that the norm of a layer's weights changes in a record when the layer itself was hit."""
MOVED = 10.0
"""Times that a layer's change against the others is the usual, or the middle layer's, when the layer itself was hit."""
WIDE = 0.4
"""Share of the layers: where more normalisation layers, or layers, are hit, it came from outside them."""
ONE_CLASS = 0.5
"""Share of what all classes lost: where one class carries more, it is about that class."""

_OF_KIND = {
    "nonfinite": Cause.NONFINITE,
    "filter": Cause.FILTER,
    "dead": Cause.DEAD,
    "frozen": Cause.FROZEN,
    "norm": Cause.NORM,
    "layer": Cause.LAYER,
    "update": Cause.UPDATE,
    "gradient": Cause.GRADIENT,
    "watch filter": Cause.FILTER,
    "watch gradient": Cause.GRADIENT,
    "watch update": Cause.UPDATE,
    "loss": Cause.LOSS,
    "watch loss": Cause.LOSS,
    "network": Cause.NETWORK,
    "class": Cause.CLASS,
    "rate": Cause.UPDATE,
}
_WHOLE_NETWORK = (Cause.UPDATE, Cause.GRADIENT, Cause.LOSS, Cause.NETWORK)
_HAVE_LAYERS = (Cause.NONFINITE, Cause.FILTER, Cause.DEAD, Cause.FROZEN, Cause.NORM, Cause.LAYER)
_DETECTORS = {
    Cause.NONFINITE: ("nonfinite",),
    Cause.FILTER: ("filter", "watch"),
    Cause.DEAD: ("dead",),
    Cause.FROZEN: ("frozen",),
    Cause.NORM: ("norm",),
    Cause.LAYER: ("layer",),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a group is about.

    Attributes:
        cause: What its evidence shows.
        first: Iteration at which what tells of the cause begins.
        layers: At most 3 names, the most telling first; data from outside.
        filters: Within the first layer, ascending.
        classes: At most 3 labels, the worst first.
        telling: The evidence of its first records, in order.
    """

    cause: Cause
    first: int
    layers: tuple[str, ...]
    filters: tuple[int, ...]
    classes: tuple[int, ...]
    telling: tuple[Evidence, ...]


def judge(group: Sequence[Evidence], clock: Clock, network: Network) -> Verdict:
    """Return what a group of evidence shows.

    Args:
        group: In order, at least one.
        clock: Of the run.
        network: What the run trains.
    """
    trouble = next((one for one in group if is_strong(one)), group[0])
    first = [one for one in group if clock.between(trouble, one) <= FIRST]
    early = [one for one in group if clock.between(group[0], one) <= EARLY]
    top = min(first, key=lambda one: (rank_of(one), -one.strength))
    cause = _cause(first, early, _OF_KIND.get(kind_of(top), Cause.NETWORK), network)
    telling = sorted(early, key=lambda one: (_is_beside(one, cause), rank_of(one), -one.strength))
    named = _layers(telling) if cause in _HAVE_LAYERS else ()
    filters = _filters(telling, named[0]) if named and cause in (Cause.NONFINITE, Cause.FILTER, Cause.DEAD) else ()
    begin = min((one for one in first if kind_of(one) == kind_of(top)), key=lambda one: one.iteration)
    # The flight recorder may have seen the same some iterations before the record.
    at = min(one.iteration for one in first if one.iteration <= begin.iteration and not clock.between(one, begin))
    return Verdict(cause, at, named, filters, _classes(early), tuple(early))


def _cause(first: Sequence[Evidence], early: Sequence[Evidence], cause: Cause, network: Network) -> Cause:
    """Return the cause that the most telling evidence stands for, corrected by what stands beside it."""
    leaps = _times_of_layers(first, "norm")
    has_leapt = bool(leaps) and leaps[-1] >= LEAP
    is_alone = _stands_out(leaps, LEAP) or any(
        _stands_out(times, MOVED) for times in (_times_of_layers(first, "change"), _times_the_middle_layer(first))
    )
    kinds = {kind_of(one) for one in first}
    filter_layers = {one.layer for one in first if one.detector == "filter"}
    died = {one.layer: one.count or 0 for one in first if one.detector == "dead"}
    if cause is Cause.NORM and has_leapt:
        cause = Cause.LAYER
    if cause is Cause.FILTER and any(died.get(layer, 0) > 1 for layer in filter_layers):
        cause = Cause.DEAD
    elif cause is Cause.FILTER and "update" in kinds:
        is_part = _others_jumped(first, filter_layers) or _all_jumped(first, kinds)
        cause = Cause.UPDATE if is_part else cause
    if cause is Cause.LAYER and "update" in kinds and not is_alone:
        cause = Cause.UPDATE
    if cause is Cause.DEAD and len(died) > 1 and kinds & {"update", "watch update"}:
        cause = Cause.UPDATE
    if cause in (*_WHOLE_NETWORK, Cause.LAYER, Cause.CLASS) and "rate" in kinds:
        return Cause.UPDATE
    if cause in _WHOLE_NETWORK and max((one.concentration or 0.0 for one in early), default=0.0) > ONE_CLASS:
        return Cause.CLASS
    if cause in (Cause.UPDATE, Cause.GRADIENT):
        is_rate_steady = network.has_rate and "rate" not in kinds
        cause = _behind_updates(first, cause) if is_rate_steady else _earliest_watch(first, cause)
    hit = {one.layer for one in early if one.detector == "layer"}
    if cause is Cause.LAYER and len(hit) > max(3, WIDE * len(network.layers)):
        cause = Cause.UPDATE
    return Cause.INPUTS if cause is Cause.NORM and _came_from_outside(early, network) else cause


def _came_from_outside(early: Sequence[Evidence], network: Network) -> bool:
    """Whether many normalisation layers shifted, the first too: what breaks within is seen by those behind it."""
    hit = {one.norm for one in early if one.detector == "norm"}
    return len(hit) > 1 and len(hit) > WIDE * len(network.norms) and network.norms[0] in hit


def _times_of_layers(first: Sequence[Evidence], rule: str) -> list[float]:
    """Return how far layers jumped, ascending; a norm that shrank counts like one that grew."""
    told = [one for one in first if one.detector == "layer" and one.rule == rule and one.times]
    return sorted(max(one.times or 1.0, 1 / (one.times or 1.0)) for one in told)


def _stands_out(times: Sequence[float], least: float) -> bool:
    """Whether the largest is at least so large, and several times the next."""
    return bool(times) and times[-1] >= least and (len(times) < 2 or times[-1] > LEAP * times[-2])


def _times_the_middle_layer(first: Sequence[Evidence]) -> list[float]:
    """Return how many times as far as the middle layer other layers moved, ascending; empty where that is not told."""
    middle = max((one.amount or 0.0 for one in first if one.detector == "update"), default=0.0)
    return sorted((one.amount or 0.0) / middle for one in first if one.detector == "layer") if middle else []


def _others_jumped(first: Sequence[Evidence], but: set[str | None]) -> bool:
    return any(one.detector == "layer" and one.layer not in but for one in first)


def _all_jumped(first: Sequence[Evidence], kinds: set[str]) -> bool:
    """Whether the middle layer moved so far that a filter would be told, by the learning rate or by the gradients.

    Gradients that leap may follow from a filter; not where the flight recorder saw no filter leap by itself.
    """
    is_far = any(one.detector == "update" and (one.amount or 0.0) > LEAST_CHANGE for one in first)
    is_by_gradients = bool(kinds & {"gradient", "watch gradient"}) and "watch filter" not in kinds
    return is_far and ("rate" in kinds or is_by_gradients)


def _behind_updates(first: Sequence[Evidence], cause: Cause) -> Cause:
    """Return what made updates leap while the learning rate did not: the loss or the gradients, if they leapt; else it.

    Where the flight recorder saw which was first it is that; else that which leapt by more.
    """
    watched = _watched(first)
    if "loss" in watched or "gradient" in watched:
        is_loss_first = watched.get("loss", math.inf) <= watched.get("gradient", math.inf)
        return Cause.LOSS if is_loss_first else Cause.GRADIENT
    loss, gradient = (
        max((one.times or 0.0 for one in first if one.detector == kind), default=0.0) for kind in ("loss", "gradient")
    )
    return cause if not loss and not gradient else Cause.LOSS if loss > gradient else Cause.GRADIENT


def _earliest_watch(first: Sequence[Evidence], cause: Cause) -> Cause:
    """Return which of loss, gradients and updates moved first, where the flight recorder saw it; else the cause."""
    watched = _watched(first)
    loss, gradient, update = (watched.get(kind, math.inf) for kind in ("loss", "gradient", "update"))
    if "loss" in watched and loss <= min(update, gradient):
        return Cause.LOSS
    if update < gradient:
        return Cause.UPDATE
    return Cause.GRADIENT if "gradient" in watched else cause


def _watched(first: Sequence[Evidence]) -> dict[str, int]:
    """Return the iteration at which the flight recorder first saw each of loss, gradients and updates leap."""
    found: dict[str, int] = {}
    for one in first:
        if one.detector == "watch":
            found[one.rule] = min(one.iteration, found.get(one.rule, one.iteration))
    return found


def _is_beside(one: Evidence, cause: Cause) -> bool:
    """Whether evidence is of another detector than those that the cause is told by."""
    return one.detector not in _DETECTORS.get(cause, ())


def _layers(telling: Sequence[Evidence]) -> tuple[str, ...]:
    named = dict.fromkeys(one.layer for one in telling if one.layer)
    return tuple(named)[:MOST_LAYERS]


def _filters(telling: Sequence[Evidence], layer: str) -> tuple[int, ...]:
    return next(
        (tuple(sorted(one.filters))[:MOST_FILTERS] for one in telling if one.layer == layer and one.filters), ()
    )


def _classes(early: Sequence[Evidence]) -> tuple[int, ...]:
    told = [one for one in early if one.detector in ("class", "network")]
    ordered = sorted(told, key=lambda one: (one.iteration, one.detector, -(one.amount or 0.0), -one.strength))
    return tuple(dict.fromkeys(label for one in ordered for label in one.classes))[:MOST_CLASSES]
