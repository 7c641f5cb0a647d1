"""Finds the attention heads of a network: which filters of which layer make the queries, keys and values of each head.

Owns the layouts that are known. A layer whose layout is not known has no heads here: a wrong head says more than none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from dtui.model import HeadGroup
from dtui.record.network.layers import LayerProbe, kind_of, walk
from dtui.record.writing.warn import reason_of, warn_once

HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "nheads", "heads")
FEWER_HEADS = ("num_key_value_heads", "num_kv_heads", "n_kv_heads")
"""Of keys and values, where several heads of queries share one."""
SIZES = ("head_dim", "attention_head_size", "key_value_proj_dim")
APART = {
    "query": ("q_proj", "query", "q", "q_lin", "to_q", "wq", "q_attn", "query_proj", "q_proj_weight"),
    "key": ("k_proj", "key", "k", "k_lin", "to_k", "wk", "key_proj", "k_proj_weight"),
    "value": ("v_proj", "value", "v", "v_lin", "to_v", "wv", "value_proj", "v_proj_weight"),
    "output": ("out_proj", "o_proj", "o", "out_lin", "to_out.0", "to_out", "wo", "proj", "c_proj", "dense"),
}
"""Names of layers with one part each, within the module of an attention."""
TOGETHER = ("in_proj_weight", "qkv", "qkv_proj", "c_attn", "Wqkv", "to_qkv")
"""Names of layers with all queries, then all keys, then all values."""
INTERLEAVED = {"query_key_value": ("GPTNeoX", "Bloom")}
"""Names of layers with query, key and value of head 0, then those of head 1, in classes that begin so."""
OTHERWISE = ("CodeGen", "GPTBigCode", "Falcon", "DeepseekV", "Qwen3Next")
"""Beginnings of classes whose layers have those names and another layout."""
_PARTS = ("query", "key", "value")


def find_heads(root: nn.Module, probes: Sequence[LayerProbe]) -> tuple[HeadGroup, ...]:
    """Return the groups of heads of a network, by layer.

    Args:
        root: The unwrapped network.
        probes: Its recorded layers, placed.
    """
    layers = {_told(probe): index for index, probe in enumerate(probes)}
    groups: dict[tuple[int, str], HeadGroup] = {}
    for name, module in walk(root):
        counts = _counts(module)
        if counts is None or kind_of(module).startswith(OTHERWISE):
            continue
        prefix = f"{name}." if name else ""
        own = {known.removeprefix(prefix): at for known, at in layers.items() if known.startswith(prefix)}
        for within, index in [*own.items(), *_output_beside(name, layers)]:
            for group in _groups_of(module, within, index, probes[index].shape, counts):
                groups.setdefault((index, group.part), group)
    return tuple(sorted(groups.values(), key=lambda group: (group.layer, group.first)))


def try_heads(root: nn.Module, probes: Sequence[LayerProbe]) -> tuple[HeadGroup, ...]:
    """Return what `find_heads` does; none if that fails."""
    try:
        return find_heads(root, probes)
    except Exception as error:  # noqa: BLE001 - its filters are recorded all the same
        warn_once("heads", f"model: its attention heads are not known: {reason_of(error)}")
        return ()


def _told(probe: LayerProbe) -> str:
    """Return the name of a layer as its network has it without adapters."""
    return probe.name.replace(".base_layer", "")


def _counts(module: nn.Module) -> tuple[int, int, int] | None:
    """Return the heads of queries, those of keys and values, and the size of each (0 if unknown) of an attention."""
    config = _config(module) if "Attention" in kind_of(module) else None
    heads = _whole(module, HEADS) or _whole(config, HEADS)
    if not heads or heads < 2:
        return None
    fewer = _whole(module, FEWER_HEADS) or _whole(config, FEWER_HEADS) or heads
    return heads, fewer, _whole(module, SIZES) or _whole(config, SIZES)


def _config(module: nn.Module) -> Any:
    """Return the configuration of an attention: that of its layer, where layers may differ; None for none."""
    config, layer = getattr(module, "config", None), getattr(module, "layer_idx", None)
    of_layers = getattr(config, "per_layer_config", None)
    return config if of_layers is None or type(layer) is not int else of_layers[layer]


def _whole(owner: Any, names: Sequence[str]) -> int:
    """Return the first attribute that is a positive integer; 0 for none."""
    found = (getattr(owner, name, None) for name in names)
    return next((value for value in found if type(value) is int and value > 0), 0)


def _output_beside(name: str, layers: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Yield the output of an attention that BERT keeps beside it: `attention.output.dense` for `attention.self`."""
    above, _, last = name.rpartition(".")
    index = layers.get(f"{above}.output.dense")
    if last in ("self", "attention") and index is not None:
        yield "dense", index


def _groups_of(
    module: nn.Module, within: str, layer: int, shape: tuple[int, ...], counts: tuple[int, int, int]
) -> list[HeadGroup]:
    """Return the groups of heads of one layer of an attention; none where its shape does not fit them."""
    heads, fewer, size = counts
    filters, inputs = shape[0], math.prod(shape[1:])
    if len(shape) > 2 and inputs != shape[1]:
        return []
    for part, names in APART.items():
        if within in names:
            count = fewer if part in ("key", "value") else heads
            length = inputs if part == "output" else filters
            each = size or length // count
            is_fit = each * count == length and each > 0
            return [HeadGroup(layer, part, 0, each, each, count, part == "output")] if is_fit else []
    if within in TOGETHER:
        return _one_after_the_other(layer, filters, _parts_of(module, heads, fewer), size)
    each = filters // (3 * heads)
    if kind_of(module).startswith(INTERLEAVED.get(within, ("\0",))) and each * 3 * heads == filters and each:
        return [HeadGroup(layer, part, at * each, 3 * each, each, heads) for at, part in enumerate(_PARTS)]
    return []


def _parts_of(module: nn.Module, heads: int, fewer: int) -> list[tuple[str, int]]:
    """Return the parts of a layer with all of them, and the heads of each: attention to others has no queries there."""
    counted = list(zip(_PARTS, (heads, fewer, fewer), strict=True))
    return counted[1:] if getattr(module, "is_cross_attention", False) is True else counted


def _one_after_the_other(layer: int, filters: int, parts: list[tuple[str, int]], size: int) -> list[HeadGroup]:
    total = sum(count for _, count in parts)
    each = size or filters // total
    if each * total != filters or not each:
        return []
    groups, first = [], 0
    for part, count in parts:
        groups.append(HeadGroup(layer, part, first, each, each, count))
        first += each * count
    return groups
