"""How the sums are taken: what is hard for float32, threads, memory that is used again, and a GPU that is not there."""

from __future__ import annotations

import copy
import gc
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import DataDependentOutputException

from dtui.errors import MissingExtraError
from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES
from dtui.record import Recorder
from dtui.record.backends import choose as kernels
from dtui.record.backends import numba_cpu, triton_gpu
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.sums import Buffers, Sum, sum_carefully
from dtui.record.backends.torch_cpu import TorchSums
from dtui.record.backends.torch_gpu import DeviceSums
from dtui.record.backends.triton_gpu import TritonNorms, TritonSums
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.statistics import Deriver
from dtui.record.network.layers import LayerProbe, describe
from dtui.record.writing.warn import RecorderWarning, forget_told
from tests.record import twins
from tests.record.twins import (
    GPU,
    WAYS,
    change,
    filters_of,
    measure_twice,
    measurer_of,
    needs_numba,
    needs_triton,
    slow_filter,
    slow_layer,
)

ROW = {name: index for index, name in enumerate(FILTER_STATISTICS)}


def rows_of(model: nn.Module) -> list[LayerRows]:
    """What a record reads of a model."""
    measurer, probes = measurer_of(model, "torch")
    found = [measurer._rows(index, probe) for index, probe in enumerate(probes)]
    return [rows for rows in found if rows is not None]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("middle", [0.0, 1.0, -300.0])
def test_a_deviation_far_below_the_mean_keeps_its_digits(way: str, middle: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(16, 5, 3), nn.Linear(9000, 3))
    with torch.no_grad():
        for layer in model:
            layer.weight.normal_(middle, 1e-2)
    record, structure, before = measure_twice(model, way=way)
    for layer in structure.layers:
        weight = model.get_submodule(layer.name).weight
        for row in range(layer.filters):
            found = record.filters[ROW["std"], layer.first_filter + row]
            assert found == pytest.approx(float(weight[row].detach().double().std(correction=0)), rel=2e-5)
        deviations = record.layers[:, LAYER_STATISTICS.index("std"), layer.index]
        older = before.get_submodule(layer.name).weight
        for source, values in zip(SOURCES, (weight, weight.grad, weight.double() - older.double()), strict=True):
            wanted = float(values.detach().double().std(correction=0))
            assert deviations[SOURCES.index(source)] == pytest.approx(wanted, rel=3e-5), source
    everything = torch.cat([layer.weight.detach().double().flatten() for layer in model])
    whole = record.modules[0, LAYER_STATISTICS.index("std"), 0]
    assert whole == pytest.approx(float(everything.std(correction=0)), rel=3e-5)


@pytest.mark.parametrize("way", WAYS)
def test_rows_of_a_hundred_thousand_elements_are_summed_without_loss(way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(100_003, 3 if way != "triton" else 1))
    with torch.no_grad():
        model[0].weight.abs_()
    record, _, _ = measure_twice(model, way=way)
    for row, values in enumerate(filters_of(model[0], model[0].weight)):
        wanted = slow_filter(values, values, values)
        for name in ("mean", "std", "norm", "share_negative", "sum_positive"):
            assert record.filters[ROW[name], row] == pytest.approx(wanted[name], rel=2e-6), name


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [1e-22, 1e-30, 1e25])
def test_gradients_whose_squares_are_no_floats_have_a_norm(way: str, size: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(50, 4))
    measurer, probes = measurer_of(model, way)
    model[0].weight.grad = (torch.randn(4, 50) * size).to(model[0].weight)
    record = Deriver(describe(model, probes)).derive(measurer.measure()(0, {}))
    for row, values in enumerate(filters_of(model[0], model[0].weight.grad)):
        assert record.filters[ROW["gradient_norm"], row] == pytest.approx(np.linalg.norm(values), rel=1e-5, abs=0)
        assert record.filters[ROW["gradient_std"], row] == pytest.approx(values.std(), rel=1e-5, abs=0)
        assert record.filters[ROW["nonfinite"], row] == 0


