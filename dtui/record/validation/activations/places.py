"""Says of each layer where the activations of its filters are read, and finds the modules for that in a live network.

Owns the rule: what a layer returns, or the normalisation layer that alone follows it, just before the activation
function. Where a ReLU follows, what is not above zero there is what is zero after it, be it a module or a function. The
last projection of torch's attention is read where the attention returns it, and the gates of a recurrent layer have the
activations of their unit; matrices of which no module returns what they compute have none, and say why.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from dtui.model import ActivationPlace
from dtui.record.network.followers import MODULE, Followers
from dtui.record.network.layers import LayerProbe, unwrap, walk
from dtui.record.network.norm_layers import NormProbe
from dtui.record.network.own_weights import WEIGHT, is_layer
from dtui.record.writing.warn import warn_once

_CHANNEL_NORMS = re.compile("(Batch|Instance|Group)Norm")
"""Those that keep each channel where it is; one over the features of a token mixes them."""


MOST_NAMED = 3
"""Layers that a message names."""


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
        units: Where the channels of its filters begin in the outputs, and how many there are; None for all. Where there
            are fewer than filters, as of the gates of a recurrent layer, filter f has channel f modulo that.
        dims: Dimensions of the outputs for a batch, at least; one less is a single image.
        images: Axis of the images.
    """

    layer: str
    first: int
    filters: int
    module: nn.Module
    channels: int
    then: str
    units: tuple[int, int] | None = None
    dims: int = 0
    images: int = 0


def activation_places(
    probes: Sequence[LayerProbe], norms: Sequence[NormProbe], followers: Followers
) -> tuple[ActivationPlace, ...]:
    """Return for each layer the place where its activations are read; the layer itself where nothing was traced."""
    known = {norm.name: norm for norm in norms}
    attentions = {_owner(probe) for probe in probes if isinstance(probe.module, nn.MultiheadAttention)}
    return tuple(_place(probe, known, followers, attentions) for probe in probes)


def _owner(probe: LayerProbe) -> str:
    """Return the name of the module that holds the weight."""
    return probe.name if probe.weight_name == WEIGHT else probe.name.removesuffix(f".{probe.weight_name}")


def _place(
    probe: LayerProbe, norms: Mapping[str, NormProbe], followers: Followers, attentions: Collection[str]
) -> ActivationPlace:
    if not is_layer(probe.module):
        lacking = _lacking(probe)
        return ActivationPlace("", lacking) if lacking else ActivationPlace(_owner(probe), _then_of(probe.module))
    attention, _, last = probe.name.rpartition(".")
    if last == "out_proj" and attention in attentions:
        then = followers.after(attention)
        return ActivationPlace(attention, "" if then.startswith(MODULE) else then)
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


def _lacking(probe: LayerProbe) -> str:
    """Return why a matrix that a module holds itself has no activations; "" if it has."""
    module = probe.module
    if isinstance(module, nn.MultiheadAttention):
        return "torch computes queries, keys and values in one function"
    if isinstance(module, nn.RNNCellBase):
        return ""
    if isinstance(module, nn.RNNBase):
        if f"_l{module.num_layers - 1}" not in probe.weight_name:
            return "torch returns the outputs of its last layer alone"
        return "a projection follows its units" if module.proj_size else ""
    return "a row is an expert" if len(probe.shape) == 3 else "no module returns what it computes"


def _then_of(module: nn.Module) -> str:
    """Return the ReLU that is in what a recurrent module returns, "" for any other function."""
    return "relu" if getattr(module, "nonlinearity", "") == "relu" else ""


def find_readings(
    model: nn.Module, probes: Sequence[LayerProbe], places: Sequence[ActivationPlace]
) -> tuple[Reading, ...]:
    """Return what is read of each layer of a network; layers that it lacks are left out.

    Layers inside torch's TransformerEncoderLayer are left out and told while its fast path is on: a hook turns that
    path off, and its answers would differ in their last bits.

    Args:
        model: The module that the evaluation calls, wrapped or not: the recorder's own, a part of that, or an average
            of it.
        probes: The placed layers of the run.
        places: Where each is read.
    """
    modules = _as_recorded(dict(walk(unwrap(model))), probes)
    if len(probes) == 1 and probes[0].name not in modules:
        modules[probes[0].name] = unwrap(model)  # a network that is one layer has no name
    left_alone = _left_alone(model)
    found, hidden = [], []
    for probe, place in zip(probes, places, strict=True):
        owner, module = modules.get(_owner(probe)), modules.get(place.of)
        if place.lacking or owner is None or module is None:
            continue
        if id(owner) in left_alone:
            hidden.append(probe.name)
            continue
        reading = _reading(probe, place, owner, module)
        if reading is not None:
            found.append(reading)
    if hidden:
        warn_once(
            "activations hidden",
            f"activations: {in_short(hidden)} have none while torch's fast path of a TransformerEncoderLayer is on, "
            "for a hook would change its answers; torch.backends.mha.set_fastpath_enabled(False) turns it off",
        )
    return tuple(found)


def _as_recorded(modules: dict[str, nn.Module], probes: Sequence[LayerProbe]) -> dict[str, nn.Module]:
    """Return modules by the names that the run has for them; those in a part of its network are shorter."""
    names = {id(module): name for name, module in modules.items()}
    for probe in probes:
        owner, name = _owner(probe), None if probe.is_gone else names.get(id(probe.module))
        if name is not None and name != owner and owner.endswith(f".{name}"):
            before = owner.removesuffix(name)
            return {before + name: module for name, module in modules.items()}
    return modules


def _reading(probe: LayerProbe, place: ActivationPlace, owner: nn.Module, module: nn.Module) -> Reading | None:
    """Return how a layer is read; None where an average of the model has something else in its place."""
    rows = (probe.name, probe.first_filter, probe.shape[0], module)
    if isinstance(owner, nn.RNNBase | nn.RNNCellBase):
        size = owner.hidden_size
        units = (size if probe.weight_name.endswith("_reverse") else 0, size)
        if isinstance(owner, nn.RNNCellBase):
            return Reading(*rows, -1, place.then, units)
        return Reading(*rows, -1, place.then, units, 3, 0 if owner.batch_first else 1)
    if not is_layer(owner):
        return None
    if isinstance(module, nn.MultiheadAttention):
        return Reading(*rows, -1, place.then, None, 3, 0 if module.batch_first else 1)
    return Reading(*rows, -1 - len(owner.kernel_size) if isinstance(owner, _ConvNd) else -1, place.then)


def in_short(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _left_alone(model: nn.Module) -> set[int]:
    if not torch.backends.mha.get_fastpath_enabled():
        return set()
    encoders = [module for module in model.modules() if isinstance(module, nn.TransformerEncoderLayer)]
    return {id(part) for encoder in encoders for part in encoder.modules()}
