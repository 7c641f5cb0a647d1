"""Finds the layers of a network, and presents each weight with filters as the first axis.

Owns the rules for what counts as a layer, under which name it is stored, and which elements belong to which filter.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Container, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.parameter import is_lazy

from dtui.model import Edge, Layer, Module, Structure
from dtui.record.network.own_weights import (
    WEIGHT,
    effective_weight,
    is_filters_last,
    is_layer,
    made_from,
    weight_identity,
    weight_names,
)

_WRAPPED_UNDER = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_MADE_AT_RUN_TIME = ("Parametrized", "FSDP")


class LayerProbe:
    """One layer of a live network. It does not keep the network alive.

    Attributes:
        name: Dotted name in the unwrapped network; with the weight's name if that is not "weight".
        weight_name: Name of the weight in its module.
        aliases: Other names of modules that use the same weight.
        shape: Of the weight, filters first.
        first_filter: Row of its filter 0 on the flat filter axis.
        present: False once the network no longer has this layer in this shape.
    """

    __slots__ = ("_module", "aliases", "first_filter", "name", "present", "shape", "weight_name")

    def __init__(self, name: str, module: nn.Module, weight_name: str = WEIGHT) -> None:
        self.name = name
        self.module = module
        self.weight_name = weight_name
        self.aliases: tuple[str, ...] = ()
        self.shape: tuple[int, ...] = ()
        self.first_filter = 0
        self.present = True

    @property
    def module(self) -> nn.Module:
        """The module that owns the weight at present.

        Raises:
            ReferenceError: The module no longer exists.
        """
        module = self._module()
        if module is None:
            raise ReferenceError(f"layer {self.name}: its module is gone")
        return module

    @module.setter
    def module(self, module: nn.Module) -> None:
        self._module = weakref.ref(module)

    @property
    def is_gone(self) -> bool:
        """Whether the module no longer exists."""
        return self._module() is None

    @property
    def is_there(self) -> bool:
        """Whether the network has this layer in this shape, as far as is known, and its module exists."""
        return self.present and self._module() is not None

    @property
    def elements(self) -> int:
        """Number of weights in the layer."""
        return math.prod(self.shape)

    @property
    def parameter(self) -> Tensor | None:
        """The weight as a parameter of its module; None if it is parametrized."""
        return self.module._parameters.get(self.weight_name)

    @property
    def made_from(self) -> list[Tensor]:
        """The parameters from which the weight is computed, or the weight itself."""
        return made_from(self.module, self.weight_name)

    def weight(self) -> Tensor:
        """Return the weight that the network uses, detached."""
        return effective_weight(self.module, self.weight_name)

    def gradient(self) -> Tensor | None:
        """Return the weight's gradient, detached and dense; None if the layer is frozen or parametrized."""
        weight = self.parameter
        gradient = None if weight is None or weight.grad is None else weight.grad.detach()
        return gradient if gradient is None or gradient.layout is torch.strided else gradient.to_dense()


def unwrap(module: nn.Module) -> nn.Module:
    """Return the network inside its wrappers: DDP, compiled, FSDP, checkpointed."""
    while not isinstance(module, torch.jit.ScriptModule):
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
            continue
        for name in _WRAPPED_UNDER:
            inner = module._modules.get(name)
            if inner is not None:
                module = inner
                break
        else:
            break
    return module


