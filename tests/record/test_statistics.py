"""Every stored number against a slow twin: float64, one filter at a time, from the tensors themselves."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dtui.model import CHANGE_RATIO_EDGES, FILTER_STATISTICS, HISTOGRAM_BINS, LAYER_STATISTICS, SOURCES
from dtui.record.derive import Deriver
from dtui.record.layers import describe, find_layers, place
from dtui.record.measure import Measurer
from dtui.record.samples import LayerSampler, pick

KINDS: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: nn.Conv2d(3, 8, 3),
    "one by one": lambda: nn.Conv2d(6, 5, 1),
    "grouped": lambda: nn.Conv2d(6, 9, 3, groups=3),
    "depthwise": lambda: nn.Conv2d(6, 6, 3, groups=6),
    "dilated 1d": lambda: nn.Conv1d(4, 7, 5, dilation=2),
    "3d": lambda: nn.Conv3d(2, 3, 2),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 3),
    "transposed grouped": lambda: nn.ConvTranspose2d(8, 12, 2, groups=2),
    "channels last": lambda: nn.Conv2d(8, 6, 3).to(memory_format=torch.channels_last),
    "linear": lambda: nn.Linear(33, 10),
}


def filters_of(module: nn.Module, tensor: Tensor) -> list[np.ndarray]:
    """The elements of each filter, in no particular order: the weights that make one output channel."""
    values = tensor.detach().double().numpy()
    if not isinstance(module, nn.ConvTranspose2d):
        return [values[row].ravel() for row in range(values.shape[0])]
    inputs, outputs, groups = values.shape[0], values.shape[1], module.groups
    share = inputs // groups
    columns = [(group, column) for group in range(groups) for column in range(outputs)]
    return [values[group * share : (group + 1) * share, column].ravel() for group, column in columns]


def slow_filter(weight: np.ndarray, before: np.ndarray, gradient: np.ndarray) -> dict[str, float]:
    update = weight - before
    norms = np.linalg.norm(weight), np.linalg.norm(before)
    return {
        "mean": weight.mean(),
        "std": weight.std(),
        "norm": norms[0],
        "share_negative": (weight < 0).mean(),
        "sum_positive": weight[weight > 0].sum(),
        "sum_negative": weight[weight < 0].sum(),
        "update_norm": np.linalg.norm(update),
        "update_ratio": np.linalg.norm(update) / norms[1],
        "cosine_distance": 1 - weight @ before / (norms[0] * norms[1]),
        "gradient_mean": gradient.mean(),
        "gradient_std": gradient.std(),
        "gradient_norm": np.linalg.norm(gradient),
        "nonfinite": 0.0,
    }


def slow_layer(values: np.ndarray) -> dict[str, float]:
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "max": values.max(),
        "min": values.min(),
        "mean": values.mean(),
        "sum": values.sum(),
        "var": values.var(),
        "std": values.std(),
        "norm1": np.abs(values).sum(),
        "norm2": np.linalg.norm(values),
        "median": median,
        "q1": q1,
        "q3": q3,
        "nonfinite": 0.0,
    }


def change(model: nn.Module, seed: int, size: float = 1e-3) -> None:
    """Give every layer a gradient and move its weights a little."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
                weight = module.weight
                weight.add_((torch.randn(weight.shape, generator=generator) * size).to(weight.dtype))
                weight.grad = (torch.randn(weight.shape, generator=generator) * 0.01).to(weight.dtype)


def measure_twice(model: nn.Module, size: float = 1e-3, fused: bool = False):
    """Return the second of two records, the structure, and the model at the first."""
    probes = place(find_layers(model))
    structure = describe(model, probes)
    measurer, deriver = Measurer(model, probes, fused), Deriver(structure)
    change(model, 1)
    before = copy.deepcopy(model)
    deriver.derive(measurer.measure()(0, {}))
    change(model, 2, size)
    return deriver.derive(measurer.measure()(1, {})), structure, before


