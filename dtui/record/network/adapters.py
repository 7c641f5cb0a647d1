"""Finds the adapters of a network, as PEFT puts them beside weights, and the layer whose weight each changes.

Owns the rule for which of them are measured: those whose change to the weight is scale · BA, and nothing else.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from dtui.model import Adapter
from dtui.model.structure import LORA, MOST_ADAPTERS
from dtui.record.network.layers import LayerProbe, kind_of, walk
from dtui.record.writing.warn import reason_of, warn_once

NAMED = 3
"""Adapters that a message names."""
_BELOW = (".base_layer", ".base_layer.in_proj_weight")
_PAIRS = (("lora_A", "lora_B"), ("lora_embedding_A", "lora_embedding_B"))


class AdapterProbe:
    """One adapter of a live network. It does not keep the network alive.

    Attributes:
        name: Dotted name of the module that it changes.
        adapter: Its own name.
        is_measured: Whether its change is scale · BA.
    """

    __slots__ = ("_module", "adapter", "is_measured", "name")

    def __init__(self, name: str, adapter: str, is_measured: bool, module: nn.Module | None = None) -> None:
        self.name = name
        self.adapter = adapter
        self.is_measured = is_measured
        self._module: weakref.ref[nn.Module] | None = None
        self.bind(module)

    def bind(self, module: nn.Module | None) -> None:
        """Read the adapter of another module from now on; None for no module."""
        self._module = None if module is None else weakref.ref(module)

    @property
    def factors(self) -> tuple[Tensor, Tensor, float] | None:
        """A, of shape (rank, …), B, of shape (outputs, rank, …), and the scale of BA; None if they are not there.

        They are not there, either, where the weight holds BA already: then nothing can be compared with it.
        """
        module = None if self._module is None else self._module()
        pair = None if module is None else _pair(module, self.adapter)
        if module is None or pair is None:
            return None
        if self.adapter in getattr(module, "merged_adapters", ()):
            warn_once(
                "merged adapters",
                f"adapter {self.adapter} of {self.name}: it is merged into its weight; the size of merged adapters is "
                "not recorded",
            )
            return None
        scaling: Any = module.scaling
        return *pair, float(scaling[self.adapter])


def find_adapters(root: nn.Module, probes: Sequence[LayerProbe]) -> tuple[list[AdapterProbe], tuple[Adapter, ...]]:
    """Return the adapters of a network, and their descriptions.

    Args:
        root: The unwrapped network.
        probes: Its recorded layers.
    """
    layers = [probe.name for probe in probes]
    known_as = {other: probe.name for probe in probes for other in (probe.name, *probe.aliases)}
    found: list[AdapterProbe] = []
    described: list[Adapter] = []
    for name, module, adapter, kind in _every(root):
        pair = _pair(module, adapter)
        rank = 0 if pair is None else int(pair[0].shape[0])
        scale = getattr(module, "scaling", {}).get(adapter, 1.0) if pair is not None else 1.0
        base = next((known_as[below] for end in _BELOW if (below := f"{name}{end}") in known_as), "")
        made = tuple(known for known in layers if known.startswith(f"{name}.lora_") and known.endswith(f".{adapter}"))
        described.append(Adapter(name, adapter, kind, rank, float(scale), base, made))
        found.append(AdapterProbe(name, adapter, kind == LORA, module))
    return found[:MOST_ADAPTERS], tuple(described[:MOST_ADAPTERS])


def try_adapters(root: nn.Module, probes: Sequence[LayerProbe]) -> tuple[list[AdapterProbe], tuple[Adapter, ...]]:
    """Return what `find_adapters` does, and tell what is not measured; none if that fails."""
    try:
        found = find_adapters(root, probes)
        _tell(found[1])
        return found
    except Exception as error:  # noqa: BLE001 - their layers are recorded all the same
        warn_once("adapters", f"model: its adapters are not compared with their weights: {reason_of(error)}")
        return [], ()


def placed_adapters(root: nn.Module, held: Sequence[Adapter]) -> list[AdapterProbe]:
    """Return the adapters of a run that goes on; those that the network lacks have no values."""
    probes = [AdapterProbe(one.name, one.adapter, one.is_measured) for one in held]
    rebind_adapters(root, probes, "is missing in this model; the run goes on without it")
    return probes


def rebind_adapters(
    root: nn.Module, probes: Sequence[AdapterProbe], said: str = "gone; it is left out from here on"
) -> None:
    """Follow a network whose modules were replaced. An adapter that is gone has no value from then on."""
    there = {(name, adapter): module for name, module, adapter, _ in _every(root)}
    for probe in probes:
        module = there.get((probe.name, probe.adapter))
        probe.bind(module)
        if module is None:
            warn_once(f"adapter {probe.name}", f"adapter {probe.adapter} of {probe.name}: {said}")


def _every(root: nn.Module) -> Iterator[tuple[str, nn.Module, str, str]]:
    """Yield for each adapter the name of the module it changes, that module, its own name, and its kind."""
    for name, module in walk(root):
        kinds = {kind.__name__ for kind in type(module).__mro__}
        if "BaseTunerLayer" not in kinds:
            continue
        for adapter in _names(module):
            yield name, module, adapter, _kind(module, adapter)


def _names(module: nn.Module) -> list[str]:
    """Return the names of the adapters of a module."""
    holders = (getattr(module, part, None) for part in getattr(module, "adapter_layer_names", ()))
    names = (str(name) for holder in holders if isinstance(holder, Mapping | nn.Module) for name in _keys(holder))
    return list(dict.fromkeys(names))


def _keys(holder: object) -> Iterator[object]:
    keys = getattr(holder, "keys", None)
    yield from keys() if callable(keys) else ()


def _kind(module: nn.Module, adapter: str) -> str:
    """Return LORA for an adapter that adds scale · BA to its weight, and the name of anything else."""
    package = type(module).__module__.split(".")
    tuner = package[2] if package[:2] == ["peft", "tuners"] and len(package) > 2 else kind_of(module)
    if tuner != "lora":
        return tuner
    variant = getattr(module, "lora_variant", {}).get(adapter)
    if variant is not None or adapter in getattr(module, "lora_magnitude_vector", ()):
        told = "Dora" if variant is None else type(variant).__name__
        return "DoRA" if told.startswith("Dora") else told
    if getattr(getattr(module, "base_layer", None), "groups", 1) != 1:
        return "LoRA of a grouped convolution"
    if _pair(module, adapter) is None or kind_of(module) == "ParamWrapper":
        return f"LoRA as {kind_of(module)}"
    return LORA


def _pair(module: nn.Module, adapter: str) -> tuple[Tensor, Tensor] | None:
    """Return A and B of an adapter; None where it has none whose shapes fit."""
    if adapter not in getattr(module, "scaling", ()):
        return None
    parts = module._modules  # what a module answers by name takes longer, and this is asked at every record
    for first, second in _PAIRS:
        a, b = _factor(parts.get(first), adapter), _factor(parts.get(second), adapter)
        if a is not None and b is not None:
            return (a, b) if min(a.dim(), b.dim()) > 1 and a.shape[0] == b.shape[1] else None
    return None


def _factor(holder: nn.Module | None, adapter: str) -> Tensor | None:
    if holder is None:
        return None
    own = holder._modules.get(adapter)
    return holder._parameters.get(adapter) if own is None else own._parameters.get("weight")


def _tell(adapters: Sequence[Adapter]) -> None:
    """Tell in one line each which adapters are not measured, and which have no recorded weight to compare with."""
    others = [one for one in adapters if not one.is_measured]
    if others:
        kinds = ", ".join(dict.fromkeys(one.kind for one in others))
        warn_once(
            "adapters not measured",
            f"adapters: those of {_named(others)} ({kinds}) are not compared with their weights; of adapters only "
            f"{LORA} is",
        )
    alone = [one for one in adapters if one.is_measured and not one.base]
    if alone:
        warn_once(
            "adapters without a weight",
            f"adapters: the weight below {_named(alone)} is not recorded, so these have a size and no share of it",
        )


def _named(adapters: Sequence[Adapter]) -> str:
    names = list(dict.fromkeys(one.name for one in adapters))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