def walk(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield every dotted name with its unwrapped module, parents first; a shared module comes once per name.

    Parts that TorchScript compiled are passed over: what they are made of cannot be seen.
    """

    def visit(prefix: str, module: nn.Module, above: tuple[int, ...]) -> Iterator[tuple[str, nn.Module]]:
        module = unwrap(module)
        if id(module) in above or isinstance(module, torch.jit.ScriptModule):
            return
        yield prefix, module
        for name, child in module.named_children() if not _has_twins(module) else module._modules.items():
            if child is not None and not (name == "parametrizations" and hasattr(module, "parametrizations")):
                yield from visit(f"{prefix}.{name}" if prefix else name, child, (*above, id(module)))

    yield from visit("", root, ())


def _has_twins(module: nn.Module) -> bool:
    """Whether a child is registered under two names; `named_children` shows only the first."""
    children = [id(child) for child in module._modules.values() if child is not None]
    return len(set(children)) != len(children)


def find_layers(root: nn.Module) -> list[LayerProbe]:
    """Return the layers of a network in `named_modules` order, one per weight; lazy layers have no shape yet.

    Complex weights and integer weights of quantised layers are left out: dtui has no statistics for them.

    Args:
        root: The network, wrapped or not.
    """
    found: dict[int, LayerProbe] = {}
    users: dict[int, list[str]] = {}
    for name, module in walk(root):
        weights = weight_names(module)
        for weight in weights or (WEIGHT,):
            identity = weight_identity(module, weight)
            if identity is None:
                continue
            full = name if weight == WEIGHT else f"{name}.{weight}".removeprefix(".")
            users.setdefault(identity, []).append(full)
            if identity not in found and weights and weight_type(module, weight).is_floating_point:
                found[identity] = LayerProbe(full or kind_of(module), module, weight)
    for identity, probe in found.items():
        probe.aliases = tuple(name for name in users[identity] if name and name != probe.name)
        weight_now = probe.parameter
        if weight_now is None or not is_lazy(weight_now):
            probe.shape = _filters_first_shape(probe)
    return list(found.values())


def known_before(probes: list[LayerProbe], names: Container[str]) -> list[LayerProbe]:
    """Return the layers with which a run can go on: without weights that no layer holds, if it has none of them.

    Args:
        probes: The layers of the network.
        names: Those of the run.
    """
    return [probe for probe in probes if is_layer(probe.module) or probe.name in names]


def head_of(root: nn.Module, outputs: int) -> str:
    """Return the last layer with this number of outputs, or else the last layer, with its number of outputs."""
    probes = find_layers(root)
    fitting = [
        probe for probe in probes if probe.shape and (probe.shape[0] == outputs or (outputs, probe.shape[0]) == (2, 1))
    ]
    probe = (fitting or probes)[-1]
    count = probe.shape[0] if probe.shape else 0
    return f"layer {probe.name} has {count} output{'s' * (count != 1)}"


def weight_type(module: nn.Module, name: str = WEIGHT) -> torch.dtype:
    """Return the element type of a layer's weight."""
    weight = module._parameters.get(name)
    return effective_weight(module, name).dtype if weight is None else weight.dtype


def place(probes: list[LayerProbe]) -> list[LayerProbe]:
    """Give every layer with a known shape its rows on the flat filter axis; lazy and empty layers are left out."""
    ready = [probe for probe in probes if probe.elements and probe.shape]
    row = 0
    for probe in ready:
        probe.first_filter = row
        row += probe.shape[0]
    return ready


def describe(root: nn.Module, probes: list[LayerProbe], edges: tuple[Edge, ...] = ()) -> Structure:
    """Return the structure of a run: its placed layers and the containers above them."""
    layers = tuple(
        Layer(index, probe.name, kind_of(probe.module), probe.shape, probe.first_filter, probe.aliases)
        for index, probe in enumerate(probes)
    )
    below: dict[str, list[int]] = {"": []}
    for layer in layers:
        parts = layer.name.split(".")
        for depth in range(len(parts)):
            below.setdefault(".".join(parts[:depth]), []).append(layer.index)
    kinds = {name: kind_of(module) for name, module in walk(root)}
    modules: list[Module] = []
    index_of: dict[str, int] = {}
    for name in sorted(below, key=lambda name: (below[name][0], name.count(".") + bool(name))):
        parent = index_of[name.rpartition(".")[0]] if name else -1
        index_of[name] = len(modules)
        modules.append(Module(len(modules), name, kinds.get(name, ""), parent, tuple(below[name])))
    has_transposed = any(isinstance(probe.module, _ConvTransposeNd) for probe in probes)
    groups = tuple(int(getattr(probe.module, "groups", 1)) for probe in probes) if has_transposed else ()
    return Structure(layers, tuple(modules), edges, groups=groups)


def rebind(root: nn.Module, probes: list[LayerProbe]) -> list[str]:
    """Follow a network whose modules or weights were replaced since recording began.

    Returns:
        One line for each layer that can no longer be recorded, or is not recorded because it is new.
    """
    current = {probe.name: probe for probe in find_layers(root)}
    changes = []
    for probe in probes:
        now = current.pop(probe.name, None)
        if now is not None and now.shape == probe.shape:
            probe.module, probe.present = now.module, True
        elif probe.present:
            probe.present = False
            found = "gone" if now is None else f"now {now.shape}"
            changes.append(f"layer {probe.name} {probe.shape}: {found}; it is left out from here on")
    changes.extend(f"layer {name}: added after recording began; it is not recorded" for name in current)
    return changes


def has_filters_first(module: nn.Module) -> bool:
    """Whether the first axis of a layer's weight is its filters."""
    return not isinstance(module, _ConvTransposeNd) and not is_filters_last(module)


def row_order(module: nn.Module, weight: Tensor) -> torch.memory_format:
    """Return the element order in which a weight's rows can be read without a copy, if there is one."""
    if weight.is_contiguous() or not has_filters_first(module):
        return torch.contiguous_format
    for rank, order in ((4, torch.channels_last), (5, torch.channels_last_3d)):
        if weight.dim() == rank and weight.is_contiguous(memory_format=order):
            return order
    return torch.contiguous_format


def as_rows(module: nn.Module, tensor: Tensor, order: torch.memory_format) -> Tensor:
    """Return a weight-shaped tensor with one row per filter, without a copy if the memory layout allows it.

    Args:
        module: The layer that owns the weight.
        tensor: The weight or its gradient.
        order: Order of the elements within a row, the same for all tensors that are compared.

    Returns:
        Shape (filters, elements), contiguous.
    """
    if isinstance(module, _ConvTransposeNd):
        inputs, outputs = tensor.shape[:2]
        grouped = tensor.reshape(module.groups, inputs // module.groups, outputs, -1)
        return grouped.permute(0, 2, 1, 3).reshape(module.groups * outputs, -1)
    if is_filters_last(module):
        return tensor.t().contiguous()
    filters, elements = tensor.shape[0], math.prod(tensor.shape[1:])
    if order != torch.contiguous_format:
        tensor = tensor.contiguous(memory_format=order)
        return torch.as_strided(tensor, (filters, elements), (elements, 1), tensor.storage_offset())
    return tensor.reshape(filters, elements).contiguous()


def reorder_rows(
    rows: Tensor, shape: tuple[int, ...], order: torch.memory_format, wanted: torch.memory_format
) -> Tensor:
    """Change the memory order of rows of a weight: from the order in which they were read to the wanted one."""
    if order == wanted:
        return rows
    filters = rows.shape[0]
    if order == torch.contiguous_format:
        return rows.view(filters, *shape[1:]).movedim(1, -1).reshape(rows.shape).contiguous()
    return rows.view(filters, *shape[2:], shape[1]).movedim(-1, 1).reshape(rows.shape).contiguous()


def _filters_first_shape(probe: LayerProbe) -> tuple[int, ...]:
    module, shape = probe.module, tuple(probe.weight().shape)
    if isinstance(module, _ConvTransposeNd):
        return (shape[1] * module.groups, shape[0] // module.groups, *shape[2:])
    return (shape[1], shape[0]) if is_filters_last(module) else shape


def kind_of(module: nn.Module) -> str:
    """Return the class name as its author wrote it, not the name of a class made at run time."""
    kind = type(module)
    while kind.__name__.startswith(_MADE_AT_RUN_TIME) and kind.__mro__[1] is not nn.Module:
        kind = kind.__mro__[1]
    return kind.__name__