def assert_close(found: float, wanted: float, relative: float, absolute: float, what: str) -> None:
    assert math.isclose(found, wanted, rel_tol=relative, abs_tol=absolute), f"{what}: {found} is not {wanted}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_filter_statistics_equal_those_of_the_slow_twin(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(KINDS[kind]().to(dtype))
    record, structure, before = measure_twice(model, 1e-3 if dtype == torch.float32 else 3e-2)
    parts = zip(
        filters_of(model[0], model[0].weight),
        filters_of(before[0], before[0].weight),
        filters_of(model[0], model[0].weight.grad),
        strict=True,
    )
    assert structure.filters == record.filters.shape[1]
    for row, (weight, previous, gradient) in enumerate(parts):
        for index, (name, wanted) in enumerate(slow_filter(weight, previous, gradient).items()):
            assert FILTER_STATISTICS[index] == name
            relative = 1e-4 if name == "cosine_distance" else 2e-5
            assert_close(float(record.filters[index, row]), wanted, relative, 2e-7, f"{name} of filter {row}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_layer_statistics_equal_those_of_the_slow_twin(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(KINDS[kind]().to(dtype))
    record, _, before = measure_twice(model, 1e-3 if dtype == torch.float32 else 3e-2)
    weight = model[0].weight.detach().double().numpy().ravel()
    gradient = model[0].weight.grad.double().numpy().ravel()
    values = {
        "weights": weight,
        "gradients": gradient,
        "updates": weight - before[0].weight.detach().double().numpy().ravel(),
    }
    for source, name in enumerate(SOURCES):
        for index, (statistic, wanted) in enumerate(slow_layer(values[name]).items()):
            assert LAYER_STATISTICS[index] == statistic
            for found in (record.layers[source, index, 0], record.modules[source, index, 0]):
                assert_close(float(found), wanted, 3e-5, 3e-6, f"{statistic} of {name}")


def test_modules_are_described_as_their_layers_concatenated() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)), nn.Linear(7, 5))
    record, structure, before = measure_twice(model)
    for module in structure.modules:
        layers = [model.get_submodule(structure.layers[index].name) for index in module.layers]
        older = [before.get_submodule(structure.layers[index].name) for index in module.layers]
        weight = np.concatenate([layer.weight.detach().double().numpy().ravel() for layer in layers])
        gradient = np.concatenate([layer.weight.grad.double().numpy().ravel() for layer in layers])
        previous = np.concatenate([layer.weight.detach().double().numpy().ravel() for layer in older])
        for source, values in enumerate((weight, gradient, weight - previous)):
            for index, (statistic, wanted) in enumerate(slow_layer(values).items()):
                found = float(record.modules[source, index, module.index])
                assert_close(found, wanted, 3e-5, 1e-6, f"{statistic} of {SOURCES[source]} in {module.name!r}")


def test_quantiles_of_large_layers_and_modules_are_estimates_of_the_right_ones() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 200), nn.Linear(40, 50))
    with torch.no_grad():
        model[1].weight.mul_(20)
    record, _, _ = measure_twice(model)
    weights = [layer.weight.detach().double().numpy().ravel() for layer in model]
    for name, quantile in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
        index = LAYER_STATISTICS.index(name)
        everything = np.concatenate(weights)
        assert abs((weights[0] < record.layers[0, index, 0]).mean() - quantile) < 0.03
        assert abs((everything < record.modules[0, index, 0]).mean() - quantile) < 0.03


def test_extremes_and_histogram_see_every_element_not_only_the_sampled() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 200))
    with torch.no_grad():
        model[0].weight[123, 45] = 1000.0
    record, _, _ = measure_twice(model)
    assert record.layers[0, LAYER_STATISTICS.index("max"), 0] == pytest.approx(1000, rel=1e-4)
    assert record.histograms[0].sum() == 4096
    assert record.histograms[0, 1:].sum() <= 1


def test_histogram_counts_the_weights_of_a_small_layer_exactly() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    with torch.no_grad():
        model[0].weight.copy_(torch.arange(64.0).view(8, 8))
    probes = place(find_layers(model))
    record = Deriver(describe(model, probes)).derive(Measurer(model, probes).measure()(0, {}))
    assert record.histograms.shape == (1, HISTOGRAM_BINS)
    assert record.histograms[0].tolist() == [1] * 64


