"""Finds the parameters outside the recorded layers, such as biases, embeddings and positions, and the layer of each.

Owns which of them have a row: every floating-point one, also those of normalisation layers, whose own statistics tell
nothing of their biases; the largest ones, where there are more than a run holds.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dtui.model import Edge, Layer, OtherParameter
from dtui.model.structure import MOST_OTHER_PARAMETERS
from dtui.record.network.layers import LayerProbe, kind_of, walk
from dtui.record.network.norm_layers import layers_before
from dtui.record.writing.warn import reason_of, warn_once


class ParameterProbe:
    """One parameter of a live network. It does not keep the network alive.

    Attributes:
        name: Dotted name in the unwrapped network.
        owner: Dotted name of the module that it is found in.
    """

    __slots__ = ("_attribute", "_inner", "_module", "name", "owner")

    def __init__(self, name: str, owner: str, module: nn.Module | None = None) -> None:
        self.name = name
        self.owner = owner
        path = name[len(owner) + 1 :] if owner else name
        self._inner, _, self._attribute = path.rpartition(".")
        self._module: weakref.ref[nn.Module] | None = None
        self.bind(module)

    def bind(self, module: nn.Module | None) -> None:
        """Read the parameter of another owner from now on; None for no parameter."""
        inner = None if module is None else module.get_submodule(self._inner)
        self._module = None if inner is None else weakref.ref(inner)

    @property
    def tensor(self) -> Tensor | None:
        """The parameter as it is now; None if it no longer exists."""
        module = None if self._module is None else self._module()
        return None if module is None else module._parameters.get(self._attribute)


def own_parameters(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Return the parameters of a module itself and of its parametrizations, without those of its children."""
    own: list[tuple[str, Tensor]] = [
        (name, parameter) for name, parameter in module._parameters.items() if parameter is not None
    ]
    made = getattr(module, "parametrizations", None)
    if isinstance(made, nn.ModuleDict):
        own += [(f"parametrizations.{name}", parameter) for name, parameter in made.named_parameters()]
    return own


def outside_layers(root: nn.Module, probes: Sequence[LayerProbe]) -> Iterator[tuple[str, str, nn.Module, Tensor, bool]]:
    """Yield every parameter once: its name, its owner's name, its owner, itself, and whether it is outside the layers.

    Args:
        root: The unwrapped network.
        probes: Its recorded layers. The weight of each is inside, and so are the parameters it is computed from.
    """
    recorded = {id(parameter) for probe in probes for parameter in probe.made_from}
    seen: set[int] = set()
    for prefix, module in walk(root):
        for name, parameter in own_parameters(module):
            if id(parameter) not in seen and not is_lazy(parameter):
                seen.add(id(parameter))
                full = f"{prefix}.{name}" if prefix else name
                yield full, prefix, module, parameter, id(parameter) not in recorded


def with_rows(root: nn.Module, probes: Sequence[LayerProbe]) -> list[tuple[str, str, nn.Module, Tensor]]:
    """Return the parameters that have a row, as `outside_layers` gives them: those that are trained come first."""
    found = [
        (name, owner, module, parameter)
        for name, owner, module, parameter, is_outside in outside_layers(root, probes)
        if is_outside and parameter.is_floating_point() and parameter.numel()
    ]
    by_size = sorted(range(len(found)), key=lambda at: (not found[at][3].requires_grad, -found[at][3].numel()))
    return [found[at] for at in sorted(by_size[:MOST_OTHER_PARAMETERS])]


def find_parameters(
    root: nn.Module, probes: Sequence[LayerProbe], layers: Sequence[Layer], edges: Sequence[Edge] = ()
) -> tuple[list[ParameterProbe], tuple[OtherParameter, ...]]:
    """Return the parameters that have a row, in the order of the network, and their descriptions.

    Args:
        root: The unwrapped network.
        probes: Its recorded layers.
        layers: Their descriptions.
        edges: Its graph; empty if it was not traced.
    """
    found = with_rows(root, probes)
    owners = list(dict.fromkeys(owner for _, owner, _, _ in found))
    before = layers_before(owners, layers, [name for name, _ in walk(root)], edges)
    layer_of = {owner: _own_layer(owner, layers) or behind for owner, behind in zip(owners, before, strict=True)}
    described = tuple(
        OtherParameter(name, kind_of(module), parameter.numel(), layer_of[owner])
        for name, owner, module, parameter in found
    )
    return [ParameterProbe(name, owner, module) for name, owner, module, _ in found], described


def _own_layer(owner: str, layers: Sequence[Layer]) -> str:
    """Return the layer that a module is, or the first whose weight it owns beside others; "" for any other module."""
    for layer in layers:
        names = (layer.name, *layer.aliases)
        if owner in names or (owner and any(name.rpartition(".")[0] == owner for name in names)):
            return layer.name
    return ""


def try_parameters(
    root: nn.Module, probes: Sequence[LayerProbe], layers: Sequence[Layer], edges: Sequence[Edge] = ()
) -> tuple[list[ParameterProbe], tuple[OtherParameter, ...]]:
    """Return what `find_parameters` does; none if that fails."""
    try:
        return find_parameters(root, probes, layers, edges)
    except Exception as error:  # noqa: BLE001 - the rest is recorded all the same
        warn_once("parameters", f"model: its parameters outside the layers are not recorded: {reason_of(error)}")
        return [], ()


def placed_parameters(root: nn.Module, held: Sequence[OtherParameter]) -> list[ParameterProbe]:
    """Return the parameters of a run that goes on; those that the network lacks have no tensor.

    Args:
        root: The unwrapped network.
        held: The parameters in the run.
    """
    owners = _owners(root)
    probes = []
    for one in held:
        owner = owners.get(one.name)
        probes.append(ParameterProbe(one.name, "" if owner is None else owner[0], None if owner is None else owner[1]))
        if owner is None:
            warn_once(
                f"parameter {one.name}", f"parameter {one.name}: is missing in this model; the run goes on without it"
            )
    return probes


def rebind_parameters(root: nn.Module, probes: Sequence[ParameterProbe]) -> None:
    """Follow a network whose modules were replaced. A parameter that is gone has no value from then on."""
    owners = _owners(root)
    for probe in probes:
        owner = owners.get(probe.name)
        probe.bind(None if owner is None else owner[1])
        if owner is None:
            warn_once(f"parameter {probe.name}", f"parameter {probe.name}: gone; it is left out from here on")


def _owners(root: nn.Module) -> dict[str, tuple[str, nn.Module]]:
    """Return the owner of each parameter and its name, by the name of the parameter; a shared one has several."""
    return {
        f"{prefix}.{name}" if prefix else name: (prefix, module)
        for prefix, module in walk(root)
        for name, _ in own_parameters(module)
    }
