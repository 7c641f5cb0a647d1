"""Weights that a module holds itself: which are recorded, under which names, and with which numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from dtui.model import FILTER_STATISTICS
from dtui.record import Recorder
from dtui.record.network.layers import find_layers, known_before
from dtui.store import RunReader
from tests.record.conftest import RecorderUnderTest

Make = Callable[..., RecorderUnderTest]


class Experts(nn.Module):
    """A mixture as transformers has it: one matrix an expert, and a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.randn(3, 8, 4))
        self.weight = nn.Parameter(torch.randn(3, 4))
        self.pos_embed = nn.Parameter(torch.randn(5, 4))
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("eoi,bi,be->bo", self.gate_up_proj[:2], x, (x @ self.weight.t())[:, :2])


class Mixed(nn.Module):
    """Attention, recurrence and experts; none of them is a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.memory = nn.GRU(4, 4, batch_first=True)
        self.experts = Experts()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        x = self.attention(x, x, x)[0]
        return self.experts(self.memory(x)[0][:, -1])


NAMES = {
    "attention.in_proj_weight": (12, 4),
    "attention.out_proj": (4, 4),
    "memory.weight_ih_l0": (12, 4),
    "memory.weight_hh_l0": (12, 4),
    "experts.gate_up_proj": (3, 8, 4),
    "experts": (3, 4),
}


def test_attention_recurrence_and_experts_are_recorded_row_by_row(record: Make) -> None:
    torch.manual_seed(0)
    model = Mixed()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=2, keep_around=2)
    weights = []
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.arange(8).view(2, 4)).square().mean().backward()
        optimizer.step()
        weights.append({name: parameter.detach().clone() for name, parameter in model.named_parameters()})
    recorder.close()
    structure, last = recorder.store.structure, recorder.store.records[-1]
    assert {layer.name: layer.shape for layer in structure.layers} == NAMES
    kinds = {module.name: (module.kind, len(module.layers)) for module in structure.modules}
    assert kinds["attention"] == ("MultiheadAttention", 2)
    assert kinds["memory"] == ("GRU", 2)
    for layer in structure.layers:
        name = layer.name if layer.name in weights[0] else f"{layer.name}.weight"
        now, before = weights[2][name].flatten(1), weights[0][name].flatten(1)
        found = last.filters[:, layer.filter_rows]
        np.testing.assert_allclose(found[FILTER_STATISTICS.index("norm")], now.norm(dim=1), rtol=1e-5)
        update = (now - before).norm(dim=1)
        np.testing.assert_allclose(found[FILTER_STATISTICS.index("update_norm")], update, rtol=1e-4, atol=1e-7)
        assert np.isfinite(found[FILTER_STATISTICS.index("gradient_norm")]).all()
    dead = last.filters[FILTER_STATISTICS.index("gradient_norm")][structure.layers[4].filter_rows]
    assert (dead > 0).tolist() == [True, True, False], "nothing uses the last expert"
    assert structure.coverage is not None
    assert {one.name for one in structure.coverage.largest if one.elements > 12} == {
        "words.weight",
        "experts.pos_embed",
    }


@pytest.mark.parametrize("wrapped", [nn.utils.parametrizations.weight_norm, nn.utils.weight_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_a_computed_weight_is_the_one_that_is_used(wrapped: Callable[[nn.Module, str], nn.Module]) -> None:
    attention = nn.MultiheadAttention(4, 2)
    expected = attention.in_proj_weight.detach().clone()
    wrapped(attention, "in_proj_weight")
    probe = next(probe for probe in find_layers(attention) if probe.weight_name == "in_proj_weight")
    torch.testing.assert_close(probe.weight(), expected)
    assert probe.gradient() is None
    assert len(probe.made_from) == 2


@pytest.mark.parametrize("cut", [0, 1])
def test_a_pruned_weight_is_the_one_after_the_update_and_pruned(cut: int) -> None:
    """The module's own copy is that of its last forward pass."""
    layer = nn.Linear(4, 3)
    for _ in range(1 + cut):  # one mask, or several in one
        prune.random_unstructured(layer, "weight", amount=4)
    (probe,) = find_layers(layer)
    with torch.no_grad():
        layer.weight_orig += 1
    torch.testing.assert_close(probe.weight(), layer.weight_orig.detach() * layer.weight_mask)
    assert not probe.weight().requires_grad


def test_a_model_that_is_one_module_with_weights_of_its_own_is_recorded(record: Make) -> None:
    recorder = record(nn.LSTM(2, 3), every=1)
    recorder.step()
    recorder.close()
    assert [layer.name for layer in recorder.store.structure.layers] == ["weight_ih_l0", "weight_hh_l0"]


def test_a_weight_that_was_replaced_is_followed(record: Make) -> None:
    model = Mixed()
    recorder = record(model, every=1)
    recorder.step()
    model.experts.gate_up_proj = nn.Parameter(torch.full((3, 8, 4), 2.0))
    recorder.step()
    recorder.close()
    layer = next(one for one in recorder.store.structure.layers if one.name == "experts.gate_up_proj")
    norms = recorder.store.records[1].filters[FILTER_STATISTICS.index("norm"), layer.filter_rows]
    np.testing.assert_allclose(norms, 2 * np.sqrt(32), rtol=1e-5)


def test_a_run_that_did_not_know_them_goes_on_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Mixed()
    with monkeypatch.context() as before:  # as an older dtui begins it
        before.setattr("dtui.record.recorder.find_layers", lambda root: known_before(find_layers(root), ()))
        recorder = Recorder(tmp_path / "run", model, every=1)
        recorder.step()
        recorder.close()
    recorder = Recorder(tmp_path / "run", model, every=1, resume=True, iteration=1)
    recorder.step()
    recorder.close()
    reader = RunReader(tmp_path / "run.dtui")
    assert [layer.name for layer in reader.structure.layers] == ["attention.out_proj"]
    assert reader.record_iterations.tolist() == [0, 1]
    reader.close()


def test_sparse_gradients_are_measured_as_dense_ones(record: Make) -> None:
    found = {}
    for is_sparse in (False, True):
        torch.manual_seed(3)
        model = Table(is_sparse)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = record(model, optimizer, every=2, keep_around=2)
        for step in range(3):
            optimizer.zero_grad()
            model(torch.tensor([step, 1, 1])).square().sum().backward()
            optimizer.step()
        recorder.close()
        assert recorder.store.gaps == []
        found[is_sparse] = [record.filters for record in recorder.store.records]
    np.testing.assert_allclose(found[True], found[False], rtol=1e-4, atol=1e-6)


class Table(nn.Module):
    """Words as a matrix of its own."""

    def __init__(self, is_sparse: bool) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.randn(6, 4))
        self.is_sparse = is_sparse

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(ids, self.words, sparse=self.is_sparse)