def test_change_ratios_are_cumulative_shares() -> None:
    model = nn.Sequential(nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -1.0, 2.0, 0.0]]))
    model[0].weight.grad = torch.tensor([[5e-7, -5e-4, 0.5, 0.0]])
    probes = place(find_layers(model))
    record = Deriver(describe(model, probes)).derive(Measurer(model, probes).measure()(0, {}))
    wanted = [(np.array([5e-7, 5e-4, 0.25, 0.0]) <= edge).mean() for edge in CHANGE_RATIO_EDGES]
    assert record.change_ratios[0].tolist() == pytest.approx(wanted)


def test_the_first_record_has_no_updates_and_a_frozen_layer_no_gradients() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[1].weight.grad = torch.ones(2, 3)
    probes = place(find_layers(model))
    record = Deriver(describe(model, probes)).derive(Measurer(model, probes).measure()(0, {}))
    rows = {name: index for index, name in enumerate(FILTER_STATISTICS)}
    assert np.isnan(record.layers[SOURCES.index("updates")]).all()
    assert np.isnan(record.filters[rows["update_norm"]]).all()
    assert np.isnan(record.filters[rows["cosine_distance"]]).all()
    assert np.isnan(record.filters[rows["gradient_norm"], :3]).all()
    assert record.filters[rows["gradient_norm"], 3:].tolist() == pytest.approx([math.sqrt(3)] * 2)
    assert np.isnan(record.change_ratios[0]).all()
    gradients = SOURCES.index("gradients")
    assert np.isnan(record.layers[gradients, :, 0]).all()
    assert record.modules[gradients, LAYER_STATISTICS.index("sum"), 0] == pytest.approx(6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_a_nan_is_counted_where_it_is_and_spoils_nothing_else(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    clean = nn.Sequential(nn.Conv2d(3, 6, 3).to(dtype), nn.Linear(9, 4).to(dtype))
    broken = copy.deepcopy(clean)
    for model in (clean, broken):
        probes = place(find_layers(model))
        measurer, deriver = Measurer(model, probes), Deriver(describe(model, probes))
        deriver.derive(measurer.measure()(0, {}))
        change(model, 3)
        if model is broken:
            with torch.no_grad():
                model[0].weight[2, 0, 0, 0] = math.nan
                model[0].weight[2, 0, 0, 1] = -math.inf
                model[0].weight.grad[4, 1, 1, 1] = math.inf
        record = deriver.derive(measurer.measure()(1, {}))
        if model is clean:
            wanted = record
    nonfinite = FILTER_STATISTICS.index("nonfinite")
    assert record.filters[nonfinite].tolist() == [0, 0, 2, 0, 1, 0, 0, 0, 0, 0]
    untouched = [0, 1, 3, 5, 6, 7, 8, 9]
    np.testing.assert_array_equal(record.filters[:, untouched], wanted.filters[:, untouched])
    np.testing.assert_array_equal(record.layers[:, :, 1], wanted.layers[:, :, 1])
    counts = LAYER_STATISTICS.index("nonfinite")
    assert record.layers[:, counts, 0].tolist() == [2, 1, 2]
    assert record.modules[:, counts, 0].tolist() == [2, 1, 2]
    finite = broken[0].weight.detach().double().numpy().ravel()
    finite = finite[np.isfinite(finite)]
    for statistic, value in slow_layer(finite).items():
        if statistic != "nonfinite":
            found = float(record.layers[0, LAYER_STATISTICS.index(statistic), 0])
            assert_close(found, value, 3e-5, 1e-6, statistic)
    kept = broken[0].weight[2].detach().double().numpy().ravel()
    kept = kept[np.isfinite(kept)]
    rows = {name: index for index, name in enumerate(FILTER_STATISTICS)}
    for name, value in {"mean": kept.mean(), "std": kept.std(), "share_negative": (kept < 0).mean()}.items():
        assert_close(float(record.filters[rows[name], 2]), value, 2e-5, 1e-7, name)
    assert math.isnan(record.filters[rows["update_ratio"], 2])


def test_a_filter_of_nothing_but_nan_has_no_value() -> None:
    model = nn.Sequential(nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight[1] = math.nan
    probes = place(find_layers(model))
    record = Deriver(describe(model, probes)).derive(Measurer(model, probes).measure()(0, {}))
    values = dict(zip(FILTER_STATISTICS, record.filters[:, 1].tolist(), strict=True))
    assert values["nonfinite"] == 4
    assert all(math.isnan(values[name]) for name in ("mean", "std", "norm", "share_negative"))
    assert not math.isnan(record.layers[0, LAYER_STATISTICS.index("mean"), 0])


def test_large_finite_weights_do_not_count_as_infinite() -> None:
    model = nn.Sequential(nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1e30, -2e30, 1e30, 1.0]]))
    probes = place(find_layers(model))
    record = Deriver(describe(model, probes)).derive(Measurer(model, probes).measure()(0, {}))
    values = dict(zip(FILTER_STATISTICS, record.filters[:, 0].tolist(), strict=True))
    assert values["nonfinite"] == 0
    assert values["norm"] == pytest.approx(math.sqrt(6) * 1e30, rel=1e-6)


