"""Finds where NaN or Inf began, from which layers had a gradient that was not finite.

The gradient of a layer is made of what comes back from the loss and of what the forward pass gave it. If it is finite,
both were. So what began in the backward pass leaves the layers nearer to the loss finite, and spoils those before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dtui.model.findings.nonfinite import Began, BrokenGradients, Origin
from dtui.model.structure import Edge, Structure

MOST_NAMED = 3


def order_of(structure: Structure) -> list[str]:
    """Return the names of layers, each followed by those of its normalisation layers."""
    norms: dict[str, list[str]] = {}
    for norm in structure.norms:
        norms.setdefault(norm.layer, []).append(norm.name)
    return norms.get("", []) + [name for layer in structure.layers for name in (layer.name, *norms.get(layer.name, ()))]


def first_of(names: Sequence[str], edges: Sequence[Edge]) -> str:
    """Return the one of some layers that the forward pass comes to first; of several, the first that is given.

    Args:
        names: At least one, roughly in that order.
        edges: As of `origin_of`.
    """
    after = _followers(names, edges)
    return next((name for name in names if not any(name in after[other] for other in names)), names[0])


def origin_of(seen: BrokenGradients, order: Sequence[str], edges: Sequence[Edge]) -> Origin | None:
    """Return where NaN or Inf began; None where nothing was broken that the network has.

    Args:
        seen: Which layers were broken, and which were finite.
        order: Names of layers and normalisation layers, roughly in the order of the forward pass.
        edges: What flows where in the forward pass; empty where that is not known: then it is `order`.
    """
    held = set(order)
    weights, broken = set(seen.weights) & held, set(seen.broken) & held
    spoilt = weights or broken
    known = [name for name in order if name in broken or name in weights or name in seen.finite]
    if not spoilt:
        return None
    after = _followers(known, edges)
    first = [name for name in known if name in spoilt and not (after[name] & spoilt)] or [_last(spoilt, known)]
    sound = set(known) - spoilt
    beside = _nearest(set().union(*(after[name] for name in first)) & sound, after)
    is_inside = all(after[name] & sound for name in first)
    if weights:
        began = Began.WEIGHTS
    elif spoilt == set(first) and (is_inside or any(after[name] & spoilt for name in sound)):
        began = Began.ALONE if len(first) == 1 else Began.BACKWARD
    elif is_inside:
        began = Began.BACKWARD
    elif seen.statistics and seen.is_loss_finite is not True:
        return _of_forward(seen, order, edges, len(broken), len(known))
    else:
        began = Began.LOSS if seen.is_loss_finite else Began.UNKNOWN
    is_placed = began in (Began.ALONE, Began.BACKWARD) or (began is Began.WEIGHTS and bool(sound))
    names = tuple(first) if is_placed else ()
    return _of(seen, began, names, tuple(name for name in order if name in beside), len(spoilt), len(known))


def _of_forward(seen: BrokenGradients, order: Sequence[str], edges: Sequence[Edge], count: int, known: int) -> Origin:
    """Return the origin by the running statistics: those of the first normalisation layer that was not finite."""
    bad, sound = set(seen.statistics), set(seen.sound_statistics)
    held = [name for name in order if name in bad or name in sound]
    after = _followers(held, edges)
    first = [name for name in held if name in bad and not any(name in after[other] for other in bad - {name})]
    before = {name for name in held if name in sound and after[name] & set(first)}
    nearest = before - {name for name in before if after[name] & before}
    return _of(seen, Began.FORWARD, tuple(first), tuple(name for name in order if name in nearest), count, known)


def _of(
    seen: BrokenGradients, began: Began, layers: tuple[str, ...], beside: tuple[str, ...], count: int, known: int
) -> Origin:
    named = layers[:MOST_NAMED], beside[:MOST_NAMED]
    return Origin(seen.iteration, began, *named, count, known, seen.is_loss_finite)


def _followers(known: Sequence[str], edges: Sequence[Edge]) -> dict[str, set[str]]:
    """Return for each known layer all known layers that its output flows into, at any distance, without itself."""
    traced = {name for edge in edges for name in (edge.source, edge.target)}
    if not edges or not traced.issuperset(known):
        return {name: set(known[place + 1 :]) for place, name in enumerate(known)}
    targets: dict[str, list[str]] = {}
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.target)
    names = set(known)
    return {name: (_reached(name, targets) & names) - {name} for name in known}


def _reached(name: str, targets: Mapping[str, Sequence[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        for target in targets.get(waiting.pop(), ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _nearest(names: set[str], after: Mapping[str, set[str]]) -> set[str]:
    """Return those that no other of the names comes before."""
    return names - set().union(*(after[name] for name in names)) if names else set()


def _last(names: set[str], known: Sequence[str]) -> str:
    return next(name for name in reversed(known) if name in names)
