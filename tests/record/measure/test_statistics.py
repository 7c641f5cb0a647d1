"""Every stored number against a slow twin: float64, one filter at a time, from the tensors themselves."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from dtui.model import CHANGE_RATIO_EDGES, FILTER_STATISTICS, HISTOGRAM_BINS, LAYER_STATISTICS, SOURCES
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.samples import LayerSampler
from dtui.record.measure.statistics import Deriver
from dtui.record.network.layers import describe, find_layers, place
from tests.record.twins import (
    KINDS,
    WAYS,
    assert_close,
    change,
    filters_of,
    measure_twice,
    measurer_of,
    slow_filter,
    slow_layer,
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_filter_statistics_equal_those_of_the_slow_twin(kind: str, dtype: torch.dtype, way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(KINDS[kind]().to(dtype))
    record, structure, before = measure_twice(model, 1e-3 if dtype == torch.float32 else 3e-2, way)
    parts = zip(
        filters_of(model[0], model[0].weight),
        filters_of(before[0], before[0].weight),
        filters_of(model[0], model[0].weight.grad),
        strict=True,
    )
    assert structure.filters == record.filters.shape[1]
    for row, (weight, previous, gradient) in enumerate(parts):
        twin = slow_filter(weight, previous, gradient)
        assert tuple(twin) == FILTER_STATISTICS
        for index, (name, wanted) in enumerate(twin.items()):
            relative = 1e-4 if name == "cosine_distance" else 2e-5
            assert_close(float(record.filters[index, row]), wanted, relative, 2e-7, f"{name} of filter {row}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_layer_statistics_equal_those_of_the_slow_twin(kind: str, dtype: torch.dtype, way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(KINDS[kind]().to(dtype))
    record, _, before = measure_twice(model, 1e-3 if dtype == torch.float32 else 3e-2, way)
    weight = model[0].weight.detach().double().cpu().numpy().ravel()
    gradient = model[0].weight.grad.double().cpu().numpy().ravel()
    values = {
        "weights": weight,
        "gradients": gradient,
        "updates": weight - before[0].weight.detach().double().cpu().numpy().ravel(),
    }
    for source, name in enumerate(SOURCES):
        twin = slow_layer(values[name])
        assert tuple(twin) == LAYER_STATISTICS
        for index, (statistic, wanted) in enumerate(twin.items()):
            for found in (record.layers[source, index, 0], record.modules[source, index, 0]):
                assert_close(float(found), wanted, 3e-5, 3e-6, f"{statistic} of {name}")


def test_modules_are_described_as_their_layers_concatenated() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)), nn.Linear(7, 5))
    record, structure, before = measure_twice(model)
    for module in structure.modules:
        layers = [model.get_submodule(structure.layers[index].name) for index in module.layers]
        older = [before.get_submodule(structure.layers[index].name) for index in module.layers]
        weight = np.concatenate([layer.weight.detach().double().cpu().numpy().ravel() for layer in layers])
        gradient = np.concatenate([layer.weight.grad.double().cpu().numpy().ravel() for layer in layers])
        previous = np.concatenate([layer.weight.detach().double().cpu().numpy().ravel() for layer in older])
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
    weights = [layer.weight.detach().double().cpu().numpy().ravel() for layer in model]
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


@pytest.mark.parametrize("way", WAYS)
def test_the_first_record_has_no_updates_and_a_frozen_layer_no_gradients(way: str) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    measurer, probes = measurer_of(model, way)
    model[1].weight.grad = torch.ones_like(model[1].weight)
    raw = measurer.measure()(0, {})
    record = Deriver(describe(model, probes)).derive(raw)
    rows = {name: index for index, name in enumerate(FILTER_STATISTICS)}
    assert np.isnan(raw.samples[SOURCES.index("updates")]).all()
    assert np.isnan(raw.samples[SOURCES.index("gradients"), 0]).all()
    assert np.isnan(record.layers[SOURCES.index("updates")]).all()
    assert np.isnan(record.filters[rows["update_norm"]]).all()
    assert np.isnan(record.filters[rows["cosine_distance"]]).all()
    assert np.isnan(record.filters[rows["gradient_norm"], :3]).all()
    assert record.filters[rows["gradient_norm"], 3:].tolist() == pytest.approx([math.sqrt(3)] * 2)
    assert np.isnan(record.change_ratios[0]).all()
    gradients = SOURCES.index("gradients")
    assert np.isnan(record.layers[gradients, :, 0]).all()
    assert record.modules[gradients, LAYER_STATISTICS.index("sum"), 0] == pytest.approx(6)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_nan_is_counted_where_it_is_and_spoils_nothing_else(dtype: torch.dtype, way: str) -> None:
    torch.manual_seed(0)
    clean = nn.Sequential(nn.Conv2d(3, 6, 3).to(dtype), nn.Linear(9, 4).to(dtype))
    broken = copy.deepcopy(clean)
    for model in (clean, broken):
        measurer, probes = measurer_of(model, way)
        deriver = Deriver(describe(model, probes))
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
    finite = broken[0].weight.detach().double().cpu().numpy().ravel()
    finite = finite[np.isfinite(finite)]
    for statistic, value in slow_layer(finite).items():
        if statistic != "nonfinite":
            found = float(record.layers[0, LAYER_STATISTICS.index(statistic), 0])
            assert_close(found, value, 3e-5, 1e-6, statistic)
    kept = broken[0].weight[2].detach().double().cpu().numpy().ravel()
    kept = kept[np.isfinite(kept)]
    rows = {name: index for index, name in enumerate(FILTER_STATISTICS)}
    for name, value in {"mean": kept.mean(), "std": kept.std(), "share_negative": (kept < 0).mean()}.items():
        assert_close(float(record.filters[rows[name], 2]), value, 2e-5, 1e-7, name)
    assert math.isnan(record.filters[rows["update_ratio"], 2])


@pytest.mark.parametrize("way", WAYS)
def test_a_filter_of_nothing_but_nan_has_no_value(way: str) -> None:
    model = nn.Sequential(nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight[1] = math.nan
    measurer, probes = measurer_of(model, way)
    record = Deriver(describe(model, probes)).derive(measurer.measure()(0, {}))
    values = dict(zip(FILTER_STATISTICS, record.filters[:, 1].tolist(), strict=True))
    assert values["nonfinite"] == 4
    assert all(math.isnan(values[name]) for name in ("mean", "std", "norm", "share_negative"))
    assert not math.isnan(record.layers[0, LAYER_STATISTICS.index("mean"), 0])


@pytest.mark.parametrize("way", WAYS)
def test_large_finite_weights_do_not_count_as_infinite(way: str) -> None:
    model = nn.Sequential(nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1e30, -2e30, 1e30, 1.0]]))
    measurer, probes = measurer_of(model, way)
    record = Deriver(describe(model, probes)).derive(measurer.measure()(0, {}))
    values = dict(zip(FILTER_STATISTICS, record.filters[:, 0].tolist(), strict=True))
    assert values["nonfinite"] == 0
    assert values["norm"] == pytest.approx(math.sqrt(6) * 1e30, rel=1e-6)


def test_rows_longer_than_a_chunk_are_summed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.record.backends.torch_cpu.CHUNK_ELEMENTS", 64)
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


@pytest.mark.parametrize("way", WAYS)
def test_weights_that_change_their_memory_order_are_compared_element_by_element(way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(5, 4, 3))
    measurer, probes = measurer_of(model, way)
    deriver = Deriver(describe(model, probes))
    deriver.derive(measurer.measure()(0, {}))
    for iteration, order in enumerate((torch.channels_last, torch.contiguous_format), 1):
        model.to(memory_format=order)
        record = deriver.derive(measurer.measure()(iteration, {}))
        assert record.filters[FILTER_STATISTICS.index("update_norm")].tolist() == [0.0] * 4
        assert record.layers[SOURCES.index("updates"), LAYER_STATISTICS.index("max"), 0] == 0


def test_rows_of_two_processes_hold_the_samples_of_one() -> None:
    values = torch.arange(100 * 90)
    sampler = LayerSampler([len(values)])
    whole, place = sampler.positions(0, 0, len(values))
    assert place == 0
    assert len(whole) == sampler.samples
    assert torch.equal(whole, whole.sort().values)
    parts = torch.full((sampler.samples,), -1)
    for first, stop in ((0, 37), (37, 100)):
        positions, place = sampler.positions(0, first * 90, stop * 90)
        parts[place : place + len(positions)] = values[first * 90 : stop * 90][positions]
    assert torch.equal(parts, whole)
