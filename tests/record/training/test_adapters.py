"""Adapters beside weights: which are found, how large each is, and what is said of those that are not measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

import dtui
from dtui.model.findings.adapters import adapter_sentences
from dtui.model.structure import LORA, Adapter
from dtui.query import RunQuery
from dtui.record.measure.adapter_values import AdapterValues
from dtui.record.network.adapters import find_adapters
from dtui.record.network.layers import find_layers, place
from dtui.record.writing.warn import RecorderWarning, forget_told
from dtui.store import RunReader

peft = pytest.importorskip("peft")
Trained = tuple[Path, list[dict[str, float]], list[str]]


class Net(nn.Module):
    """Words, an image's convolution and two fully connected layers: all that LoRA can stand beside."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 8)
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.wide = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.first = nn.Linear(16, 12)
        self.last = nn.Linear(12, 4)

    def forward(self, ids: Tensor, images: Tensor) -> Tensor:
        seen = self.wide(self.conv(images)).mean((2, 3))
        return self.last(self.first(torch.cat([self.words(ids).mean(1), seen], 1)).relu())


@contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def adapted(targets: list[str], **options: Any) -> nn.Module:
    torch.manual_seed(1)
    with quiet():
        model: nn.Module = peft.get_peft_model(Net(), peft.LoraConfig(target_modules=targets, **options))
    for name, parameter in model.named_parameters():
        if "lora_" in name:  # B begins as zero
            nn.init.normal_(parameter)
    return model


def called(one: Adapter) -> str:
    return f"{one.name.removeprefix('base_model.model.')} {one.adapter}"


def sizes(model: nn.Module) -> dict[str, float]:
    """Return the size of each adapter as the recorder measures it."""
    probes, described = find_adapters(model, place(find_layers(model)))
    found = AdapterValues(probes).take()()
    assert found is not None
    return dict(zip(map(called, described), found.tolist(), strict=True))


def deltas(model: nn.Module) -> dict[str, float]:
    """Return what PEFT itself adds to each weight, made whole, in double precision."""
    twin = {}
    for name, module in model.named_modules():
        if isinstance(module, peft.tuners.lora.LoraLayer):
            for adapter in (*module.lora_A, *module.lora_embedding_A):
                delta = module.double().get_delta_weight(adapter)
                twin[f"{name.removeprefix('base_model.model.')} {adapter}"] = float(delta.detach().norm())
    return twin


def test_the_size_is_that_of_what_peft_adds_to_the_weight() -> None:
    model = adapted(["words", "conv", "first", "last"], r=3, lora_alpha=7, use_rslora=True)
    with quiet():
        model.add_adapter("other", peft.LoraConfig(r=2, lora_alpha=3, target_modules=["first"]))
    nn.init.normal_(model.base_model.model.first.lora_B["other"].weight)
    found = sizes(model)
    assert len(found) == 5
    assert found == pytest.approx(deltas(model), rel=1e-6)


def test_a_large_rank_in_half_precision_is_near() -> None:
    model = adapted(["first"], r=80).bfloat16()
    assert sizes(model) == pytest.approx(deltas(model), rel=1e-3)


def test_each_has_the_layers_that_it_is_made_of_and_the_weight_below_it() -> None:
    model = adapted(["words", "first"], r=3, lora_alpha=6)
    _, (words, first) = find_adapters(model, place(find_layers(model)))
    assert (words.kind, words.rank, words.base) == (LORA, 3, "")
    assert words.layer == "base_model.model.words.lora_embedding_A.default"
    assert (first.kind, first.rank, first.scale) == (LORA, 3, 2.0)
    assert first.base == "base_model.model.first.base_layer"
    assert first.layers == tuple(f"base_model.model.first.lora_{part}.default" for part in "AB")


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (lambda: peft.LoraConfig(r=2, target_modules=["first"], use_dora=True), "DoRA"),
        (lambda: peft.LoraConfig(r=4, target_modules=["wide"]), "LoRA of a grouped convolution"),
        (lambda: peft.LoHaConfig(r=2, target_modules=["first"]), "loha"),
        (lambda: peft.IA3Config(target_modules=["first"], feedforward_modules=[]), "ia3"),
        (lambda: peft.AdaLoraConfig(target_modules=["first"], total_step=10), "adalora"),
    ],
)
def test_what_is_not_scale_times_ba_has_a_name_and_no_size(config: Callable[[], Any], kind: str) -> None:
    with quiet():
        model = peft.get_peft_model(Net(), config())
    probes, (described,) = find_adapters(model, place(find_layers(model)))
    assert (described.kind, described.is_measured) == (kind, False)
    found = AdapterValues(probes).take()()
    assert np.isnan(np.array(found, float)).all()