@pytest.mark.parametrize("way", WAYS)
def test_filters_of_one_element_and_of_nothing_but_zeros(way: str) -> None:
    model = nn.Sequential(nn.Linear(1, 4), nn.Linear(4, 3))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[-2.0], [0.0], [3.0], [-0.0]]))
        model[1].weight.zero_()
        model[1].weight[2] = -7.0
    measurer, probes = measurer_of(model, way)
    record = Deriver(describe(model, probes)).derive(measurer.measure()(0, {}))
    assert record.filters[ROW["norm"]].tolist() == [2, 0, 3, 0, 0, 0, 14]
    assert record.filters[ROW["std"]].tolist() == [0] * 7
    assert record.filters[ROW["share_negative"]].tolist() == [1, 0, 0, 0, 0, 0, 1]
    for index, wanted in enumerate(
        (slow_layer(np.array([-2.0, 0, 3, 0])), slow_layer(np.array([0.0] * 8 + [-7.0] * 4)))
    ):
        for name in ("max", "min", "mean", "std"):
            assert record.layers[0, LAYER_STATISTICS.index(name), index] == pytest.approx(wanted[name], rel=1e-6), name


@pytest.mark.parametrize("way", WAYS)
def test_a_network_of_nothing_but_nan_is_a_record_like_any_other(way: str) -> None:
    filters = 2000 if way != "triton" else 20  # interpreted, a row costs a tenth of a second
    model = nn.Sequential(nn.Conv2d(20, filters, 3))
    measurer, probes = measurer_of(model, way)
    deriver = Deriver(describe(model, probes))
    deriver.derive(measurer.measure()(0, {}))
    with torch.no_grad():
        model[0].weight.fill_(math.nan)
    model[0].weight.grad = torch.full_like(model[0].weight, math.inf)
    record = deriver.derive(measurer.measure()(1, {}))
    assert (record.filters[ROW["nonfinite"]] == 2 * 180).all()
    assert record.layers[:, LAYER_STATISTICS.index("nonfinite"), 0].tolist() == [180 * filters] * 3
    assert np.isnan(record.filters[ROW["norm"]]).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "-nan"])
def test_each_value_that_is_no_number_is_found(way: str, value: float | str) -> None:
    model = nn.Sequential(nn.Linear(100, 3))
    measurer, probes = measurer_of(model, way)
    wrong = torch.tensor(0xFFC00001 - (1 << 32), dtype=torch.int32).view(torch.float32) if value == "-nan" else value
    with torch.no_grad():
        model[0].weight.fill_(-1.0)
        model[0].weight[1, 50] = wrong
    record = Deriver(describe(model, probes)).derive(measurer.measure()(0, {}))
    assert record.filters[ROW["nonfinite"]].tolist() == [0, 1, 0]
    assert record.filters[ROW["norm"]].tolist() == pytest.approx([10, math.sqrt(99), 10], rel=1e-6)
    assert record.layers[0, LAYER_STATISTICS.index("sum"), 0] == -299


