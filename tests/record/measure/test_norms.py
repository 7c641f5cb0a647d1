"""Normalisation layers: their statistics against slow twins, which layers are found, and what each of them follows."""

from __future__ import annotations

import copy
import math
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dtui.model import NORM_STATISTICS, Edge, Layer, NormLayer, Structure
from dtui.record import Recorder
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.statistics import Deriver
from dtui.record.network.layers import describe, find_layers, place
from dtui.record.network.norm_layers import Kept, find_norms, layers_before, try_norms
from dtui.store import RunReader
from tests.record.conftest import RecorderUnderTest
from tests.record.twins import assert_close

Make = Callable[..., RecorderUnderTest]


class RootMeanSquare(nn.Module):
    """As networks bring their own along: found by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6))


MyRMSNorm = type("MyRMSNorm", (RootMeanSquare,), {})


def frozen() -> nn.Module:
    """A layer whose scale is a buffer, as detectors of objects have it."""
    module = nn.BatchNorm2d(6)
    scale = module.weight.detach()
    del module.weight
    module.register_buffer("weight", scale)
    return module


KINDS: dict[str, Callable[[], nn.Module]] = {
    "batch 1d": lambda: nn.BatchNorm1d(7),
    "batch 2d": lambda: nn.BatchNorm2d(8),
    "batch 3d": lambda: nn.BatchNorm3d(5),
    "one channel": lambda: nn.BatchNorm2d(1),
    "synchronised": lambda: nn.SyncBatchNorm(6),
    "without scale": lambda: nn.BatchNorm2d(6, affine=False),
    "without statistics": lambda: nn.BatchNorm2d(6, track_running_stats=False),
    "instance": lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
    "layer": lambda: nn.LayerNorm((3, 5)),
    "group": lambda: nn.GroupNorm(2, 6),
    "root mean square": lambda: nn.RMSNorm(9),
    "somebody's own": lambda: MyRMSNorm(),
    "frozen": frozen,
    "half": lambda: nn.BatchNorm2d(8).to(torch.bfloat16),
    "half the scale": lambda: _half_scale(nn.BatchNorm2d(8)),
    "double": lambda: nn.BatchNorm2d(8).double(),
}


def _half_scale(module: nn.Module) -> nn.Module:
    module.weight.data = module.weight.data.bfloat16()
    return module


def shuffle(module: nn.Module, seed: int) -> None:
    """Give a layer other scales and running statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in (*module.named_parameters(), *module.named_buffers()):
            if values.is_floating_point():
                drawn = torch.randn(values.shape, generator=generator)
                values.copy_(drawn.exp() if name == "running_var" else drawn)


def kept(module: nn.Module, name: str) -> list[float] | None:
    found = getattr(module, name, None)
    return None if found is None else found.detach().double().ravel().tolist()


def slow_norm(now: nn.Module, before: nn.Module, first: nn.Module) -> dict[str, float]:
    """The statistics of one layer, one channel at a time."""
    twin = dict.fromkeys(NORM_STATISTICS, math.nan)
    mean, variance, scale = (kept(now, name) for name in ("running_mean", "running_var", "weight"))
    if mean is not None and variance is not None:
        means, variances = kept(before, "running_mean"), kept(before, "running_var")
        assert means is not None
        assert variances is not None
        shifts = [(a - b) ** 2 / c for a, b, c in zip(mean, means, variances, strict=True)]
        twin["mean_shift"] = math.sqrt(statistics.median(shifts))
        twin["variance_shift"] = statistics.median(
            abs(math.log(a) - math.log(b)) for a, b in zip(variance, variances, strict=True)
        )
    if scale is not None:
        scales, usual = kept(before, "weight"), kept(first, "weight")
        assert scales is not None
        assert usual is not None
        moved = statistics.median(abs(a - b) for a, b in zip(scale, scales, strict=True))
        twin["scale_shift"] = moved / statistics.median(map(abs, scales))
        limit = 1e-3 * statistics.median(map(abs, usual))
        twin["zero_scales"] = sum(abs(a) < limit for a in scale) / len(scale)
    twin["nonfinite"] = 0.0
    return twin