def test_rows_longer_than_a_chunk_are_summed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.record.statistics.CHUNK_ELEMENTS", 64)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(100, 7), nn.Conv2d(2, 50, 3))
    record, structure, before = measure_twice(model)
    for layer in structure.layers:
        module, older = model.get_submodule(layer.name), before.get_submodule(layer.name)
        for row in range(layer.filters):
            wanted = slow_filter(
                filters_of(module, module.weight)[row],
                filters_of(older, older.weight)[row],
                filters_of(module, module.weight.grad)[row],
            )
            for index, name in enumerate(FILTER_STATISTICS):
                found = float(record.filters[index, layer.first_filter + row])
                assert_close(found, wanted[name], 1e-4, 2e-7, name)


def test_weights_that_change_their_memory_order_are_compared_element_by_element() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(5, 4, 3))
    probes = place(find_layers(model))
    measurer, deriver = Measurer(model, probes), Deriver(describe(model, probes))
    deriver.derive(measurer.measure()(0, {}))
    for iteration, order in enumerate((torch.channels_last, torch.contiguous_format), 1):
        model.to(memory_format=order)
        record = deriver.derive(measurer.measure()(iteration, {}))
        assert record.filters[FILTER_STATISTICS.index("update_norm")].tolist() == [0.0] * 4
        assert record.layers[SOURCES.index("updates"), LAYER_STATISTICS.index("max"), 0] == 0


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_kernels_give_what_torch_operations_give(kind: str, dtype: torch.dtype) -> None:
    records = []
    for fused in (False, True):
        torch.manual_seed(0)
        records.append(measure_twice(nn.Sequential(KINDS[kind]().to(dtype)), 1e-3, fused)[0])
    np.testing.assert_allclose(records[1].filters, records[0].filters, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(records[1].layers, records[0].layers, rtol=2e-4, atol=1e-6)
    np.testing.assert_array_equal(records[1].histograms, records[0].histograms)


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
def test_compiled_kernels_find_what_is_not_finite() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 5))
    probes = place(find_layers(model))
    measurer, deriver = Measurer(model, probes, fused=True), Deriver(describe(model, probes))
    deriver.derive(measurer.measure()(0, {}))
    change(model, 1)
    with torch.no_grad():
        model[0].weight[1, 7] = math.nan
        model[0].weight.grad[2, 3] = -math.inf
    record = deriver.derive(measurer.measure()(1, {}))
    assert record.filters[FILTER_STATISTICS.index("nonfinite")].tolist() == [0, 1, 1, 0, 0]
    kept = model[0].weight[1][torch.isfinite(model[0].weight[1])].double()
    assert_close(float(record.filters[0, 1]), float(kept.mean()), 1e-5, 1e-8, "mean")


def test_rows_of_two_processes_hold_the_samples_of_one() -> None:
    rows = torch.arange(100 * 90, dtype=torch.float32).view(100, 90)
    sampler = LayerSampler([rows.numel()])
    whole, parts = sampler.empty(), sampler.empty()
    places, positions = sampler.places(0, rows)
    whole[0, 0, places] = pick(rows, positions)
    for first, stop in ((0, 37), (37, 100)):
        places, positions = sampler.places(0, rows[first:stop], first)
        parts[0, 0, places] = pick(rows[first:stop], positions)
    assert not torch.isnan(whole[0]).any()
    assert torch.equal(whole[0], parts[0])
