"""A watch against its slow twin, on every kind of layer and on both ways of measuring."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from dtui.errors import RecorderError
from dtui.record.backends.triton_gpu import TritonNorms
from dtui.record.flight import norm_meter
from dtui.record.flight.flight_recorder import Flight
from dtui.record.flight.norm_meter import Norm, WatchMeter
from dtui.record.flight.plan import WatchPlan
from dtui.record.network.layers import LayerProbe, describe, find_layers, place
from dtui.record.training.skipped_updates import Skips
from tests.record.twins import GPU, needs_numba, needs_triton

FUSED = [False, pytest.param(True, marks=needs_numba)]


def many_kinds() -> nn.Module:
    """Return layers whose rows are views, copies, grouped, tied, parametrized and in another memory order."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.Conv2d(8, 8, 3, groups=4),
        nn.ConvTranspose2d(8, 6, 3, groups=2),
        nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)),
        nn.Linear(5, 7, bias=False),
        nn.Linear(5, 7, bias=False),
        nn.Conv2d(7, 4, 3).to(memory_format=torch.channels_last),
    )
    model[5].weight = model[4].weight
    return model


def rows_of(probe: LayerProbe, tensor: torch.Tensor) -> np.ndarray:
    """Return filters in rows, the slow, obvious way."""
    values = tensor.detach().double().cpu().numpy()
    if isinstance(probe.module, nn.ConvTranspose2d):
        groups = np.split(values, probe.module.groups, axis=0)
        values = np.concatenate([np.moveaxis(group, 1, 0) for group in groups])
    return values.reshape(len(values), -1)


def measured(meter: WatchMeter) -> tuple[np.ndarray, np.ndarray]:
    """Return norms and counts by filter, NaN where absent."""
    event = torch.cuda.Event() if meter.device.type == "cuda" else None
    norms = torch.full((3, len(meter.order)), 7.0, pin_memory=event is not None)
    watch = meter.measure(norms, event)
    if event is not None:
        event.synchronize()
    for row, columns in watch.absent:
        norms[row, columns] = math.nan
    found, counts = np.empty(norms.shape), np.zeros(norms.shape)
    found[:, meter.order] = norms.numpy()
    if watch.nonfinite is not None:
        counts[:, meter.order] = watch.nonfinite
    return found, counts


def shake(model: nn.Module) -> None:
    for number, parameter in enumerate(model.parameters()):
        parameter.data += torch.randn_like(parameter) * 0.1
        parameter.grad = None if number == 0 else torch.randn_like(parameter)


def expected(probes: list[LayerProbe], before: list[np.ndarray]) -> np.ndarray:
    table = np.full((3, sum(probe.shape[0] for probe in probes)), np.nan)
    for probe, old in zip(probes, before, strict=True):
        place = slice(probe.first_filter, probe.first_filter + probe.shape[0])
        weight = rows_of(probe, probe.weight())
        table[Norm.WEIGHT, place] = np.sqrt((weight**2).sum(1))
        table[Norm.UPDATE, place] = np.sqrt(((weight - old) ** 2).sum(1))
        gradient = probe.gradient()
        if gradient is not None:
            table[Norm.GRADIENT, place] = np.sqrt((rows_of(probe, gradient) ** 2).sum(1))
    return table


@pytest.mark.parametrize(
    "way", ["torch", pytest.param("kernel", marks=needs_numba), "device", pytest.param("triton", marks=needs_triton)]
)
@pytest.mark.parametrize("cached", [40, 1 << 17])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_norms_equal_the_twin(way: str, cached: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm_meter, "CACHED_ELEMENTS", cached)
    torch.manual_seed(0)
    model = many_kinds().to(dtype)
    if way in ("device", "triton"):
        model.to(GPU)
    probes = place(find_layers(model))
    meter = WatchMeter(probes, way == "kernel")
    if way == "triton":
        meter._kernel = TritonNorms()
        monkeypatch.setattr(meter, "_measure_group", None)
    assert sorted(meter.order.tolist()) == list(range(sum(probe.shape[0] for probe in probes)))
    shake(model)
    first, _ = measured(meter)
    assert np.isnan(first[Norm.UPDATE]).all()
    for _ in range(3):
        before = [rows_of(probe, probe.weight()) for probe in probes]
        shake(model)
        found, counts = measured(meter)
        np.testing.assert_allclose(found, expected(probes, before), rtol=2e-6)
        assert not counts.any()
    assert np.isnan(found[Norm.GRADIENT]).any()