@pytest.mark.parametrize("way", WAYS)
def test_a_record_that_is_kept_is_not_overwritten_by_the_next(way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    measurer, _ = measurer_of(model, way)
    kept = []
    for iteration in range(3):
        change(model, iteration)
        raw = measurer.measure()(iteration, {})
        kept.append((raw.sums[:, 2:], raw.sums[:, 2:].copy(), raw.samples[0], raw.samples[0].copy()))
        del raw
        gc.collect()
    for sums, sums_then, samples, samples_then in kept:
        np.testing.assert_array_equal(sums, sums_then)
        np.testing.assert_array_equal(samples, samples_then)
    assert not np.array_equal(kept[0][1], kept[1][1])


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_that_is_gone_leaves_nothing_of_the_record_before(way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(5, 2))
    measurer, probes = measurer_of(model, way)
    deriver = Deriver(describe(model, probes))
    change(model, 1)
    deriver.derive(measurer.measure()(0, {}))
    model[0].weight.grad = None
    record = deriver.derive(measurer.measure()(1, {}))
    assert np.isnan(record.filters[ROW["gradient_norm"], :8]).all()
    assert not np.isnan(record.filters[ROW["gradient_norm"], 8:]).any()
    assert np.isnan(record.layers[SOURCES.index("gradients"), :, 0]).all()
    assert np.isnan(record.change_ratios[0]).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_weight_that_is_put_elsewhere_is_read_there(way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    measurer, probes = measurer_of(model, way)
    deriver = Deriver(describe(model, probes))
    for iteration in range(3):
        before = model[0].weight.detach().clone()
        if iteration:
            model[0].weight.data = before + iteration
        record = deriver.derive(measurer.measure()(iteration, {}))
    assert record.filters[ROW["update_norm"]].tolist() == pytest.approx([2 * math.sqrt(27)] * 8, rel=1e-6)


@needs_numba
@pytest.mark.parametrize("are_had", [True, False])
def test_several_threads_take_what_one_takes(monkeypatch: pytest.MonkeyPatch, are_had: bool) -> None:
    """Also where none can be had, as when Python exits and the weights at the end are recorded."""
    records = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        monkeypatch.setattr("concurrent.futures.thread._shutdown", threads == 3 and not are_had)
        model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Linear(100, 257), nn.Linear(7, 2))
        records.append(measure_twice(model, way="kernel")[0])
    np.testing.assert_array_equal(records[0].filters, records[1].filters)
    np.testing.assert_array_equal(records[0].layers, records[1].layers)
    np.testing.assert_array_equal(records[0].histograms, records[1].histograms)


@pytest.mark.parametrize("shares", [1, 2, 5, 8])
def test_shares_of_the_work_hold_every_row_once(shares: int) -> None:
    layers = rows_of(nn.Sequential(nn.Linear(1000, 50), nn.Linear(3, 2), nn.Linear(90, 70)))
    parts = numba_cpu.share_out(layers, shares)
    columns = [part.column + row for share in parts for part in share for row in range(len(part.weight))]
    assert columns == list(range(122))
    samples = [part.place + index for share in parts for part in share for index in range(len(part.positions))]
    assert samples == [index for layer in layers for index in range(len(layer.positions))]
    sizes = [sum(part.weight.numel() for part in share) for share in parts]
    assert max(sizes) <= 56_306 / shares + 1000


def test_layers_wider_than_a_group_are_taken_in_parts_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    records = []
    for elements in (1 << 22, 128):
        monkeypatch.setattr("dtui.record.backends.torch_gpu.GROUP_ELEMENTS", elements)
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(100, 7), nn.Conv2d(2, 50, 3), nn.Linear(18, 9))
        records.append(measure_twice(model, way="device")[0])
    np.testing.assert_allclose(records[0].filters, records[1].filters, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(records[0].histograms, records[1].histograms)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_device_is_never_waited_for(dtype: torch.dtype) -> None:
    """On tensors without values, whatever asks for one raises."""
    layers = rows_of(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(72, 5)).to(dtype))
    samples = sum(len(layer.positions) for layer in layers)
    with FakeTensorMode(allow_non_fake_inputs=True):
        for layer in layers:
            layer.weight, layer.previous = torch.empty_like(layer.weight), torch.empty_like(layer.previous)
            layer.gradient, layer.is_first = torch.empty_like(layer.weight), False
        buffers, summing = Buffers(21, 3, samples, torch.device("cpu")), DeviceSums()
        for _ in range(2):
            buffers.prepare(layers)
            summing.take(layers, buffers)
        with pytest.raises(DataDependentOutputException):
            float(buffers.memory[0])


