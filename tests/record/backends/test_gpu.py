"""What only a GPU can show: that nothing waits for it, and that a training on it is left alone and recorded truly."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.model import FILTER_STATISTICS
from dtui.record import RecorderWarning
from dtui.record.measure.norm_values import NormValues
from dtui.record.network.norm_layers import find_norms
from dtui.record.writing.writer_thread import Job
from tests.record.conftest import RecorderUnderTest, small_net

Make = Callable[..., RecorderUnderTest]

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

NORM, GRADIENT, NONFINITE = (FILTER_STATISTICS.index(name) for name in ("norm", "gradient_norm", "nonfinite"))


def data(count: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    images, labels = (
        torch.randn(count, 1, 8, 8, generator=generator),
        torch.randint(0, 3, (count,), generator=generator),
    )
    return images.cuda(), labels.cuda()


def network() -> nn.Module:
    torch.manual_seed(0)
    return small_net().cuda()


def update(model: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor]) -> Tensor:
    optimizer.zero_grad()
    loss = functional.cross_entropy(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss.detach()


def norms(model: nn.Module) -> np.ndarray:
    """The norm of each filter, from the weights themselves."""
    weights = [part.weight.detach() for part in model.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    return torch.cat([weight.double().flatten(1).norm(dim=1) for weight in weights]).cpu().numpy()


def waits(profiler: torch.profiler.profile) -> list[str]:
    """The calls of the driver in a trace that wait for the GPU."""
    names = [event.name for event in profiler.events()]
    return sorted(name for name in names if "Synchronize" in name or name in ("cudaMemcpy", "cuMemcpyDtoH_v2"))


@pytest.mark.parametrize("fused", [True, False], ids=["triton", "torch"])
@pytest.mark.parametrize("keep_around", [0, 10], ids=["records", "watches"])
def test_nothing_in_the_loop_waits_for_the_gpu(
    record: Make, monkeypatch: pytest.MonkeyPatch, fused: bool, keep_around: int
) -> None:
    """The writer waits, so it is held back meanwhile; torch raises where its own operations wait, a trace shows all."""
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder = record(model, optimizer, every=2 if keep_around else 1, keep_around=keep_around, fused=fused)

    def train(steps: int) -> None:
        for _ in range(steps):
            recorder.log(loss=update(model, optimizer, batch))

    train(6)
    sink = recorder._recording.sink
    assert sink is not None
    sink.drain()
    jobs: list[Job] = []
    monkeypatch.setattr(sink, "offer", lambda job, limit=None: jobs.append(job) or True)
    torch.cuda.set_sync_debug_mode("error")
    try:
        train(6)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    with torch.profiler.profile() as profiler:
        train(2)
    monkeypatch.undo()
    with torch.profiler.profile() as plain:
        pass
    assert waits(profiler) == waits(plain), "the profiler itself waits once"
    assert any(event.name.endswith("aunchKernel") or "LaunchKernelEx" in event.name for event in profiler.events())
    for job in jobs:
        assert sink.offer(job)
    recorder.close()
    iterations = [stored.iteration for stored in recorder.store.records]
    assert iterations == list(range(0, 14, 2 if keep_around else 1))
    assert not recorder.store.gaps
    assert recorder.store.records[-1].scalars["loss"] > 0


def trained(make: Callable[..., Any]) -> tuple[list[float], bytes, bytes]:
    """A training with dropout: losses, weights and the state of the generator after it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(288, 3)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    batch = data()
    recorder = make(model, optimizer)
    losses = [update(model, optimizer, batch) for _ in range(9)]
    if recorder is not None:
        recorder.close()
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return (
        [float(loss) for loss in losses],
        weights.cpu().numpy().tobytes(),
        torch.cuda.get_rng_state().numpy().tobytes(),
    )


@pytest.mark.parametrize("options", [{}, {"fused": False}, {"keep_around": 4, "every": 2}], ids=str)
def test_the_training_is_the_same_bit_by_bit(record: Make, options: dict[str, Any]) -> None:
    undisturbed = trained(lambda model, optimizer: None)
    assert trained(lambda model, optimizer: record(model, optimizer, **{"every": 1, **options})) == undisturbed


@pytest.mark.parametrize("fused", [True, False], ids=["triton", "torch"])
@pytest.mark.parametrize("stream", ["default", "own"])
def test_a_record_is_of_its_own_update(record: Make, fused: bool, stream: str) -> None:
    """Also when the GPU is far behind, and on a stream that is not the default: neither earlier nor later weights."""
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    recorder = record(model, optimizer, every=1, fused=fused)
    own: AbstractContextManager[Any] = torch.cuda.stream(torch.cuda.Stream()) if stream == "own" else nullcontext()
    after = []
    with own:
        for _ in range(20):
            torch.cuda._sleep(5_000_000)
            recorder.log(loss=update(model, optimizer, batch))
            after.append([parameter.detach().clone() for parameter in model.parameters()])
    recorder.close()
    torch.cuda.synchronize()
    assert len(recorder.store.records) == 20
    for stored, parameters in zip(recorder.store.records, after, strict=True):
        weights = [weight.double().flatten(1).norm(dim=1) for weight in parameters if weight.dim() > 1]
        np.testing.assert_allclose(stored.filters[NORM], torch.cat(weights).cpu().numpy(), rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False], ids=["fused optimizer", "plain optimizer"])