@pytest.mark.parametrize("fused", FUSED)
def test_what_is_not_finite_is_counted_and_costs_only_itself(fused: bool) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(9, 3))
    probes = place(find_layers(model))
    meter = WatchMeter(probes, fused)
    shake(model)
    measured(meter)
    shake(model)
    with torch.no_grad():
        model[0].weight[2, 0, 0, :2] = torch.tensor([math.nan, math.inf])
        model[1].weight.grad[1, 4] = -math.inf
    found, counts = measured(meter)
    assert np.isfinite(found[Norm.WEIGHT]).all()
    kept = model[0].weight[2].flatten()[2:].detach().double()
    assert found[Norm.WEIGHT, 2] == pytest.approx(float(kept.norm()))
    assert counts[Norm.WEIGHT].tolist() == [0, 0, 2, 0, 0, 0, 0]
    assert counts[Norm.GRADIENT].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert counts[Norm.UPDATE].tolist() == [0, 0, 1, 0, 0, 0, 0]


def test_replaced_weights_are_followed() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 2))
    probes = place(find_layers(model))
    meter = WatchMeter(probes)
    measured(meter)
    before = [rows_of(probe, probe.weight()) for probe in probes]
    model[0].weight = nn.Parameter(torch.ones(3, 4))
    model[1].weight.data = torch.ones(2, 4)
    np.testing.assert_allclose(measured(meter)[0], expected(probes, before), rtol=2e-6)
    probes[1].present = False
    model[0].weight.grad = torch.full((3, 4), 2.0)
    found, _ = measured(meter)
    assert found[Norm.GRADIENT, :3].tolist() == [4.0, 4.0, 4.0]
    assert np.isnan(found[:, 3:]).all()
    assert np.isfinite(found[:2, :3]).all()


def test_memory_is_four_bytes_a_weight() -> None:
    model = many_kinds()
    probes = place(find_layers(model))
    assert WatchMeter(probes).copied_bytes == 4 * sum(probe.elements for probe in probes)


def test_layers_on_several_devices_are_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 2, device="meta"))
    with pytest.raises(RecorderError, match="keep_around: the layers are on cpu, meta; watches need one device"):
        WatchMeter(place(find_layers(model)))


class Event:
    """Stands for an event of a GPU."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def record(self, stream: object) -> None:
        self.calls.append(f"record on {stream}")

    def synchronize(self) -> None:
        self.calls.append("wait")


def test_on_a_gpu_nothing_is_looked_at_before_it_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a GPU, on the CPU: what is not finite is passed on as it is, and known from the norm afterwards."""
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(9, 3))
    probes = place(find_layers(model))
    shake(model)
    model[1].weight.grad[1, 4] = -math.inf
    flight = Flight(WatchPlan(1, 4), describe(model, probes), probes)
    event = Event()
    watch = flight._meter.measure(flight._ring[0], event)  # type: ignore[arg-type]
    assert event.calls == ["record on the stream of cpu"]
    assert watch.nonfinite is None
    assert bool(torch.isinf(flight._ring[0, Norm.GRADIENT]).any())
    kept = flight._arrived(0, 0, watch, dict, lambda: Skips(0, False))
    assert event.calls[1:] == ["wait"]
    assert kept.nonfinite is not None
    assert flight._by_filter(kept.nonfinite)[Norm.GRADIENT].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert flight._by_filter(kept.nonfinite)[[Norm.UPDATE, Norm.WEIGHT]].sum() == 0
    assert np.isnan(kept.norms[Norm.UPDATE]).all()
    assert np.isfinite(kept.norms[Norm.WEIGHT]).all()
