"""The real model classes of transformers, without their weights."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dtui.model import FILTER_STATISTICS
from tests.record.conftest import RecorderUnderTest

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")

Make = Callable[..., RecorderUnderTest]


def vit() -> tuple[nn.Module, dict[str, torch.Tensor]]:
    from transformers import ViTConfig, ViTForImageClassification

    small = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, image_size=16, patch_size=8
    )
    return ViTForImageClassification(small), {"pixel_values": torch.randn(2, 3, 16, 16)}


def convnext() -> tuple[nn.Module, dict[str, torch.Tensor]]:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    small = ConvNextConfig(hidden_sizes=[4, 8, 8, 8], depths=[1, 1, 1, 1])
    return ConvNextForImageClassification(small), {"pixel_values": torch.randn(2, 3, 64, 64)}


def mobilenet() -> tuple[nn.Module, dict[str, torch.Tensor]]:
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    return MobileNetV2ForImageClassification(MobileNetV2Config(depth_multiplier=0.25, image_size=32)), {
        "pixel_values": torch.randn(2, 3, 32, 32)
    }


def resnet50() -> tuple[nn.Module, dict[str, torch.Tensor]]:
    from transformers import ResNetConfig, ResNetForImageClassification

    small = ResNetConfig(embedding_size=4, hidden_sizes=[8, 16, 16, 16], depths=[3, 4, 6, 3])
    return ResNetForImageClassification(small), {"pixel_values": torch.randn(2, 3, 32, 32)}


def gpt2() -> tuple[nn.Module, dict[str, torch.Tensor]]:
    from transformers import GPT2Config, GPT2LMHeadModel

    small = GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=31, n_positions=16)
    return GPT2LMHeadModel(small), {"input_ids": torch.randint(0, 31, (2, 5))}


MODELS: dict[str, tuple[Callable[[], tuple[nn.Module, dict[str, torch.Tensor]]], int, tuple[str, ...]]] = {
    "vit": (vit, 14, ("vit.embeddings.patch_embeddings.projection", "classifier")),
    "convnext": (convnext, 17, ("convnext.encoder.stages.3.layers.0.dwconv", "classifier")),
    "mobilenet": (mobilenet, 53, ("mobilenet_v2.conv_stem.first_conv.convolution", "classifier")),
    "resnet50": (resnet50, 54, ("resnet.encoder.stages.2.layers.5.layer.2.convolution", "classifier.1")),
    "gpt2": (gpt2, 9, ("transformer.h.1.mlp.c_proj", "lm_head")),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_is_recorded_and_every_layer_is_there(record: Make, name: str) -> None:
    torch.manual_seed(0)
    make, count, some = MODELS[name]
    model, inputs = make()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    recorder = record(model, optimizer, every=1)
    for _ in range(2):
        optimizer.zero_grad()
        model(**inputs).logits.square().mean().backward()
        optimizer.step()
    recorder.close()
    structure = recorder.store.structure
    names = [layer.name for layer in structure.layers]
    assert len(names) == count
    assert set(some) <= set(names)
    assert all(model.get_submodule(module.name) is not None for module in structure.modules)
    leaves = {edge.target.partition("#")[0] for edge in structure.edges}
    assert set(names) <= leaves
    assert {edge.target for edge in structure.edges} >= {"output"}
    last = recorder.store.records[-1]
    for statistic in ("norm", "update_norm", "gradient_norm"):
        assert np.isfinite(last.filters[FILTER_STATISTICS.index(statistic)]).all()
    assert (last.filters[FILTER_STATISTICS.index("update_norm")] > 0).any()


def test_layers_that_store_filters_last_are_read_filter_by_filter(record: Make) -> None:
    model, _ = gpt2()
    recorder = record(model, every=1)
    recorder.step()
    recorder.close()
    layers = {layer.name: layer for layer in recorder.store.structure.layers}
    layer: Any = layers["transformer.h.0.attn.c_attn"]
    assert layer.shape == (24, 8)
    assert layers["lm_head"].aliases == ("transformer.wte",)
    found = recorder.store.records[0].filters[FILTER_STATISTICS.index("norm"), layer.filter_rows]
    weight = model.get_submodule(layer.name).weight.detach()
    np.testing.assert_allclose(found, weight.norm(dim=0).numpy(), rtol=1e-5)