def test_careful_sums_are_those_of_the_finite_elements() -> None:
    values = torch.tensor([[1.0, -3.0, math.nan, math.inf], [math.nan] * 4, [0.0, -0.0, 0.0, 0.0]])
    sums = sum_carefully(values)
    assert sums[:6, 0].tolist() == pytest.approx([-2, math.sqrt(10), 4, 1, -3, math.sqrt(8)])
    assert sums[6:].tolist() == [[1, 0, 0], [2, 4, 0]]
    assert sums[:3, 1].tolist() == [0, 0, 0]
    assert sums[5].tolist() == pytest.approx([math.sqrt(8), 0, 0])
    assert len(Sum) == 3 * 6 + 4


class TestWhichWay:
    @needs_numba
    def test_the_kernel_is_taken_where_it_is_to_be_had(self, tmp_path: Path) -> None:
        model = nn.Linear(4, 2)
        for index, (wanted, taken) in enumerate(((None, True), (True, True), (False, False))):
            with Recorder(tmp_path / str(index), model, fused=wanted) as recorder:
                assert recorder._recording.has_kernel is taken

    def test_without_numba_torch_takes_the_sums(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(numba_cpu, "find_spec", lambda name: None)
        with Recorder(tmp_path / "run", nn.Linear(4, 2)) as recorder:
            assert not recorder._recording.has_kernel

    def test_a_kernel_that_cannot_be_compiled_is_told_and_done_without(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(numba_cpu, "find_spec", lambda name: True)
        monkeypatch.setitem(sys.modules, "dtui.record.backends.numba_kernel", None)
        monkeypatch.delattr("dtui.record.backends.numba_kernel", raising=False)
        with pytest.warns(RecorderWarning, match="compiled kernel cannot be used, so torch is"):
            recorder = Recorder(tmp_path / "run", nn.Linear(4, 2))
        assert not recorder._recording.has_kernel
        recorder.close()

    def test_a_model_on_another_device_compiles_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernels, "load_kernels", lambda: 1 / 0)
        monkeypatch.setattr(kernels, "load_triton_kernels", lambda: 1 / 0)
        assert kernels.find_kernels(True, nn.Linear(4, 2, device="meta"))

    def test_a_process_that_measures_nothing_compiles_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All ranks but the first, unless the network is sharded: eight of them would share the cores to compile."""
        monkeypatch.setattr(kernels, "load_kernels", lambda: 1 / 0)
        assert not kernels.find_kernels(None, nn.Linear(4, 2), is_first=False)

    @pytest.mark.parametrize("module", ["numba", "triton"])
    def test_what_is_not_installed_is_told_where_it_is_wanted(
        self, monkeypatch: pytest.MonkeyPatch, module: str
    ) -> None:
        for place in (numba_cpu, triton_gpu):
            monkeypatch.setattr(place, "find_spec", lambda name: None)
        model = SimpleNamespace(parameters=lambda: [SimpleNamespace(device=torch.device(WHERE[module]))])
        assert kernels.find_kernels(None, model) is False  # type: ignore[arg-type]
        with pytest.raises(MissingExtraError, match=f"{module} is not installed; pip install"):
            kernels.find_kernels(True, model)  # type: ignore[arg-type]

    def test_each_device_has_a_way_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also where the network moves to another after recording began, and the kernel for that is not installed."""
        for place in (numba_cpu, triton_gpu):
            monkeypatch.setattr(place, "find_spec", lambda name: None)
        ways = {name: kernels.summing_on(torch.device(name), fused=True) for name in ("cpu", "cuda")}
        assert (type(ways["cpu"]), type(ways["cuda"])) == (TorchSums, DeviceSums)
        assert kernels.norming_on(torch.device("cuda"), fused=True) is None

    @needs_triton
    def test_on_a_gpu_triton_takes_the_sums_unless_it_is_not_wanted(self) -> None:
        gpu = torch.device("cuda")
        assert type(kernels.summing_on(gpu, fused=True)) is TritonSums
        assert type(kernels.summing_on(gpu, fused=False)) is DeviceSums
        assert type(kernels.norming_on(gpu, fused=True)) is TritonNorms
        assert kernels.norming_on(gpu, fused=False) is None


WHERE = {"numba": "cpu", "triton": "cuda"}


@needs_triton
class TestTriton:
    def test_rows_that_begin_anywhere_are_read_as_any_other(self) -> None:
        """Weights that lie in one flat buffer, as some optimizers keep them, begin at no multiple of 16 bytes."""
        records = []
        for offset in (0, 1):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(1000, 5))
            measurer, probes = measurer_of(model, "triton")
            flat = torch.empty(5001, device=GPU)
            weight = flat[offset : offset + 5000].view(5, 1000).copy_(model[0].weight.detach())
            model[0].weight.data = weight
            assert is_aligned(measurer, probes) is (offset == 0)
            deriver = Deriver(describe(model, probes))
            deriver.derive(measurer.measure()(0, {}))
            change(model, 1)
            records.append(deriver.derive(measurer.measure()(1, {})))
        np.testing.assert_allclose(records[0].filters, records[1].filters, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(records[0].layers, records[1].layers, rtol=1e-5, atol=1e-7)

    def test_gradients_that_come_and_go_and_move_are_read_where_they_are(self) -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 5), nn.Linear(5, 3))
        records = {}
        for way in ("torch", "triton"):
            copied = copy.deepcopy(model)
            measurer, probes = measurer_of(copied, way)
            deriver = Deriver(describe(copied, probes))
            for turn in range(12):
                change(copied, turn)
                if turn % 3:
                    copied[turn % 2].weight.grad = None
                copied[1].weight.grad = None if copied[1].weight.grad is None else copied[1].weight.grad.clone()
                records[way, turn] = deriver.derive(measurer.measure()(turn, {}))
        for turn in range(12):
            np.testing.assert_allclose(
                records["triton", turn].filters, records["torch", turn].filters, rtol=2e-5, atol=1e-6
            )

    def test_kernels_that_cannot_be_compiled_are_told_and_done_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        forget_told()
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, 3))
        wanted = measure_twice(copy.deepcopy(model), way="device")[0]
        broken = SimpleNamespace(
            take_samples={(1,): lambda *_, **__: raise_(RuntimeError("Failed to find C compiler"))}
        )
        monkeypatch.setattr(triton_gpu, "load_triton_kernels", lambda: broken)
        monkeypatch.setattr(twins, "nothing_but_triton", TritonSums)
        with pytest.warns(RecorderWarning, match="the GPU's kernels cannot be used, so torch is: .*C comp"):
            found = measure_twice(model, way="triton")[0]
        np.testing.assert_array_equal(found.filters, wanted.filters)
        norms = TritonNorms()
        assert not norms.take(rows_of(model.cpu()), torch.zeros(3, 11))

    def test_a_device_without_memory_is_not_a_compiler_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        full = SimpleNamespace(take_samples={(1,): lambda *_, **__: raise_(torch.OutOfMemoryError())})
        monkeypatch.setattr(triton_gpu, "load_triton_kernels", lambda: full)
        with pytest.raises(torch.OutOfMemoryError):
            measure_twice(nn.Sequential(nn.Linear(4, 3)), way="triton")


def is_aligned(measurer: Measurer, probes: list[LayerProbe]) -> bool:
    rows = measurer._rows(0, probes[0])
    assert rows is not None
    return triton_gpu._kind(rows, triton_gpu._addresses(rows))[2]


def raise_(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("way", WAYS)
def test_a_record_does_not_hold_the_gradients_until_the_next(way: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(9, 5))
    measurer, _ = measurer_of(model, way)
    for seed in range(3):
        change(model, seed)
        measurer.measure()
    held = [seen[3].gradient for seen in measurer._seen if seen is not None]
    assert held == [None, None]
