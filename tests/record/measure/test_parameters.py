"""Parameters outside the layers: their statistics against a slow twin, which have a row, and what follows them."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dtui.model import PARAMETER_STATISTICS
from dtui.record import Recorder, RecorderWarning
from dtui.record.measure import parameter_values
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.parameter_values import parameter_statistics
from dtui.record.measure.statistics import RawRecord
from dtui.record.network import other_parameters, other_rows
from dtui.record.network.layers import describe, find_layers, place
from dtui.record.network.other_parameters import find_parameters
from dtui.store import RunReader
from tests.record.conftest import RecorderUnderTest

Make = Callable[..., RecorderUnderTest]
NAMES = ["positions", "words.weight", "attend.in_proj_bias", "attend.out_proj.bias", "ln.weight", "ln.bias", "scale"]
NORM, UPDATE, GRADIENT, NONFINITE = range(4)


class Small(nn.Module):
    """What a language model has beside its layers: words, positions, biases, norms, a number of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(5, 8))
        self.words = nn.Embedding(20, 8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.ln = nn.LayerNorm(8)
        self.tail = nn.Module()
        self.tail.scale = nn.Parameter(torch.tensor(0.5))
        self.head = nn.Linear(8, 20, bias=False)
        self.count = nn.Parameter(torch.arange(4), requires_grad=False)

    def forward(self, words: Tensor) -> Tensor:
        inside = self.words(words) + self.positions
        return self.head(self.ln(self.attend(inside, inside, inside)[0] + inside) * self.tail.scale)


def update(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int = 0) -> None:
    words = torch.randint(0, 20, (3, 5), generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(words).flatten(0, 1), words.flatten()).backward()
    optimizer.step()


class Bench:
    """A network, the measurer of its parameters, and the slow twin of what it says."""

    def __init__(self, model: nn.Module) -> None:
        self.model, layers = model, place(find_layers(model))
        probes, self.described = find_parameters(model, layers, describe(model, layers).layers)
        self.measurer = Measurer(model, layers, parameters=probes)
        self.before: dict[str, Tensor] = {}

    def read(self, **settings: bool) -> np.ndarray:
        raw = self.measurer.measure(**settings)(0, {})
        assert raw.parameters is not None
        return parameter_statistics(raw.parameters)

    def slow(self) -> np.ndarray:
        found, now = [], dict(self.model.named_parameters())
        for one in self.described:
            values = now[one.name].detach().double()
            gradient, before = now[one.name].grad, self.before.get(one.name)
            found.append(
                (
                    math.sqrt(sum(value * value for value in values.flatten().tolist())),
                    math.nan if before is None else float((values - before).square().sum().sqrt()),
                    math.nan if gradient is None else float(gradient.detach().double().square().sum().sqrt()),
                    0.0,
                )
            )
            self.before[one.name] = values.clone()
        return np.array(found).T


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_they_equal_those_of_the_slow_twin(kind: torch.dtype) -> None:
    torch.manual_seed(1)
    close = 4e-3 if kind is torch.bfloat16 else 2e-6
    bench = Bench(Small().to(kind))
    assert [one.name.removeprefix("tail.") for one in bench.described] == NAMES
    optimizer = torch.optim.SGD(bench.model.parameters(), lr=0.5)
    for step in range(3):
        update(bench.model, optimizer, step)
        np.testing.assert_allclose(bench.read(), bench.slow(), rtol=close, atol=1e-7)
    update(bench.model, optimizer, 3)
    found, slow = bench.read(with_gradients=False), bench.slow()
    assert np.isnan(found[GRADIENT]).all()
    np.testing.assert_allclose(found[UPDATE], slow[UPDATE], rtol=close)


def test_each_is_behind_the_layer_that_it_belongs_to_or_follows(record: Make) -> None:
    model = Small()
    recorder = record(model, torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    update(model, torch.optim.SGD(model.parameters(), lr=0.1))
    recorder.step()
    recorder.close()
    found = {one.name: (one.kind, one.elements, one.layer) for one in recorder.store.structure.parameters}
    assert found["words.weight"] == ("Embedding", 160, "")
    assert found["positions"] == ("Small", 40, "")
    assert found["attend.in_proj_bias"] == ("MultiheadAttention", 24, "attend.in_proj_weight")
    assert found["attend.out_proj.bias"][1:] == (8, "attend.out_proj")
    assert found["ln.bias"] == ("LayerNorm", 8, "attend.out_proj")
    assert "count" not in found


def test_what_is_not_finite_is_counted_and_the_others_are_read() -> None:
    bench = Bench(Small())
    with torch.no_grad():
        bench.model.ln.bias[0] = math.nan
        bench.model.words.weight[2, 3] = math.inf
    bench.model.ln.bias.grad = torch.full((8,), math.inf)
    found = dict(zip(NAMES, bench.read().T.tolist(), strict=True))
    assert {name: row[NONFINITE] for name, row in found.items() if row[NONFINITE]} == {"ln.bias": 2, "words.weight": 1}
    assert math.isnan(found["words.weight"][NORM])
    assert found["ln.weight"][NORM] == pytest.approx(math.sqrt(8))


def test_what_is_not_trained_has_no_value_until_it_is_and_no_copy() -> None:
    bench = Bench(Small())
    bench.model.words.weight.requires_grad_(False)
    row = NAMES.index("words.weight")
    assert np.isnan(bench.read()[:, row]).all()
    assert row not in bench.measurer._parameters._before
    bench.model.words.weight.requires_grad_(True)
    assert np.isnan(bench.read()[:, row]).tolist() == [False, True, True, False]
    assert bench.read()[UPDATE, row] == 0


def test_short_vectors_keep_their_own_values_of_before_when_another_is_frozen_or_replaced() -> None:
    torch.manual_seed(4)
    bench, frozen, replaced = Bench(Small()), NAMES.index("attend.in_proj_bias"), NAMES.index("ln.weight")
    optimizer = torch.optim.SGD(bench.model.parameters(), lr=0.5)
    own = bench.model.attend.in_proj_bias
    for step, (is_trained, unknown) in enumerate(((True, []), (False, [frozen]), (True, [frozen]), (True, []))):
        own.requires_grad_(is_trained)
        update(bench.model, optimizer, step)
        found, slow = bench.read()[UPDATE], bench.slow()[UPDATE]
        slow[unknown] = math.nan
        np.testing.assert_allclose(found, slow, rtol=2e-6, atol=1e-7)
    for size in (8, 6):
        bench.model.ln.weight = nn.Parameter(torch.full((size,), 2.0))
        if size != bench.before["ln.weight"].numel():
            del bench.before["ln.weight"]
        found, slow = bench.read()[UPDATE], bench.slow()[UPDATE]
        np.testing.assert_allclose(found, slow, rtol=2e-6, atol=1e-7)
        assert math.isnan(found[replaced]) == (size == 6)


def test_a_short_vector_that_gets_another_length_in_place_costs_one_update_norm_and_nothing_else() -> None:
    bench, row = Bench(Small()), NAMES.index("ln.bias")
    bench.read()
    bench.model.ln.bias.data = torch.full((6,), 2.0)
    found = bench.read()
    assert found[NORM, row] == pytest.approx(math.sqrt(24))
    assert np.isnan(found[UPDATE, row])
    assert bench.read()[UPDATE, row] == 0


def test_a_large_table_has_no_copy_and_no_update_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter_values, "MOST_COPIED", 100)
    bench = Bench(Small())
    for _ in range(2):
        found = bench.read()
    row = NAMES.index("words.weight")
    assert np.isnan(found[UPDATE]).nonzero()[0].tolist() == [row]
    assert found[NORM, row] == pytest.approx(float(bench.model.words.weight.detach().norm()))
    assert sum(kept.numel() for kept in bench.measurer._parameters._before.values()) == 40 + 1


def test_there_are_rows_for_the_largest_that_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_parameters, "MOST_OTHER_PARAMETERS", 2)
    model = Small()
    assert [one.name for one in Bench(model).described] == ["positions", "words.weight"]
    model.words.weight.requires_grad_(False)
    assert [one.name for one in Bench(model).described] == ["positions", "attend.in_proj_bias"]