class Bench:
    """A network with layers to normalise, measured as the recorder does it."""

    def __init__(self, *norms: nn.Module) -> None:
        self.model = nn.Sequential(nn.Linear(3, 2), *norms)
        probes = place(find_layers(self.model))
        structure = describe(self.model, probes)
        found, described = try_norms(self.model, structure.layers)
        self.structure = Structure(structure.layers, structure.modules, norms=described)
        self.measurer = Measurer(self.model, probes, norms=found)
        self.deriver = Deriver(self.structure)
        self.iteration = 0

    def measure(self) -> np.ndarray:
        self.iteration += 1
        found = self.deriver.derive(self.measurer.measure()(self.iteration, {})).norms
        assert found is not None
        return found


@pytest.mark.parametrize("kind", KINDS)
def test_norm_statistics_equal_those_of_the_slow_twin(kind: str) -> None:
    other = nn.BatchNorm2d(13)
    norms = [nn.BatchNorm1d(7), KINDS[kind](), other, nn.GroupNorm(2, 6)]
    bench = Bench(*norms)
    assert len(bench.structure.norms) == 4
    past: list[list[nn.Module]] = []
    for seed in range(3):
        for number, norm in enumerate(norms):
            shuffle(norm, 10 * seed + number)
            if seed == 2 and kept(norm, "weight") is not None:
                with torch.no_grad():
                    norm.weight.view(-1)[::2] *= 1e-4
        found = bench.measure()
        if past:
            for row, norm in enumerate(norms):
                twin = slow_norm(norm, past[-1][row], past[0][row])
                for index, name in enumerate(NORM_STATISTICS):
                    if math.isnan(twin[name]):
                        assert math.isnan(found[index, row]), name
                    else:
                        assert_close(float(found[index, row]), twin[name], 1e-5, 1e-7, f"{name} of {norm}")
        past.append([copy.deepcopy(norm) for norm in norms])


def test_the_first_record_compares_nothing() -> None:
    found = dict(zip(NORM_STATISTICS, Bench(nn.BatchNorm2d(4)).measure()[:, 0].tolist(), strict=True))
    assert all(math.isnan(found[name]) for name in ("mean_shift", "variance_shift", "scale_shift"))
    assert (found["zero_scales"], found["nonfinite"]) == (0, 0)


def test_what_is_not_finite_is_counted_and_spoils_nothing_else() -> None:
    clean, broken = (nn.BatchNorm2d(9) for _ in range(2))
    bench, wanted = Bench(broken, nn.LayerNorm(4)), Bench(clean, nn.LayerNorm(4))
    bench.measure()
    wanted.measure()
    for norm in (broken, clean):
        with torch.no_grad():
            norm.running_mean += 0.5
            norm.running_var *= 2
    with torch.no_grad():
        broken.running_mean[2], broken.running_mean[3] = math.nan, math.inf
        broken.running_var[2] = -math.inf
        broken.weight[5] = math.nan
    found = bench.measure()
    rows = {name: row for row, name in enumerate(NORM_STATISTICS)}
    assert found[rows["nonfinite"]].tolist() == [4, 0]
    same = [row for name, row in rows.items() if name != "nonfinite"]
    np.testing.assert_array_equal(found[same], wanted.measure()[same])
    with torch.no_grad():
        broken.running_mean.fill_(math.nan)
    found = bench.measure()
    assert math.isnan(found[rows["mean_shift"], 0])
    assert found[rows["nonfinite"], 0] == 9 + 1 + 1


def test_scales_that_begin_at_zero_have_no_share_near_zero() -> None:
    norm = nn.RMSNorm(6)
    nn.init.zeros_(norm.weight)
    bench = Bench(norm)
    bench.measure()
    found = dict(zip(NORM_STATISTICS, bench.measure()[:, 0].tolist(), strict=True))
    assert math.isnan(found["zero_scales"])
    assert math.isnan(found["scale_shift"])


