"""The real model classes of transformers, without weights: every layer, the hierarchy, and where branches join."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dtui.model import FILTER_STATISTICS, Structure
from tests.record.conftest import RecorderUnderTest

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")

Make = Callable[..., RecorderUnderTest]


@dataclass(frozen=True)
class Case:
    """A model class, small.

    Attributes:
        name: Of the class and its configuration, without ForImageClassification and Config.
        options: Of the configuration.
        size: Of the images.
        layers: How many there are.
        modules: Module to how many modules are directly in it.
        kinds: Class names of modules to how many there are.
        joins: Node to what comes together in it.
    """

    name: str
    options: dict[str, Any]
    size: int
    layers: int
    modules: dict[str, int]
    kinds: dict[str, int]
    joins: dict[str, set[str]]


TRANSFORMER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
FOUR = {"hidden_sizes": [8, 16, 16, 16]}


def attention(name: str) -> dict[str, set[str]]:
    return {f"{name}/scaled_dot_product_attention": {f"{name}.{part}_proj" for part in "qkv"}}


CASES = (
    Case(
        "ResNet", {"embedding_size": 4, **FOUR, "depths": [3, 4, 6, 3]}, 32, 54,
        {"resnet": 2, "resnet.encoder.stages": 4, **{
            f"resnet.encoder.stages.{stage}.layers": blocks for stage, blocks in enumerate((3, 4, 6, 3))
        }},
        {"ResNetStage": 4, "ResNetBottleNeckLayer": 16},
        {
            "resnet.encoder.stages.2.layers.5/add": {
                "resnet.encoder.stages.2.layers.4.activation",
                "resnet.encoder.stages.2.layers.5.layer.2.normalization",
            },
            "resnet.encoder.stages.2.layers.0/add": {
                "resnet.encoder.stages.2.layers.0.shortcut.normalization",
                "resnet.encoder.stages.2.layers.0.layer.2.normalization",
            },
            "classifier.1": {"classifier.0"},
            "output": {"classifier.1"},
        },
    ),
    Case(
        "ConvNext", {"hidden_sizes": [4, 8, 8, 8], "depths": [1, 1, 2, 1]}, 64, 20,
        {"convnext.encoder.stages": 4, "convnext.encoder.stages.2.layers": 2},
        {"ConvNextStage": 4, "ConvNextLayer": 5},
        {"convnext.encoder.stages.2.layers.1/add":
            {"convnext.encoder.stages.2.layers.0/add", "convnext.encoder.stages.2.layers.1.pwconv2"}},
    ),
    Case(
        "ConvNextV2", {"hidden_sizes": [4, 8], "depths": [1, 1], "num_stages": 2}, 32, 9,
        {"convnextv2.encoder.stages": 2}, {"ConvNextV2Layer": 2},
        {"convnextv2.encoder.stages.0.layers.0/add":
            {"convnextv2.embeddings.layernorm", "convnextv2.encoder.stages.0.layers.0.pwconv2"}},
    ),
    Case(
        "ViT", {**TRANSFORMER, "image_size": 16, "patch_size": 8}, 16, 14,
        {"vit": 2, "vit.layers": 2, "vit.layers.1": 2}, {"ViTLayer": 2, "ViTAttention": 2, "ViTMLP": 2},
        {**attention("vit.layers.1.attention"), "vit.layers.1/add": {"vit.layers.0/add#2", "vit.layers.1.dropout"}},
    ),
    Case(
        "DeiT", {**TRANSFORMER, "image_size": 16, "patch_size": 8}, 16, 14,
        {"deit.layers": 2}, {"DeiTLayer": 2}, attention("deit.layers.0.attention"),
    ),
    Case(
        "MobileNetV2", {"depth_multiplier": 0.25, "image_size": 32}, 32, 53,
        {"mobilenet_v2.layer": 16, "mobilenet_v2.layer.15": 3}, {"MobileNetV2InvertedResidual": 16},
        {"mobilenet_v2.layer.1/add":
            {"mobilenet_v2.layer.0.reduce_1x1.normalization", "mobilenet_v2.layer.1.reduce_1x1.normalization"}},
    ),
    Case(
        "RegNet", {"embedding_size": 8, **FOUR, "depths": [1, 2, 1, 1], "groups_width": 8}, 64, 31,
        {"regnet.encoder.stages": 4, "regnet.encoder.stages.1.layers": 2}, {"RegNetStage": 4, "RegNetYLayer": 5},
        {"regnet.encoder.stages.1.layers.1.layer.2/mul": {
            "regnet.encoder.stages.1.layers.1.layer.1.activation",
            "regnet.encoder.stages.1.layers.1.layer.2.attention.3",
        }},
    ),
    Case(
        "EfficientNet",
        {"width_coefficient": 0.1, "depth_coefficient": 0.1, "image_size": 32, "hidden_dim": 128}, 32, 37,
        {"efficientnet.encoder.blocks": 7}, {"EfficientNetBlock": 7},
        {"efficientnet.encoder.blocks.1.squeeze_excite/mul": {
            "efficientnet.encoder.blocks.1.depthwise_conv.depthwise_act",
            "efficientnet.encoder.blocks.1.squeeze_excite.act_expand",
        }},
    ),
    Case(
        "Swin",
        {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2], "window_size": 4},
        32, 21, {"swin.encoder.layers": 2, "swin.encoder.layers.1.blocks": 2}, {"SwinStage": 2, "SwinLayer": 3},
        {"swin.encoder.layers.1.blocks.1/add#2":
            {"swin.encoder.layers.1.blocks.1.dropout#2", "swin.encoder.layers.1.blocks.1/add"}},
    ),
    Case(
        "Levit",
        {"image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 3, 4], "depths": [1, 1, 1],
         "key_dim": [8, 8, 8]},
        64, 27, {"levit.encoder.stages": 3}, {},
        {"levit.encoder.stages.0.layers.0/add": {
            "levit.encoder.stages.0.layers.0.module.projection.batch_norm",
            "levit.patch_embeddings.embedding_layer_4.batch_norm",
        }},
    ),
)  # fmt: skip


def made(case: Case) -> nn.Module:
    import transformers

    configuration = getattr(transformers, f"{case.name}Config")(**case.options)
    model: nn.Module = getattr(transformers, f"{case.name}ForImageClassification")(configuration)
    return model


def check_structure(structure: Structure, case: Case, model: nn.Module) -> None:
    assert len(structure.layers) == case.layers
    assert all(model.get_submodule(module.name) is not None for module in structure.modules)
    inside = Counter(structure.modules[module.parent].name for module in structure.modules if module.parent >= 0)
    assert {name: inside[name] for name in case.modules} == case.modules
    kinds = Counter(module.kind for module in structure.modules)
    assert {kind: kinds[kind] for kind in case.kinds} == case.kinds
    sources: dict[str, set[str]] = {}
    for edge in structure.edges:
        sources.setdefault(edge.target, set()).add(edge.source)
    assert {node: sources.get(node) for node in case.joins} == case.joins
    assert {layer.name for layer in structure.layers} <= {node.partition("#")[0] for node in sources}
    used = {edge.source for edge in structure.edges}
    assert set(sources) - used == {"output"}, "a node that leads nowhere"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_training_step_is_recorded_and_the_network_is_seen_as_it_is(record: Make, case: Case) -> None:
    torch.manual_seed(0)
    model = made(case)
    model.train()
    images = torch.randn(2, 3, case.size, case.size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    recorder = record(model, optimizer, every=1)
    for _ in range(2):
        optimizer.zero_grad()
        model(pixel_values=images).logits.square().mean().backward()
        optimizer.step()
    recorder.close()
    check_structure(recorder.store.structure, case, model)
    last = recorder.store.records[-1]
    for statistic in ("norm", "update_norm", "gradient_norm"):
        assert np.isfinite(last.filters[FILTER_STATISTICS.index(statistic)]).all()
    assert (last.filters[FILTER_STATISTICS.index("update_norm")] > 0).any()


def test_layers_that_store_filters_last_are_read_filter_by_filter(record: Make) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=31, n_positions=16))
    recorder = record(model, every=1)
    model(torch.randint(0, 31, (2, 5)))
    recorder.step()
    recorder.close()
    layers = {layer.name: layer for layer in recorder.store.structure.layers}
    assert len(layers) == 9
    layer: Any = layers["transformer.h.0.attn.c_attn"]
    assert layer.shape == (24, 8)
    assert layers["lm_head"].aliases == ("transformer.wte",)
    assert set(layers) <= {edge.target.partition("#")[0] for edge in recorder.store.structure.edges}
    found = recorder.store.records[0].filters[FILTER_STATISTICS.index("norm"), layer.filter_rows]
    weight = model.get_submodule(layer.name).weight.detach()
    np.testing.assert_allclose(found, weight.norm(dim=0).numpy(), rtol=1e-5)