def test_parameters_that_move_change_type_or_are_replaced_are_still_read() -> None:
    bench = Bench(Small())
    bench.read()
    bench.model.words = nn.Embedding(30, 8)
    found, row = bench.read(), NAMES.index("words.weight")
    assert found[NORM, row] == pytest.approx(float(bench.model.words.weight.detach().norm()))
    assert math.isnan(found[UPDATE, row])
    assert not np.isnan(np.delete(found[UPDATE], row)).any()
    bench.model.positions = nn.Parameter(torch.ones(6, 8))
    assert bench.read()[NORM, 0] == pytest.approx(math.sqrt(48))
    bench.model.positions.data = torch.full((2, 8), 2.0)
    assert bench.read()[NORM, 0] == pytest.approx(8)
    bench.model.ln = nn.Identity()
    with pytest.warns(RecorderWarning, match=r"parameter ln\.weight: gone; it is left out from here on"):
        found = bench.read()
    assert np.isnan(found[:, 4:6]).all()
    assert not np.isnan(found[NORM, :4]).any()


def test_a_sparse_gradient_is_read() -> None:
    model = nn.Sequential(nn.Embedding(10, 4, sparse=True), nn.Linear(4, 3))
    bench = Bench(model)
    model(torch.tensor([1, 1, 2])).sum().backward()
    dense = model[0].weight.grad.to_dense().norm()
    assert bench.read()[GRADIENT, 0] == pytest.approx(float(dense))