def test_a_layer_that_keeps_nothing_is_none_and_a_shared_one_is_one() -> None:
    shared = nn.BatchNorm2d(3)
    nothing = [nn.LayerNorm(4, elementwise_affine=False), nn.InstanceNorm2d(4), nn.LazyBatchNorm2d()]
    model = nn.Sequential(shared, *nothing, shared, nn.Conv2d(3, 3, 1), nn.Embedding(4, 4))
    assert [probe.name for probe in find_norms(model)] == ["0"]


def test_values_that_move_or_are_replaced_are_still_read() -> None:
    norm = nn.BatchNorm2d(4)
    bench = Bench(norm, nn.LayerNorm((2, 3)))
    bench.measure()
    norm.weight.data = torch.full((4,), 3.0)
    norm.running_mean = torch.full((4,), 2.0)
    rows = dict(zip(NORM_STATISTICS, bench.measure()[:, 0].tolist(), strict=True))
    assert (rows["scale_shift"], rows["mean_shift"]) == (2, 2)
    norm.weight = nn.Parameter(torch.full((4,), 6.0))
    assert bench.measure()[NORM_STATISTICS.index("scale_shift"), 0] == 1
    bench.model.double()
    assert bench.measure()[NORM_STATISTICS.index("scale_shift"), 0] == 0
    bench.model[1] = nn.SyncBatchNorm.convert_sync_batchnorm(norm)
    with torch.no_grad():
        bench.model[1].weight.mul_(2)
    assert bench.measure()[NORM_STATISTICS.index("scale_shift"), 0] == 1
    bench.model[1] = nn.Identity()
    with pytest.warns(match="layer 1: gone or changed; it is left out from here on"):
        assert np.isnan(bench.measure()[:, 0]).all()


def test_layers_that_cannot_be_read_cost_themselves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(nn.BatchNorm2d(4))
    monkeypatch.setattr("dtui.record.measure.norm_values.torch.cat", lambda tensors: 1 / 0)
    with pytest.warns(match="normalisation layers are not recorded from here on"):
        raw = bench.measurer.measure()(0, {})
    monkeypatch.undo()
    assert raw.norms is None
    assert bench.deriver.derive(bench.measurer.measure()(1, {})).norms is None


# --- what a layer follows