def test_a_merged_adapter_has_no_size_and_an_unmerged_one_has_it_again() -> None:
    model = adapted(["first"], r=2)
    before = sizes(model)
    model.merge_adapter()
    with pytest.warns(RecorderWarning, match="merged into its weight"):
        assert np.isnan(list(sizes(model).values())).all()
    model.unmerge_adapter()
    assert sizes(model) == before


def test_a_factor_with_a_nan_is_no_number() -> None:
    model = adapted(["first"], r=2)
    model.base_model.model.first.lora_A["default"].weight.data[0, 0] = torch.nan
    assert list(sizes(model).values()) == [np.inf]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A short training with LoRA beside a weight that is recorded, one that is not, and DoRA; and its twin."""
    forget_told()
    model = adapted(["words", "first"], r=2, lora_alpha=8)
    with quiet():
        model.add_adapter("dora", peft.LoraConfig(r=2, target_modules=["last"], use_dora=True))
    model.set_adapter("default")
    optimizer = optim.SGD([one for one in model.parameters() if one.requires_grad], 1e-4)
    twin = []
    with warnings.catch_warnings(record=True) as told, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr("dtui.store.write.background_compactor.Compactor._spawn", lambda self, *options: None)
        recorder = dtui.Recorder(tmp_path_factory.mktemp("run") / "lora", model, optimizer, every=1, fused=False)
        for step in range(4):
            torch.manual_seed(step)
            optimizer.zero_grad()
            model(torch.randint(0, 11, (5, 3)), torch.randn(5, 3, 6, 6)).square().mean().backward()
            optimizer.step()
            twin.append(sizes(model))
        recorder.close()
    return recorder.path, twin, [str(one.message) for one in told if issubclass(one.category, RecorderWarning)]


def test_a_run_holds_them_over_time(trained: Trained) -> None:
    path, twin, _ = trained
    query = RunQuery(path)
    named = {called(one): at for at, one in enumerate(query.structure().adapters)}
    found = query.adapters("adapter_norm")
    assert found.shape == (3, 4)
    for step, expected in enumerate(twin):
        assert {name: found[at, step] for name, at in named.items()} == pytest.approx(expected, rel=1e-3, nan_ok=True)
    share = query.adapters("adapter_ratio")
    first = named["first default"]
    layer = next(one for one in query.structure().layers if one.name == "base_model.model.first.base_layer")
    weights = RunReader(path).read_layers("weights", "norm2", slice(None))[layer.index]
    np.testing.assert_allclose(share[first], found[first] / weights, rtol=1e-6)
    assert np.isnan(share[named["words default"]]).all()
    assert np.isnan(found[named["last dora"]]).all()


def test_what_is_missing_is_told_by_name_in_one_line_each(
    trained: Trained,
) -> None:
    path, _, told = trained
    assert [line.removeprefix("dtui: ") for line in told if "words" in line] == [
        "adapters: the weight below base_model.model.words is not recorded, so these have a size and no share of it"
    ]
    assert [line.removeprefix("dtui: ") for line in told if "DoRA" in line] == [
        "adapters: those of base_model.model.last (DoRA) are not compared with their weights; of adapters only LoRA is"
    ]
    lines = adapter_sentences(RunQuery(path).info().adapters)
    assert lines[0].startswith("2 LoRA of rank 2; the largest, with a ‖BA‖·scale of ")
    assert lines[1:] == (
        "1 stands beside a weight that is not recorded: base_model.model.words",
        "1 is not compared with the weight (DoRA; only LoRA is): base_model.model.last",
    )
