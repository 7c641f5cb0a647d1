"""Attention heads: which filters make them in the layouts that are known, and what they did, against torch itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

import dtui
from dtui.errors import NotRecordedError, UsageError
from dtui.model import FILTER_STATISTICS, HeadGroup, TimeAxis
from dtui.query import RunQuery
from dtui.query.layers.beside.heads import FORMULAS
from dtui.record.network.heads import find_heads
from dtui.record.network.layers import find_layers, place

HEADS, WIDTH = 4, 16


class Attention(nn.Module):
    """As in timm: one layer for queries, keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads = HEADS
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        return self.proj(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def found(model: nn.Module) -> dict[str, tuple[int, int, int, int, bool]]:
    """Return the groups of a network by layer and part: first, step, size, count, and whether of inputs."""
    probes = place(find_layers(model))
    return {
        f"{probes[one.layer].name} {one.part}": (one.first, one.step, one.size, one.count, one.of_inputs)
        for one in find_heads(model, probes)
    }


def test_multihead_attention_of_torch() -> None:
    assert found(nn.MultiheadAttention(WIDTH, HEADS)) == {
        "in_proj_weight query": (0, 4, 4, 4, False),
        "in_proj_weight key": (16, 4, 4, 4, False),
        "in_proj_weight value": (32, 4, 4, 4, False),
        "out_proj output": (0, 4, 4, 4, True),
    }
    apart = found(nn.MultiheadAttention(WIDTH, HEADS, kdim=8, vdim=6))
    assert [name for name in apart if apart[name][:4] == (0, 4, 4, 4)] == [
        *(f"{part}_proj_weight {name}" for part, name in zip("qkv", ("query", "key", "value"), strict=True)),
        "out_proj output",
    ]


def test_fused_layers_as_in_timm() -> None:
    assert list(found(Attention())) == ["qkv query", "qkv key", "qkv value", "proj output"]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("GPT2", {"n_layer": 1, "n_embd": 16, "n_head": 4}, {"h.0.attn.c_attn key": (16, 4, 4, 4, False)}),
        ("GPT2", {"n_layer": 1, "n_embd": 16, "n_head": 4}, {"h.0.attn.c_proj output": (0, 4, 4, 4, True)}),
        (
            "GPT2",
            {"n_layer": 1, "n_embd": 16, "n_head": 4, "add_cross_attention": True},
            {"h.0.crossattention.c_attn value": (16, 4, 4, 4, False)},
        ),
        ("Bert", {}, {"encoder.layer.0.attention.output.dense output": (0, 4, 4, 4, True)}),
        ("Llama", {"num_key_value_heads": 2}, {"layers.0.self_attn.k_proj key": (0, 4, 4, 2, False)}),
        (
            "Phi3",
            {"num_key_value_heads": 2, "pad_token_id": 0},
            {"layers.0.self_attn.qkv_proj value": (24, 4, 4, 2, False)},
        ),
        ("GPTNeoX", {}, {"layers.0.attention.query_key_value key": (4, 12, 4, 4, False)}),
        ("Qwen3", {"head_dim": 8, "num_key_value_heads": 2}, {"layers.0.self_attn.q_proj query": (0, 8, 8, 4, False)}),
        (
            "DistilBert",
            {"dim": 16, "n_layers": 1, "n_heads": 4, "hidden_dim": 32},
            {"transformer.layer.0.attention.v_lin value": (0, 4, 4, 4, False)},
        ),
    ],
)
def test_attention_of_transformers(name: str, options: dict[str, Any], expected: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 32}
    sizes = {} if name in ("GPT2", "DistilBert") else sizes
    config = getattr(transformers, f"{name}Config")(**{"vocab_size": 11, **sizes, **options})
    groups = found(getattr(transformers, f"{name}Model")(config))
    assert {key: groups[key] for key in expected} == expected
    assert all("attn" in key or "attention" in key.lower() for key in groups)


def test_what_does_not_fit_has_no_heads() -> None:
    odd = Attention()
    odd.num_heads = 5
    assert found(odd) == {}
    lone = Attention()
    lone.num_heads = 1
    assert found(lone) == {}
    assert found(nn.Sequential(nn.Linear(4, 12))) == {}


class Words(nn.Module):
    """A network with an attention of two layouts, and a layer that makes no heads."""

    def __init__(self) -> None:
        super().__init__()
        self.fused, self.torch = Attention(), nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.last = nn.Linear(WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.fused(x)
        return self.last(x + self.torch(x, x, x)[0])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Tensor], list[Tensor]]:
    """A short training, and the fused weight and its gradient after each update."""
    torch.manual_seed(4)
    model = Words()
    optimizer = optim.SGD(model.parameters(), 0.3)
    recorder = dtui.Recorder(tmp_path_factory.mktemp("run") / "heads", model, optimizer, every=1, fused=False)
    weights, gradients = [], []
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(6, 5, WIDTH)).square().mean().backward()
        optimizer.step()
        weights.append(model.fused.qkv.weight.detach().double().clone())
        gradients.append(model.fused.qkv.weight.grad.double().clone())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dtui.store.write.background_compactor.Compactor._spawn", lambda self, *options: None)
        recorder.close()
    return recorder.path, weights, gradients