class Block(nn.Module):
    """A residual block whose norms are not made in the order of the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.norm2, self.norm1, self.after = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        first = self.norm1(self.conv1(images)).relu()
        return self.after(self.norm2(self.conv2(first)) + first)


def test_a_norm_follows_the_nearest_layer_of_the_graph(record: Make) -> None:
    model = nn.Sequential(nn.BatchNorm2d(1), Block())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    recorder.close()
    follows = {norm.name: norm.layer for norm in recorder.store.structure.norms}
    assert follows == {"0": "", "1.norm2": "1.conv2", "1.norm1": "1.conv1", "1.after": "1.conv2"}
    assert {norm.kind for norm in recorder.store.structure.norms} == {"BatchNorm2d"}
    assert recorder.store.records[0].norms.shape == (len(NORM_STATISTICS), 4)


def test_without_a_graph_it_follows_the_last_layer_before_it(record: Make) -> None:
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.GroupNorm(2, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1, graph=False)
    update(model, optimizer)
    recorder.close()
    assert [norm.layer for norm in recorder.store.structure.norms] == ["", "1", "1"]


def test_a_graph_shows_what_is_used_twice_and_attention_whole() -> None:
    layers = [Layer(0, "a", "Linear", (2, 2), 0), Layer(1, "attention.out_proj", "Linear", (2, 2), 2, ("tied",))]
    edges = [Edge("input", "a"), Edge("a", "attention#2"), Edge("attention#2", "/add"), Edge("a", "/add")]
    edges += [Edge("/add", "n1"), Edge("n1", "loop"), Edge("loop", "loop"), Edge("loop", "n2"), Edge("input", "n3")]
    edges += [Edge("tied", "n4")]
    names = ["n1", "n2", "n3", "n4"]
    found = layers_before(names, layers, ["", "a", "attention", "attention.out_proj", *names], edges)
    assert found == ["attention.out_proj", "attention.out_proj", "", "attention.out_proj"]


# --- runs


def update(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor | None = None) -> None:
    optimizer.zero_grad()
    model(torch.randn(6, 1, 5, 5) if images is None else images).square().mean().backward()
    optimizer.step()


def network(*more: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LayerNorm(36), *more)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_training_and_its_run(tmp_path: Path, is_compiled: bool) -> None:
    model = network()
    trained = torch.compile(model, backend="eager") if is_compiled else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    states: list[nn.Module] = []
    with Recorder(tmp_path / "run", trained, optimizer, every=2, keep_around=4) as recorder:
        for step in range(9):
            recorder.log(loss=math.nan if step == 5 else 1.0)  # fires the flight recorder
            update(trained, optimizer)
            if step % 2 == 0:
                states.append(copy.deepcopy(model))
    reader = RunReader(tmp_path / "run.dtui")
    assert reader.structure.norms == (
        NormLayer("1", "BatchNorm2d", 4, "0"),
        NormLayer("4", "LayerNorm", 36, "0"),
    )
    assert reader.is_watch.any()
    for name in NORM_STATISTICS:
        found = reader.read_norms(name, slice(None))
        assert np.isnan(found[:, reader.is_watch]).all()
        found = found[:, ~reader.is_watch]
        assert found.shape == (2, 5)
        for at in range(1, 5):
            for row, layer in enumerate((1, 4)):
                twin = slow_norm(states[at][layer], states[at - 1][layer], states[0][layer])[name]
                np.testing.assert_allclose(found[row, at], twin, rtol=2.0**-10, atol=1e-7, err_msg=name)
    reader.close()


def test_a_network_without_norms_has_no_rows_of_them(record: Make) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    recorder.close()
    assert recorder.store.structure.norms == ()
    assert recorder.store.records[0].norms is None


def test_lazy_norms_are_found_once_they_have_a_shape(record: Make) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LazyBatchNorm2d(), nn.Flatten())
    optimizer = torch.optim.SGD(model[:1].parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    recorder.close()
    assert recorder.store.structure.norms == (NormLayer("1", "BatchNorm2d", 2, "0"),)
    assert recorder.store.records[0].norms[NORM_STATISTICS.index("zero_scales")].tolist() == [0]


def test_a_resumed_run_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "run"
    for begin, model in ((0, network()), (3, network(nn.BatchNorm1d(36)))):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        with Recorder(path, model, optimizer, every=1, resume=True, iteration=begin):
            for _ in range(3):
                update(model, optimizer)
    reader = RunReader(path.with_suffix(".dtui"))
    assert [norm.name for norm in reader.structure.norms] == ["1", "4"]
    shifts = reader.read_norms("scale_shift", slice(None))
    assert np.isnan(shifts).tolist() == [[True, False, False, True, False, False]] * 2
    reader.close()
    model = network()
    model[1], model[4] = nn.Identity(), nn.LayerNorm(36, elementwise_affine=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with Recorder(path, model, optimizer, every=1, resume=True, iteration=6):
            update(model, optimizer)
    assert {str(one.message) for one in told} >= {
        f"dtui: layer {name}: is missing in this model; the run goes on without it" for name in ("1", "4")
    }
    reader = RunReader(path.with_suffix(".dtui"))
    assert np.isnan(reader.read_norms("zero_scales", slice(6, None))).all()
    assert not np.isnan(reader.read_norms("zero_scales", slice(0, 6))).any()
    assert reader.faults == ()
    reader.close()


def test_only_the_scales_of_another_process_count() -> None:
    bench = Bench(nn.BatchNorm2d(3))
    raw = bench.measurer.measure()(0, {})
    assert raw.norms is not None
    raw.norms[Kept.SCALE, 1:] = math.nan
    other = bench.measurer.measure()(0, {})
    assert other.norms is not None
    other.norms[:] = 7.0
    assert raw.with_part(**other.parts()).norms.tolist() == [[1, 7, 7], [0, 0, 0], [1, 1, 1]]
    assert raw.with_part(raw.sums, raw.samples).norms is raw.norms
    assert raw.with_part(raw.sums, raw.samples, np.zeros(2, np.float32)).norms is raw.norms