def test_parameters_that_cannot_be_read_cost_themselves_alone(monkeypatch: pytest.MonkeyPatch, record: Make) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no norms here")

    model = Small()
    monkeypatch.setattr(parameter_values, "_norms", fail)
    recorder = record(model, every=1)
    with pytest.warns(RecorderWarning, match="parameters outside the layers are not recorded from here on: .*no norms"):
        recorder.step()
    recorder.step()
    recorder.close()
    assert [one.parameters for one in recorder.store.records] == [None, None]
    assert not np.isnan(recorder.store.records[1].filters[0]).any()


def test_a_failing_search_for_them_costs_them_alone(monkeypatch: pytest.MonkeyPatch, record: Make) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no rows here")

    monkeypatch.setattr(other_parameters, "find_parameters", fail)
    with pytest.warns(RecorderWarning, match="model: its parameters outside the layers are not recorded: .*no rows"):
        recorder = record(Small(), every=1)
    recorder.step()
    recorder.close()
    assert recorder.store.structure.parameters == ()
    assert len(recorder.store.records) == 1


def test_the_parts_of_processes_are_put_together() -> None:
    nothing = np.zeros((1, 1), np.float32)
    own = np.array([[3, 2, np.nan], [np.nan, 1, np.nan], [np.inf, 1, 1]], np.float32)
    other = np.array([[4, 7, 5], [np.nan, 7, 5], [1, 7, 5]], np.float32)
    spread = np.array([True, False, True])
    sums = np.zeros((20, 1), np.float32)
    raw = RawRecord(0, sums, nothing, {}, None, own, spread)
    joined = raw.with_part(**RawRecord(0, sums, nothing, {}, None, other, spread).parts()).parameters
    assert joined is not None
    np.testing.assert_array_equal(joined, np.array([[5, 2, 5], [np.nan, 1, 5], [np.inf, 1, math.sqrt(26)]], np.float32))
    assert raw.with_part(sums, nothing).parameters is own


def test_a_training_its_run_and_one_that_goes_on(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = Small()
    path = tmp_path / "run"
    plain = copy.deepcopy(model)
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.5) for one in (model, plain)]
    with Recorder(path, model, optimizers[0], every=1):
        for step in range(3):
            update(model, optimizers[0], step)
            update(plain, optimizers[1], step)
    assert all(map(torch.equal, model.parameters(), plain.parameters()))
    model.tail = nn.Module()
    model.tail.scale = 0.5
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with Recorder(path, model, optimizers[0], every=1, resume=True, iteration=3):
            update(model, optimizers[0], 3)
    lines = {str(one.message) for one in told}
    assert "dtui: parameter tail.scale: is missing in this model; the run goes on without it" in lines
    reader = RunReader(path.with_suffix(".dtui"))
    assert [one.name.removeprefix("tail.") for one in reader.structure.parameters] == NAMES
    found = np.stack([reader.read_parameters(name, slice(None)) for name in PARAMETER_STATISTICS])
    assert found.shape == (4, len(NAMES), 4)
    assert np.isnan(found[UPDATE, :-1]).any(axis=0).tolist() == [True, False, False, True]
    assert np.isnan(found[:, -1, 3]).all()
    assert (found[GRADIENT, :-1] > 0).all()
    assert reader.faults == ()
    reader.close()


def test_a_run_that_was_begun_without_them_goes_on_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = Small(), tmp_path / "run"
    with monkeypatch.context() as before:
        before.setattr(other_rows, "try_parameters", lambda *_: ([], ()))
        with Recorder(path, model, every=1) as recorder:
            recorder.step()
    with Recorder(path, model, every=1, resume=True, iteration=1) as recorder:
        recorder.step()
    reader = RunReader(path.with_suffix(".dtui"))
    assert reader.structure.parameters == ()
    assert reader.record_iterations.tolist() == [0, 1]
    assert reader.faults == ()
    reader.close()