def twins(w: Tensor, before: Tensor | None, g: Tensor) -> dict[str, float]:
    """Return the statistics of some filters together as if they were one, in double precision."""
    nothing = before is None
    old = w if before is None else before
    cosine = 1 - torch.dot(w.flatten(), old.flatten()) / (w.norm() * old.norm())
    return {
        "mean": float(w.mean()),
        "std": float(w.std(correction=0)),
        "norm": float(w.norm()),
        "share_negative": float((w < 0).double().mean()),
        "sum_positive": float(w.clamp(min=0).sum()),
        "sum_negative": float(w.clamp(max=0).sum()),
        "update_norm": float("nan") if nothing else float((w - old).norm()),
        "update_ratio": float("nan") if nothing else float((w - old).norm() / old.norm()),
        "cosine_distance": float("nan") if nothing else float(cosine),
        "gradient_mean": float(g.mean()),
        "gradient_std": float(g.std(correction=0)),
        "gradient_norm": float(g.norm()),
        "nonfinite": 0.0,
    }


@pytest.mark.parametrize("statistic", FILTER_STATISTICS)
def test_a_head_is_what_all_its_weights_are_together(
    trained: tuple[Path, list[Tensor], list[Tensor]], statistic: str
) -> None:
    path, weights, gradients = trained
    query = RunQuery(path)
    layer = next(one.index for one in query.structure().layers if one.name == "fused.qkv")
    heads = [one for one in query.heads() if one.index == layer]
    assert [head.title for head in heads[:5]] == ["query 0", "query 1", "query 2", "query 3", "key 0"]
    values = query.head_values(layer, statistic)
    assert values.shape == (3 * HEADS, 5)
    for row, head in enumerate(heads):
        own = slice(head.first, head.stop)
        for step in range(5):
            before = weights[step - 1][own] if step else None
            expected = twins(weights[step][own], before, gradients[step][own])[statistic]
            if statistic == "cosine_distance" and step:  # a lower bound
                assert 0 <= values[row, step] <= expected * 1.02
                assert values[row, step] > expected * 0.5
            else:
                close = {"rel": 1e-2, "abs": 2e-4 if "mean" in statistic else 1e-9, "nan_ok": True}
                assert values[row, step] == pytest.approx(expected, **close)


def test_every_statistic_of_filters_has_a_formula() -> None:
    assert set(FORMULAS) == set(FILTER_STATISTICS)


def test_series_of_heads_of_two_layers_and_what_is_refused(trained: tuple[Path, list[Tensor], list[Tensor]]) -> None:
    query = RunQuery(trained[0])
    layers = {one.name: one.index for one in query.structure().layers}
    assert query.info().heads == 6 * HEADS
    every = [one for one in query.heads() if not one.of_inputs]
    last = len(every) - 1
    series = query.head_series([0, last], "norm", TimeAxis(0, 5, 5))
    for row, at in enumerate((0, last)):
        own = [one for one in every if one.index == every[at].index]
        expected = query.head_values(every[at].index, "norm")[own.index(every[at])]
        np.testing.assert_allclose(series.values[row], expected)
    with pytest.raises(NotRecordedError, match="makes no attention heads"):
        query.head_values(layers["last"], "norm")
    with pytest.raises(NotRecordedError, match="makes no attention heads"):
        query.head_values(layers["torch.out_proj"], "norm")
    with pytest.raises(UsageError, match="head 24: the run has 24"):
        query.head_series([24], "norm", TimeAxis(0, 5, 5))
    with pytest.raises(UsageError, match="'speed' is unknown"):
        query.head_values(layers["fused.qkv"], "speed")
    (output,) = [one for one in query.structure().heads if one.layer == layers["fused.proj"]]
    assert output == HeadGroup(layers["fused.proj"], "output", 0, 4, 4, 4, of_inputs=True)


def test_a_configuration_may_differ_from_layer_to_layer() -> None:
    """As that of Dots3 in transformers: asked for what differs, the one of the whole network raises."""

    class OfAll:
        per_layer_config = tuple(
            SimpleNamespace(num_attention_heads=HEADS, num_key_value_heads=heads) for heads in (1, 2)
        )

        @property
        def num_attention_heads(self) -> int:
            raise RuntimeError("it is a per-layer attribute. Access it otherwise")

    class OwnAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config, self.layer_idx = OfAll(), 1
            self.q_proj, self.k_proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 8)

    assert found(OwnAttention()) == {"q_proj query": (0, 4, 4, 4, False), "k_proj key": (0, 4, 4, 2, False)}
