"""Finds the normalisation layers of a network, their values, and the layer whose outputs each normalises.

Owns the rule for what counts as a normalisation layer.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from enum import IntEnum

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dtui.model import Edge, Layer, NormLayer
from dtui.model.structure import MOST_CHANNELS
from dtui.record.network.layers import kind_of, walk
from dtui.record.network.own_weights import is_layer
from dtui.record.writing.warn import reason_of, warn_once

_NAMES = re.compile("(Batch|Instance|Layer|Group|RMS)Norm")
"""In the name of its class or of a base: those of torch, and those that networks bring along (LlamaRMSNorm)."""


class Kept(IntEnum):
    """The values read from a normalisation layer, one number per channel."""

    SCALE = 0
    MEAN = 1
    VARIANCE = 2


SHIFT = len(Kept)
"""Place behind those of Kept of the shifts β, which are read only where channels are recorded."""


class NormProbe:
    """One normalisation layer of a live network. It does not keep the network alive.

    Attributes:
        name: Dotted name in the unwrapped network.
        channels: Number of its scales, or of its means and variances.
    """

    __slots__ = ("_module", "channels", "name")

    def __init__(self, name: str, channels: int, module: nn.Module | None = None) -> None:
        self.name = name
        self.channels = channels
        self._module: weakref.ref[nn.Module] | None = None
        self.bind(module)

    def bind(self, module: nn.Module | None) -> None:
        """Read another module from now on; None for no module."""
        self._module = None if module is None else weakref.ref(module)

    @property
    def module(self) -> nn.Module | None:
        """The module; None if it no longer exists."""
        return None if self._module is None else self._module()


def kept_of(module: nn.Module) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return scale, running mean and running variance as a module has them now, in the order of Kept."""
    buffers = module._buffers
    scale: Tensor | None = module._parameters.get("weight")
    if scale is None:
        scale = buffers.get("weight")  # a frozen one, as detectors of objects have
    mean, variance = buffers.get("running_mean"), buffers.get("running_var")
    return (scale, None, None) if mean is None or variance is None else (scale, mean, variance)


def shift_of(module: nn.Module) -> Tensor | None:
    """Return the shift as a module has it now; None where it has none, as an RMS norm."""
    shift: Tensor | None = module._parameters.get("bias")
    return module._buffers.get("bias") if shift is None else shift


def with_channels(norms: Sequence[NormLayer]) -> tuple[int, ...]:
    """Return the places of the layers whose channels have rows, as many as MOST_CHANNELS allow; tell of the others."""
    places, free, left = [], MOST_CHANNELS, []
    for place, norm in enumerate(norms):
        if norm.channels <= free:
            places.append(place)
            free -= norm.channels
        else:
            left.append(norm.name)
    if left:
        named = f"{', '.join(left[:3])}{' …' * (len(left) > 3)}"
        warn_once(
            "norm channels",
            f"norms: the channels of {len(left):,} normalisation layers ({named}) are not recorded; a run holds "
            f"{MOST_CHANNELS:,} at most, and these layers are recorded as a whole",
        )
    return tuple(places)


def channels_of(module: nn.Module) -> int:
    """Return the number of channels of a normalisation layer; 0 for any other module, or if it has no values.

    A layer without scale and running statistics has no values, and a lazy layer has none yet.
    """
    if is_layer(module) or not any(_NAMES.search(kind.__name__) for kind in type(module).__mro__):
        return 0
    scale, _, variance = kept_of(module)
    found = scale if variance is None else variance
    if found is None or is_lazy(found) or not found.is_floating_point():
        return 0
    return found.numel()


def find_norms(root: nn.Module) -> list[NormProbe]:
    """Return the normalisation layers of a network in `named_modules` order, a shared one once.

    Args:
        root: The network, wrapped or not.
    """
    found: dict[int, NormProbe] = {}
    for name, module in walk(root):
        channels = channels_of(module)
        if channels and id(module) not in found:
            found[id(module)] = NormProbe(name or kind_of(module), channels, module)
    return list(found.values())


