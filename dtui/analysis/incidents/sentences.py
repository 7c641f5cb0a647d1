"""Incidents in plain words, with numbers; a sentence names nothing that the evidence does not hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dtui.analysis.incidents.causes import Verdict
from dtui.analysis.incidents.grouping import kind_of
from dtui.model import Cause, Evidence
from dtui.model.layers import layer_called

MOST_NAMED = 6
"""Filters that a sentence names one by one."""
MANY_TIMES = 2.0
"""A change of so many times the norm or more is said in times, a smaller one in per cent."""

_MOVED = {
    "nonfinite": "NaN or Inf",
    "filter": "weights of a filter",
    "watch filter": "weights of a filter",
    "dead": "gradients of filters",
    "frozen": "a layer",
    "norm": "normalisation",
    "layer": "weights of a layer",
    "update": "updates",
    "watch update": "updates",
    "gradient": "gradients",
    "watch gradient": "gradients",
    "loss": "the loss",
    "watch loss": "the loss",
    "network": "the error",
    "class": "classes",
    "rate": "the learning rate",
}
_NORM_RULES = {
    "mean_shift": "its running mean moved by {amount:.3g} standard deviations in one record",
    "variance_shift": "its running variance is {amount:.3g} times off in one record",
    "scale_shift": "its scales changed by {amount:.0%} in one record",
    "zero_scales": "{amount:.0%} of its scales are zero",
}


def sentence(verdict: Verdict, class_names: Sequence[str]) -> str:
    """Return what happened, without the iteration; it holds names of layers and classes, data from outside.

    Args:
        verdict: On a group of evidence.
        class_names: By label; a label beyond them is shown by its number.
    """
    said = _SENTENCES[verdict.cause](verdict)
    if verdict.cause is Cause.CLASS:
        return _classes_said(verdict, class_names)
    fell = _worst_class(verdict)
    return said if fell is None else f"{said}; then {_class_said(fell, class_names)}"


def moved_first(telling: Sequence[Evidence]) -> str:
    """Return what moved first and how much later the next moved, "" where all is of one kind or one moment."""
    begins: dict[str, int] = {}
    for one in telling:
        subject = _MOVED.get(kind_of(one), "")
        if subject:
            begins[subject] = min(one.iteration, begins.get(subject, one.iteration))
    ordered = sorted(begins.items(), key=lambda item: item[1])
    if len(ordered) < 2 or ordered[0][1] == ordered[1][1]:
        return ""
    (before, at), (after, later) = ordered[:2]
    return f"{before} moved first, {after} {_iterations(later - at)} later"


def _nonfinite(verdict: Verdict) -> str:
    found = _all(verdict, "nonfinite")
    record = next((one for one in found if one.rule != "watch"), None)
    what = {"weights": "weights", "gradients": "gradients", "loss": "loss"}.get(record.rule if record else "", "")
    if verdict.layers:
        where = _filters_of(verdict) if verdict.filters else f"layer {verdict.layers[0]}"
        return f"NaN or Inf{f' in the {what}' if what and what != 'loss' else ''}, first in {where}"
    if what == "loss":
        return "the loss is NaN or Inf"
    if record is not None and record.count:
        return f"NaN or Inf in the {what} of {record.count:,} layer{'s' * (record.count != 1)} at once"
    return "NaN or Inf in the network"


def _filter(verdict: Verdict) -> str:
    jump = _first(verdict, "filter")
    if jump is not None and jump.layer == _layer(verdict):
        return f"the weights of {_filters_of(verdict)} changed by {_change(jump.amount)} in one record"
    watch = _first(verdict, "watch filter")
    times = f" to {_times(watch.times)} the usual" if watch is not None and watch.times else ""
    return f"the updates of {_filters_of(verdict)} jumped{times}"


def _dead(verdict: Verdict) -> str:
    found = [one for one in _all(verdict, "dead") if one.layer]
    died = next((one for one in found if one.layer == _layer(verdict)), found[0] if found else None)
    if died is None:
        return f"{_filters_of(verdict)} died"
    count = died.count or 0
    of = f"{count:,} of the {round(count / died.share):,} filters" if died.share else f"{count:,} filters"
    more = f", and filters of {len(found) - 1:,} more layer{'s' * (len(found) > 2)}," if len(found) > 1 else ""
    return f"{of} of {layer_called(died.layer or '')}{more} get no gradient any more"


def _frozen(verdict: Verdict) -> str:
    stopped = tuple(dict.fromkeys(one.layer for one in _all(verdict, "frozen")))
    if len(stopped) > 1:
        return f"{len(stopped):,} layers stopped changing, {_layer(verdict)} among them; the others went on"
    return f"layer {_layer(verdict)} stopped changing; the others went on"


def _norm(verdict: Verdict) -> str:
    worst = max(_all(verdict, "norm"), key=lambda one: one.strength)
    behind = f" behind {layer_called(worst.layer or '')}" if worst.layer else ""
    how = _NORM_RULES.get(worst.rule, "it shifted").format(amount=worst.amount or 0.0)
    return f"normalisation {worst.norm}{behind}: {how}"


def _layer_jump(verdict: Verdict) -> str:
    found = [one for one in _all(verdict, "layer") if one.layer == _layer(verdict)]
    worst = max(found, key=lambda one: one.strength)
    if worst.rule == "norm" and worst.times:
        of = layer_called(worst.layer or "")
        return f"the norm of the weights of {of} is {_times(worst.times)} what it was a record before"
    return f"the weights of layer {worst.layer} changed by {_change(worst.amount)} in one record, unlike the others"


def _update(verdict: Verdict) -> str:
    rate, has_updates = _first(verdict, "rate"), bool(_all(verdict, "update") or _all(verdict, "watch update"))
    if rate is not None:
        leapt = f"the learning rate was {_times(rate.times)} what it was a record before"
        return leapt + (f", and updates{_jumped(verdict, 'update', 'watch update')}" if has_updates else "")
    if not has_updates:
        hit = {one.layer for one in _all(verdict, "layer")}
        return f"the weights of {len(hit):,} layers jumped in one record"
    return f"the updates of the whole network{_jumped(verdict, 'update', 'watch update')}"


def _gradient(verdict: Verdict) -> str:
    return f"the gradients of the whole network{_jumped(verdict, 'gradient', 'watch gradient')}"


def _loss(verdict: Verdict) -> str:
    return f"the loss{_jumped(verdict, 'loss', 'watch loss', is_one=True)}"


def _inputs(verdict: Verdict) -> str:
    hit = {one.norm or one.layer for one in _all(verdict, "norm")}
    return f"{len(hit):,} normalisation layers shifted at once: what comes into the network changed"


def _network(verdict: Verdict) -> str:
    found = _first(verdict, "network")
    if found is None or found.amount is None:
        return "the error of the whole network rose"
    before = (
        f" from {_percent(found.usual)} to {_percent(found.usual + found.amount)}" if found.usual is not None else ""
    )
    return f"the error of the whole network rose{before}, in many classes at once"


def _class(verdict: Verdict) -> str:
    return ""


_SENTENCES: dict[Cause, Callable[[Verdict], str]] = {
    Cause.NONFINITE: _nonfinite,
    Cause.FILTER: _filter,
    Cause.DEAD: _dead,
    Cause.FROZEN: _frozen,
    Cause.NORM: _norm,
    Cause.LAYER: _layer_jump,
    Cause.UPDATE: _update,
    Cause.GRADIENT: _gradient,
    Cause.LOSS: _loss,
    Cause.INPUTS: _inputs,
    Cause.NETWORK: _network,
    Cause.CLASS: _class,
}


def _classes_said(verdict: Verdict, names: Sequence[str]) -> str:
    if not verdict.classes:
        return "labels or data of a class"
    said, fell = f"labels or data of {_name(verdict.classes[0], names)}", _worst_class(verdict)
    return said if fell is None else f"{_class_said(fell, names)}: {said}"


def _worst_class(verdict: Verdict) -> Evidence | None:
    """Return the evidence of the class that is named first, where it lost most; None where no class was told of."""
    told = [one for one in _all(verdict, "class") if one.classes[0] == verdict.classes[0]]
    return max(told, key=lambda one: one.amount or 0.0, default=None)


def _class_said(found: Evidence, names: Sequence[str]) -> str:
    name = _name(found.classes[0], names)
    more = len(found.classes) - 1
    others = f", and of {more:,} more class{'es' * (more != 1)}" if more else ""
    if found.amount is None:
        return f"the error of {name} rose{others}"
    if found.usual is None:
        return f"the error of {name} rose by {_percent(found.amount)}{others}"
    return f"the error of {name} rose from {_percent(found.usual)} to {_percent(found.usual + found.amount)}{others}"


def _jumped(verdict: Verdict, record: str, watch: str, *, is_one: bool = False) -> str:
    """Return how far it jumped: as the flight recorder saw it, which looks at every iteration, or at the records."""
    values = [one.times for kind in (watch, record) for one in _all(verdict, kind) if one.times]
    verb = "is" if is_one else "are"
    return f" {verb} {_times(max(values))} the usual" if values else " jumped"


def _all(verdict: Verdict, kind: str) -> list[Evidence]:
    return [one for one in verdict.telling if kind_of(one) == kind]


def _first(verdict: Verdict, kind: str) -> Evidence | None:
    return next(iter(_all(verdict, kind)), None)


def _layer(verdict: Verdict) -> str:
    return verdict.layers[0] if verdict.layers else "the network"


def _filters_of(verdict: Verdict) -> str:
    numbers, layer = verdict.filters, _layer(verdict)
    if not numbers:
        return f"layer {layer}"
    if len(numbers) == 1:
        return f"filter {numbers[0]} of {layer_called(layer)}"
    if len(numbers) > MOST_NAMED:
        return f"{len(numbers):,} filters of {layer_called(layer)}"
    return f"filters {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} of {layer_called(layer)}"


def _name(label: int, names: Sequence[str]) -> str:
    name = names[label] if 0 <= label < len(names) else str(label)
    return name if name.lower().startswith("class") else f"class {name}"


def _times(value: float | None) -> str:
    return f"{_number(value or 0.0)} times"


def _change(ratio: float | None) -> str:
    """Return ‖Δw‖/‖w‖ as people say it."""
    value = ratio or 0.0
    return f"{_number(value)} times their norm" if value >= MANY_TIMES else _percent(value)


def _percent(share: float | None) -> str:
    value = 100 * (share or 0.0)
    return f"{_number(value) if value >= 1000 else f'{value:.0f}' if value >= 10 else f'{value:.2g}'} %"


def _number(value: float) -> str:
    """Return three digits of it, with a comma in thousands; a power of ten where it is larger than a million."""
    if not math.isfinite(value) or value >= 1e6 or 0 < value < 1e-3:
        return f"{value:.2g}"
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    rounded = round(value, 2 - math.floor(math.log10(value))) if value > 0 else 0.0
    return f"{rounded:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{rounded:,.0f}"


def _iterations(count: int) -> str:
    return f"{count:,} iteration{'s' * (count != 1)}"