def test_updates_that_a_scaler_skips_are_counted(record: Make, fused: bool) -> None:
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0)
    recorder = record(model, optimizer, every=1)
    for step in range(4):
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = functional.cross_entropy(model(batch[0]), batch[1])
        scaler.scale(loss * (math.inf if step in (1, 2) else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
    recorder.close()
    skipped = [stored.scalars.get("skipped_updates") for stored in recorder.store.records]
    assert skipped == ([None, 1, 2, 2] if fused else [None, 2])


def test_a_step_inside_a_cuda_graph_is_counted_by_hand(record: Make) -> None:
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, every=1)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            update(model, optimizer, batch)
    torch.cuda.current_stream().wait_stream(side)
    optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        functional.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()
    wanted = []
    for _ in range(4):
        graph.replay()
        recorder.step()
        wanted.append(norms(model))
    recorder.close()
    for stored, norm in zip(recorder.store.records, wanted, strict=True):
        np.testing.assert_allclose(stored.filters[NORM], norm, rtol=1e-5)
        assert (stored.filters[GRADIENT] > 0).any()


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_a_compiled_model_is_recorded(record: Make, mode: str) -> None:
    model, batch = network(), data()
    compiled = torch.compile(model, mode=mode)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(compiled, optimizer, every=1)
    wanted = []
    for _ in range(5):
        recorder.log(loss=update(compiled, optimizer, batch))
        wanted.append(norms(model))
    recorder.close()
    assert len(recorder.store.records) == 5
    for stored, norm in zip(recorder.store.records, wanted, strict=True):
        np.testing.assert_allclose(stored.filters[NORM], norm, rtol=1e-5)


def test_a_model_that_moves_is_followed(record: Make) -> None:
    torch.manual_seed(0)
    model, batch = small_net(), data()
    recorder = record(model, every=1)
    wanted = []
    for device in ("cpu", "cuda", "cuda", "cpu"):
        model.to(device)
        model.zero_grad()
        functional.cross_entropy(model(batch[0].to(device)), batch[1].to(device)).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * parameter.grad
        recorder.step()
        wanted.append(norms(model))
    recorder.close()
    updates = FILTER_STATISTICS.index("update_norm")
    for turn, (stored, norm) in enumerate(zip(recorder.store.records, wanted, strict=True)):
        np.testing.assert_allclose(stored.filters[NORM], norm, rtol=1e-5)
        assert np.isfinite(stored.filters[updates]).all() == (turn > 0)


def test_a_model_on_two_devices_is_one_record(record: Make) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4).cuda())
    recorder = record(model, every=1)
    recorder.step()
    recorder.close()
    np.testing.assert_allclose(
        recorder.store.records[0].filters[NORM],
        np.concatenate([part.weight.detach().double().norm(dim=1).cpu().numpy() for part in model]),
        rtol=1e-5,
    )


def test_norms_are_read_without_waiting() -> None:
    model = nn.Sequential(nn.BatchNorm2d(5), nn.LayerNorm((2, 3)), nn.BatchNorm1d(4, affine=False).half())
    for values in (*model.parameters(), *model.buffers()):
        if values.is_floating_point():
            values.data.uniform_(0.5, 1.5)
    wanted, there = NormValues(find_norms(model)), copy.deepcopy(model).cuda()
    found = NormValues(find_norms(there))
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.no_grad():
            arrive = found.take()
            there[0].weight.zero_()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    with torch.no_grad():
        np.testing.assert_array_equal(arrive(), wanted.take()())


def test_a_full_gpu_costs_the_records_and_not_the_training(record: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 3)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batch = data()
    for _ in range(2):
        update(model, optimizer, batch)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    recorder = record(model, optimizer, every=1)
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (30 << 20)) / total)
    try:
        with pytest.warns(RecorderWarning, match="out of memory"):
            update(model, optimizer, batch)
        losses = [float(update(model, optimizer, batch)) for _ in range(3)]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    recorder.close()
    assert all(map(math.isfinite, losses))
    assert sum(gap.last - gap.first + 1 for gap in recorder.store.gaps) == 4
    assert not recorder.store.records


def test_a_validation_on_the_gpu_is_recorded(record: Make) -> None:
    model = network()
    images, labels = data(23)
    loader = DataLoader(TensorDataset(images.cpu(), labels.cpu()), 4, shuffle=True, pin_memory=True)
    recorder = record(model, every=1)
    recorder.step()
    with recorder.validation(loader), torch.no_grad():
        for some, _ in loader:
            model(some.cuda(non_blocking=True))
    recorder.close()
    with torch.no_grad():
        predicted = model(images).argmax(1).cpu().numpy()
    assert recorder.store.images is not None
    found = dict(zip(recorder.store.images.ids, recorder.store.validations[0].labels.tolist(), strict=True))
    assert [found[str(index)] for index in range(23)] == predicted.tolist()


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("nccl", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("kind", ["data parallel", "fully sharded"])
def test_a_distributed_training_is_recorded(record: Make, kind: str) -> None:
    model, batch = network(), data()
    if kind == "data parallel":
        model = nn.parallel.DistributedDataParallel(model, device_ids=[0])
    else:
        from torch.distributed.fsdp import fully_shard

        for layer in (model[0], model[2], model[4]):
            fully_shard(layer)
        fully_shard(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    wanted = []
    for _ in range(4):
        recorder.log(loss=update(model, optimizer, batch))
        parameters = [parameter.detach() for parameter in model.parameters() if parameter.dim() > 1]
        whole = [getattr(weight, "full_tensor", lambda weight=weight: weight)() for weight in parameters]
        wanted.append(torch.cat([weight.double().flatten(1).norm(dim=1) for weight in whole]).cpu().numpy())
    recorder.close()
    for stored, norm in zip(recorder.store.records, wanted, strict=True):
        np.testing.assert_allclose(stored.filters[NORM], norm, rtol=1e-5)
        assert stored.filters[NONFINITE].sum() == 0