def placed_norms(root: nn.Module, held: Sequence[NormLayer]) -> list[NormProbe]:
    """Return the normalisation layers of a run; those that the network lacks have no module.

    Args:
        root: The network, wrapped or not.
        held: The normalisation layers in the run.
    """
    current = {probe.name: probe for probe in find_norms(root)}
    probes = []
    for norm in held:
        now = current.get(norm.name)
        module = now.module if now is not None and now.channels == norm.channels else None
        if module is None:
            found = "is missing" if now is None else f"has {now.channels} channels, not {norm.channels},"
            warn_once(f"norm {norm.name}", f"layer {norm.name}: {found} in this model; the run goes on without it")
        probes.append(NormProbe(norm.name, norm.channels, module))
    return probes


def try_norms(
    root: nn.Module, layers: Sequence[Layer], edges: Sequence[Edge] = ()
) -> tuple[list[NormProbe], tuple[NormLayer, ...]]:
    """Return the normalisation layers of a network, and their descriptions for a structure; none if that fails."""
    try:
        probes = find_norms(root)
        return probes, describe_norms(root, probes, layers, edges)
    except Exception as error:  # noqa: BLE001 - the rest is recorded all the same
        warn_once("norms", f"model: its normalisation layers are not recorded: {reason_of(error)}")
        return [], ()


def describe_norms(
    root: nn.Module, probes: Sequence[NormProbe], layers: Sequence[Layer], edges: Sequence[Edge] = ()
) -> tuple[NormLayer, ...]:
    """Return the descriptions of normalisation layers for the structure of a run.

    Args:
        root: The network.
        probes: Its normalisation layers.
        layers: Its recorded layers.
        edges: Its graph; empty if it was not traced.
    """
    follows = layers_before([probe.name for probe in probes], layers, [name for name, _ in walk(root)], edges)
    kinds = ["" if probe.module is None else kind_of(probe.module) for probe in probes]
    return tuple(
        NormLayer(probe.name, kind, probe.channels, layer)
        for probe, kind, layer in zip(probes, kinds, follows, strict=True)
    )


def layers_before(
    norms: Sequence[str], layers: Sequence[Layer], modules: Sequence[str], edges: Sequence[Edge]
) -> list[str]:
    """Return for each normalisation layer the layer whose outputs it normalises, "" if there is none.

    Args:
        norms: Names of normalisation layers.
        layers: The recorded layers.
        modules: Names of all modules, parents first.
        edges: The graph. If several layers are equally near, as before a sum, the last one counts.
    """
    before: dict[str, list[str]] = {}
    for edge in edges:
        before.setdefault(edge.target, []).append(edge.source)
    place = {name: position for position, name in enumerate(modules)}
    known = {name: layer for layer in layers for name in (layer.name, *layer.aliases)}
    inside = _last_inside(layers)
    found = []
    for norm in norms:
        if norm in before:
            found.append(_nearest(norm, before, known, inside))
        else:
            earlier = [layer.name for layer in layers if place.get(layer.name, 0) < place.get(norm, 0)]
            found.append(earlier[-1] if earlier else "")
    return found


def _last_inside(layers: Sequence[Layer]) -> dict[str, Layer]:
    """Return the last layer in each module by module name: some modules, such as attention, are one graph node."""
    inside = {}
    for layer in layers:
        parts = layer.name.split(".")
        inside.update({".".join(parts[:depth]): layer for depth in range(1, len(parts))})
    return inside


def _nearest(
    norm: str, before: Mapping[str, list[str]], known: Mapping[str, Layer], inside: Mapping[str, Layer]
) -> str:
    """Return the name of the nearest layer before a node of the graph."""
    seen, level = {norm}, [norm]
    while level:
        level = list(dict.fromkeys(node for target in level for node in before.get(target, ()) if node not in seen))
        seen.update(level)
        names = [node.partition("#")[0] for node in level]
        met = [layer for name in names if (layer := known.get(name) or inside.get(name)) is not None]
        if met:
            return max(met, key=lambda layer: layer.index).name
    return ""
