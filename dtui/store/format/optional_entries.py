"""Converts what structure.h5 may say of a network beyond its layers, modules and edges: all of it is optional."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dtui.model import ActivationPlace, Coverage, Layer, NormLayer, OtherParameter, Structure, Trained, Unrecorded
from dtui.model.structure import HEAD_PARTS, MOST_ADAPTERS, MOST_CHANNELS, MOST_OTHER_PARAMETERS, Adapter, HeadGroup
from dtui.store.format.schema import LAST_ITERATION, MOST_NODES, MOST_UNRECORDED

HEAD_GROUPS_A_LAYER = len(HEAD_PARTS)
LONGEST_KIND = 64


def encode_optional(structure: Structure) -> dict[str, object]:
    """Return the keys of structure.h5's document that say what is known beyond the layers."""
    told: dict[str, object] = {
        "norms": [asdict(norm) for norm in structure.norms],
        "activations": [[place.of, place.then] for place in structure.activations],
        "parameters": [asdict(one) for one in structure.parameters],
        "heads": [asdict(group) for group in structure.heads],
        "adapters": [asdict(one) for one in structure.adapters],
        "groups": list(structure.groups),
        "channel_norms": list(structure.channel_norms),
    }
    told = {name: items for name, items in told.items() if items}
    if structure.coverage is not None:
        told["coverage"] = asdict(structure.coverage)
    if structure.trained is not None:
        told["trained"] = asdict(structure.trained)
    return told


def parse_optional(values: Mapping[str, Any], layers: tuple[Layer, ...]) -> dict[str, Any]:
    """Return the attributes of a Structure that the document of a structure.h5 tells beyond its layers.

    Raises:
        ValueError: Something is not as a recorder writes it; or TypeError, LookupError, AttributeError.
    """
    norms = tuple(map(_norm, bounded(values.get("norms", []), MOST_NODES)))
    return {
        "coverage": _coverage(values.get("coverage")),
        "norms": norms,
        "channel_norms": _channel_norms(values.get("channel_norms", []), norms),
        "trained": _trained(values.get("trained"), len(layers)),
        "activations": _activations(values.get("activations", []), len(layers)),
        "parameters": tuple(map(_parameter, bounded(values.get("parameters", []), MOST_OTHER_PARAMETERS))),
        "heads": _heads(values.get("heads", []), layers),
        "adapters": tuple(_adapter(one, layers) for one in bounded(values.get("adapters", []), MOST_ADAPTERS)),
        "groups": _groups(values.get("groups", []), layers),
    }


def bounded(items: Any, most: int) -> list[Any]:
    """Return a list that is not too long.

    Raises:
        ValueError: It is, or is no list.
    """
    if not isinstance(items, list) or len(items) > most:
        raise ValueError(f"not a list of at most {most} items")
    return items


def _norm(item: Mapping[str, Any]) -> NormLayer:
    channels = item["channels"]
    if type(channels) is not int or not 0 < channels <= LAST_ITERATION:
        raise ValueError(f"{str(channels)[:20]} is not a number of channels")
    return NormLayer(str(item["name"]), str(item["kind"]), channels, str(item["layer"]))


def _channel_norms(items: Any, norms: tuple[NormLayer, ...]) -> tuple[int, ...]:
    places = tuple(map(_count, bounded(items, len(norms))))
    if list(places) != sorted(set(places)) or any(place >= len(norms) for place in places):
        raise ValueError("channels of normalisation layers that are not there")
    if sum(norms[place].channels for place in places) > MOST_CHANNELS:
        raise ValueError(f"more than {MOST_CHANNELS} channels of normalisation layers")
    return places


def _parameter(item: Mapping[str, Any]) -> OtherParameter:
    return OtherParameter(str(item["name"]), str(item["kind"]), _count(item["elements"]), str(item["layer"]))


def _heads(items: Any, layers: tuple[Layer, ...]) -> tuple[HeadGroup, ...]:
    """Return the groups of heads; those of a part that only a later dtui knows are left out."""
    groups = []
    for item in bounded(items, HEAD_GROUPS_A_LAYER * len(layers)):
        layer, first, step, size, count = (_count(item[key]) for key in ("layer", "first", "step", "size", "count"))
        of_inputs = item["of_inputs"]
        if type(of_inputs) is not bool or layer >= len(layers) or not size or not count or step < size:
            raise ValueError("heads that no layer has")
        of = layers[layer]
        if first + (count - 1) * step + size > (math.prod(of.shape[1:]) if of_inputs else of.filters):
            raise ValueError(f"more heads than layer {layer} has filters")
        if item["part"] in HEAD_PARTS:
            groups.append(HeadGroup(layer, item["part"], first, step, size, count, of_inputs))
    return tuple(groups)


def _adapter(item: Mapping[str, Any], layers: tuple[Layer, ...]) -> Adapter:
    scale, base, parts = item["scale"], str(item["base"]), tuple(map(str, bounded(item["layers"], MOST_NODES)))
    if type(scale) not in (int, float):
        raise ValueError("the scale of an adapter is no number")
    kind = str(item["kind"])[:LONGEST_KIND]
    return Adapter(str(item["name"]), str(item["adapter"]), kind, _count(item["rank"]), float(scale), base, parts)


def _groups(items: Any, layers: tuple[Layer, ...]) -> tuple[int, ...]:
    groups = tuple(map(_count, bounded(items, len(layers))))
    if groups and len(groups) != len(layers):
        raise ValueError(f"groups of {len(groups)} layers, where there are {len(layers)}")
    if any(not one or of.filters % one for one, of in zip(groups, layers, strict=False)):
        raise ValueError("groups that the layers do not have")
    return groups


def _coverage(item: Mapping[str, Any] | None) -> Coverage | None:
    if item is None:
        return None
    largest = tuple(
        Unrecorded(str(one["name"]), str(one["kind"]), _count(one["elements"]))
        for one in bounded(item["largest"], MOST_UNRECORDED)
    )
    coverage = Coverage(_count(item["parameters"]), _count(item["recorded"]), _count(item["unrecorded"]), largest)
    of_largest = sum(one.elements for one in largest)
    if coverage.recorded + of_largest > coverage.parameters or len(largest) > coverage.unrecorded:
        raise ValueError("more parameters than there are")
    return coverage


def _trained(item: Mapping[str, Any] | None, layers: int) -> Trained | None:
    if item is None:
        return None
    frozen = bounded(item["frozen"], layers)
    if any(type(index) is not int or not 0 <= index < layers for index in frozen) or len(set(frozen)) < len(frozen):
        raise ValueError("frozen layers that are not there")
    return Trained(_count(item["parameters"]), tuple(sorted(frozen)))


def _activations(items: Any, layers: int) -> tuple[ActivationPlace, ...]:
    places = tuple(ActivationPlace(str(of), str(then)[:64]) for of, then in bounded(items, layers))
    if len(places) not in (0, layers):
        raise ValueError(f"activations of {len(places)} layers, where there are {layers}")
    return places


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LAST_ITERATION:
        raise ValueError(f"{str(value)[:20]} is not a number of parameters")
    return value
