"""Says of each layer where the activations of its filters are read, and finds the modules for that in a live network.

Owns the rule: what a layer returns, or the normalisation layer that alone follows it, just before the activation
function. Where a ReLU follows, what is not above zero there is what is zero after it, be it a module or a function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from dtui.model import ActivationPlace
from dtui.record.network.followers import MODULE, Followers
from dtui.record.network.layers import LayerProbe, unwrap, walk
from dtui.record.network.norm_layers import NormProbe
from dtui.record.network.own_weights import is_layer

_CHANNEL_NORMS = re.compile("(Batch|Instance|Group)Norm")
"""Those that keep each channel where it is; one over the features of a token mixes them."""


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """The reading of one layer's activations in one validation.

    Attributes:
        layer: Name of the layer.
        first: Row of its filter 0 on the flat filter axis.
        filters: Number of its filters.
        module: The module whose outputs are read.
        channels: Axis of the filters in them, from the end: -1 of a fully connected layer, -3 of a Conv2d.
        then: The activation function that follows, "" where that is not known.
    """

    layer: str
    first: int
    filters: int
    module: nn.Module
    channels: int
    then: str


def activation_places(
    probes: Sequence[LayerProbe], norms: Sequence[NormProbe], followers: Followers
) -> tuple[ActivationPlace, ...]:
    """Return for each layer the place where its activations are read; the layer itself where nothing was traced."""
    known = {norm.name: norm for norm in norms}
    return tuple(_place(probe, known, followers) for probe in probes)


def _place(probe: LayerProbe, norms: Mapping[str, NormProbe], followers: Followers) -> ActivationPlace:
    after = followers.after(probe.name)
    if not after.startswith(MODULE):
        return ActivationPlace(probe.name, after)
    norm = norms.get(after.removeprefix(MODULE))
    if norm is None or norm.module is None or norm.channels != probe.shape[0]:
        return ActivationPlace(probe.name)
    is_of_channels = any(_CHANNEL_NORMS.search(kind.__name__) for kind in type(norm.module).__mro__)
    if not is_of_channels or followers.calls(norm.name) != followers.calls(probe.name):
        return ActivationPlace(probe.name)
    then = followers.after(norm.name)
    return ActivationPlace(norm.name, "" if then.startswith(MODULE) else then)


def find_readings(
    model: nn.Module, probes: Sequence[LayerProbe], places: Sequence[ActivationPlace]
) -> tuple[Reading, ...]:
    """Return what is read of each layer of a network; layers that it lacks are left out.

    Layers inside torch's TransformerEncoderLayer are left out as well while its fast path is on: a hook turns that path
    off, and its answers would differ in their last bits.

    Args:
        model: The module that the evaluation calls, wrapped or not: the recorder's own, or an average of it.
        probes: The placed layers of the run.
        places: Where each is read.
    """
    modules = dict(walk(unwrap(model)))
    if len(probes) == 1 and probes[0].name not in modules:
        modules[probes[0].name] = unwrap(model)  # a network that is one layer has no name
    left_alone = _left_alone(model)
    found = []
    for probe, place in zip(probes, places, strict=True):
        layer, module = modules.get(probe.name), modules.get(place.of)
        if layer is None or module is None or not is_layer(layer) or id(layer) in left_alone:
            continue
        channels = -1 - len(layer.kernel_size) if isinstance(layer, _ConvNd) else -1
        found.append(Reading(probe.name, probe.first_filter, probe.shape[0], module, channels, place.then))
    return tuple(found)


def _left_alone(model: nn.Module) -> set[int]:
    if not torch.backends.mha.get_fastpath_enabled():
        return set()
    encoders = [module for module in model.modules() if isinstance(module, nn.TransformerEncoderLayer)]
    return {id(part) for encoder in encoders for part in encoder.modules()}
